// Teach: name a sound, hear the countdown, make it, hear it back, keep or drop it, and watch it being learned.

import { find, make, setHidden, setText } from "./dom.js";
import { Meter } from "./meters.js";
import { address } from "./socket.js";
import { eachFrame } from "./clock.js";

const WORDS = {
  countdown: (name) => `Get ready to make the sound of ${name}, alone.`,
  recording: (name) => `Now: ${name}, and nothing else.`,
  heard: (name) => `This is what was heard of ${name}. Is it only that?`,
  learning: (name) => `Learning ${name}. All goes on meanwhile.`,
  failed: (name) => `${name} could not be learned.`,
};
const BUSY = ["countdown", "recording", "learning"];

export class Teach {
  constructor(sender) {
    this.sender = sender;
    this.dialog = find("#teach");
    this.lesson = { stage: "", name: "", left_s: 0, text: "" };
    this.nTakes = 0;
    this.level = new Meter("The input", () => sender.now("reset"));
    find("#teach-level").append(this.level.node);
    find("#teach-form").addEventListener("submit", (event) => this.begin(event));
    find("#teach-keep").addEventListener("click", () => sender.now("keep"));
    find("#teach-drop").addEventListener("click", () => sender.now("drop"));
    find("#teach-again").addEventListener("click", () => this.again());
    find("#teach-cancel").addEventListener("click", () => sender.now("drop"));
    find("#teach-seconds").addEventListener("focus", (event) => event.target.select());
    for (const node of document.querySelectorAll(".teach")) node.addEventListener("click", () => this.open());
    eachFrame((seconds) => this.dialog.open && this.level.draw(seconds));
  }

  // Beside the faders, not over them: all goes on while one teaches.
  open() {
    if (this.dialog.open) {
      this.dialog.close();
      return;
    }
    this.dialog.show();
    if (!this.lesson.stage) find("#teach-name").focus();
  }

  begin(event) {
    event.preventDefault();
    const name = find("#teach-name").value.trim();
    if (!name) return;
    this.mine = true;
    this.sender.now("teach", { name, seconds: Number(find("#teach-seconds").value) });
  }

  again() {
    const { name } = this.lesson;
    this.mine = true;
    this.sender.now("drop");
    this.sender.now("teach", { name, seconds: Number(find("#teach-seconds").value) });
  }

  show(state) {
    const { lesson } = state;
    const before = this.lesson;
    this.lesson = lesson;
    if (lesson.stage !== before.stage || lesson.name !== before.name) this.enter(lesson);
    if (before.stage === "learning" && !lesson.stage) this.end();
    setText(find("#teach-text"), BUSY.slice(0, 2).includes(lesson.stage) ? "" : lesson.text);
  }

  enter({ stage, name }) {
    this.whole_s = 0;
    setHidden(find("#teach-form"), stage !== "");
    setHidden(find("#teach-stage"), stage === "");
    setText(find("#teach-title"), stage ? `Teach ${name}` : "Teach a sound");
    setText(find("#teach-what"), WORDS[stage]?.(name) ?? "");
    setHidden(find("#teach-left"), !BUSY.slice(0, 2).includes(stage));
    setHidden(find("#teach-level"), !BUSY.slice(0, 2).includes(stage));
    setHidden(find("#teach-progress"), !["recording", "learning"].includes(stage));
    setHidden(find("#teach-keep"), stage !== "heard");
    setHidden(find("#teach-again"), !["heard", "failed"].includes(stage));
    setHidden(find("#teach-drop"), !["heard", "failed"].includes(stage));
    setHidden(find("#teach-cancel"), !BUSY.includes(stage));
    find("#teach-stage").dataset.stage = stage;
    find("#teach-progress").removeAttribute("value");
    setText(find("#teach-left"), "");
    for (const node of document.querySelectorAll(".teach")) node.classList.toggle("busy", BUSY.includes(stage));
    this.looks(false);
    this.player(stage === "heard");
    if (stage === "heard" && this.mine) find("#teach-keep").focus({ focusVisible: false });
  }

  // The take is being looked at: nothing is to be done meanwhile.
  looks(isOver) {
    if (isOver) setText(find("#teach-what"), "Looking at the take …");
    setHidden(find("#teach-looking"), !isOver);
    for (const place of isOver ? ["#teach-left", "#teach-level", "#teach-progress"] : []) setHidden(find(place), true);
  }

  player(hasTake) {
    const place = find("#teach-take");
    const take = () => make("audio", { controls: true, src: address(`take.wav?n=${Date.now()}`), "aria-label": "The take" });
    place.replaceChildren(...(hasTake ? [take()] : []));
    setHidden(place, !hasTake);
  }

  // What was learned has its strip now, and the window is out of the way.
  end() {
    find("#teach-name").value = "";
    if (this.mine && this.dialog.open) this.dialog.close();
    this.mine = false;
  }

  meters(meters) {
    this.level.show(meters.input_db);
    const { stage } = this.lesson;
    if (!BUSY.includes(stage)) return;
    setText(find("#teach-left"), left(stage, meters.left_s));
    this.whole_s = Math.max(this.whole_s, meters.left_s);
    if (stage === "recording" && this.whole_s > 0 && meters.left_s <= 0) this.looks(true);
    if (this.whole_s > 0) find("#teach-progress").value = 1 - meters.left_s / this.whole_s;
  }
}

function left(stage, seconds) {
  if (stage === "countdown") return String(Math.max(1, Math.ceil(seconds)));
  if (stage !== "recording") return "";
  return seconds > 0 ? `${Math.ceil(seconds)}\u00a0s` : "";
}
