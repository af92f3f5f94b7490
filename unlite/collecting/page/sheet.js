// The contact sheet: what is kept, to be struck out, moved or trusted.

import {ask, tell} from "./api.js";
import {overlay} from "./drawing.js";
import {attempt, byId, element} from "./elements.js";

const PAGE = 60;
const SOON = 700; // milliseconds that pictures are gathered before they are shown
const DOUBTFUL = "?"; // which no label is called

export class Sheet {
  bones = [];
  #filter = "";
  #filters = new Map();
  #pictures = [];
  #tiles = new Map();
  #last = -1; // that was chosen, for a range
  #timer = 0;
  #onChange;

  // Calls onChange with unlite's answer, after something has changed.
  constructor(onChange) {
    this.#onChange = onChange;
    byId("strike").onclick = () => this.#change("strike");
    byId("trust").onclick = () => this.#change("trust");
    byId("undo").onclick = () => this.#change("unstrike");
    byId("move").onchange = ({target}) => this.#change("move", {label: target.value});
    byId("more").onclick = () => this.#load(this.#pictures.at(-1)?.id);
    byId("sheet").onchange = () => this.#mark();
    byId("sheet").onkeydown = ({key}) => ["Delete", "Backspace"].includes(key) && this.#change("strike");
    document.addEventListener("keydown", (event) => {
      if (event.key === "z" && (event.ctrlKey || event.metaKey) && !event.target.closest?.("input:not([type=checkbox])"))
        this.#change("unstrike");
    });
  }

  // What there is to choose from, and anew what is shown.
  show({labels, struck = 0}) {
    const sum = (member) => labels.reduce((all, each) => all + each[member], 0);
    const filters = [["all", "", sum("count")], ["doubtful", DOUBTFUL, sum("doubtful")],
      ...labels.map(({name, count}) => [name, name, count])];
    for (const [name, value, count] of filters) {
      const button = this.#button(value);
      button.textContent = `${name} ${count}`;
      button.classList.toggle("doubtful", value === DOUBTFUL && count > 0);
    }
    byId("undo").hidden = !struck;
    byId("undo").textContent = `Bring back (${struck})`;
    this.#load();
  }

  choose(filter) {
    this.#filter = filter;
    for (const [value, button] of this.#filters) button.ariaPressed = String(value === filter);
    this.#load();
  }

  // The button of a filter, which stays the same: somebody may be pressing it.
  #button(value) {
    if (!this.#filters.has(value)) {
      const button = element("button", {type: "button", ariaPressed: String(value === this.#filter),
        data: {filter: value}, onclick: () => this.choose(value)});
      this.#filters.set(value, button);
      byId("filters").append(button);
      const isLabel = !["", DOUBTFUL].includes(value);
      if (isLabel) byId("move").append(element("option", {textContent: value, value}));
    }
    return this.#filters.get(value);
  }

  // New pictures are shown before long.
  soon(refresh) {
    if (!this.#timer) this.#timer = setTimeout(() => { this.#timer = 0; refresh(); }, SOON);
  }

  async #load(before = "") {
    const query = this.#filter === DOUBTFUL ? {doubtful: 1} : {label: this.#filter};
    const made = await attempt(() => ask("pictures", {...query, count: PAGE, before}));
    if (!made) return;
    this.#pictures = before ? [...this.#pictures, ...made.pictures] : made.pictures;
    const tiles = new Map(this.#pictures.map((each) => [each.id, this.#tile(each)]));
    this.#tiles = tiles;
    byId("sheet").replaceChildren(...tiles.values());
    byId("more").hidden = !made.more;
    this.#mark();
  }

  #tile(picture) {
    const tile = this.#tiles.get(picture.id) ?? this.#newTile(picture.id);
    const image = tile.querySelector("img");
    image.alt = `${picture.label}${picture.doubt ? `, ${picture.doubt}` : ""}`;
    image.parentElement.replaceChildren(image, overlay(picture, this.bones));
    tile.querySelector("figcaption").replaceChildren(element("b", {textContent: picture.label}), ` ${picture.doubt}`);
    tile.classList.toggle("doubtful", picture.doubt !== "");
    tile.title = [picture.source, picture.person, picture.time && new Date(picture.time).toLocaleString()]
      .filter(Boolean).join(" · ");
    tile.querySelector("button").onclick = () => this.#enlarge(picture);
    return tile;
  }

  #newTile(id) {
    const box = element("input", {type: "checkbox", value: id, onclick: (event) => this.#range(event)});
    const image = element("div", {className: "picture"}, element("img", {src: `thumb/${id}`, loading: "lazy"}));
    const choice = element("label", {}, box, element("figure", {}, image, element("figcaption")));
    return element("div", {className: "tile", data: {id}},
      choice, element("button", {type: "button", textContent: "⤢", ariaLabel: "Larger", title: "Larger"}));
  }

  // With Shift, all from the one chosen before.
  #range({target, shiftKey}) {
    const boxes = this.#boxes(), now = boxes.indexOf(target);
    if (shiftKey && this.#last >= 0)
      for (const box of boxes.slice(Math.min(now, this.#last), Math.max(now, this.#last) + 1)) box.checked = target.checked;
    this.#last = now;
  }

  #boxes() {
    return [...byId("sheet").querySelectorAll("input")];
  }

  #mark() {
    const count = this.#boxes().filter(({checked}) => checked).length;
    byId("how-many").textContent = count ? `${count} chosen` : "Choose some:";
    for (const id of ["strike", "trust", "move"]) byId(id).disabled = !count;
  }

  async #change(what, said = {}) {
    const boxes = this.#boxes().filter(({checked}) => checked);
    byId("move").value = "";
    if (!boxes.length && what !== "unstrike") return;
    const made = await attempt(() => tell(what, {ids: boxes.map(({value}) => value), ...said}));
    if (!made) return;
    for (const box of boxes) box.checked = false;
    this.#last = -1;
    this.#onChange();
  }

  #enlarge(picture) {
    const image = element("img", {src: `picture/${picture.id}`, alt: picture.label});
    byId("large").querySelector(".picture").replaceChildren(image, overlay(picture, this.bones));
    const score = picture.boxes[0]?.score;
    const words = [picture.label, score && `score ${score.toFixed(2)}`, picture.doubt, picture.person, picture.source];
    byId("large").querySelector("figcaption").textContent = words.filter(Boolean).join(" · ");
    byId("large").showModal();
  }
}
