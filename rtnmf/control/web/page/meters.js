// Meters: up at once, down by 20 dB in 1.7 s (IEC 60268-18), a peak that is held, and a mark that stays until clicked.

import { make } from "./dom.js";
import { LOWEST_DB, OFF_DB, position } from "./scale.js";

const FALL_DB_PER_S = 20 / 1.7;
const HOLD_S = 1.5;
const SMALLEST = 0.0005; // of the scale; less cannot be seen

export class Meter {
  constructor(label, onReset) {
    this.bar = make("span", { className: "bar" });
    this.peak = make("span", { className: "peak" });
    this.clip = make("button", { className: "clip", type: "button", hidden: true, title: "It went over full scale. Click to clear." });
    this.clip.setAttribute("aria-label", `${label} went over full scale: clear the mark`);
    this.clip.addEventListener("click", onReset);
    const rail = make("span", { className: "rail", "aria-hidden": "true" }, this.bar, this.peak);
    this.node = make("div", { className: "meter" }, this.clip, rail);
    this.target = this.shown = this.held = OFF_DB;
    this.drawn = {};
  }

  // Without `held`, the meter holds the peaks itself.
  show(db, isOver = false, held = null) {
    this.target = db;
    if (held !== null) this.held = held;
    this.holdsItself = held === null;
    if (this.clip.hidden === isOver) this.clip.hidden = !isOver;
  }

  clear() {
    this.show(OFF_DB, false, OFF_DB);
  }

  draw(seconds) {
    const fallen = this.shown - FALL_DB_PER_S * seconds;
    this.shown = Math.max(this.target, fallen, LOWEST_DB);
    if (this.holdsItself) this.hold(seconds);
    this.set("--level", position(this.shown), this.bar);
    this.set("--held", position(this.held), this.peak);
  }

  hold(seconds) {
    this.age = this.target >= this.held ? 0 : (this.age ?? 0) + seconds;
    if (this.age === 0 || this.age > HOLD_S) this.held = this.target;
  }

  set(name, value, node) {
    if (Math.abs(value - (this.drawn[name] ?? -1)) < SMALLEST) return;
    this.drawn[name] = value;
    node.style.setProperty(name, value.toFixed(4));
  }
}
