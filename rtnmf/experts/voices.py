"""What many voices have in common, and what backgrounds: the presets `speech` and `rest` explain each frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rtnmf.dictionary import load_preset
from rtnmf.dictionary.planning import planned
from rtnmf.frames.stft import STFT
from rtnmf.kernels import hop
from rtnmf.kernels.advised import N_AGES, odds_of_first

__all__ = ["Voices"]

Array = NDArray[np.float32]

_PRESETS = ("speech", "rest")
_N_ITER = 2  # one frame is much like the last
_SUREST = np.float32(0.98)


class Voices:
    """Say by what to multiply the share of the voices in each bin, from what the presets explain of the stream.

    It is late by nothing, and knows little of what a voice and a background do in this room; where the other sound is
    lower than any voice, it knows best.

    State
        The last frame of input, and the activations.
    Thread safety
        None.

    Parameters
    ----------
    powers : array, shape (n_bins,)
        Of its word in each bin, in the product with what was taught.
    stft : STFT
    sample_rate : int
        In Hz.
    """

    def __init__(self, powers: Array, stft: STFT, sample_rate: int) -> None:
        voice, rest = (replace(load_preset(name), frames={}) for name in _PRESETS)  # frames are for learning
        dictionary = voice.merge(rest).at_rate(sample_rate, stft)
        self._plan = planned(dictionary, mask_power=1.0)
        self._stream = hop.started(self._plan, 1)
        self._powers = powers
        self._odds = np.ones((N_AGES, stft.n_bins), np.float32)
        self.reset()

    def reset(self) -> None:
        """Reset the stream state."""
        hop.reset(self._stream)
        self._odds[:] = 1

    def hop(self, samples: Array) -> Array:
        """Take the samples of a hop, and return the odds of the voices, as `panel.Expert` has it."""
        self._odds[1] = self._odds[0]
        odds_of_first(self._plan, self._stream, samples, _N_ITER, _SUREST, self._powers, self._odds[0])
        return self._odds
