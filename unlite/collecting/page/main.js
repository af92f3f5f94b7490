// The page as a whole: what each part does when another one has something new.

import {ask, tell} from "./api.js";
import {Camera} from "./camera.js";
import {drawFrame} from "./drawing.js";
import {attempt, byId} from "./elements.js";
import {Labels} from "./labels.js";
import {Live} from "./live.js";
import {Sheet} from "./sheet.js";
import {Training} from "./training.js";

const FIGURES = 1000; // milliseconds between two times that figures are shown

let bones = [];

const labels = new Labels((held) => {
  if (held) setTrying(false);
  live.wish({hold: held});
  if (!held) sheet.soon(refresh);
});
const sheet = new Sheet(() => refresh());
const training = new Training(() => refresh());
const camera = new Camera((taken) => live.send(() => camera.frame(), taken));
const live = new Live((frame, answer) => {
  drawFrame(byId("view"), frame, answer.found, {bones, isMirrored: camera.isMirrored});
  for (const [name, count] of Object.entries(answer.counts)) labels.count(name, count);
  labels.said(answer.verdict);
  showDropped(answer.dropped);
  if (answer.verdict === "kept") sheet.soon(refresh);
});

async function refresh() {
  const state = await attempt(() => ask("state"));
  if (state) show(state);
}

function show(state) {
  bones = sheet.bones = state.bones;
  for (const [id, text] of [["folder", state.folder], ["folder-again", state.folder], ["version", state.version], ["model", state.model]])
    byId(id).textContent = text;
  if (document.activeElement !== byId("person")) byId("person").value = state.person;
  labels.show(state.labels);
  sheet.show(state);
  training.show(state);
  showDropped(state.dropped);
  byId("try").disabled = !state.trained;
  byId("try-hint").textContent = state.trained
    ? `It tells apart ${state.trained.labels.join(", ")}, from a score of ${state.trained.threshold.toFixed(2)} on.`
    : "Train first.";
}

function showDropped({copy, blurred, nothing}) {
  const said = [[copy, "nearly the same"], [blurred, "blurred"], [nothing, "with nothing found"]].filter(([count]) => count);
  byId("saved").textContent = said.length ? `· dropped: ${said.map(([count, why]) => `${count} ${why}`).join(", ")}` : "";
}

function setTrying(trying) {
  if (trying === live.trying) return;
  live.wish({trying});
  live.forget();
  byId("try").ariaPressed = String(trying);
  byId("try").textContent = trying ? "Stop trying" : "Try it on the camera";
}

byId("try").onclick = () => {
  setTrying(!live.trying);
  byId("stage").scrollIntoView({block: "nearest", behavior: "smooth"});
};
byId("person").onchange = ({target}) => attempt(async () => show(await tell("person", {name: target.value})));
byId("new-label").onsubmit = (event) => {
  event.preventDefault();
  const form = event.target;
  attempt(async () => {
    show(await tell("labels", {name: form.name.value}));
    form.reset();
  });
};
setInterval(() => {
  const {perSecond, median} = live.measured() ?? {};
  byId("figures").textContent = perSecond ? `${perSecond.toFixed(0)} frames a second, ${median.toFixed(0)} ms from the camera to the box` : "";
}, FIGURES);

window.collecting = {measured: () => live.measured(), forget: () => live.forget()};
await refresh();
document.documentElement.dataset.ready = "yes";
await camera.open();
