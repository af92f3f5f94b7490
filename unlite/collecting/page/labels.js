// A button and a key for each label, held down while it is shown; or pressed once, with both hands free.

import {byId, element} from "./elements.js";

const ENOUGH = 40; // pictures of a label that are a beginning
const READY = 3, SHOWN = 6; // seconds
const KEYS = "1234567890";
const SAID = {
  kept: "kept",
  copy: "nearly the same as one that is kept: move a little",
  blurred: "blurred: a little slower, or with more light",
  nothing: "nothing is found: come nearer, or into the light",
};

export class Labels {
  #buttons = new Map();
  #held = "";
  #onHold;
  #timer = 0;

  // Calls onHold with the label that is held from now on, empty: none.
  constructor(onHold) {
    this.#onHold = onHold;
    const release = () => this.#stop();
    window.addEventListener("blur", release);
    document.addEventListener("visibilitychange", release);
    document.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("keyup", ({key}) => key === this.#keyDown && this.#let());
  }

  // Labels as unlite counts them.
  show(labels) {
    for (const {name, count} of labels) {
      if (!this.#buttons.has(name)) this.#add(name);
      this.count(name, count);
    }
  }

  get names() {
    return [...this.#buttons.keys()];
  }

  count(name, count) {
    const button = this.#buttons.get(name);
    button?.querySelector("output").replaceChildren(String(count));
    if (button) button.querySelector("progress").value = Math.min(count, ENOUGH);
  }

  // What has become of a frame of the label that is held.
  said(verdict) {
    if (!this.#held || !verdict) return;
    byId("said").dataset.verdict = verdict;
    byId("said").textContent = `${this.#held}: ${SAID[verdict]}`;
  }

  #keyDown = "";

  #add(name) {
    const key = KEYS[this.#buttons.size] ?? "";
    const button = element("button", {type: "button", className: "label", data: {label: name}},
      element("kbd", {textContent: key}), element("span", {textContent: name}), element("output", {textContent: "0"}),
      element("progress", {max: ENOUGH, value: 0, ariaLabel: `of ${ENOUGH} pictures to begin with`}));
    button.onpointerdown = (event) => event.button === 0 && this.#press(name);
    button.onpointerup = button.onpointercancel = button.onpointerleave = () => this.#let();
    button.oncontextmenu = (event) => event.preventDefault(); // which a long touch would open
    button.onkeydown = (event) => this.#isHeldBy(event) && this.#press(name);
    button.onkeyup = (event) => [" ", "Enter"].includes(event.key) && this.#let();
    this.#buttons.set(name, button);
    byId("labels").append(button);
  }

  #isHeldBy(event) {
    if (![" ", "Enter"].includes(event.key)) return false;
    event.preventDefault();
    return !event.repeat;
  }

  #key(event) {
    const isTyping = event.target.closest?.("input, select, textarea, dialog");
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const name = this.names[KEYS.indexOf(event.key)];
    if (event.key === "Escape") this.#stop();
    if (!name || !event.key) return;
    this.#keyDown = event.key;
    this.#press(name);
  }

  #press(name) {
    if (!byId("hands-free").checked) {
      this.#hold(name);
      return;
    }
    const isUnderWay = this.#timer !== 0;
    this.#stop();
    if (!isUnderWay) this.#countDown(name, READY);
  }

  // A hand has left the button or the key.
  #let() {
    this.#keyDown = "";
    if (!byId("hands-free").checked) this.#stop();
  }

  #countDown(name, seconds) {
    byId("countdown").hidden = seconds === 0;
    byId("countdown").textContent = `${name} in ${seconds}`;
    if (seconds > 0) {
      this.#timer = setTimeout(() => this.#countDown(name, seconds - 1), 1000);
    } else {
      this.#hold(name);
      this.#timer = setTimeout(() => this.#stop(), 1000 * SHOWN);
    }
  }

  #hold(name) {
    this.#held = name;
    this.#mark();
    this.#onHold(name);
  }

  #stop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    byId("countdown").hidden = true;
    if (!this.#held) return;
    this.#held = "";
    this.#mark();
    byId("said").textContent = "";
    this.#onHold("");
  }

  #mark() {
    for (const [name, button] of this.#buttons) button.classList.toggle("held", name === this.#held);
    byId("stage").classList.toggle("recording", this.#held !== "");
  }
}
