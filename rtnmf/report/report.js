// What hands do on the page, and what it shows of what sounds.

const desks = [];
let lastDesk = null;

function toggle(set, value) {
  if (!set.delete(value)) set.add(value);
}

const pressed = (button, is) => button.setAttribute("aria-pressed", String(is));
const short = (seconds) => String(Number(seconds.toFixed(2)));

// A player with its pictures, strips, tiles and transport.
class Desk {
  constructor(root) {
    this.root = root;
    this.duration = Number(root.dataset.duration);
    this.soloed = new Set();
    this.muted = new Set();
    this.hearing = "mix";
    this.stretch = null;
    this.audios = new Map();
    this.numbers = { whole: [], model: [], source: [], component: [], alone: [] };
    for (const audio of root.querySelectorAll("audio[data-sound]")) {
      this.audios.set(audio.dataset.sound, audio);
      this.numbers[audio.dataset.kind].push(audio.dataset.sound);
    }
    this.strips = [...root.querySelectorAll(".strip")];
    this.chosen = this.strips[0];
    this.timelines = [...root.querySelectorAll(".timeline")];
    this.player = new Player(this.audios, this.duration, () => this.gains(), () => this.show());
    this.fillTimelines();
    this.connect();
    for (const part of root.querySelectorAll(".transport, .stretch, .strip .buttons, .download, .tile .buttons")) {
      part.hidden = false;
    }
    this.show();
  }

  find(selector) {
    return this.root.querySelector(selector);
  }

  gains() {
    if (this.hearing !== "mix") return { [this.numbers[this.hearing][0]]: 1 };
    const gains = {};
    for (const number of this.numbers.source) {
      gains[number] = Number(this.soloed.size ? this.soloed.has(number) : !this.muted.has(number));
    }
    for (const number of this.soloed) gains[number] = 1;
    return gains;
  }

  fillTimelines() {
    this.cursors = this.timelines.map((timeline) => {
      const stretch = document.createElement("div");
      stretch.className = "chosen-stretch";
      const cursor = document.createElement("div");
      cursor.className = "cursor";
      timeline.append(stretch, cursor);
      return { stretch, cursor };
    });
  }

  connect() {
    const on = (selector, kind, action) => {
      for (const part of this.root.querySelectorAll(selector)) part.addEventListener(kind, (event) => action(part, event));
    };
    on(".play", "click", () => this.toggle());
    on(".position", "input", (slider) => this.player.seek(Number(slider.value)));
    on(".repeat", "click", () => this.repeat());
    on("[data-hear]", "click", (button) => this.hear(button.dataset.hear));
    on(".strip .solo", "click", (button) => this.solo(button.closest(".strip")));
    on(".strip .mute", "click", (button) => this.mute(button.closest(".strip")));
    on(".strip", "focusin", (strip) => this.choose(strip));
    on(".download", "click", (button) => this.download(button.closest(".strip")));
    on(".heard", "click", (button) => this.hearOnly([button.dataset.sound]));
    on(".stretch .from, .stretch .to", "change", () => this.typed());
    on(".stretch .clear", "click", () => this.setStretch(null));
    on(".stretch .name", "input", () => this.showStretch());
    for (const timeline of this.timelines) this.connectTimeline(timeline);
    this.root.addEventListener("pointerdown", () => (lastDesk = this));
    this.root.addEventListener("focusin", () => (lastDesk = this));
  }

