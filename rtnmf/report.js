"use strict";
const left = Number(document.body.dataset.left);
const right = Number(document.body.dataset.right);

function button(text, action) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
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
  let heard = tracks[0];

  function show() {
    const moment = heard.currentTime;
    const part = left + (right - left) * (moment / (heard.duration || 1));
    for (const cursor of cursors) cursor.style.left = `${100 * part}%`;
    toolbar.querySelector(".moment").textContent = `${moment.toFixed(1)} s`;
    toolbar.querySelector(".heard").textContent = heard.getAttribute("aria-label");
    play.textContent = heard.paused ? "Play" : "Pause";
    for (const [track, solo] of solos) solo.setAttribute("aria-pressed", String(track === heard));
    if (!heard.paused) requestAnimationFrame(show);
  }

  function seek(moment) {
    for (const track of tracks) track.currentTime = Math.max(0, Math.min(moment, track.duration || 0));
    show();
  }

  function hear(track) {
    const playing = !heard.paused;
    const moment = heard.currentTime;
    if (track !== heard) {
      heard.pause();
      heard = track;
      heard.currentTime = moment;
    }
    if (playing) heard.play();
    show();
  }

  for (const track of tracks) {
    const solo = button("Solo", () => {
      hear(track);
      heard.play();
    });
    solo.className = "solo";
    solos.set(track, solo);
    track.after(solo);
    if (track !== tracks[0]) {
      const swap = button("A/B", () => hear(heard === track ? tracks[0] : track));
      swap.className = "swap";
      solo.after(swap);
    }
    track.addEventListener("play", () => {
      if (track !== heard) {
        const moment = heard.currentTime;
        heard.pause();
        heard = track;
        heard.currentTime = moment;
      }
      show();
    });
    track.addEventListener("pause", show);
    track.addEventListener("seeked", () => {
      if (track !== heard) return;
      for (const other of tracks) {
        if (Math.abs(other.currentTime - track.currentTime) > 0.05) other.currentTime = track.currentTime;
      }
      show();
    });
  }
  for (const timeline of timelines) {
    timeline.tabIndex = 0;
    timeline.addEventListener("click", (event) => {
      const box = timeline.getBoundingClientRect();
      seek((((event.clientX - box.left) / box.width - left) / (right - left)) * heard.duration);
    });
    timeline.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) seek(heard.currentTime + step);
    });
  }
  play.addEventListener("click", () => (heard.paused ? heard.play() : heard.pause()));
  toolbar.hidden = false;
  show();
}

document.querySelectorAll(".group").forEach(connect);
