"use strict";
const left = Number(document.body.dataset.left);
const right = Number(document.body.dataset.right);

function button(text, label, action) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", action);
  return made;
}

// The tracks of a group share one moment, and one of them is heard.
function connect(group) {
  const tracks = [...group.querySelectorAll("audio.track")];
  if (!tracks.length) return;
  const timelines = [...group.querySelectorAll(".timeline")];
  const toolbar = group.querySelector(".toolbar");
  const play = toolbar.querySelector(".play");
  const cursors = timelines.map((timeline) => {
    const cursor = document.createElement("div");
    cursor.className = "cursor";
    timeline.append(cursor);
    return cursor;
  });
  const solos = new Map();
  const wanted = new Map();
  let heard = tracks[0];

  const momentOf = (track) => wanted.get(track) ?? track.currentTime;

  // Browsers may never finish a seek that overtakes another one: the next waits until the last is done.
  function place(track, moment) {
    if (Math.abs(momentOf(track) - moment) < 0.005) return;
    if (track.seeking) wanted.set(track, moment);
    else track.currentTime = moment;
  }

  function show() {
    const moment = momentOf(heard);
    const part = left + (right - left) * (moment / (heard.duration || 1));
    for (const cursor of cursors) cursor.style.left = `${100 * part}%`;
    toolbar.querySelector(".moment").textContent = `${moment.toFixed(1)} s`;
    toolbar.querySelector(".heard").textContent = heard.getAttribute("aria-label");
    play.textContent = heard.paused ? "Play" : "Pause";
    for (const [track, solo] of solos) solo.setAttribute("aria-pressed", String(track === heard));
    if (!heard.paused) requestAnimationFrame(show);
  }

  function seek(moment) {
    if (!Number.isFinite(moment)) return; // nothing is loaded yet
    for (const track of tracks) place(track, Math.max(0, Math.min(moment, track.duration || 0)));
    show();
  }

  // Hear another track, from the moment at which the last one was.
  function hear(track) {
    if (track === heard) return;
    const moment = momentOf(heard);
    heard.pause();
    heard = track;
    place(heard, moment);
    show();
  }

  function start(track) {
    hear(track);
    track.play().catch(show); // a browser may refuse until the page was touched
  }

  for (const track of tracks) {
    const name = track.getAttribute("aria-label");
    const solo = button("Solo", `hear ${name} alone`, () => start(track));
    solo.className = "solo";
    solos.set(track, solo);
    track.after(solo);
    if (track !== tracks[0]) {
      const swap = button("A/B", `swap ${name} and the first`, () => {
        const playing = !heard.paused;
        const other = heard === track ? tracks[0] : track;
        if (playing) start(other);
        else hear(other);
      });
      swap.className = "swap";
      solo.after(swap);
    }
    track.addEventListener("play", () => {
      for (const other of document.querySelectorAll("audio")) if (other !== track) other.pause();
      hear(track);
      show();
    });
    track.addEventListener("pause", show);
    track.addEventListener("seeked", () => {
      const moment = momentOf(track);
      if (wanted.delete(track)) track.currentTime = moment;
      const moved = Math.abs(moment - momentOf(heard)) > 0.05;
      if (track === heard || (moved && heard.paused)) {
        for (const other of tracks) if (Math.abs(momentOf(other) - moment) > 0.05) place(other, moment);
      }
      show();
    });
  }
  for (const timeline of timelines) {
    timeline.addEventListener("click", (event) => {
      const box = timeline.getBoundingClientRect();
      seek((((event.clientX - box.left) / box.width - left) / (right - left)) * heard.duration);
    });
  }
  toolbar.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    seek(momentOf(heard) + step);
  });
  play.addEventListener("click", () => (heard.paused ? start(heard) : heard.pause()));
  toolbar.hidden = false;
  show();
}

document.querySelectorAll(".group").forEach(connect);
for (const alone of document.querySelectorAll("audio:not(.track)")) {
  alone.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== alone) other.pause();
  });
}
