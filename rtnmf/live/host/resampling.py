"""A processor at another sample rate than the device's, with a delay that is known and constant."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import soxr
from numpy.typing import NDArray

__all__ = ["Resampling"]

Array = NDArray[np.float32]

_TRIAL_S = 30.0
_SPARE = 128


class Resampling:
    """Convert blocks to another rate, pass them to a processor, and convert its output back.

    soxr returns samples in portions of its own; a queue that starts with silence evens that out.

    State
        The state of the two converters, and the queue.
    Latency
        `delay` samples at the device's rate, plus the latency of the processor.
    Thread safety
        None.

    Parameters
    ----------
    outer_rate, inner_rate : int
        Sample rates of the device and of the processor, in Hz.
    n_inputs, n_outputs : int
        Channels.
    block_length : int
        Samples in each block at the outer rate.

    Attributes
    ----------
    delay : int
        In samples at the outer rate.
    """

    def __init__(self, outer_rate: int, inner_rate: int, n_inputs: int, n_outputs: int, block_length: int) -> None:
        self._inward = soxr.ResampleStream(outer_rate, inner_rate, n_inputs, dtype="float32")
        self._outward = soxr.ResampleStream(inner_rate, outer_rate, n_outputs, dtype="float32")
        self._n_inputs, self._n_outputs = n_inputs, n_outputs
        self.delay = self._tried(block_length, outer_rate)
        self._queue = np.zeros((self.delay, n_outputs), np.float32)
        self._owed = 0  # samples of silence that stood in for late ones: when those come, they are left out

    def process(self, block: Array, processor: Callable[[Array], Array]) -> Array:
        """Return a block of the same length, shape (n_samples, n_outputs), `delay` samples late."""
        inner = processor(self._inward.resample_chunk(np.ascontiguousarray(block)))
        queue = np.concatenate([self._queue, self._outward.resample_chunk(np.ascontiguousarray(inner))])
        repaid = min(self._owed, max(0, len(queue) - len(block)))
        queue = queue[repaid:]
        missing = max(0, len(block) - len(queue))
        self._owed += missing - repaid
        self._queue = queue[len(block) :]
        return np.pad(queue[: len(block)], ((0, missing), (0, 0)))

    def _tried(self, block_length: int, outer_rate: int) -> int:
        """Return the most samples that the two converters hold back in a trial, and clear them."""
        silence = np.zeros((block_length, self._n_inputs), np.float32)
        most = taken = given = 0
        for _ in range(int(_TRIAL_S * outer_rate / block_length) + 1):
            inner = np.zeros((len(self._inward.resample_chunk(silence)), self._n_outputs), np.float32)
            taken += block_length
            given += len(self._outward.resample_chunk(inner))
            most = max(most, taken - given)
        self._inward.clear()
        self._outward.clear()
        return most + _SPARE
