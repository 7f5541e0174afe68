"""What happens to a block between microphone and loudspeaker. Nothing here knows a sound card, a clock or a process.

Gains are applied to the stems, after the separator: so stems can be metered, recorded and sent to outputs of their
own whatever is heard, and a gain of 1 changes no bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtnmf.engine.separator import Separator

__all__ = ["Engine", "Heard"]

Array = NDArray[np.float32]


class Heard(NamedTuple):
    """A block that came in, and what became of it `latency` samples late."""

    samples: Array
    """The input, silence where it was not finite, shape (n_samples, n_channels)."""
    stems: Array
    """Of all sources, shape (n_sources, n_samples, n_channels); equal parts of the aligned input if not separated."""
    output: Array
    """What goes out, shape (n_samples, n_output_channels)."""
    is_separated: bool


class Engine:
    """Separate and weigh a stream, block by block, and go on whatever happens.

    State
        That of the separator, the last `latency` samples of input, the weights on their way to new ones.
    Latency
        `separator.latency` samples for everything that goes out, separated or not.
    Thread safety
        None: all calls come from one thread.

    Parameters
    ----------
    separator : Separator
        With one output per source.
    n_output_channels : int
        The channels of the mix, or of each stem, are repeated to fill these.
    weights : array, shape (n_sources + 1,)
        Of each stem, and last of the aligned input, in the output.
    as_stems : bool
        Send each source to its own share of the output channels instead of mixing them.

    Attributes
    ----------
    n_errors : int
        Exceptions in the separation so far; each time the aligned input went out instead.
    error : str
        The first of them, in words.
    """

    def __init__(
        self, separator: Separator, n_output_channels: int, weights: ArrayLike, *, as_stems: bool = False
    ) -> None:
        self.separator = separator
        self.n_errors, self.error = 0, ""
        self._as_stems = as_stems
        self._n_sources, n_channels = len(separator.sources), separator.n_channels
        n_outputs = self._n_sources if as_stems else 1
        self._repeats = max(1, n_output_channels // (n_outputs * n_channels))
        self._n_output_channels = n_output_channels
        self._past = np.zeros((separator.latency, n_channels), np.float32)
        self._unprimed = 0  # samples until the stems of a separator that was reset are whole again
        self._target = np.array(weights, np.float32)
        self._weights = _Ramp(self._target, separator.dictionary.stft.hop_length)

    def weigh(self, weights: ArrayLike) -> None:
        """Set the weights; the output gets there in a straight line over one hop."""
        self._target = np.array(weights, np.float32)

    def process(self, block: Array, *, separate: bool = True) -> Heard:
        """Take a block, shape (n_samples, n_channels), and return what becomes of it.

        With `separate=False` nearly all of the work is saved, once the weights have turned to where that makes no
        step. Then, after an exception in the separation, and until the separator has heard `latency` samples again,
        the aligned input goes out with the weight of the loudest.
        """
        samples = _finite(block)
        aligned = self._aligned(samples)
        gives_way = not separate and not self._unprimed and not self._weights.are_at(self._unseparated_target())
        stems = self._separated(samples, separate or gives_way)
        is_separated = stems is not None
        if stems is None:
            stems = np.repeat(aligned[None] / np.float32(self._n_sources), self._n_sources, axis=0)
        self._weights.turn_to(self._target if is_separated and not gives_way else self._unseparated_target())
        output = self._spread(self._weighed(stems, aligned))
        return Heard(samples, stems, output, is_separated)

    def flush(self) -> Heard:
        """Return the last `latency` samples of the stems, as if silence came next."""
        return self.process(np.zeros_like(self._past))

    def _aligned(self, samples: Array) -> Array:
        """Return the input `latency` samples late."""
        joined = np.concatenate([self._past, samples])
        self._past = joined[len(samples) :]
        return joined[: len(samples)]

    def _separated(self, samples: Array, separate: bool) -> Array | None:
        """Return the stems, or None while there are none that sum to the aligned input."""
        stems = None
        try:
            stems = self.separator.process(samples) if separate else None
        except Exception as error:
            self.n_errors += 1
            self.error = self.error or repr(error)
        if stems is None:
            self.separator.reset()
            self._unprimed = self.separator.latency
            return None
        is_whole = self._unprimed == 0
        self._unprimed = max(0, self._unprimed - len(samples))
        return stems if is_whole else None

    def _unseparated_target(self) -> Array:
        """Return weights that change nothing when the stems come back, equal parts being weighed alike."""
        loudest = self._target[np.abs(self._target[:-1]).argmax()]
        return np.append(np.full(self._n_sources, loudest, np.float32), self._target[-1])

    def _weighed(self, stems: Array, aligned: Array) -> Array:
        """Return the outputs, shape (1 or n_sources, n_samples, n_channels)."""
        weights = self._weights.next(len(aligned))[:, :, None]
        if self._as_stems:
            return weights[:-1] * stems + weights[-1] * (aligned / np.float32(self._n_sources))
        return (weights[:-1] * stems).sum(axis=0, keepdims=True) + weights[-1] * aligned

    def _spread(self, outputs: Array) -> Array:
        """Return the outputs side by side on the output channels, what is left over silent."""
        n_outputs, n_samples, n_channels = outputs.shape
        channels = np.tile(outputs, self._repeats).transpose(1, 0, 2)
        spread = channels.reshape(n_samples, n_outputs * n_channels * self._repeats)
        missing = self._n_output_channels - spread.shape[1]
        return np.pad(spread, ((0, 0), (0, missing))) if missing else spread


def _finite(samples: NDArray[np.floating]) -> Array:
    """Return a copy of the samples as float32, silence where they are not finite or beyond what a spectrum can hold."""
    with np.errstate(over="ignore"):
        single = samples.astype(np.float32)
    return np.where(np.abs(single) < 1e9, single, np.float32(0))


class _Ramp:
    """Weights that move to new ones in a straight line over `length` samples."""

    def __init__(self, weights: Array, length: int) -> None:
        self._length = length
        self._target = weights
        self._slopes: Array = np.zeros_like(weights)
        self._left = 0

    def turn_to(self, target: Array) -> None:
        if not np.array_equal(target, self._target):
            now = self._target - self._slopes * np.float32(self._left)
            self._slopes = (target - now) / np.float32(self._length)
            self._target, self._left = target, self._length

    def are_at(self, target: Array) -> bool:
        return not self._left and np.array_equal(target, self._target)

    def next(self, n_samples: int) -> Array:
        """Return the weights of the next samples, shape (n_weights, n_samples), or (n_weights, 1) for all alike."""
        if not self._left:
            return self._target[:, None]
        left = np.maximum(self._left - np.arange(1, n_samples + 1), 0).astype(np.float32)
        self._left = int(left[-1]) if n_samples else self._left
        return self._target[:, None] - self._slopes[:, None] * left
