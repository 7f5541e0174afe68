// One loop for all that moves. The browser stops it by itself while the page is hidden.

const drawers = new Set();
const LONGEST_S = 0.1; // after a pause, nothing jumps

export function eachFrame(draw) {
  drawers.add(draw);
}

let before = performance.now();

function tick(now) {
  const seconds = Math.min(LONGEST_S, (now - before) / 1000);
  before = now;
  for (const draw of drawers) draw(seconds, now);
  requestAnimationFrame(tick);
}

requestAnimationFrame(tick);
