// One law for faders and meters: how far up the scale a level in dB stands. It is that of rtnmf/control/faders.py,
// and a test holds the two to each other.

export const LOWEST_DB = -60;
export const HIGHEST_DB = 6;
export const OFF_DB = -200;
export const MARKS_DB = [-60, -40, -30, -20, -12, -6, 0, 6];

const POINTS_DB = [-60, -50, -40, -30, -20, 6];
const DEFLECTIONS = [2.5, 7.5, 15, 30, 50, 115]; // of IEC 60268-18, in per cent of that at full scale
const LOW = DEFLECTIONS[0];
const HIGH = DEFLECTIONS.at(-1);

export function position(db) {
  return (between(db, POINTS_DB, DEFLECTIONS) - LOW) / (HIGH - LOW);
}

export function level(place) {
  return place > 0 ? between(LOW + place * (HIGH - LOW), DEFLECTIONS, POINTS_DB) : OFF_DB;
}

export function dbText(db) {
  if (db < -120) return "off";
  const text = Math.abs(db).toFixed(1);
  return `${text === "0.0" ? "" : db > 0 ? "+" : "-"}${text}\u00a0dB`;
}

// What a person types: "-6", "−6,5 dB", "off"; null if it is no level.
export function typedDb(text) {
  const plain = text.trim().toLowerCase().replace("−", "-").replace(",", ".");
  if (/^(off|-inf|-∞)/.test(plain)) return OFF_DB;
  const number = /^[+-]?(\d+\.?\d*|\.\d+)\s*(db)?$/.test(plain) ? parseFloat(plain) : NaN;
  if (Number.isNaN(number)) return null;
  return number < LOWEST_DB ? OFF_DB : Math.min(HIGHEST_DB, number);
}

function between(x, xs, ys) {
  const held = Math.min(xs.at(-1), Math.max(xs[0], x));
  const i = Math.max(1, xs.findIndex((point) => point >= held));
  return ys[i - 1] + ((ys[i] - ys[i - 1]) * (held - xs[i - 1])) / (xs[i] - xs[i - 1]);
}
