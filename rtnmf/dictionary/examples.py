"""Frames of the recordings that a dictionary was learned from, small enough to travel in its file.

Training needs them again: against the rest of a mixture, or against another dictionary. A magnitude is kept as a
byte, in steps of 0.4 dB, which changes it by 2.3 % at most.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtnmf.bounds import MOST_FRAME_VALUES, check_product
from rtnmf.dictionary import rebinning

__all__ = ["Examples", "check_size", "coded", "decoded", "frozen_examples", "joined", "rebinned", "spread"]

Array = NDArray[np.float32]
Codes = NDArray[np.uint8]

_STEP_DB = 0.4
_LOUDEST = 255
_VALUES = np.append(0, 10 ** (_STEP_DB / 20 * (np.arange(1, _LOUDEST + 1) - _LOUDEST))).astype(np.float32)
_QUIETEST = 10 ** (_STEP_DB / 20 * (0.5 - _LOUDEST))


class Examples(Mapping[str, Codes]):
    """A read-only mapping of sources to coded frames, shape (n_bins, n_frames), that compares by content."""

    __slots__ = ("_frames",)

    def __init__(self, frames: Mapping[str, Codes]) -> None:
        self._frames = MappingProxyType(dict(frames))

    def __getitem__(self, source: str) -> Codes:
        return self._frames[source]

    def __iter__(self) -> Any:
        return iter(self._frames)

    def __len__(self) -> int:
        return len(self._frames)

    def __eq__(self, other: object) -> bool:
        return self._content() == other._content() if isinstance(other, Examples) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._content())

    def __reduce__(self) -> tuple[Any, ...]:
        return Examples, (dict(self._frames),)

    def __repr__(self) -> str:
        return f"Examples({', '.join(f'{frames.shape[1]} of {source}' for source, frames in self._frames.items())})"

    @property
    def n_bytes(self) -> int:
        """Size of all frames in bytes."""
        return sum(frames.nbytes for frames in self._frames.values())

    def _content(self) -> tuple[Any, ...]:
        return tuple((source, frames.shape, frames.tobytes()) for source, frames in self._frames.items())


def coded(magnitudes: Array) -> Codes:
    """Return magnitudes as bytes: 255 stands for the largest, 0 for what is more than 102 dB below it.

    Parameters
    ----------
    magnitudes : array, shape (n_bins, n_frames)
        Finite and non-negative.
    """
    relative = magnitudes / max(float(magnitudes.max(initial=0)), 1e-30)
    levels = 20 / _STEP_DB * np.log10(np.maximum(relative, _QUIETEST)) + _LOUDEST
    return np.where(relative > _QUIETEST, np.rint(levels), 0).astype(np.uint8)


def decoded(codes: Codes) -> Array:
    """Return the magnitudes of coded frames, shape (n_bins, n_frames), at a mean column sum of 1."""
    magnitudes = _VALUES[codes]
    level = magnitudes.sum(dtype=np.float64) / max(1, codes.shape[1])
    return magnitudes / np.float32(max(level, 1e-30))


def spread(n_frames: int, most: int) -> NDArray[np.intp]:
    """Return the numbers of at most `most` of so many frames, taken evenly."""
    return np.linspace(0, n_frames - 1, min(n_frames, most)).round().astype(np.intp)


def joined(frames: Mapping[str, Codes], names: Mapping[str, str]) -> dict[str, Codes]:
    """Return the frames of sources under other names; those of sources that get the same name lie side by side."""
    found: dict[str, list[Codes]] = {}
    for source, codes in frames.items():
        found.setdefault(names.get(source, source), []).append(codes)
    return {name: np.hstack(codes) for name, codes in found.items()}


def rebinned(frames: Mapping[str, Codes], from_hz: float, to_hz: float, n_bins: int) -> dict[str, Codes]:
    """Return frames moved to the bins of another STFT as columns are, without sources that are silent there."""
    moved = {
        source: coded(rebinning.rebinned(decoded(codes), from_hz, to_hz, n_bins)) for source, codes in frames.items()
    }
    return {source: codes for source, codes in moved.items() if codes.any()}


def check_size(frames: Mapping[str, Any], n_bins: int) -> None:
    """Raise ValueError if frames of so many bins are too many values to work with."""
    n_frames = sum(np.shape(codes)[-1] for codes in frames.values() if np.ndim(codes) == 2)
    remedy = "keep fewer frames, or use a lower sample rate"
    check_product("the number of values of the frames", MOST_FRAME_VALUES, remedy, n_bins=n_bins, n_frames=n_frames)


def frozen_examples(given: Mapping[str, Any], sources: tuple[str, ...], n_bins: int) -> Examples:
    """Return coded frames of sources as read-only copies, in the order of the sources.

    Raises
    ------
    TypeError, ValueError
        If a source is unknown, or an array has another type or shape, or holds nothing but silence.
    """
    if not isinstance(given, Mapping):
        raise TypeError(f"frames are {given!r:.80}, expected {{source: array}}")
    check_size(given, n_bins)
    unknown = set(given) - set(sources)
    if unknown:
        raise ValueError(f"frames are given for {min(unknown, key=str)!r:.80}, which is not a source: leave them out")
    return Examples({name: _frozen(name, given[name], n_bins) for name in sources if name in given})


def _frozen(name: str, frames: Any, n_bins: int) -> Codes:
    array = np.asarray(frames)
    if array.dtype != np.uint8:
        raise TypeError(f"frames of {name!r} are of type {array.dtype}, expected uint8, as from examples.coded")
    if array.ndim != 2 or len(array) != n_bins or not array.shape[1]:
        raise ValueError(f"frames of {name!r} have shape {array.shape}, expected ({n_bins}, at least 1)")
    if not array.any():
        raise ValueError(f"frames of {name!r} are all silent: leave them out")
    copy = np.array(array, order="C")
    copy.flags.writeable = False
    return copy
