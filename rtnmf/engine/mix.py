"""What applies weights to the stems of a stream, block by block: one ramp, and one aligned dry signal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtnmf.kernels.mix import mix

__all__ = ["Mix"]

Array = NDArray[np.float32]


class Mix:
    """Apply weights to the stems of a stream and to its input, which it delays by the latency.

    State
        The last `latency` samples of input, and the weights on their way to new ones.
    Latency
        None: stems are as late as they come, and the dry signal is made as late.
    Thread safety
        `turn_to` may be called from another thread; all else belongs to one thread.

    Parameters
    ----------
    weights : array, shape (n_outputs, n_sources + 1)
        Of each stem, and last of the dry signal, in each output.
    latency : int
        Of the stems, in samples.
    n_channels : int
    ramp_length : int
        Samples in which weights get to new ones, in a straight line.
    """

    def __init__(self, weights: Array, latency: int, n_channels: int, ramp_length: int) -> None:
        self._past = np.zeros((latency, n_channels), np.float32)
        self._ramp_length = ramp_length
        self._target = np.array(weights, np.float32)
        self._wanted = self._target
        self._slopes: Array = np.zeros_like(self._target)
        self._left = 0

    @property
    def target(self) -> Array:
        """The weights that it has, or is on its way to; a copy."""
        return self._wanted.copy()

    def turn_to(self, weights: Array) -> None:
        """Set new weights, of the same shape; the next samples are the first on the way to them."""
        self._wanted = np.array(weights, np.float32)

    def is_at(self, weights: Array) -> bool:
        """Return whether the weights are these, and no longer on their way."""
        return not self._left and np.array_equal(weights, self._target)

    def reset(self) -> None:
        """Reset the state: the delay is silent, the weights are those set last."""
        self._past[:] = 0
        self._target, self._left = self._wanted, 0

    def align(self, samples: Array) -> Array:
        """Take a block of input, shape (n_samples, n_channels), and return as many samples, `latency` samples late."""
        joined = np.concatenate([self._past, samples])
        self._past = joined[len(samples) :]
        return joined[: len(samples)]

    def apply(self, stems: Array, dry: Array) -> Array:
        """Return the outputs, shape (n_outputs, n_samples, n_channels).

        Every sample is computed alike in blocks of any length, and a weight of 1 changes no bit.

        Parameters
        ----------
        stems : array, shape (n_sources, n_samples, n_channels)
        dry : array, shape (n_samples, n_channels)
            As `align` returned it for the same block.
        """
        if len(dry):
            self._turn()
        outputs = np.zeros((len(self._target), *dry.shape), np.float32)
        mix(stems, dry, self._target, self._slopes, self._left, outputs)
        self._left = max(0, self._left - len(dry))
        return outputs

    def _turn(self) -> None:
        """Take the way to weights that were set since the last block."""
        wanted = self._wanted
        if not np.array_equal(wanted, self._target):
            now = self._target - self._slopes * np.float32(self._left)
            self._slopes = (wanted - now) / np.float32(self._ramp_length)
            self._target, self._left = wanted, self._ramp_length
