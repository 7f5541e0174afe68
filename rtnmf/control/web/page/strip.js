// The strip of one source: name, solo, mute, listen, fader, meter, activations.

import { Activations } from "./activations.js";
import { icon, make, setPressed, setText } from "./dom.js";
import { Fader, GAIN } from "./fader.js";
import { Meter } from "./meters.js";

export class Strip {
  constructor(name, sender, choose) {
    this.name = name;
    this.sender = sender;
    this.meter = new Meter(name, () => sender.now("reset"));
    this.fader = new Fader(`Gain of ${name}`, GAIN, (db) => this.gain(db));
    this.activations = new Activations();
    this.solo = this.button("S", "Solo", () => sender.now("solo", { source: this.name, on: !this.source.solo }));
    this.mute = this.button("M", "Mute", () => sender.now("mute", { source: this.name, on: !this.source.mute }));
    this.ear = this.button(icon("ear"), "Listen to this alone", () => this.listen());
    this.title = make("button", { className: "title", type: "button" });
    this.title.addEventListener("dblclick", () => this.rename());
    this.title.addEventListener("keydown", (event) => event.key === "F2" && this.rename());
    this.node = this.build();
    this.node.addEventListener("pointerdown", choose);
    this.node.addEventListener("focusin", choose);
    this.call(name);
  }

  build() {
    const node = make("section", { className: "strip" });
    this.head = make("header", { className: "head" }, make("span", { className: "light" }), this.title);
    const buttons = make("div", { className: "buttons" }, this.solo, this.mute, this.ear);
    const field = make("div", { className: "field" }, this.fader.node, this.meter.node);
    node.append(this.head, buttons, field, this.fader.field, this.activations.node);
    return node;
  }

  button(content, label, press) {
    const node = make("button", { className: "toggle", type: "button", title: label, "aria-pressed": "false" }, content);
    node.dataset.label = label;
    node.addEventListener("click", press);
    return node;
  }

  call(name) {
    this.name = name;
    setText(this.title, name);
    this.title.title = `${name} (double-click or F2 to rename)`;
    this.node.setAttribute("aria-label", name);
    this.fader.rename(`Gain of ${name}`);
    for (const node of [this.solo, this.mute, this.ear]) node.setAttribute("aria-label", `${node.dataset.label}: ${name}`);
  }

  gain(db) {
    this.sender.moved(`gain of ${this.name}`, "gain", { source: this.name, db });
  }

  listen() {
    const isAlone = this.ear.getAttribute("aria-pressed") === "true";
    this.sender.now("listen", { to: isAlone ? "output" : this.name });
  }

  show(source, colour, listening, nComponents) {
    this.source = source;
    if (this.name !== source.name) this.call(source.name);
    this.node.style.setProperty("--hue", `var(${colour})`);
    this.node.classList.toggle("unheard", !source.heard);
    setPressed(this.solo, source.solo);
    setPressed(this.mute, source.mute);
    setPressed(this.ear, listening === source.name);
    this.fader.echo(source.db);
    this.activations.arrange(nComponents, colour);
  }

  lit(sounds) {
    this.node.classList.toggle("lit", sounds);
  }

  choose(isChosen) {
    this.node.classList.toggle("chosen", isChosen);
    if (isChosen) this.node.setAttribute("aria-current", "true");
    else this.node.removeAttribute("aria-current");
  }

  rename() {
    const field = make("input", { className: "rename", type: "text", value: this.name, maxLength: 80, "aria-label": `New name of ${this.name}` });
    const end = (keep) => {
      field.onblur = null; // it would come again when the field goes
      const to = field.value.trim();
      field.replaceWith(this.title);
      if (keep && to && to !== this.name) this.sender.now("rename", { source: this.name, to });
      this.title.focus({ focusVisible: false });
    };
    field.onblur = () => end(true);
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") end(true);
      if (event.key === "Escape") end(false);
    });
    this.title.replaceWith(field);
    field.focus();
    field.select();
  }
}
