// A fader: drag, wheel, keys, double-click for its neutral value, or type. Its law says what stands where.

import { isNarrow, make } from "./dom.js";
import { dbText, HIGHEST_DB, level, LOWEST_DB, OFF_DB, position, typedDb } from "./scale.js";

const FINER = 0.2;
const ECHO_MS = 400; // an echo of an earlier value must not pull back what a hand has just moved
const DOUBLE_CLICK_MS = 280;
const SLIP_PX = 3;

export const GAIN = {
  lowest: LOWEST_DB,
  highest: HIGHEST_DB,
  neutral: 0,
  step: 0.5,
  page: 3,
  position,
  value: (place) => rounded(level(place)),
  text: dbText,
  typed: typedDb,
  off: OFF_DB,
};

export const WET = {
  lowest: 0,
  highest: 1,
  neutral: 1,
  step: 0.01,
  page: 0.1,
  position: (share) => share,
  value: (place) => Math.round(place * 100) / 100,
  text: (share) => `${Math.round(share * 100)}\u00a0%\u00a0wet`,
  typed: (text) => (/^\s*\d+([.,]\d+)?[\s%wet]*$/.test(text) ? Math.min(1, parseFloat(text.replace(",", ".")) / 100) : null),
  off: 0,
};

export class Fader {
  constructor(label, law, onMove) {
    this.law = law;
    this.onMove = onMove;
    this.value = law.neutral;
    this.touched = -Infinity;
    this.drag = null;
    this.thumb = make("span", { className: "thumb" });
    this.node = make("div", { className: "fader", role: "slider", tabIndex: 0, "aria-label": label }, this.thumb);
    this.node.setAttribute("aria-valuemin", law.lowest);
    this.node.setAttribute("aria-valuemax", law.highest);
    this.field = make("input", { className: "value", type: "text", "aria-label": `${label}, typed`, enterKeyHint: "done" });
    this.field.inputMode = "text"; // a telephone's pad of numbers has no minus
    this.field.autocomplete = "off";
    this.field.spellcheck = false;
    this.listen();
    this.draw();
  }

  // What the server says it is; later, while a hand is on it.
  echo(value) {
    this.last = value;
    clearTimeout(this.late);
    const wait = this.drag ? ECHO_MS : this.touched + ECHO_MS - performance.now();
    if (wait > 0) this.late = setTimeout(() => this.echo(this.last), wait);
    else this.set(value);
  }

  rename(label) {
    this.node.setAttribute("aria-label", label);
    this.field.setAttribute("aria-label", `${label}, typed`);
  }

  set(value) {
    this.value = value;
    this.draw();
  }

  move(value) {
    this.touched = performance.now();
    this.set(value);
    this.onMove(value);
  }

  moveTo(place) {
    this.move(this.law.value(Math.min(1, Math.max(0, place))));
  }

  step(by) {
    const { lowest, highest, off } = this.law;
    const from = Math.max(lowest, this.value);
    const to = rounded(from + by, 100);
    this.move(to < lowest ? off : Math.min(Math.max(highest, this.value), to));
  }

  draw() {
    const { law, value } = this;
    this.node.style.setProperty("--at", law.position(value).toFixed(4));
    this.node.setAttribute("aria-valuenow", Math.max(law.lowest, value));
    this.node.setAttribute("aria-valuetext", law.text(value));
    this.node.setAttribute("aria-orientation", isNarrow.matches ? "horizontal" : "vertical");
    if (document.activeElement !== this.field) this.field.value = law.text(value);
  }

  listen() {
    const { node, field } = this;
    node.addEventListener("pointerdown", (event) => this.press(event));
    node.addEventListener("pointermove", (event) => this.pull(event));
    node.addEventListener("pointerup", (event) => this.release(event));
    node.addEventListener("pointercancel", () => this.cancel());
    node.addEventListener("dblclick", () => this.neutral());
    node.addEventListener("keydown", (event) => this.key(event));
    node.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    field.addEventListener("focus", () => field.select());
    field.addEventListener("change", () => this.typed());
    field.addEventListener("blur", () => this.draw());
    field.addEventListener("keydown", (event) => this.fieldKey(event));
    isNarrow.addEventListener("change", () => this.draw());
  }

  // Where the pointer is along the fader, from 0 to 1.
  place(event) {
    const box = this.node.getBoundingClientRect();
    return isNarrow.matches ? (event.clientX - box.left) / box.width : (box.bottom - event.clientY) / box.height;
  }

  // The fader follows the pointer from where it stands and never jumps to it: a jump is loud.
  press(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    this.node.focus({ focusVisible: false });
    this.node.setPointerCapture(event.pointerId);
    clearTimeout(this.click);
    const at = this.law.position(this.value);
    this.drag = { from: this.value, at, pointer: this.place(event), x: event.clientX, y: event.clientY, hasMoved: false };
  }

  pull(event) {
    const { drag } = this;
    if (!drag) return;
    drag.hasMoved ||= Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > SLIP_PX;
    if (!drag.hasMoved) return;
    const pointer = this.place(event);
    drag.at += (pointer - drag.pointer) * (event.shiftKey ? FINER : 1);
    drag.pointer = pointer;
    this.moveTo(drag.at);
  }

  // A click beside the thumb brings it there, unless it is the first half of a double click.
  release(event) {
    const { drag } = this;
    this.drag = null;
    if (drag && !drag.hasMoved && event.target !== this.thumb) {
      const place = this.place(event);
      this.click = setTimeout(() => this.moveTo(place), DOUBLE_CLICK_MS);
    }
  }

  cancel() {
    if (this.drag?.hasMoved) this.move(this.drag.from);
    this.drag = null;
  }

  neutral() {
    clearTimeout(this.click);
    this.move(this.law.neutral);
  }

  wheel(event) {
    if (event.ctrlKey) return; // zooms the page
    event.preventDefault();
    const turned = event.deltaY || event.deltaX; // Shift turns one into the other
    this.step(-Math.sign(turned) * this.law.step * (event.shiftKey ? FINER : 1));
  }

  key(event) {
    const { step, page, lowest, highest, off } = this.law;
    const by = step * (event.shiftKey ? FINER : 1);
    const actions = {
      ArrowUp: () => this.step(by),
      ArrowRight: () => this.step(by),
      ArrowDown: () => this.step(-by),
      ArrowLeft: () => this.step(-by),
      PageUp: () => this.step(page),
      PageDown: () => this.step(-page),
      Home: () => this.move(off ?? lowest),
      End: () => this.move(highest),
      0: () => this.neutral(),
    };
    if (event.ctrlKey || event.metaKey || event.altKey || !actions[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    actions[event.key]();
  }

  fieldKey(event) {
    if (event.key === "Escape") this.field.value = this.law.text(this.value);
    if (event.key === "Enter" || event.key === "Escape") this.field.blur();
  }

  typed() {
    const value = this.law.typed(this.field.value);
    if (value !== null) this.move(value);
  }
}

function rounded(value, places = 10) {
  return Math.round(value * places) / places;
}
