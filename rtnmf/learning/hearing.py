"""What experts say of the frames of a mixture from which the rest is learned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtnmf.dictionary import Dictionary
from rtnmf.experts.named import panel
from rtnmf.experts.panel import Panel
from rtnmf.frames.stft import STFT

__all__ = ["Hearing", "hearing", "hop_length"]

Array = NDArray[np.float32]


class Hearing:
    """Ask experts about the voices in each frame of a stream, a hop after it has ended.

    By then they have heard what was missing, so that their word is about that very frame.

    State
        That of the experts.
    Thread safety
        None.

    Attributes
    ----------
    hop_length : int
        Samples from one frame to the next.
    """

    def __init__(self, panel: Panel, stft: STFT) -> None:
        self.hop_length = stft.hop_length
        self._panel, self._n_bins = panel, stft.n_bins

    def process(self, samples: Array) -> Array:
        """Take a block, shape (n_samples, n_channels), and return odds, shape (n_hops, n_bins).

        Of the frame before each hop that ends in the block: of the first one, of silence. They are what to multiply the
        share of each voice by; 1 says nothing.
        """
        odds = self._panel.process(samples).odds
        product: Array = odds[:, :, 1, : self._n_bins].prod(axis=0)
        return product


def hop_length(stft: STFT) -> int:
    """Return the samples from one frame that is learned from to the next: a quarter of the window at least.

    What a shorter hop would add is nearly the same frames again.
    """
    return max(stft.hop_length, stft.n_fft // 4)


def hearing(dictionary: Dictionary, experts: Sequence[str] | None) -> Hearing | None:
    """Return what asks the experts about the voices of a dictionary; None where none is to be asked.

    Parameters
    ----------
    dictionary : Dictionary
    experts : sequence of str, optional
        As for `Separator`.

    Raises
    ------
    TypeError, ValueError
        As `experts.named.panel` does.
    """
    stft = STFT(dictionary.stft.n_fft, hop_length(dictionary.stft))
    _, asked = panel(experts, dictionary, stft)
    return None if asked is None else Hearing(asked, stft)
