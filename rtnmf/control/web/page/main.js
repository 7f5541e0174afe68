// The page of the studio: what the server says is shown, what hands do is sent. The server's echo is the truth.

import { onTheme } from "./colours.js";
import * as keys from "./keys.js";
import { Master } from "./master.js";
import { Parts } from "./parts.js";
import { Sender } from "./sending.js";
import { Shelf } from "./shelf.js";
import { Connection } from "./socket.js";
import { Spectrograms } from "./spectrogram.js";
import { Status } from "./status.js";
import { Strips } from "./strips.js";
import { Teach } from "./teach.js";

const NEVER = "The studio does not answer. Trying again by itself; if nothing comes, open the link that rtnmf printed, to its end.";
const LOST = "The connection to rtnmf is lost. Trying again by itself; if nothing comes back, see whether rtnmf still runs.";

const sender = new Sender((command) => {
  status.begun(command);
  connection.send(command);
});
const strips = new Strips(sender);
const master = new Master(sender);
const shelf = new Shelf(sender);
const teach = new Teach(sender);
const parts = new Parts(sender);
const status = new Status();
const spectrograms = new Spectrograms();
let shown = null;
let hasOpened = false;

function show(state) {
  const colours = strips.show(state);
  const names = state.sources.map((source) => source.name);
  if (names.join("\n") !== shown) spectrograms.name(names, colours);
  shown = names.join("\n");
  spectrograms.label(state.band_hz);
  for (const part of [master, shelf, teach, parts, status]) part.show(state);
  document.body.classList.add("ready");
}

const connection = new Connection({
  state: show,
  meters(meters) {
    const now = performance.now();
    for (const part of [strips, master, shelf, teach, parts, status]) part.meters(meters, now);
  },
  columns: (bytes) => spectrograms.add(bytes),
  refused({ reason }) {
    status.ended();
    status.say(reason);
  },
  opened() {
    hasOpened = true;
    status.banner("#offline", "");
    document.body.classList.remove("lost");
  },
  lost() {
    status.banner("#offline", hasOpened ? LOST : NEVER);
    document.body.classList.add("lost");
    status.ended();
    strips.silence();
    master.silence();
  },
});

onTheme(() => spectrograms.recolour());
keys.listen({ strips, master, shelf, teach });
