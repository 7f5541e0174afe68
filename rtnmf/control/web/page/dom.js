// A few words for the document. Text goes in as text only, so that a name from a stranger can do nothing.

export const find = (selector, within = document) => within.querySelector(selector);

export function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

// What has not changed is not touched: a write that changes nothing still costs a layout.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setPressed(button, isOn) {
  const value = String(Boolean(isOn));
  if (button.getAttribute("aria-pressed") !== value) button.setAttribute("aria-pressed", value);
}

// A button that cannot be pressed says why; what it says else comes back with it.
export function setDisabled(button, reason) {
  button.disabled = reason !== "";
  button.dataset.title ??= button.title;
  const title = reason || button.dataset.title;
  if (button.title !== title) button.title = title;
}

export function setHidden(node, isHidden) {
  if (node.hidden !== isHidden) node.hidden = isHidden;
}

export function minutes(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${String(Math.floor(whole / 60)).padStart(2, "0")}:${String(whole % 60).padStart(2, "0")}`;
}

export const isNarrow = window.matchMedia("(max-width: 699px)");
export const isStill = window.matchMedia("(prefers-reduced-motion: reduce)");
