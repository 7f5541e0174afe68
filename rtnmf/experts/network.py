"""What a denoiser of speech is to us, and the rate and the blocks in which all of them work."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["FRAME", "RATE", "Network"]

Array = NDArray[np.float32]

RATE = 48000
"""Sample rate of the denoisers in Hz."""
FRAME = 480
"""Samples of their blocks."""


class Network(Protocol):
    """A denoiser."""

    delay: int
    """In samples at `RATE`."""

    def denoise(self, frame: Array) -> Array:
        """Take `FRAME` samples, full scale 1, and return as many."""

    def reset(self) -> None:
        """Forget all that was heard."""
