"use strict";
// The sounds of a page: decoded once, started together by one clock, mixed by gains. Nothing here touches the page.

const FADE_S = 0.006; // against clicks
const HEARD_ABOVE = 1e-3; // full scale is 1
const AHEAD_S = 0.04; // a start that is asked for too late would be another one for each sound
let context = null;
const decoding = new Map();

function soundCard() {
  context ??= new AudioContext({ sampleRate: Number(document.body.dataset.rate) });
  context.resume();
  return context;
}

function bytesOf(audio) {
  const text = atob(audio.getAttribute("src").split(",")[1]);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  return bytes.buffer;
}

// Browsers leave different parts of what an encoder puts before a sound: a click tells how much, in samples.
async function lateness() {
  let most = 0;
  for (const click of document.querySelectorAll("audio.click")) {
    const x = (await soundCard().decodeAudioData(bytesOf(click))).getChannelData(0);
    const peak = x.reduce((best, value, i) => (Math.abs(value) > Math.abs(x[best]) ? i : best), 0);
    most = Math.max(most, peak - Math.round(Number(document.body.dataset.click) * context.sampleRate));
  }
  return most;
}

let late = null;

// The samples of a sound from its very first one on, as many as it has, whatever its encoder put around them.
async function decoded(audio, duration) {
  const card = soundCard();
  late ??= lateness();
  const [buffer, skip] = await Promise.all([card.decodeAudioData(bytesOf(audio)), late]);
  const length = duration ? Math.round(duration * card.sampleRate) : buffer.length - skip;
  if (!skip && buffer.length === length) return buffer;
  const cut = card.createBuffer(buffer.numberOfChannels, Math.max(1, length), card.sampleRate);
  for (let c = 0; c < buffer.numberOfChannels; c += 1) {
    cut.copyToChannel(buffer.getChannelData(c).subarray(skip, skip + length), c);
  }
  return cut;
}

function decodedOnce(audio, duration) {
  if (!decoding.has(audio)) decoding.set(audio, decoded(audio, duration));
  return decoding.get(audio);
}

// Sounds of one length on one clock. `gains()` returns {number: gain} of those that are needed.
class Player {
  constructor(audios, duration, gains, onChange) {
    this.audios = audios;
    this.duration = duration;
    this.gains = gains;
    this.onChange = onChange;
    this.loop = null;
    this.isPlaying = false;
    this.rest = 0; // where it stands while it does not play
    this.voices = new Map(); // number: what sounds
    this.turn = 0; // of starts and stops: what was decoded for an earlier one is not started any more
  }

  get position() {
    if (!this.isPlaying) return this.rest;
    let moment = this.from + Math.max(0, context.currentTime - this.when);
    if (this.loop && moment >= this.loop[1]) {
      moment = this.loop[0] + ((moment - this.loop[0]) % (this.loop[1] - this.loop[0]));
    }
    return Math.min(moment, this.duration);
  }

  async play(from = this.position) {
    const turn = this.stop(from);
    soundCard();
    const numbers = Object.keys(this.gains());
    const buffers = await Promise.all(numbers.map((number) => decodedOnce(this.audios.get(number), this.duration)));
    if (turn !== this.turn) return;
    this.from = this.loop && (from < this.loop[0] || from >= this.loop[1]) ? this.loop[0] : from;
    if (this.from >= this.duration) this.from = 0;
    this.when = context.currentTime + AHEAD_S;
    this.isPlaying = true;
    numbers.forEach((number, i) => this.launch(number, buffers[i], this.when, this.from));
    this.onChange();
  }

  launch(number, buffer, when, offset) {
    const [loopStart, loopEnd] = this.loop ?? [0, 0];
    const source = new AudioBufferSourceNode(context, { buffer, loop: Boolean(this.loop), loopStart, loopEnd });
    const fade = new GainNode(context, { gain: 0 });
    const gain = new GainNode(context, { gain: this.gains()[number] ?? 0 });
    fade.gain.setValueAtTime(0, when);
    fade.gain.linearRampToValueAtTime(1, when + FADE_S);
    const meter = new AnalyserNode(context, { fftSize: 2048 });
    source.connect(fade).connect(gain).connect(context.destination);
    gain.connect(meter);
    source.start(when, offset);
    this.voices.set(number, { source, fade, gain, meter });
  }

  // Whether a sound can be heard at this moment, behind its gain.
  sounds(number) {
    const meter = this.voices.get(number)?.meter;
    if (!meter || !this.isPlaying) return false;
    this.samples ??= new Float32Array(meter.fftSize);
    meter.getFloatTimeDomainData(this.samples);
    return this.samples.some((value) => Math.abs(value) > HEARD_ABOVE);
  }

  // Turns the gains, and starts what is needed now and was not before, at the very sample at which the others are.
  async mix() {
    const gains = this.gains();
    for (const [number, { gain }] of this.voices) {
      gain.gain.setTargetAtTime(gains[number] ?? 0, context.currentTime, FADE_S);
    }
    this.onChange();
    if (!this.isPlaying) return;
    const turn = this.turn;
    for (const number of Object.keys(gains)) {
      if (this.voices.has(number)) continue;
      const buffer = await decodedOnce(this.audios.get(number), this.duration);
      if (turn !== this.turn || this.voices.has(number)) continue;
      const ahead = Math.ceil((context.currentTime + AHEAD_S - this.when) * context.sampleRate) / context.sampleRate;
      let offset = this.from + Math.max(0, ahead);
      if (this.loop && offset >= this.loop[1]) {
        offset = this.loop[0] + ((offset - this.loop[0]) % (this.loop[1] - this.loop[0]));
      }
      if (offset < this.duration) this.launch(number, buffer, this.when + Math.max(0, ahead), offset);
    }
  }

  stop(at = this.position) {
    this.rest = Math.max(0, Math.min(at, this.duration));
    this.isPlaying = false;
    for (const { source, fade } of this.voices.values()) {
      fade.gain.cancelScheduledValues(context.currentTime);
      fade.gain.setTargetAtTime(0, context.currentTime, FADE_S);
      source.stop(context.currentTime + 8 * FADE_S);
    }
    this.voices.clear();
    this.turn += 1;
    this.onChange();
    return this.turn;
  }

  seek(moment) {
    const at = Math.max(0, Math.min(moment, this.duration));
    if (this.isPlaying) return this.play(at);
    this.rest = at;
    return this.onChange();
  }

  setLoop(loop) {
    const at = this.position;
    this.loop = loop;
    if (this.isPlaying) this.play(at);
    else this.onChange();
  }
}

// 16-bit WAV of samples that were decoded.
function wavOf(buffer) {
  const n = buffer.numberOfChannels;
  const view = new DataView(new ArrayBuffer(44 + 2 * n * buffer.length));
  const text = (at, word) => [...word].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, view.byteLength - 8, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, n, true);
  view.setUint32(24, buffer.sampleRate, true);
  view.setUint32(28, 2 * n * buffer.sampleRate, true);
  view.setUint16(32, 2 * n, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, view.byteLength - 44, true);
  for (let c = 0; c < n; c += 1) {
    buffer.getChannelData(c).forEach((value, i) => {
      view.setInt16(44 + 2 * (n * i + c), Math.round(32767 * Math.max(-1, Math.min(1, value))), true);
    });
  }
  return new Blob([view], { type: "audio/wav" });
}
