// Spectrograms that scroll: hue says which source owns a region, brightness how loud it is. The bytes are kept, so
// that the picture can be painted again when the colours change.

import { eachFrame } from "./clock.js";
import { palette } from "./colours.js";
import { find, isStill, make } from "./dom.js";

const N_BANDS = 96;
const N_RING = 1024;
const N_SHOWN = 720; // twelve seconds at sixty columns a second
const N_GAP = 12; // behind the pen, where nothing scrolls
const CATCH_UP_S = 0.09; // columns come in bursts; what is shown follows them smoothly
const MOST_OWNERS = 256; // a byte
const MARKS_HZ = [50, 100, 200, 500, 1000, 2000, 5000, 10000];

class Picture {
  constructor(canvas, which) {
    this.canvas = canvas;
    this.which = which;
    this.context = canvas.getContext("2d");
    this.ring = make("canvas", { width: N_RING, height: N_BANDS });
    this.inks = this.ring.getContext("2d");
    this.column = this.inks.createImageData(1, N_BANDS);
    this.pixels = new Uint32Array(this.column.data.buffer);
    new ResizeObserver(() => this.fit()).observe(canvas);
  }

  fit() {
    const scale = window.devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(this.canvas.clientWidth * scale));
    this.canvas.height = Math.max(1, Math.round(this.canvas.clientHeight * scale));
    this.isStale = true;
  }

  paint(bytes, at, colours) {
    const levels = this.which * 2 * N_BANDS;
    const nOwners = colours.length / 256;
    for (let i = 0; i < N_BANDS; i++) {
      const owner = Math.min(nOwners - 1, bytes[levels + N_BANDS + i]);
      this.pixels[N_BANDS - 1 - i] = colours[owner * 256 + bytes[levels + i]];
    }
    this.inks.putImageData(this.column, at % N_RING, 0);
  }

  draw(now) {
    const { width, height } = this.canvas;
    this.context.clearRect(0, 0, width, height);
    if (isStill.matches) {
      const start = Math.floor(now / N_SHOWN) * N_SHOWN;
      this.copy(start, now, 0);
      this.copy(now - N_SHOWN + N_GAP, start, now - start + N_GAP);
    } else {
      this.copy(now - N_SHOWN, now, 0);
    }
    this.isStale = false;
  }

  // Columns `from` to `to` of all that came, `x` columns from the left; the ring may end between them.
  copy(from, to, x) {
    if (to - from <= 0) return;
    const start = ((from % N_RING) + N_RING) % N_RING;
    const n = Math.min(to - from, N_RING - start);
    const scale = this.canvas.width / N_SHOWN;
    this.context.drawImage(this.ring, start, 0, n, N_BANDS, x * scale, 0, n * scale, this.canvas.height);
    this.copy(from + n, to, x + n);
  }
}

export class Spectrograms {
  constructor() {
    this.pictures = [new Picture(find("#input-picture"), 0), new Picture(find("#output-picture"), 1)];
    this.kept = new Uint8Array(N_RING * 4 * N_BANDS);
    this.came = 0;
    this.shown = 0;
    this.sources = ["rest"]; // of the state, in its order
    this.owners = ["rest"]; // all that there ever were: what is past keeps its owner, whatever comes
    this.recolour(["--source-rest"]);
    eachFrame((seconds) => this.draw(seconds));
  }

  add(bytes) {
    const size = 4 * N_BANDS;
    for (let at = 0; at + size <= bytes.length; at += size) {
      const column = this.owned(bytes.slice(at, at + size));
      this.kept.set(column, (this.came % N_RING) * size);
      for (const picture of this.pictures) picture.paint(column, this.came, this.colours);
      this.came++;
    }
    if (this.came - this.shown > N_SHOWN) this.shown = this.came; // a page that was hidden does not run after
  }

  // Owners are numbered as the sources are; these numbers change, those of `this.owners` do not.
  owned(column) {
    for (let i = 0; i < column.length; i++) {
      if (Math.floor(i / N_BANDS) % 2) column[i] = this.numbers?.[column[i]] ?? 0;
    }
    return column;
  }

  // A source in the place of one that has gone has its past: it was renamed.
  name(sources, colours) {
    const renamed = sources.length === this.sources.length;
    sources.forEach((source, i) => {
      if (this.owners.includes(source)) return;
      const before = renamed && !sources.includes(this.sources[i]) ? this.owners.indexOf(this.sources[i]) : -1;
      if (before >= 0) this.owners[before] = source;
      else if (this.owners.length < MOST_OWNERS) this.owners.push(source);
    });
    this.sources = sources;
    this.numbers = sources.map((source) => Math.max(0, this.owners.indexOf(source)));
    this.recolour(this.owners.map((owner) => colours[sources.indexOf(owner)] ?? "--source-rest"));
  }

  recolour(names = this.names) {
    this.names = names;
    this.colours = palette(names);
    const size = 4 * N_BANDS;
    for (let at = Math.max(0, this.came - N_RING); at < this.came; at++) {
      const column = this.kept.subarray((at % N_RING) * size, (at % N_RING) * size + size);
      for (const picture of this.pictures) picture.paint(column, at, this.colours);
    }
    this.invalidate();
  }

  invalidate() {
    for (const picture of this.pictures) picture.isStale = true;
  }

  draw(seconds) {
    const behind = this.came - this.shown;
    if (behind > 0.01) {
      this.shown += isStill.matches ? behind : behind * (1 - Math.exp(-seconds / CATCH_UP_S));
      this.invalidate();
    }
    for (const picture of this.pictures) if (picture.isStale && picture.canvas.clientHeight) picture.draw(this.shown);
  }

  // The frequencies beside the pictures, on the logarithmic axis of the bands.
  label(edgesHz) {
    if (edgesHz.length < 2) return;
    const [low, high] = [Math.log(edgesHz[0]), Math.log(edgesHz.at(-1))];
    for (const axis of document.querySelectorAll(".axis")) {
      const marks = MARKS_HZ.map((hz) => [hz, (Math.log(hz) - low) / (high - low)]).filter(([, at]) => at > 0.04 && at < 0.94);
      axis.replaceChildren(...marks.map(([hz, at]) => mark(hz, at)));
    }
  }
}

function mark(hz, at) {
  const isPlain = String(hz).startsWith("1"); // where there is little room, only 100, 1k, 10k
  const node = make("span", { className: isPlain ? "" : "fine" }, hz < 1000 ? `${hz}` : `${hz / 1000}k`);
  node.style.setProperty("--at", at.toFixed(4));
  return node;
}
