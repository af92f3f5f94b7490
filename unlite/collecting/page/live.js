// Frames on their way to unlite and back: at most two at once, answered in their order.

import {inWords} from "./api.js";
import {asJpeg} from "./camera.js";
import {notice} from "./elements.js";

const AHEAD = 2;
const AGAIN = 1000; // milliseconds until the connection is tried again
const REMEMBERED = 300; // frames that `measured` is about

export class Live {
  #socket;
  #wish = {hold: "", trying: false};
  #underWay = [];
  #sending = Promise.resolve();
  #times = [];
  #onAnswer;

  // Calls onAnswer with each frame and what unlite says of it, in time to draw it.
  constructor(onAnswer) {
    this.#onAnswer = onAnswer;
    this.#connect();
  }

  // What shall become of the frames that are taken from now on.
  wish(change) {
    this.#wish = {...this.#wish, ...change};
    this.#inOrder(() => JSON.stringify(this.#wish));
  }

  get trying() {
    return this.#wish.trying;
  }

  // Sends a frame, unless enough are on their way: then a later one will be newer.
  send(frame, taken) {
    if (!this.#isOpen || this.#underWay.length >= AHEAD) return;
    const canvas = frame(), jpeg = asJpeg(canvas);
    this.#underWay.push({canvas, taken});
    this.#inOrder(() => jpeg);
  }

  // Frames per second and milliseconds from the camera to the drawn box, of the last frames.
  measured() {
    const times = this.#times;
    if (times.length < 2) return null;
    const latencies = times.map(({taken, drawn}) => drawn - taken).sort((a, b) => a - b);
    const share = (part) => latencies[Math.floor(part * (latencies.length - 1))];
    const seconds = (times.at(-1).drawn - times[0].drawn) / 1000;
    return {frames: times.length, perSecond: (times.length - 1) / seconds, median: share(0.5), worst5: share(0.95)};
  }

  forget() {
    this.#times = [];
  }

  // What is said, and frames whose encoding takes a while, leave in the order in which they came.
  #inOrder(content) {
    const socket = this.#socket;
    this.#sending = this.#sending.then(async () => {
      const made = await content();
      if (socket.readyState === WebSocket.OPEN) socket.send(made);
    });
  }

  get #isOpen() {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  #connect() {
    const address = new URL("live", location.href);
    address.protocol = "ws:";
    const socket = this.#socket = new WebSocket(address);
    socket.onopen = () => {
      notice();
      this.wish({});
    };
    socket.onmessage = ({data}) => this.#answered(JSON.parse(data));
    socket.onclose = ({reason}) => {
      this.#underWay = [];
      this.#times = [];
      notice(reason || "unlite does not answer. If it was stopped, start it again and open the address that it prints.");
      setTimeout(() => this.#connect(), AGAIN);
    };
  }

  #answered(answer) {
    const {canvas, taken} = this.#underWay.shift();
    if (answer.error) {
      notice(inWords(answer));
      return;
    }
    this.#onAnswer(canvas, answer);
    requestAnimationFrame(() => {
      this.#times.push({taken, drawn: performance.now()});
      if (this.#times.length > REMEMBERED) this.#times.shift();
    });
  }
}
