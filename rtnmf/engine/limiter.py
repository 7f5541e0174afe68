"""What keeps the outputs of a stream from going over full scale, block by block."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rtnmf.kernels.mix import limit

__all__ = ["CEILING_DB", "Limiter"]

Array = NDArray[np.float32]

CEILING_DB = -0.3
"""The loudest that a limited sample is, in dB of full scale: some converters overshoot between samples."""

_CEILING = 10 ** (CEILING_DB / 20)
_RELEASE_S = 0.05


class Limiter:
    """Turn outputs down where they would be louder than `CEILING_DB`, and up again within some 50 ms.

    State
        The gain of each output, which all of its channels share.
    Latency
        None: it turns down at once, without looking ahead.
    Thread safety
        None: all calls come from one thread.

    Parameters
    ----------
    n_outputs : int
        Each is limited by itself.
    sample_rate : int
        In Hz.
    """

    def __init__(self, n_outputs: int, sample_rate: int) -> None:
        self._gains = np.ones(n_outputs)
        self._release = -math.expm1(-1 / (_RELEASE_S * sample_rate))

    def apply(self, outputs: Array) -> bool:
        """Limit the next samples, shape (n_outputs, n_samples, n_channels), in place; return whether it had to.

        Every sample is computed alike in blocks of any length. Outputs that are not too loud keep every bit, but for
        0.8 s after some that were.
        """
        return bool(limit(outputs, self._gains, _CEILING, self._release))
