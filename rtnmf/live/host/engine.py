"""What happens to a block between microphone and loudspeaker.

Nothing here knows a sound card, a clock or a process. Stems are mixed after the separator, so that they can be metered,
recorded and sent to outputs of their own whatever is heard.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtnmf.engine.limiter import Limiter
from rtnmf.engine.mix import Mix
from rtnmf.engine.separator import Separator, usable

__all__ = ["Engine", "Heard"]

Array = NDArray[np.float32]


class Heard(NamedTuple):
    """A block of input, and the stems and the output of `latency` samples ago."""

    samples: Array
    """The input, with silence where it was not finite, shape (n_samples, n_channels)."""
    stems: Array
    """Shape (n_sources, n_samples, n_channels); equal parts of the aligned input if it was not separated."""
    output: Array
    """What goes out, shape (n_samples, n_output_channels)."""
    is_separated: bool
    is_over: bool
    """Whether a sample of the output was over full scale, before it was limited."""
    is_limited: bool


class Engine:
    """Separate and mix a stream, block by block, and go on whatever happens.

    State
        That of the separator, the last `latency` samples of input, and weights on their way to new ones.
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
    limit : bool
        Keep the output, or each of the stems, from going over full scale.

    Attributes
    ----------
    n_errors : int
        Exceptions in the separation so far; each time the aligned input went out instead.
    error : str
        The first of them, in words.
    """

    def __init__(
        self,
        separator: Separator,
        n_output_channels: int,
        weights: ArrayLike,
        *,
        as_stems: bool = False,
        limit: bool = False,
    ) -> None:
        self.separator = separator
        self.n_errors, self.error = 0, ""
        self._as_stems = as_stems
        self._n_sources, n_channels = len(separator.sources), separator.n_channels
        n_outputs = self._n_sources if as_stems else 1
        self._repeats = max(1, n_output_channels // (n_outputs * n_channels))
        self._n_output_channels = n_output_channels
        self._unprimed = 0  # samples until the stems of a separator that was reset are whole again
        self._weights = np.array(weights, np.float32)
        ramp_length = separator.dictionary.stft.hop_length
        self._mix = Mix(self._matrix(self._weights), separator.latency, n_channels, ramp_length)
        self._limiter = Limiter(n_outputs, separator.sample_rate) if limit else None

    def weigh(self, weights: ArrayLike) -> None:
        """Set the weights; the output gets there in a straight line over one hop."""
        self._weights = np.array(weights, np.float32)

    def process(self, block: Array, *, separate: bool = True) -> Heard:
        """Take a block of input, shape (n_samples, n_channels), and return what goes out.

        `separate=False` saves nearly all of the work, once the weights are where that makes no step. Then, and after
        an exception in the separation until the separator has seen `latency` samples again, the aligned input goes
        out with the weight of the loudest source.
        """
        samples = usable(block)
        aligned = self._mix.align(samples)
        unseparated = self._matrix(self._unseparated_weights())
        gives_way = not separate and not self._unprimed and not self._mix.is_at(unseparated)
        stems = self._separated(samples, separate or gives_way)
        is_separated = stems is not None
        if stems is None:
            stems = np.repeat(aligned[None] / np.float32(self._n_sources), self._n_sources, axis=0)
        self._mix.turn_to(self._matrix(self._weights) if is_separated and not gives_way else unseparated)
        outputs = self._mix.apply(stems, aligned)
        is_over = max(outputs.max(initial=0), -outputs.min(initial=0)) > 1
        is_limited = self._limiter is not None and self._limiter.apply(outputs)
        return Heard(samples, stems, self._spread(outputs), is_separated, is_over, is_limited)

    def flush(self) -> Heard:
        """Return the last `latency` samples of the stems, as if silence came next."""
        return self.process(np.zeros((self.separator.latency, self.separator.n_channels), np.float32))

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

    def _unseparated_weights(self) -> Array:
        """Return weights that change nothing when the stems come back, equal parts being weighed alike."""
        loudest = self._weights[np.abs(self._weights[:-1]).argmax()]
        return np.append(np.full(self._n_sources, loudest, np.float32), self._weights[-1])

    def _matrix(self, weights: Array) -> Array:
        """Return the weights of each output, shape (1 or n_sources, n_sources + 1)."""
        if not self._as_stems:
            return weights[None]
        dry = np.full((self._n_sources, 1), weights[-1] / self._n_sources, np.float32)
        return np.hstack([np.diag(weights[:-1]), dry])

    def _spread(self, outputs: Array) -> Array:
        """Return the outputs side by side on the output channels, what is left over silent."""
        n_outputs, n_samples, n_channels = outputs.shape
        channels = np.tile(outputs, self._repeats).transpose(1, 0, 2)
        spread = channels.reshape(n_samples, n_outputs * n_channels * self._repeats)
        missing = self._n_output_channels - spread.shape[1]
        return np.pad(spread, ((0, 0), (0, missing))) if missing else spread
