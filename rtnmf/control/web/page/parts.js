// What each source is made of: tiles that light up as their components sound, to be dragged from one source to
// another, or picked and moved with the keys; names to change, and sources to take out.

import { colourNames, rgb } from "./colours.js";
import { find, isNarrow, make, setHidden, setPressed, setText } from "./dom.js";
import { address } from "./socket.js";

const NEW = ""; // in the list of places to move to
const N_BANDS = 96;
const HEIGHT = 32;

export class Parts {
  constructor(sender) {
    this.sender = sender;
    this.dialog = find("#parts");
    this.picked = new Set();
    this.tiles = [];
    find("#open-parts").addEventListener("click", () => this.open());
    find("#move-form").addEventListener("submit", (event) => this.move(event));
    find("#move-to").addEventListener("change", () => this.ask());
  }

  open() {
    this.dialog.showModal();
    this.build();
  }

  show(state) {
    const key = JSON.stringify([state.sources.map((source) => [source.name, source.rest]), state.components]);
    this.state = state;
    find("#open-parts").disabled = state.sources.length === 0;
    if (key === this.key) return;
    this.key = key;
    this.picked.clear();
    if (!this.dialog.open) return;
    this.build();
    if (!this.dialog.contains(document.activeElement)) find("#move-to").focus(); // what had it has gone
  }

  build() {
    const { sources } = this.state;
    const colours = colourNames(sources);
    this.tiles = [];
    const rows = sources.map((source, i) => this.row(source, colours[i]));
    find("#part-rows").replaceChildren(...rows, this.place(NEW, make("p", { className: "new" }, isNarrow.matches ? "Tap tiles and choose “a new source” to make one" : "Drop tiles here to make a new source")));
    const options = sources.map((source) => make("option", { value: source.name }, source.name));
    find("#move-to").replaceChildren(...options, make("option", { value: NEW }, "a new source"));
    this.ask();
    this.draw(sources, colours);
  }

  // What each component is like: its spectrum, from low on the left to high, as the pictures above have it.
  async draw(sources, colours) {
    const key = this.key;
    const answer = await fetch(address("components")).catch(() => null);
    const levels = answer?.ok ? new Uint8Array(await answer.arrayBuffer()) : [];
    if (key !== this.key || levels.length !== N_BANDS * this.tiles.length) return; // another dictionary by now
    const inks = new Map(sources.map((source, i) => [source.name, `rgb(${rgb(colours[i]).join(" ")})`]));
    this.tiles.forEach((tile, i) => {
      const context = find("canvas", tile).getContext("2d");
      context.fillStyle = inks.get(this.state.components[i]);
      for (let band = 0; band < N_BANDS; band++) {
        const height = (HEIGHT * levels[i * N_BANDS + band]) / 255;
        context.fillRect(band, HEIGHT - height, 1, height);
      }
    });
  }

  row(source, colour) {
    const name = make("input", { type: "text", value: source.name, maxLength: 80, "aria-label": `Name of ${source.name}` });
    name.addEventListener("change", () => this.rename(source.name, name));
    const remove = make("button", { type: "button", "aria-label": `Remove ${source.name}` }, "Remove");
    remove.addEventListener("click", () => this.remove(source.name, remove));
    const numbers = this.state.components.flatMap((owner, i) => (owner === source.name ? [i] : []));
    const tiles = make("div", { className: "tiles" }, ...numbers.map((i) => this.tile(i, source.name)));
    const head = make("header", {}, make("span", { className: "light" }), name, make("span", { className: "muted" }, `${numbers.length}`), remove);
    const row = this.place(source.name, head, tiles);
    row.style.setProperty("--hue", `var(${colour})`);
    return row;
  }

  tile(i, owner) {
    const tile = make("button", { type: "button", className: "tile", draggable: true, "aria-pressed": "false" });
    tile.append(make("canvas", { width: N_BANDS, height: HEIGHT }), make("span", {}, String(i + 1)));
    tile.setAttribute("aria-label", `Component ${i + 1} of ${owner}`);
    tile.addEventListener("click", () => this.pick(i));
    tile.addEventListener("dragstart", (event) => this.drag(event, i));
    this.tiles[i] = tile;
    return tile;
  }

  place(name, ...children) {
    const row = make("section", { className: "place" }, ...children);
    row.addEventListener("dragover", (event) => {
      event.preventDefault();
      row.classList.add("over");
    });
    row.addEventListener("dragleave", (event) => row.contains(event.relatedTarget) || row.classList.remove("over"));
    row.addEventListener("drop", (event) => {
      event.preventDefault();
      row.classList.remove("over");
      if (name === NEW) this.ask(NEW);
      else this.group(name);
    });
    return row;
  }

  pick(i, isPicked = !this.picked.has(i)) {
    if (isPicked) this.picked.add(i);
    else this.picked.delete(i);
    setPressed(this.tiles[i], isPicked);
    this.ask();
  }

  // A tile that is dragged takes those along that are picked.
  drag(event, i) {
    if (!this.picked.has(i)) {
      for (const k of [...this.picked]) this.pick(k, false);
      this.pick(i, true);
    }
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", String(i));
  }

  // A new source has to have a name first.
  ask(to = find("#move-to").value) {
    find("#move-to").value = to;
    setText(find("#picked"), this.picked.size ? `${this.picked.size} picked` : isNarrow.matches ? "Tap tiles to pick them" : "Pick tiles, or drag them");
    setHidden(find("#move-name"), to !== NEW);
    find("#move").disabled = this.picked.size === 0;
    if (to === NEW && this.picked.size) find("#move-name").focus();
  }

  move(event) {
    event.preventDefault();
    this.group(find("#move-to").value || find("#move-name").value.trim());
  }

  group(to) {
    const components = [...this.picked].filter((i) => this.state.components[i] !== to);
    if (to && components.length) this.sender.now("group", { components, to });
    find("#move-name").value = "";
  }

  rename(source, field) {
    const to = field.value.trim();
    if (to && to !== source) this.sender.now("rename", { source, to });
    else field.value = source;
  }

  // Asked twice: what is taken out is gone, unless it was saved.
  remove(source, button) {
    if (button.dataset.asked) this.sender.now("remove", { source });
    button.dataset.asked = "yes";
    setText(button, "Really remove?");
  }

  meters({ activations }) {
    if (!this.dialog.open) return;
    this.tiles.forEach((tile, i) => tile.style.setProperty("--level", (activations[i] ?? 0).toFixed(2)));
  }
}
