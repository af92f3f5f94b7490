// The camera: where frames come from, and what to do when none do.

import {byId, element} from "./elements.js";

const LARGEST = 1280; // pixels of a side that are sent
const QUALITY = 0.92;
const REASONS = {
  NotAllowedError: ["The browser does not let this page use the camera.",
    "Click the camera beside the address, allow it, and try again."],
  NotFoundError: ["There is no camera.", "Plug one in, and try again."],
  NotReadableError: ["The camera is in use.", "Close the program that shows it, and try again."],
  OverconstrainedError: ["This camera is gone.", "Plug it in, or try again with another one."],
};
const OTHER = ["The camera cannot be opened.", "Open this page in a recent browser, at the address that unlite printed."];

export class Camera {
  #video = element("video", {muted: true, playsInline: true, autoplay: true});
  #onFrame;
  #isOn = false;

  // Calls onFrame for each frame that the camera gives, with the time at which it was taken.
  constructor(onFrame) {
    this.#onFrame = onFrame;
    byId("again").onclick = () => this.open();
    byId("camera").onchange = () => this.open(byId("camera").value);
    navigator.mediaDevices?.addEventListener("devicechange", () => (this.#isOn ? this.#list() : this.open()));
  }

  // A camera that looks at its user is shown as a mirror would.
  get isMirrored() {
    return this.#video.srcObject?.getVideoTracks()[0].getSettings().facingMode !== "environment";
  }

  async open(id) {
    this.#close();
    const wanted = {width: {ideal: 640}, height: {ideal: 480}, frameRate: {ideal: 30}};
    try {
      const video = id ? {...wanted, deviceId: {exact: id}} : wanted;
      const stream = await navigator.mediaDevices.getUserMedia({video, audio: false});
      stream.getVideoTracks()[0].addEventListener("ended", () => this.#failed({name: "NotFoundError"}));
      this.#video.srcObject = stream;
      await this.#video.play();
    } catch (error) {
      this.#failed(error);
      return;
    }
    this.#isOn = true;
    byId("no-camera").hidden = true;
    await this.#list();
    this.#wait();
  }

  // The frame as it is now, in a canvas of its own.
  frame() {
    const {videoWidth: width, videoHeight: height} = this.#video;
    const scale = Math.min(1, LARGEST / Math.max(width, height));
    const canvas = element("canvas", {width: Math.round(width * scale), height: Math.round(height * scale)});
    canvas.getContext("2d").drawImage(this.#video, 0, 0, canvas.width, canvas.height);
    return canvas;
  }

  #wait() {
    const stream = this.#video.srcObject;
    this.#video.requestVideoFrameCallback((now, about) => {
      if (this.#video.srcObject !== stream) return;
      this.#onFrame(about.captureTime ?? now);
      this.#wait();
    });
  }

  #close() {
    this.#isOn = false;
    for (const track of this.#video.srcObject?.getTracks() ?? []) track.stop();
    this.#video.srcObject = null;
  }

  #failed(error) {
    this.#close();
    const [what, todo] = REASONS[error.name] ?? OTHER;
    byId("no-camera").querySelector("strong").textContent = what;
    byId("no-camera").querySelector("p").textContent = todo;
    byId("no-camera").hidden = false;
  }

  async #list() {
    const all = (await navigator.mediaDevices.enumerateDevices()).filter(({kind}) => kind === "videoinput");
    const used = this.#video.srcObject?.getVideoTracks()[0].getSettings().deviceId;
    byId("camera").replaceChildren(...all.map(({deviceId, label}, number) =>
      element("option", {value: deviceId, textContent: label || `camera ${number + 1}`, selected: deviceId === used})));
    byId("camera").parentElement.hidden = all.length < 2;
  }
}

export function asJpeg(canvas) {
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
}
