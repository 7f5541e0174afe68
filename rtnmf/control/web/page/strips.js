// All strips, in the order of the sources, and the one that is chosen.

import { eachFrame } from "./clock.js";
import { colourNames, onTheme } from "./colours.js";
import { find, make, setHidden } from "./dom.js";
import { MARKS_DB, position } from "./scale.js";
import { Strip } from "./strip.js";

export class Strips {
  constructor(sender) {
    this.sender = sender;
    this.mixer = find("#mixer");
    this.strips = [];
    this.chosen = 0;
    find("#scale").append(...MARKS_DB.map(mark));
    const style = document.documentElement.style;
    style.setProperty("--full-scale", position(0).toFixed(4));
    style.setProperty("--grid", MARKS_DB.map(line).join(", "));
    eachFrame((seconds) => this.strips.forEach((strip) => strip.meter.draw(seconds)));
    onTheme(() => this.state && this.show(this.state));
  }

  // A strip is kept by its place, so that a new name or another order takes no focus away.
  show(state) {
    this.state = state;
    const { sources } = state;
    while (this.strips.length > sources.length) this.strips.pop().node.remove();
    while (this.strips.length < sources.length) this.add(sources[this.strips.length].name);
    const colours = colourNames(sources);
    this.rows = sources.map((source) => state.components.flatMap((name, i) => (name === source.name ? [i] : [])));
    this.strips.forEach((strip, i) => strip.show(sources[i], colours[i], state.listening, this.rows[i].length));
    this.mixer.style.setProperty("--strips", sources.length);
    const isEmpty = sources.every((source) => source.rest);
    this.mixer.classList.toggle("empty", isEmpty);
    this.mixer.classList.toggle("bare", sources.length === 0);
    setHidden(find("#empty"), !isEmpty);
    this.choose(Math.max(0, Math.min(this.chosen, sources.length - 1)));
    return colours;
  }

  add(name) {
    const i = this.strips.length;
    const strip = new Strip(name, this.sender, () => this.choose(i));
    this.strips.push(strip);
    this.mixer.insertBefore(strip.node, find("#empty"));
  }

  meters(meters) {
    this.strips.forEach((strip, i) => {
      if (meters.peaks_db[i] === undefined) return; // of a moment before a source came
      strip.meter.show(meters.peaks_db[i], meters.over[i], meters.held_db[i]);
      strip.lit(meters.sounds[i]);
      strip.activations.add(this.rows[i].map((k) => meters.activations[k] ?? 0));
    });
  }

  silence() {
    for (const strip of this.strips) {
      strip.meter.clear();
      strip.lit(false);
    }
  }

  choose(i) {
    this.chosen = i;
    this.strips.forEach((strip, k) => strip.choose(k === i));
  }

  focus(i) {
    if (!this.strips[i]) return;
    this.choose(i);
    this.strips[i].fader.node.focus({ focusVisible: true });
    this.strips[i].node.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  get current() {
    return this.strips[this.chosen];
  }
}

function mark(db) {
  const node = make("span", {}, String(db));
  node.style.setProperty("--at", position(db).toFixed(4));
  return node;
}

function line(db) {
  const at = `${(100 * position(db)).toFixed(2)}%`;
  return `linear-gradient(to top, transparent calc(${at} - 0.5px), var(--line) 0, var(--line) calc(${at} + 0.5px), transparent 0)`;
}
