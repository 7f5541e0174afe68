// What runs and how well: devices, rate, latency with its parts, load, late and lost blocks; and what is wrong.

import { find, make, setDisabled, setHidden, setText } from "./dom.js";

const PERIOD_MS = 500; // figures that change faster cannot be read
const NOTICE_MS = 8000;
const MOST_NOTICES = 2;
const PATIENCE_MS = 1000;
const LONGEST_MS = 20000;
const NO_SOUND = "no sound yet: wait until the devices are open";
const READIES = {
  load: ({ name }) => `getting ${name} ready`,
  add: ({ preset }) => `getting ${preset} ready`,
  rename: ({ to }) => `renaming to ${to}`,
  group: ({ to }) => `moving to ${to}`,
  remove: ({ source }) => `removing ${source}`,
};
const NAMES = { device: "device", blocks: "blocks", resampling: "resampling", algorithm: "algorithm" };

export class Status {
  constructor() {
    this.next = 0;
    this.notice = null;
  }

  show(state) {
    setText(find("#devices"), state.devices);
    setText(find("#rate"), state.sample_rate ? `${(state.sample_rate / 1000).toLocaleString("en", { maximumFractionDigits: 1 })}\u00a0kHz` : "");
    this.isSounding = state.sounding;
    for (const node of document.querySelectorAll(".teach, .shelf")) setDisabled(node, state.sounding ? "" : NO_SOUND);
    this.banner("#opening", state.opening && `${state.opening} …`);
    this.trouble(state.trouble);
    this.busy(state);
    if (this.wasRecording && !state.recording.on) this.recording?.remove();
    this.wasRecording = state.recording.on;
    if (this.notice !== null && state.notice && state.notice !== this.notice) this.tell(state);
    this.notice = state.notice;
    document.title = [state.dictionary, "rtnmf studio"].filter(Boolean).join(" · ");
  }

  meters(meters, now) {
    if (now < this.next) return;
    this.next = now + PERIOD_MS;
    const parts = Object.entries(meters.latency_ms).filter(([, ms]) => ms > 0);
    const total = parts.reduce((sum, [, ms]) => sum + ms, 0);
    setText(find("#latency"), total ? `${total.toFixed(1)}\u00a0ms` : "");
    const texts = parts.map(([part, ms]) => `${NAMES[part] ?? part}\u00a0${ms.toFixed(1)}`);
    setText(find("#latency-parts"), total ? `(${texts.join(", ")})` : "");
    setText(find("#load"), !this.isSounding ? "" : `load ${Math.round(100 * meters.load)}\u00a0%`);
    find("#load").classList.toggle("high", meters.load > 0.8);
    this.count("#late", meters.late, "late");
    this.count("#lost", meters.lost, "lost");
  }

  count(place, n, word) {
    setHidden(find(place), !n);
    if (n) setText(find(place), `${n}\u00a0${n === 1 ? "block" : "blocks"} ${word}`);
  }

  // What is over within a second, as when one separation takes over from another, is no trouble.
  trouble(text) {
    if (text === this.text) return;
    this.text = text;
    clearTimeout(this.timer);
    if (text && find("#trouble").hidden) this.timer = setTimeout(() => this.banner("#trouble", this.text), PATIENCE_MS);
    else this.banner("#trouble", text);
  }

  banner(place, text) {
    setHidden(find(place), !text);
    setText(find(`${place} .what`), text);
  }

  // What was asked for is said at once, until the server says it itself, or it is done.
  begun(command) {
    const text = READIES[command.is]?.(command);
    if (!text) return;
    this.pending = text;
    clearTimeout(this.pendingTimer);
    this.pendingTimer = setTimeout(() => this.ended(), LONGEST_MS);
    this.banner("#busy", `${text} …`);
  }

  ended() {
    this.pending = "";
    clearTimeout(this.pendingTimer);
    this.banner("#busy", this.said && `${this.said} …`);
  }

  busy(state) {
    const key = JSON.stringify([state.dictionary, state.sources.map((source) => source.name), state.components]);
    if (state.busy || this.said || key !== this.key) this.pending = "";
    this.said = state.busy;
    this.key = key;
    const text = state.busy || this.pending;
    this.banner("#busy", text && `${text} …`);
  }

  // Of a path, its end is enough; all of it is there to be pointed at.
  tell({ notice, recording }) {
    const text = notice
      .replace(/^written to .*?([^\\/]+)\.safetensors$/, "saved as $1")
      .replace(/(?<=\b(?:to|in) ).*[\\/]/, "");
    const node = this.say(text, notice);
    if (recording.on) this.recording = node;
  }

  say(text, whole = text) {
    const node = make("p", { title: whole }, text);
    const place = find("#notices");
    place.append(node);
    while (place.childElementCount > MOST_NOTICES) place.firstElementChild.remove();
    setTimeout(() => node.remove(), NOTICE_MS);
    return node;
  }
}
