// The master strip, comparing (A/B), and the record button.

import { eachFrame } from "./clock.js";
import { find, minutes, setDisabled, setHidden, setPressed, setText } from "./dom.js";
import { Fader, WET } from "./fader.js";
import { Meter } from "./meters.js";

const LIMITED_MS = 600; // how long the mark of the limiter stays lit

export class Master {
  constructor(sender) {
    this.sender = sender;
    this.input = new Meter("The input", () => sender.now("reset"));
    this.output = new Meter("The output", () => sender.now("reset"));
    this.wet = new Fader("Separated sound in the output", WET, (wet) => sender.moved("wet", "wet", { wet }));
    find("#wet").append(this.wet.node);
    find("#wet-value").append(this.wet.field);
    find("#input-meter").append(this.input.node);
    find("#output-meter").append(this.output.node);
    this.alone = "output";
    find("#bypass").addEventListener("click", () => sender.now("bypass", { on: !this.state.bypass }));
    find("#hear-input").addEventListener("click", () => sender.now("listen", { to: "input" }));
    find("#hear-output").addEventListener("click", () => sender.now("listen", { to: this.alone }));
    find("#record").addEventListener("click", () => this.record());
    eachFrame((seconds) => [this.input, this.output].forEach((meter) => meter.draw(seconds)));
  }

  show(state) {
    this.state = state;
    if (state.listening !== "input") this.alone = state.listening;
    if (!state.sources.some((source) => source.name === this.alone)) this.alone = "output";
    this.wet.echo(state.wet);
    setPressed(find("#bypass"), state.bypass);
    setPressed(find("#hear-input"), state.listening === "input");
    setPressed(find("#hear-output"), state.listening !== "input");
    setText(find("#hear-output .what"), this.alone === "output" ? "Output" : this.alone);
    const { recording } = state;
    setPressed(find("#record"), recording.on);
    const reason = state.sounding ? "there is nothing to record yet" : "no sound yet: wait until the devices are open";
    setDisabled(find("#record"), recording.on || (state.sounding && state.sources.length) ? "" : reason);
    setText(find("#record .what"), recording.on ? "Recording" : "Record");
    setHidden(find("#record-time"), !recording.on);
  }

  meters(meters, now) {
    this.input.show(meters.input_db);
    this.output.show(meters.output_db, meters.output_over);
    if (this.state?.recording.on) setText(find("#record-time"), minutes(meters.recorded_s));
    if (meters.n_limited > (this.nLimited ?? meters.n_limited)) this.limitedAt = now;
    this.nLimited = meters.n_limited;
    find("#limiter").classList.toggle("on", now - (this.limitedAt ?? -Infinity) < LIMITED_MS);
    setText(find("#limited"), meters.n_limited ? `${meters.n_limited}\u00a0×` : "");
  }

  silence() {
    this.input.clear();
    this.output.clear();
    find("#limiter").classList.remove("on");
  }

  compare() {
    this.sender.now("listen", { to: this.state?.listening === "input" ? this.alone : "input" });
  }

  record() {
    if (!find("#record").disabled) this.sender.now("record", { on: !this.state?.recording.on });
  }
}
