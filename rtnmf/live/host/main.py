"""The process that sounds: one PortAudio stream and one engine, until the parent closes its end of the pipe.

It has an interpreter lock of its own, so that nothing which the parent does can make a callback late. It reads
parameters from shared memory and writes telemetry, and samples to record, there; what it has to say in words goes
to the parent as one line of JSON each.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import pickle
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from rtnmf.engine.separator import Separator
from rtnmf.live.devices import Pair, check_channels, chosen, leave, portaudio
from rtnmf.live.host.engine import Engine, Heard
from rtnmf.live.host.pacing import NEAR, Deadline, LostBlocks
from rtnmf.live.host.resampling import Resampling
from rtnmf.live.link.memory import Mailbox, Ring, attach
from rtnmf.live.link.protocol import N_TIMES, Layout, Settings

__all__ = ["main"]

Array = NDArray[np.float32]
_Shared = tuple[Mailbox, Mailbox, Ring]

_RETRY_S = 0.25
_CLOSING_S = 0.4
_PUBLISH_S = 0.01
_RESAMPLING_BLOCK = 512
_PRIORITY = 60
_FALL_S = 0.3
_REHEARSAL = 4
_TRIES = 4
_INVALID_RATE = -9997


class _Callback:
    """What runs for each block: the engine, the clock, and the shared memory."""

    def __init__(
        self,
        shared: _Shared,
        engine: Engine,
        deadline: Deadline,
        device_rate: int,
        resampling: Resampling | None,
        *,
        is_recorded: bool,
    ) -> None:
        self.engine = engine
        self._device_rate = device_rate
        self._resampling = resampling
        self._is_recorded = is_recorded
        self._parameters, self._telemetry, self._ring = shared
        self._state = np.zeros((), self._telemetry.dtype)
        self._rate = engine.separator.sample_rate
        self._deadline = deadline
        self._lost = LostBlocks()
        self._n_failed, self._error = 0, ""
        self._published_s = 0.0

    def __call__(self, indata: Array, outdata: Array, n_samples: int, time_info: Any, status: Any) -> None:
        began = time.perf_counter()
        try:
            self._read_parameters()
            outdata[:] = self._through(indata)
        except Exception as error:
            self._n_failed += 1
            self._error = self._error or repr(error)
            outdata[:] = 0
        with contextlib.suppress(Exception):
            if not self._state["n_blocks"]:
                self._begin(n_samples, time_info)
            self._count(began, n_samples / self._device_rate, status)

    @property
    def error(self) -> str:
        """The first exception, in words; empty when there was none."""
        return self.engine.error or self._error

    def finish(self) -> None:
        """Record what is still inside the engine; only when no callback runs any more."""
        if self._is_recorded:
            self._record(self.engine.flush())
            self._state["n_flushed"] = self.engine.separator.latency
        self._publish()

    def _read_parameters(self) -> None:
        wished = self._parameters.read()
        if wished is not None:
            self.engine.weigh(wished["weights"])
            self._deadline.wanted = max(1, int(wished["n_iter"]))

    def _through(self, indata: Array) -> Array:
        if self._resampling is None:
            return self._heard(indata)
        return self._resampling.process(indata, self._heard)

    def _heard(self, samples: Array) -> Array:
        self.engine.separator.n_iter = self._deadline.n_iter
        heard = self.engine.process(samples, separate=not self._deadline.is_resting)
        state = self._state
        state["n_unseparated"] += not heard.is_separated
        state["n_samples"] += len(samples)
        if len(samples):
            self._meter(heard)
        if self._is_recorded:
            self._record(heard)
        return heard.output

    def _meter(self, heard: Heard) -> None:
        """Keep levels that rise at once and fall slowly."""
        state, block_s = self._state, len(heard.samples) / self._rate
        fall = np.exp(-block_s / _FALL_S)
        of_input = _mean_square(heard.samples)
        state["input"] = max(of_input, state["input"] * fall)
        state["output"] = max(_mean_square(heard.output), state["output"] * fall)
        of_stems = np.einsum("snc,snc->s", heard.stems, heard.stems) / heard.samples.size
        state["levels"] = np.maximum(of_stems, state["levels"] * fall)
        state["silent_s"] = 0.0 if of_input > 0 else state["silent_s"] + block_s

    def _record(self, heard: Heard) -> None:
        """Put a block into the ring, for the parent to write to files: the input and the stems, channel by channel."""
        block = np.concatenate([heard.samples[None], heard.stems])
        n_signals, n_samples, n_channels = block.shape
        rows = block.transpose(0, 2, 1).reshape(n_signals * n_channels, n_samples)
        self._ring.write(int(self._state["n_recorded"]), rows)
        self._state["n_recorded"] += len(heard.samples)

    def _begin(self, n_samples: int, time_info: Any) -> None:
        through_s = time_info.outputBufferDacTime - time_info.inputBufferAdcTime
        self._state["device_s"] = max(0.0, through_s - n_samples / self._device_rate)
        self._state["is_realtime"] = _made_realtime()

    def _count(self, began: float, block_s: float, status: Any) -> None:
        state = self._state
        activations = self.engine.separator.activations
        state["activations"][: len(activations)] = activations
        state["n_xruns"] += bool(status)
        self._lost.update(began, block_s)
        now = time.perf_counter()
        if not state["silent_s"]:  # silence costs next to nothing, and tells nothing of what sound will cost
            self._deadline.update((now - began) / block_s, block_s)
        state["times"][int(state["n_blocks"]) % N_TIMES] = now - began
        state["n_late"] += now - began > block_s
        state["block_s"] = block_s
        state["n_blocks"] += 1
        if self._is_recorded or now - self._published_s > _PUBLISH_S:
            self._publish()
            self._published_s = now

    def _publish(self) -> None:
        state = self._state
        state["n_errors"] = self._n_failed + self.engine.n_errors
        state["n_lost"], state["n_iter"] = self._lost.count, self._deadline.n_iter
        self._telemetry.write(state)


def main() -> None:
    """Sound until standard input ends; the settings are the first thing in it."""
    lines = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is not for the parent

    def say(**message: Any) -> None:
        with contextlib.suppress(OSError):  # nobody listens any more
            print(json.dumps(message), file=lines, flush=True)

    settings: Settings = pickle.load(sys.stdin.buffer)  # noqa: S301  # from the parent
    ended = threading.Event()
    threading.Thread(target=_wait_for_the_end, args=(sys.stdin.buffer, ended), daemon=True).start()
    try:
        _sound(settings, say, ended)
    except ValueError as error:
        say(state="failed", reason=str(error))
    leave()


def _wait_for_the_end(pipe: BinaryIO, ended: threading.Event) -> None:
    pipe.read()
    ended.set()
    time.sleep(_CLOSING_S)
    os._exit(1)


def _sound(settings: Settings, say: Callable[..., None], ended: threading.Event) -> None:
    say(state="warming")
    _warm_up(settings)
    sounddevice = portaudio()
    shared = Layout(settings).views(attach(settings.handle))
    n_tries = 0
    while not ended.is_set():
        say(state="opening")
        n_tries += 1
        try:
            stream, callback, facts = _opened(sounddevice, settings, shared)
            break
        except ValueError as error:
            is_busy = isinstance(error.__cause__, sounddevice.PortAudioError)  # which may be over in a moment
            if not settings.keep_trying and (not is_busy or n_tries == _TRIES):
                raise
            say(state="waiting", reason=str(error))
        ended.wait(_RETRY_S)
        sounddevice._terminate()  # only a PortAudio that starts anew sees what has come and gone
        sounddevice._initialize()
    else:
        return
    say(state="open", **facts)
    while not ended.wait(0.05):
        if callback.error and "error" not in facts:
            facts["error"] = callback.error
            say(state="open", **facts)
        if not stream.active:
            say(state="ended", reason="the sound system ended the stream")
            return
    stream.abort()
    callback.finish()
    say(state="closed")


def _warm_up(settings: Settings) -> None:
    """Compile and touch everything once, so that the first callback is like any other."""
    separator = Separator(settings.dictionary, n_channels=settings.n_channels, mask_power=settings.mask_power)
    weights = np.ones(len(separator.sources) + 1, np.float32)
    engine = Engine(separator, settings.n_channels, weights)
    noise = np.random.default_rng(0).uniform(-1, 1, (separator.latency, settings.n_channels)).astype(np.float32)
    for i in range(3):
        engine.weigh(weights * i)
        engine.process(noise)


def _rehearsed(separator: Separator, wanted: int) -> Deadline:
    """Begin with as many updates as there is time for, as far as a try without a device can tell."""
    hop_length = separator.dictionary.stft.hop_length
    frame_s = hop_length / separator.sample_rate
    noise = np.random.default_rng(0).uniform(-1, 1, (hop_length, separator.n_channels)).astype(np.float32)

    def least_s(n_iter: int) -> float:
        separator.n_iter = n_iter
        times = [time.perf_counter()]
        for _ in range(_REHEARSAL):
            separator.process(noise)
            times.append(time.perf_counter())
        return float(np.diff(times).min())

    one_s = least_s(1)
    update_s = max(1e-9, (least_s(1 + _REHEARSAL) - one_s) / _REHEARSAL)
    separator.reset()
    deadline = Deadline(wanted, frame_s)
    deadline.n_iter = max(1, min(wanted, 1 + int((NEAR * frame_s - one_s) / update_s)))
    return deadline


def _opened(sounddevice: Any, settings: Settings, shared: _Shared) -> tuple[Any, _Callback, dict[str, Any]]:
    """Open and start the stream; return it, what it calls, and the facts about both."""
    pair = chosen(settings.input, settings.output, allow_feedback=settings.allow_feedback)
    n_outputs = _n_outputs(settings, pair)
    device_rate, rate = _sample_rates(sounddevice, settings, pair, n_outputs)
    block_length, resampling = settings.block_length, None
    if device_rate != rate:
        block_length = block_length or _RESAMPLING_BLOCK
        resampling = Resampling(device_rate, rate, settings.n_channels, n_outputs, block_length)
    engine, deadline = _prepared(settings, shared[0], rate, n_outputs)
    callback = _Callback(shared, engine, deadline, device_rate, resampling, is_recorded=settings.is_recorded)
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        stream = sounddevice.Stream(
            device=pair.numbers,
            channels=(settings.n_channels, n_outputs),
            samplerate=device_rate,
            blocksize=block_length,
            latency="low",
            dtype="float32",
            callback=callback,
        )
        stream.start()
    except sounddevice.PortAudioError as error:
        gc.unfreeze()
        gc.enable()
        raise _unusable(pair, error) from error
    facts = {
        "input": pair.input.name,
        "output": pair.output.name,
        "host": pair.input.host,
        "device_rate": device_rate,
        "sample_rate": rate,
        "latency": engine.separator.latency,
        "resampling_delay": resampling.delay if resampling else 0,
        "labels": engine.separator.dictionary.labels,
    }
    return stream, callback, facts


def _prepared(settings: Settings, parameters: Mailbox, sample_rate: int, n_outputs: int) -> tuple[Engine, Deadline]:
    """Make the engine for a sample rate, and find out what it has time for."""
    wished = parameters.read()
    if wished is None:
        raise ValueError("the parent has set no parameters")
    dictionary = settings.dictionary.at_rate(sample_rate)
    if settings.latency_ms is not None:
        dictionary = dictionary.at_latency(settings.latency_ms)
    separator = Separator(dictionary, n_channels=settings.n_channels, mask_power=settings.mask_power)
    engine = Engine(separator, n_outputs, wished["weights"], as_stems=settings.as_stems)
    return engine, _rehearsed(separator, int(wished["n_iter"]))


def _n_outputs(settings: Settings, pair: Pair) -> int:
    """Return how many output channels to open: pairs where the device has them, so that both ears hear."""
    n_sources, n_channels = len(settings.dictionary.sources), settings.n_channels
    check_channels(pair.input, n_channels)
    n_outputs = max(2, n_channels) * (n_sources if settings.as_stems else 1)
    if n_channels == 1 and not settings.as_stems:
        n_outputs = min(n_outputs, pair.output.n_outputs)
    if pair.output.n_outputs < n_outputs:
        wish = f"{n_sources} stems" if settings.as_stems else f"{n_channels} channels"
        raise ValueError(
            f"{pair.output.name!r} has {pair.output.n_outputs} output channels, {wish} need {n_outputs}:"
            " use another device, or a mix of fewer channels"
        )
    return n_outputs


def _sample_rates(sounddevice: Any, settings: Settings, pair: Pair, n_outputs: int) -> tuple[int, int]:
    """Return the rates of the device and of the separation."""

    def is_taken(rate: int) -> bool:
        try:
            sounddevice.check_input_settings(pair.numbers[0], settings.n_channels, samplerate=rate)
            sounddevice.check_output_settings(pair.numbers[1], n_outputs, samplerate=rate)
        except sounddevice.PortAudioError as error:
            if error.args[-1] == _INVALID_RATE:
                return False
            raise _unusable(pair, error) from error
        return True

    offers = [pair.input.sample_rate, pair.output.sample_rate, settings.dictionary.sample_rate, 48000, 44100]
    if settings.resample:
        rate = settings.sample_rate or settings.dictionary.sample_rate
        offers.insert(0, rate)
    elif settings.sample_rate:
        offers = [rate := settings.sample_rate]
    taken = next((offer for offer in offers if is_taken(offer)), None)
    if taken is not None:
        return taken, rate if settings.resample else taken
    if settings.sample_rate and not settings.resample:
        raise ValueError(
            f"{pair.input.name!r} to {pair.output.name!r} refuses {settings.sample_rate} Hz, it prefers"
            f" {pair.input.sample_rate} Hz: leave --rate out, or add --resample to convert (which adds latency)"
        )
    raise ValueError(
        f"{pair.input.name!r} and {pair.output.name!r} have no sample rate in common: set both to the same one in the"
        " system's sound settings"
    )


def _unusable(pair: Pair, error: Exception) -> ValueError:
    return ValueError(
        f"{pair.input.name!r} to {pair.output.name!r} cannot be opened ({error.args[0]}): close other programs"
        " that use them, or choose others, see: rtnmf devices"
    )


def _made_realtime() -> bool:
    """Give this thread, which runs the callbacks, real-time priority where that is permitted."""
    if not hasattr(os, "sched_setscheduler"):
        return False
    if os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR):
        return True
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
    except OSError:
        return False
    return True


def _mean_square(x: Array) -> float:
    return float(np.einsum("nc,nc->", x, x)) / x.size
