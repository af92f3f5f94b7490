// Training, what comes of it, and the file at the end.

import {ask, tell} from "./api.js";
import {drawCurves} from "./curves.js";
import {attempt, byId, element} from "./elements.js";

const EVERY = 500; // milliseconds
const ENOUGH = 40, TAKES = 3;
const WORDS = {idle: "", running: "", done: "trained", failed: "failed: ", stopped: "stopped"};

export class Training {
  #onTrained;
  #state = "idle";

  // Calls onTrained when there is another model.
  constructor(onTrained) {
    this.#onTrained = onTrained;
    for (const effort of ["quick", "thorough"]) byId(effort).onclick = () => this.#begin("train", {effort});
    byId("stop").onclick = () => this.#begin("stop");
    byId("export").onclick = () => attempt(async () => this.#exported(await tell("export")));
  }

  // What unlite says of everything.
  show({labels, job, trained, exported}) {
    byId("advice").textContent = advice(labels);
    byId("export").disabled = !trained;
    byId("result").replaceChildren();
    if (trained) {
      const report = element("a", {href: "report", target: "_blank", textContent: "What it mistakes, and why"});
      byId("result").append(trained.summary, trained.summary ? ". " : "", ...(trained.report ? [report] : []));
    }
    this.#exported(exported);
    this.#job(job);
  }

  async #begin(what, said) {
    const job = await attempt(() => tell(what, said));
    if (job) this.#job(job);
  }

  #job(job) {
    const isRunning = job.state === "running", hasEnded = this.#state === "running" && !isRunning;
    const isNews = isRunning && this.#state !== "running";
    this.#state = job.state;
    for (const id of ["quick", "thorough"]) byId(id).hidden = isRunning;
    byId("stop").hidden = !isRunning;
    byId("progress").textContent = isRunning
      ? `${job.line} · ${Math.round(job.seconds)} s`
      : `${WORDS[job.state]}${job.error}${job.state === "done" ? ` in ${Math.round(job.seconds)} s` : ""}`;
    byId("progress").dataset.state = job.state;
    attempt(() => drawCurves(job.rows));
    if (isNews) this.#watch();
    if (hasEnded) this.#onTrained();
  }

  async #watch() {
    while (this.#state === "running") {
      await new Promise((done) => { setTimeout(done, EVERY); });
      const job = await attempt(() => ask("job"));
      if (job) this.#job(job);
    }
  }

  #exported(made) {
    byId("download").hidden = !made;
    if (!made) return;
    const [file] = made.path.split(/[/\\]/).slice(-1);
    byId("download").download = file;
    byId("exported").replaceChildren(`${Math.round(made.bytes / 1000)} kB in `, element("code", {textContent: made.path}),
      ". See it in a window of the terminal: ", element("code", {textContent: `unlite detect 0 --model ${file}`}));
  }
}

function advice(labels) {
  const all = labels.filter(({count}) => count);
  const few = all.filter(({count}) => count < ENOUGH).map(({name}) => name);
  const hasNothing = labels.some(({is_nothing: isNothing, count}) => isNothing && count);
  const once = all.filter(({takes}) => takes < TAKES).map(({name}) => name);
  if (all.length < 2) return "Show at least two labels, or one and “none”.";
  if (few.length) return `${ENOUGH} pictures of each are a beginning, 200 are good; few so far: ${few.join(", ")}.`;
  if (once.length) return `Shown without a pause, hence hard to judge: ${once.join(", ")}. Let go, and begin again.`;
  if (!hasNothing) return "Pictures of nothing, under a label “none”, teach when to keep quiet.";
  return "Quickly: whether they can be told apart. Thoroughly: for use.";
}