  connectTimeline(timeline) {
    const momentOf = (event) => {
      const box = timeline.getBoundingClientRect();
      return Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * this.duration;
    };
    let start = null;
    timeline.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      start = { x: event.clientX, moment: momentOf(event), isDrag: false };
      timeline.setPointerCapture(event.pointerId);
    });
    timeline.addEventListener("pointermove", (event) => {
      if (!start) return;
      start.isDrag ||= Math.abs(event.clientX - start.x) > 5;
      if (!start.isDrag) return;
      this.stretch = [start.moment, momentOf(event)].sort((a, b) => a - b);
      this.showStretch();
    });
    timeline.addEventListener("pointerup", (event) => {
      if (!start) return;
      if (start.isDrag) this.setStretch([start.moment, momentOf(event)].sort((a, b) => a - b));
      else this.player.seek(momentOf(event));
      start = null;
    });
    timeline.addEventListener("pointercancel", () => (start = null));
  }

  async run(action) {
    const message = this.find(".message");
    message.hidden = true;
    stopAlone();
    for (const other of desks) if (other !== this && other.player.isPlaying) other.player.stop();
    try {
      await action();
    } catch (error) {
      message.textContent = `This browser does not play the sounds (${error.message}): use the players below the pictures.`;
      message.hidden = false;
      document.documentElement.classList.remove("scripted");
    }
  }

  toggle() {
    if (this.player.isPlaying) this.player.stop();
    else this.run(() => this.player.play());
  }

  hear(what) {
    this.hearing = what;
    this.run(() => this.player.mix());
  }

  swap() {
    this.hear(this.hearing === "mix" ? "whole" : "mix");
  }

  solo(strip) {
    this.hearing = "mix";
    this.choose(strip);
    toggle(this.soloed, strip.dataset.sound);
    this.run(() => this.player.mix());
  }

  mute(strip) {
    this.hearing = "mix";
    this.choose(strip);
    toggle(this.muted, strip.dataset.sound);
    this.run(() => this.player.mix());
  }

  hearOnly(numbers) {
    const isSame = numbers.length === this.soloed.size && numbers.every((number) => this.soloed.has(number));
    this.hearing = "mix";
    this.soloed = new Set(isSame ? [] : numbers);
    if (isSame) this.player.stop();
    else if (!this.player.isPlaying) return this.run(() => this.player.play());
    return this.run(() => this.player.mix());
  }

  choose(strip) {
    this.chosen = strip;
    for (const other of this.strips) other.classList.toggle("chosen", other === strip);
  }

  repeat() {
    if (this.player.loop) this.player.setLoop(null);
    else this.player.setLoop(this.stretch ?? [0, this.duration]);
  }

  setStretch(stretch) {
    this.stretch = stretch && stretch[1] - stretch[0] >= 0.01 ? stretch : null;
    if (this.stretch) this.player.rest = this.player.isPlaying ? this.player.rest : this.stretch[0];
    this.player.setLoop(this.stretch);
    this.showStretch();
  }

  typed() {
    const [from, to] = [this.find(".from"), this.find(".to")].map((field) => field.valueAsNumber);
    const end = Number.isNaN(to) ? this.duration : Math.min(to, this.duration);
    if (!Number.isNaN(from) && end > from) this.setStretch([Math.max(0, from), end]);
  }

  mark(isEnd) {
    const here = this.player.position;
    const [from, to] = this.stretch ?? [0, this.duration];
    this.setStretch(isEnd ? [Math.min(from, here), here] : [here, Math.max(to, here)]);
  }

  async download(strip) {
    await this.run(async () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(wavOf(await decodedOnce(this.audios.get(strip.dataset.sound), this.duration)));
      link.download = `${strip.dataset.name.replace(/[\\/:*?"<>|]+/g, "-")}.wav`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    });
  }

  showStretch() {
    for (const { stretch } of this.cursors) {
      stretch.hidden = !this.stretch;
      if (!this.stretch) continue;
      stretch.style.left = `${(100 * this.stretch[0]) / this.duration}%`;
      stretch.style.width = `${(100 * (this.stretch[1] - this.stretch[0])) / this.duration}%`;
    }
    const fields = [this.find(".from"), this.find(".to")];
    fields.forEach((field, i) => {
      if (field !== document.activeElement || !this.stretch) field.value = this.stretch ? short(this.stretch[i]) : "";
    });
    this.find(".stretch .clear").disabled = !this.stretch;
    if (!dataset.recording) return;
    const name = this.find(".stretch .name").value.trim() || "NAME";
    const [from, to] = (this.stretch ?? [0, 0]).map((moment) => short(Number(dataset.start) + moment));
    const word = `${name}=${dataset.recording}@${from}-${to}`;
    showCommand(this.find(".stretch .command"), this.stretch ? [shell("rtnmf", "learn", word, "-o", fileOf(name))] : []);
  }

  show() {
    const { player } = this;
    if (player.isPlaying && !player.loop && player.position >= this.duration) {
      player.stop(0);
      return;
    }
    const moment = player.position;
    this.root.classList.toggle("playing", player.isPlaying);
    this.find(".play").setAttribute("aria-label", player.isPlaying ? "Pause" : "Play");
    this.find(".position").value = moment;
    this.find(".moment").textContent = `${moment.toFixed(1)} / ${this.duration.toFixed(1)}\u00a0s`;
    for (const { cursor } of this.cursors) cursor.style.left = `${(100 * moment) / this.duration}%`;
    this.showButtons();
    if (player.isPlaying) {
      cancelAnimationFrame(this.frame);
      this.frame = requestAnimationFrame(() => this.show());
    }
  }

  showButtons() {
    const gains = this.gains();
    pressed(this.find(".repeat"), Boolean(this.player.loop));
    for (const button of this.root.querySelectorAll("[data-hear]")) pressed(button, button.dataset.hear === this.hearing);
    for (const strip of this.strips) {
      const number = strip.dataset.sound;
      pressed(strip.querySelector(".solo"), this.soloed.has(number));
      pressed(strip.querySelector(".mute"), this.muted.has(number));
      strip.classList.toggle("sounds", this.hearing === "mix" && gains[number] > 0);
      strip.classList.toggle("lit", this.player.sounds(number));
    }
    for (const button of this.root.querySelectorAll(".heard")) pressed(button, this.soloed.has(button.dataset.sound));
  }
}

