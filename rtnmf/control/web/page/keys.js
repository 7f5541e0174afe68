// The keys of the studio. None acts while one types, or in a window that is in front.

import { find, isNarrow } from "./dom.js";

const STEP_DB = 0.5;
const FINER_DB = 0.1;

export function listen({ strips, master, shelf, teach }) {
  let clicked = null; // a button that was clicked keeps the focus, but Space still compares
  const presses = (event) => event.key === " " && isButton(event.target) && event.target !== clicked;
  document.addEventListener("pointerdown", (event) => (clicked = event.target.closest?.("button")), true);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Tab") clicked = null;
    if (isForeign(event) || isTyped(event.target) || presses(event)) return;
    const action = actionOf(event, { strips, master, shelf, teach });
    if (!action) return;
    event.preventDefault();
    action();
  });
  // Firefox presses a button when the key goes up.
  document.addEventListener("keyup", (event) => {
    if (event.key === " " && isButton(event.target) && !isForeign(event) && !presses(event)) event.preventDefault();
  });
  find("#open-help").addEventListener("click", () => find("#help").showModal());
  for (const dialog of document.querySelectorAll("dialog")) {
    find(".close", dialog).addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("keydown", (event) => event.key === "Escape" && dialog.close());
  }
}

function isForeign(event) {
  return event.ctrlKey || event.metaKey || event.altKey || event.isComposing || find("dialog:modal") !== null;
}

function isTyped(node) {
  return node.matches?.("input, select, textarea, audio, [contenteditable]") ?? false;
}

function isButton(node) {
  return node.matches?.("button, a, summary") ?? false;
}

function actionOf(event, { strips, master, shelf, teach }) {
  const strip = strips.current;
  const step = event.shiftKey ? FINER_DB : STEP_DB;
  const once = {
    " ": () => master.compare(),
    s: () => strip?.solo.click(),
    m: () => strip?.mute.click(),
    r: () => master.record(),
    t: () => find("#add").disabled || teach.open(),
    f: () => shelf.freeze(),
    "?": () => find("#help").showModal(),
    Escape: () => find("#teach").close(),
  };
  const often = {
    ArrowUp: () => strip?.fader.step(step),
    ArrowDown: () => strip?.fader.step(-step),
  };
  if (/^[1-9]$/.test(event.key)) return () => strips.focus(Number(event.key) - 1);
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return often[key] ?? (event.repeat ? undefined : once[key]);
}

// A telephone shows the transport over the lower end: what has the focus is never behind it.
document.addEventListener("focusin", ({ target }) => {
  const transport = find(".transport");
  if (!isNarrow.matches || transport.contains(target) || target.closest("dialog") || !target.matches(":focus-visible")) return;
  if (target.getBoundingClientRect().bottom > transport.getBoundingClientRect().top) target.scrollIntoView({ block: "center" });
});
