"""Several experts side by side, on one stream: what they say of each hop, for the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rtnmf.frames.stft import STFT
from rtnmf.kernels.advised import N_AGES, Advice
from rtnmf.kernels.updates import TILE

__all__ = ["Expert", "Panel"]

Array = NDArray[np.float32]


class Expert(Protocol):
    """What knows of voices in general."""

    def hop(self, samples: Array) -> Array:
        """Take the samples of a hop, shape (hop_length,), and return odds, shape (N_AGES, n_bins).

        They are what to multiply the share of each voice by, in each bin: of the frame that ends with the hop, and of
        the frame that ended with the one before. 1 says nothing.
        """

    def reset(self) -> None:
        """Reset the stream state."""


class Panel:
    """Ask experts about each hop of a stream, whatever blocks it comes in.

    State
        That of the experts, and the samples of the current hop so far.
    Thread safety
        None.

    Parameters
    ----------
    experts : sequence of Expert
    speaks : array of bool, shape (n_experts, n_sources)
        Which sources each speaks for.
    stft : STFT
    """

    def __init__(self, experts: Sequence[Expert], speaks: NDArray[np.bool_], stft: STFT) -> None:
        self._experts, self._speaks = list(experts), speaks
        self._n_bins, self._n_filled = stft.n_bins, -(-stft.n_bins // TILE) * TILE
        self._hop = np.zeros(stft.hop_length, np.float32)
        self._position = 0
        self._rested = False
        for expert in self._experts:
            expert.hop(self._hop)  # compiles, so that no later block is late
        self.reset()

    def reset(self) -> None:
        """Reset the stream state."""
        self._position = 0
        for expert in self._experts:
            expert.reset()

    def process(self, samples: Array, *, asks: bool = True) -> Advice:
        """Take a block, shape (n_samples, n_channels), and return what is said of the hops that end in it.

        Where it does not ask, the experts rest, and nothing is said; they begin anew after that.
        """
        if asks and self._rested:
            for expert in self._experts:
                expert.reset()
        self._rested = not asks
        mono = samples.mean(axis=1, dtype=np.float32)
        n_hops = (self._position + len(mono)) // len(self._hop)
        odds = np.ones((len(self._experts), n_hops, N_AGES, self._n_filled), np.float32)
        done = 0
        for k in range(n_hops):
            done = self._take(mono, done)
            for said, expert in zip(odds, self._experts if asks else (), strict=asks):
                said[k, :, : self._n_bins] = expert.hop(self._hop)
            self._position = 0
        self._take(mono, done)
        return Advice(odds, self._speaks)

    def _take(self, mono: Array, start: int) -> int:
        """Add samples from `start` on to the hop, as many as it lacks, and return where the next begin."""
        n_taken = min(len(self._hop) - self._position, len(mono) - start)
        self._hop[self._position : self._position + n_taken] = mono[start : start + n_taken]
        self._position += n_taken
        return start + n_taken
