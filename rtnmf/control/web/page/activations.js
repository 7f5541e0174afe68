// The activations of a source's components over the last six seconds, one row each, as a small moving picture.

import { isStill, make } from "./dom.js";
import { rgb } from "./colours.js";

const SECONDS = 6;
const PER_S = 30;
const N_COLUMNS = SECONDS * PER_S;

export class Activations {
  constructor() {
    this.node = make("canvas", { className: "activations", width: N_COLUMNS, height: 1 });
    this.node.setAttribute("aria-hidden", "true");
    this.canvas = this.node.getContext("2d");
    this.at = 0;
  }

  // A canvas is emptied when its size is set.
  arrange(nRows, colour) {
    this.rgb = rgb(colour);
    if (this.node.height !== Math.max(1, nRows)) this.node.height = Math.max(1, nRows);
    this.column = this.canvas.createImageData(1, Math.max(1, nRows));
  }

  // The newest on the right; for those who want no motion, written over in place.
  add(values) {
    if (values.length !== this.column.height) return;
    const { canvas, node, column } = this;
    values.forEach((value, i) => {
      const k = 4 * (values.length - 1 - i);
      column.data.set(this.rgb, k);
      column.data[k + 3] = 255 * Math.min(1, value ** 1.5);
    });
    if (!isStill.matches) {
      canvas.globalCompositeOperation = "copy";
      canvas.drawImage(node, -1, 0);
    }
    this.at = isStill.matches ? (this.at + 1) % N_COLUMNS : N_COLUMNS - 1;
    canvas.putImageData(column, this.at, 0);
  }
}
