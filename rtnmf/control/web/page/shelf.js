// Dictionaries and presets to load and save, the rest, and what was recorded.

import { find, make, minutes, setDisabled, setHidden, setPressed, setText } from "./dom.js";
import { address } from "./socket.js";

export class Shelf {
  constructor(sender) {
    this.sender = sender;
    this.dialog = find("#shelf");
    for (const node of document.querySelectorAll(".shelf")) node.addEventListener("click", () => this.open());
    find("#close-recorded").addEventListener("click", () => this.closeRecorded());
    find("#save-form").addEventListener("submit", (event) => this.save(event));
    find("#save-name").addEventListener("input", () => this.check());
    find("#freeze").addEventListener("click", () => this.freeze());
    find("#relearn").addEventListener("click", () => sender.now("relearn"));
  }

  open() {
    this.dialog.showModal();
    find(".choices button", this.dialog)?.focus({ focusVisible: false });
  }

  show(state) {
    this.state = state;
    setText(find("#dictionary"), state.dictionary || "nothing is learned yet");
    const experts = state.experts.length ? `with ${state.experts.join(" and ")}` : "";
    setText(find("#training"), [experts, state.training].filter(Boolean).join(" · "));
    this.list("#dictionaries", state.dictionaries, "Nothing is saved yet.", (name) => this.dictionary(name));
    const presets = state.presets.filter((name) => name !== "rest");
    this.list("#presets", presets, "There are none.", (name) => this.preset(name));
    find("#save").disabled = !state.sources.some((source) => !source.rest);
    setHidden(find("#rest"), !state.adapts);
    setText(find("#rest-text"), state.frozen ? "frozen" : state.rest || "not learned yet");
    setPressed(find("#freeze"), state.frozen);
    setDisabled(find("#relearn"), state.frozen ? "The rest is frozen: press Freeze again before it can be learned anew" : "");
    this.recording(state.recording);
  }

  // Lists are left alone while they are the same: a button that is replaced loses the focus.
  list(place, names, nothing, item) {
    const node = find(place);
    const key = JSON.stringify([names, this.state.dictionary]);
    if (node.dataset.key === key) return;
    node.dataset.key = key;
    const items = names.map((name) => make("li", {}, ...item(name)));
    node.replaceChildren(...(items.length ? items : [make("li", { className: "muted" }, nothing)]));
  }

  dictionary(name) {
    const button = this.choice(name, `Load ${name}`, "load", { name, kind: "dictionary" });
    if (name === this.state.dictionary) button.setAttribute("aria-current", "true");
    return [button];
  }

  preset(name) {
    const only = this.choice(name, `Listen for ${name} and the rest`, "load", { name, kind: "preset" });
    return [only, this.choice("+", `Listen for ${name}, too`, "add", { preset: name })];
  }

  choice(text, label, is, values) {
    const button = make("button", { type: "button", title: label, "aria-label": label }, text);
    button.addEventListener("click", () => {
      this.sender.now(is, values);
      this.dialog.close();
    });
    return button;
  }

  // What was saved is never written over.
  check() {
    const field = find("#save-name");
    const isTaken = this.state.dictionaries.includes(field.value.trim());
    field.setCustomValidity(isTaken ? "There is a dictionary of that name already: choose another name." : "");
  }

  save(event) {
    event.preventDefault();
    const name = find("#save-name").value.trim();
    if (!name) return;
    this.sender.now("save", { name });
    find("#save-name").value = "";
    this.dialog.close();
  }

  freeze() {
    if (this.state?.adapts) this.sender.now("freeze", { on: !this.state.frozen });
  }

  // Times that go on come with the meters; when it is over, the last one is kept.
  meters({ recorded_s }) {
    const { on, folder } = this.state?.recording ?? {};
    if (!folder) return;
    if (on) this.seconds = recorded_s;
    const time = this.seconds ? ` ${minutes(this.seconds)}` : "";
    find("#recorded-text").title = folder;
    setText(find("#recorded-text"), `${on ? "Recording" : "Recorded"}${time} into ${folder}`);
  }

  closeRecorded() {
    this.closed = this.state.recording.folder;
    this.recording(this.state.recording);
  }

  recording({ on, folder, files }) {
    setHidden(find("#recorded"), !folder || (folder === this.closed && !on));
    setHidden(find("#close-recorded"), on);
    const node = find("#downloads");
    const key = JSON.stringify([on, folder, files]);
    if (node.dataset.key === key) return;
    node.dataset.key = key;
    node.replaceChildren(...(on ? [] : files.map((name) => make("li", {}, download(name, folder)))));
  }
}

// The name of the folder, which is said beside them, begins the name of each file.
function download(name, folder) {
  const prefix = `${folder.split(/[\\/]/).at(-1)}-`;
  const text = name.startsWith(prefix) ? name.slice(prefix.length) : name;
  return make("a", { href: address(`recordings/${encodeURIComponent(name)}`), download: name }, text);
}
