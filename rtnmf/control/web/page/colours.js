// The colour of each source: in their order, the rest always grey. The values stand in look.css alone. A name keeps its
// colour while the page is open, whatever comes before it, and a new name has that of the old one.

const N_COLOURS = 8;
const isLight = window.matchMedia("(prefers-color-scheme: light)");

const places = new Map(); // name -> number of its colour
let before = [];

export function colourNames(sources) {
  const names = sources.filter((source) => !source.rest).map((source) => source.name);
  passOn(names);
  const taken = new Set();
  const isNew = (name) => !places.has(name) || taken.has(places.get(name)) || !taken.add(places.get(name));
  for (const name of names.filter(isNew)) places.set(name, free(taken));
  before = names;
  return sources.map((source) => (source.rest ? "--source-rest" : `--source-${(places.get(source.name) % N_COLOURS) + 1}`));
}

function passOn(names) {
  const changed = names.flatMap((name, i) => (name === before[i] ? [] : [i]));
  if (names.length !== before.length || changed.length !== 1) return;
  const [i] = changed;
  places.set(names[i], places.get(before[i]));
  places.delete(before[i]);
}

function free(taken) {
  let place = 0;
  while (taken.has(place)) place++;
  taken.add(place);
  return place;
}

export function onTheme(change) {
  isLight.addEventListener("change", change);
}

export function rgb(name) {
  const text = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16));
}

// Pixels for each owner and level, owner * 256 + level: from the panel to the owner's colour, the loudest towards
// white on dark ground and towards black on light ground.
export function palette(names) {
  const ground = rgb("--panel");
  const end = isLight.matches ? [0, 0, 0] : [255, 255, 255];
  const pixels = new Uint32Array(256 * names.length);
  names.forEach((name, owner) => {
    const colour = rgb(name);
    for (let i = 0; i < 256; i++) {
      const strength = Math.min(1, Math.max(0, (i / 255 - 0.18) / 0.67)) ** 1.25;
      const glare = ((isLight.matches ? 0.3 : 0.45) * Math.max(0, strength - 0.8)) / 0.2;
      const [r, g, b] = colour.map((c, k) => mixed(mixed(ground[k], c, Math.min(1, strength * 1.1)), end[k], glare));
      pixels[owner * 256 + i] = (255 << 24) | (b << 16) | (g << 8) | r;
    }
  });
  return pixels;
}

function mixed(from, to, share) {
  return Math.round(from + (to - from) * share);
}
