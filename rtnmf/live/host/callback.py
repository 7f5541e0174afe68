"""What runs for each block of a stream: the engine, the clock, the meters, and the shared memory."""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtnmf.live.host.engine import Engine, Heard
from rtnmf.live.host.pacing import Deadline, LostBlocks
from rtnmf.live.host.resampling import Resampling
from rtnmf.live.link.protocol import Shared
from rtnmf.live.link.telemetry import N_TIMES, N_TURNS

__all__ = ["Callback"]

Array = NDArray[np.float32]

_PRIORITY = 60
_FALL_S = 0.3
_PEAK_FALL_DB_PER_S = 20 / 1.7  # IEC 60268-18


class Callback:
    """Process each block of a stream: read parameters, separate, meter, record, count."""

    def __init__(
        self,
        shared: Shared,
        engine: Engine,
        deadline: Deadline,
        device_rate: int,
        resampling: Resampling | None,
    ) -> None:
        self.engine = engine
        self._device_rate = device_rate
        self._resampling = resampling
        self._parameters, self._telemetry, self._ring, self._plans = shared
        self._state = np.zeros((), self._telemetry.dtype)
        self._rate = engine.separator.sample_rate
        self._deadline = deadline
        self._lost = LostBlocks()
        self._n_failed, self._error = 0, ""
        self._turn = (0, True)

    def __call__(self, indata: Array, outdata: Array, n_samples: int, time_info: Any, status: Any) -> None:
        """Run for one block, as sounddevice calls it."""
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
        self._record(self.engine.flush())
        self._state["n_flushed"] = self.engine.separator.latency
        self._publish()

    def _read_parameters(self) -> None:
        wished = self._parameters.read()
        if wished is not None:
            self.engine.weigh(wished["weights"])
            self._deadline.wanted = max(1, int(wished["n_iter"]))
            if wished["n_swaps"] != self._state["n_swaps"]:
                self._swap(int(wished["n_swaps"]))

    def _swap(self, number: int) -> None:
        """Cross-fade to the plan of a dictionary that the parent has prepared."""
        separator = self.engine.separator
        separator.turn_to(self._plans[number % 2].read(separator.plan))
        self._state["n_swaps"], self._state["swapped_at"] = number, self._state["n_samples"]

    def _through(self, indata: Array) -> Array:
        if self._resampling is None:
            return self._heard(indata)
        return self._resampling.process(indata, self._heard)

    def _heard(self, samples: Array) -> Array:
        is_fading = self.engine.separator.is_fading
        self._turn_to(self._deadline.n_iter_of_two if is_fading else self._deadline.n_iter, asks=self._deadline.asks)
        heard = self.engine.process(samples, separate=not self._deadline.is_resting)
        state = self._state
        state["n_unseparated"] += not heard.is_separated
        if not self._deadline.asks:
            state["n_unasked"] += self._n_frames(len(samples))
        state["n_over"] += heard.is_over
        state["n_limited"] += heard.is_limited
        state["n_samples"] += len(samples)
        if len(samples):
            self._meter(heard)
        self._record(heard)
        return heard.output

    def _n_frames(self, n_samples: int) -> int:
        """Return how many frames end within the next samples."""
        before, hop_length = int(self._state["n_samples"]), self.engine.separator.dictionary.stft.hop_length
        return (before + n_samples) // hop_length - before // hop_length

    def _turn_to(self, n_iter: int, *, asks: bool) -> None:
        """Set the updates per frame and whether experts are asked, and keep since which sample that is so."""
        state, separator = self._state, self.engine.separator
        if (n_iter, asks) != self._turn:
            self._turn = separator.n_iter, separator.asks = n_iter, asks
            place = int(state["n_turns"]) % N_TURNS
            state["turned_at"][place] = state["n_samples"]
            state["turned_to"][place], state["turned_asks"][place] = n_iter, asks
            state["n_turns"] += 1

    def _meter(self, heard: Heard) -> None:
        """Update the levels, which rise at once and fall slowly."""
        state, block_s = self._state, len(heard.samples) / self._rate
        fall = np.exp(-block_s / _FALL_S)
        input_power = _mean_square(heard.samples)
        state["input"] = max(input_power, state["input"] * fall)
        state["output"] = max(_mean_square(heard.output), state["output"] * fall)
        stem_powers = np.einsum("snc,snc->s", heard.stems, heard.stems) / heard.samples.size
        state["levels"] = np.maximum(stem_powers, state["levels"] * fall)
        peaks_fall = 10 ** (-_PEAK_FALL_DB_PER_S * block_s / 20)
        state["input_peak"] = max(_peak(heard.samples), state["input_peak"] * peaks_fall)
        state["output_peak"] = max(_peak(heard.output), state["output_peak"] * peaks_fall)
        state["peaks"] = np.maximum(np.abs(heard.stems).max(axis=(1, 2)), state["peaks"] * peaks_fall)
        state["silent_s"] = 0.0 if input_power > 0 else state["silent_s"] + block_s

    def _record(self, heard: Heard) -> None:
        """Put the input and the stems of a block into the ring, channel by channel, for the parent."""
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
        separator, activations = self.engine.separator, self.engine.separator.activations
        state["activations"][: len(activations)] = activations
        state["n_xruns"] += bool(status)
        self._lost.update(began, block_s)
        now = time.perf_counter()
        if not separator.is_fading:
            state["n_faded"] = state["n_swaps"]
            if not state["silent_s"]:  # silence costs next to nothing, and says nothing about the cost of sound
                self._deadline.update((now - began) / block_s, block_s)
        state["times"][int(state["n_blocks"]) % N_TIMES] = now - began
        state["n_late"] += now - began > block_s
        state["block_s"] = block_s
        state["n_blocks"] += 1
        self._publish()

    def _publish(self) -> None:
        state = self._state
        state["n_errors"] = self._n_failed + self.engine.n_errors
        state["n_lost"], state["n_iter"] = self._lost.count, self._deadline.n_iter
        self._telemetry.write(state)


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


def _peak(x: Array) -> float:
    return float(max(x.max(), -x.min()))
