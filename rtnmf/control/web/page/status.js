// What runs and how well: devices, rate, latency with its parts, load, late and lost blocks; and what is wrong.

import { find, make, setHidden, setText } from "./dom.js";

const PERIOD_MS = 500; // figures that change faster cannot be read
const NOTICE_MS = 8000;
const MOST_NOTICES = 2;
const PATIENCE_MS = 1000;
const NAMES = { device: "device", blocks: "blocks", resampling: "resampling", algorithm: "algorithm" };

export class Status {
  constructor() {
    this.next = 0;
    this.notice = null;
  }

  show(state) {
    setText(find("#devices"), state.devices);
    setText(find("#rate"), state.sample_rate ? `${(state.sample_rate / 1000).toLocaleString("en", { maximumFractionDigits: 1 })}\u00a0kHz` : "");
    this.trouble(state.trouble);
    if (this.notice !== null && state.notice && state.notice !== this.notice) this.say(state.notice);
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
    setText(find("#load"), `load ${Math.round(100 * meters.load)}\u00a0%`);
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

  say(text) {
    const node = make("p", {}, text);
    const place = find("#notices");
    place.append(node);
    while (place.childElementCount > MOST_NOTICES) place.firstElementChild.remove();
    setTimeout(() => node.remove(), NOTICE_MS);
  }
}
