"""RNNoise, by way of the library that the package `pyrnnoise` brings."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtnmf.experts.network import FRAME

__all__ = ["INSTALL", "RNNoise", "is_installed"]

Array = NDArray[np.float32]

INSTALL = "pip install 'rtnmf[expert]'"
"""What to type where it is missing."""

_LIBRARIES = {"darwin": "librnnoise.dylib", "win32": "rnnoise.dll"}
_FULL_SCALE = np.float32(32768)


class RNNoise:
    """A recurrent network that frees speech from noise, trained on many voices.

    State
        That of the network.

    Raises
    ------
    ValueError
        If it is not installed.

    References
    ----------
    J.-M. Valin, "A hybrid DSP/deep learning approach to real-time full-band speech enhancement", MMSP 2018.
    """

    delay = 2 * FRAME

    def __init__(self) -> None:
        self._library = _library()
        self._state: int | None = None
        self._taken, self._given = np.zeros((2, FRAME), np.float32)
        # As numbers: an array given to ctypes leaves a cycle of references, and live nothing collects those.
        self._addresses = self._given.ctypes.data, self._taken.ctypes.data
        self.reset()

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self._library.rnnoise_destroy(self._state)

    def reset(self) -> None:
        """Forget all that was heard."""
        if self._state:
            self._library.rnnoise_destroy(self._state)
        self._state = self._library.rnnoise_create(None)

    def denoise(self, frame: Array) -> Array:
        """Take `FRAME` samples, full scale 1, and return as many."""
        np.clip(frame, -1, 1, out=self._taken)
        self._taken *= _FULL_SCALE
        self._library.rnnoise_process_frame(self._state, *self._addresses)
        return self._given / _FULL_SCALE


def is_installed() -> bool:
    """Return whether the library of RNNoise is there, and can be used."""
    try:
        return _path() is not None and bool(_library())
    except (ValueError, OSError, AttributeError):
        return False


def _path() -> Path | None:
    """Return where the library is to be found; the package itself is not imported, as that takes a second."""
    found = importlib.util.find_spec("pyrnnoise")
    folders = None if found is None else found.submodule_search_locations
    return Path(folders[0]) / _LIBRARIES.get(sys.platform, "librnnoise.so") if folders else None


@functools.cache
def _library() -> ctypes.CDLL:
    path = _path()
    if path is None or not path.is_file():
        raise ValueError(f"expert is 'rnnoise', which is not installed: {INSTALL}")
    library = ctypes.CDLL(str(path))
    library.rnnoise_create.argtypes, library.rnnoise_create.restype = [ctypes.c_void_p], ctypes.c_void_p
    library.rnnoise_destroy.argtypes = [ctypes.c_void_p]
    library.rnnoise_process_frame.argtypes = [ctypes.c_void_p] * 3
    library.rnnoise_process_frame.restype = ctypes.c_float
    return library
