// Dictionaries and presets to load and save, the rest, and what was recorded.

import { find, make, minutes, setHidden, setPressed, setText } from "./dom.js";
import { address } from "./socket.js";

export class Shelf {
  constructor(sender) {
    this.sender = sender;
    this.dialog = find("#shelf");
    find("#open-shelf").addEventListener("click", () => this.dialog.showModal());
    find("#load-first").addEventListener("click", () => this.dialog.showModal());
    find("#save-form").addEventListener("submit", (event) => this.save(event));
    find("#freeze").addEventListener("click", () => this.freeze());
    find("#relearn").addEventListener("click", () => sender.now("relearn"));
  }

  show(state) {
    this.state = state;
    setText(find("#dictionary"), state.dictionary || "nothing is learned yet");
    setText(find("#training"), [state.training, ...state.experts.map((name) => `with ${name}`)].filter(Boolean).join(" · "));
    this.list("#dictionaries", state.dictionaries, "dictionary", "Nothing is saved yet.");
    this.list("#presets", state.presets, "preset", "There are none.");
    find("#save").disabled = state.sources.length === 0;
    if (!this.dialog.open) find("#save-name").value = state.dictionary;
    setHidden(find("#rest"), !state.adapts);
    setText(find("#rest-text"), state.frozen ? "frozen" : state.rest || "not learned yet");
    setPressed(find("#freeze"), state.frozen);
    this.recording(state.recording);
  }

  // Lists are left alone while they are the same: a button that is replaced loses the focus.
  list(place, names, kind, nothing) {
    const node = find(place);
    const key = JSON.stringify([names, this.state.dictionary]);
    if (node.dataset.key === key) return;
    node.dataset.key = key;
    const items = names.map((name) => {
      const button = make("button", { type: "button" }, name);
      if (name === this.state.dictionary) button.setAttribute("aria-current", "true");
      button.addEventListener("click", () => this.load(name, kind));
      return make("li", {}, button);
    });
    node.replaceChildren(...(items.length ? items : [make("li", { className: "muted" }, nothing)]));
  }

  load(name, kind) {
    this.sender.now("load", { name, kind });
    this.dialog.close();
  }

  save(event) {
    event.preventDefault();
    const name = find("#save-name").value.trim();
    if (!name) return;
    this.sender.now("save", { name });
    this.dialog.close();
  }

  freeze() {
    if (this.state?.adapts) this.sender.now("freeze", { on: !this.state.frozen });
  }

  // Times that go on come with the meters.
  meters({ recorded_s }) {
    const { on, folder } = this.state?.recording ?? {};
    if (!folder) return;
    setText(find("#recorded-text"), `${on ? "Recording" : "Recorded"} ${minutes(recorded_s)} into ${folder}`);
  }

  recording({ on, folder, files }) {
    setHidden(find("#recorded"), !folder);
    const node = find("#downloads");
    const key = JSON.stringify([on, folder, files]);
    if (node.dataset.key === key) return;
    node.dataset.key = key;
    node.replaceChildren(...(on ? [] : files.map((name) => make("li", {}, download(name)))));
  }
}

function download(name) {
  const path = name.split("/").map(encodeURIComponent).join("/");
  return make("a", { href: address(`/recordings/${path}`), download: name.split("/").at(-1) }, name);
}