// Components alone, outside all clocks: one at a time.
let alone = null;

function stopAlone() {
  if (!alone) return;
  pressed(alone.button, false);
  alone.source?.stop();
  alone = null;
}

async function playAlone(button) {
  const isOn = alone?.button === button;
  stopAlone();
  if (isOn) return;
  for (const desk of desks) if (desk.player.isPlaying) desk.player.stop();
  const mine = { button, source: null };
  alone = mine;
  pressed(button, true);
  const buffer = await decodedOnce(document.querySelector(`audio[data-sound="${button.dataset.sound}"]`));
  if (alone !== mine) return;
  mine.source = new AudioBufferSourceNode(soundCard(), { buffer });
  mine.source.connect(context.destination);
  mine.source.addEventListener("ended", () => alone === mine && stopAlone());
  mine.source.start();
}

const KEYS = {
  " ": (desk) => desk.toggle(),
  ArrowLeft: (desk, event) => desk.player.seek(desk.player.position - (event.shiftKey ? 0.1 : 1)),
  ArrowRight: (desk, event) => desk.player.seek(desk.player.position + (event.shiftKey ? 0.1 : 1)),
  Home: (desk) => desk.player.seek(0),
  s: (desk) => desk.solo(desk.chosen),
  m: (desk) => desk.mute(desk.chosen),
  o: (desk) => desk.swap(),
  l: (desk) => desk.repeat(),
  "[": (desk) => desk.mark(false),
  "]": (desk) => desk.mark(true),
  Escape: (desk) => desk.setStretch(null),
};

// Space belongs to a button that was reached by Tab; after a click it is the transport's.
let isByTab = false;

function isTaken(target, key) {
  if (target.matches("audio")) return true;
  if (target.matches("input:not([type=checkbox]):not([type=range])")) return key !== "Escape";
  if (target.matches("input[type=range]")) return key.startsWith("Arrow") || key === "Home";
  const hasOwn = target.matches("button:not(.play), summary, input, code");
  return key === " " && hasOwn && isByTab;
}

document.addEventListener("pointerdown", () => (isByTab = false), true);
document.addEventListener("keydown", (event) => {
  isByTab ||= event.key === "Tab";
  const desk = lastDesk ?? desks[0];
  const { key } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isTaken(event.target, key)) return;
  if (key === "?") document.querySelector(".keys").toggleAttribute("open");
  if (!desk) return;
  const action = KEYS[key] ?? KEYS[key.toLowerCase()];
  const strip = desk.strips[Number(key) - 1];
  if (strip) {
    desk.choose(strip);
    strip.scrollIntoView({ block: "nearest" });
  } else if (action) action(desk, event);
  if (strip || action) event.preventDefault();
});

// Firefox presses a button when the key goes up.
document.addEventListener("keyup", (event) => {
  if (event.key === " " && !isByTab && event.target.matches("button")) event.preventDefault();
});

document.documentElement.classList.add("scripted");
for (const root of document.querySelectorAll(".player")) desks.push(new Desk(root));
for (const desk of desks) desk.setStretch(null);
for (const box of document.querySelectorAll(".command")) box.querySelector(".copy").addEventListener("click", () => copy(box));
for (const button of document.querySelectorAll(".alone")) {
  button.closest(".buttons").hidden = false;
  button.addEventListener("click", () => playAlone(button));
}
for (const naming of document.querySelectorAll(".naming")) connectNaming(naming, desks[0]);
if (desks.length) document.querySelector(".keys").hidden = false;
