"""How much a file may cost that says little: the bounds on what becomes of it, and what checks them.

Files come from strangers. Sizes that are harmless one by one are not when they are multiplied, so each check takes all
of them, after every conversion, and before anything is allocated. docs/security.md lists the bounds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FEWEST_ROWS",
    "LONGEST_WINDOW",
    "MOST_CASE_VALUES",
    "MOST_COLUMN_VALUES",
    "MOST_DRAWN",
    "MOST_FRAME_VALUES",
    "MOST_HEADER_BYTES",
    "MOST_PAGE_VALUES",
    "MOST_PAGE_WORK",
    "MOST_POINTS",
    "MOST_ROWS",
    "MOST_SHARES",
    "MOST_STEADY_FRAMES",
    "MOST_STEADY_SAMPLES",
    "MOST_STREAM_VALUES",
    "MOST_STRIPS",
    "MOST_TAPS",
    "MOST_WORK",
    "WIDEST_RATIO",
    "check_product",
    "check_ratio",
    "counted",
    "most_values",
]

LONGEST_WINDOW = 2**19
"""Samples of a window: 11 s at 48 kHz."""

MOST_COLUMN_VALUES = 2**25
"""Values of all columns of a dictionary: 1300 trained components for windows of 16384 samples."""

MOST_FRAME_VALUES = 2**28
"""Values of the frames that a dictionary is trained with again."""

MOST_POINTS = 100_000
"""Divergences that a dictionary keeps, of all sources."""

MOST_HEADER_BYTES = 2**23
"""Of the header of a dictionary file, which holds all its text."""

MOST_STREAM_VALUES = 2**27
"""Values of what a stream holds: the columns in tiles, and for each source and channel a window and its spectrum."""

MOST_WORK = 3e11
"""Multiplications for each second of a stream: 100 times what is done in real time, for files of high rates."""

WIDEST_RATIO = 256
"""Between two sample rates, of which one is converted to the other: from 188 Hz to 48 kHz."""

MOST_SHARES = 2**15
"""Values of the shares of all sources in a frame, where the rest is learned from a mixture: 31 sources at 48 kHz."""

MOST_CASE_VALUES = 2**28
"""Values of all stems of a case to evaluate: 5 min of 8 stems in stereo at 48 kHz."""

MOST_TAPS = 2**13
"""Of the filters that BSS-eval solves for at once: 8 stems in stereo."""

MOST_ROWS = 256
"""Sources, and components, that a page shows."""

MOST_STRIPS = 64
"""Sources that a page shows of a clip, each with a picture and a stem."""

MOST_STEADY_SAMPLES = 2**20
"""Of the sound of a component: a second at 1 MHz."""

MOST_STEADY_FRAMES = 2**16
"""Of the sound of a component."""

MOST_PAGE_WORK = 2.6e7
"""Samples of all frames of the sounds of a page's components, and samples as they are played: some 5 s of computing.

Three sources of 32 components at 48 kHz have a second each; of more, sounds are shorter, and then fewer.
"""

MOST_PAGE_VALUES = 2**28
"""Of the stems of a page, and of the spectrogram of its clip: 90 stems of 30 s of stereo at 48 kHz."""

FEWEST_ROWS = 16
"""That a page shows however long the clip is."""

MOST_DRAWN = 2**23
"""Values of a figure of components."""

_VALUES_PER_BYTE = 2048  # silence in FLAC, Vorbis and WavPack has half of it
_FEW_VALUES = 2**24


def most_values(n_bytes: int) -> int:
    """Return how many values of sound are believed to be in a file of so many bytes, over all channels."""
    return _FEW_VALUES + _VALUES_PER_BYTE * n_bytes


def counted(name: str, blocks: Iterable[NDArray[np.float32]], n_bytes: int) -> Iterator[NDArray[np.float32]]:
    """Yield blocks of sound that come from a file, until they are more than it can hold.

    Raises
    ------
    ValueError
        Then.
    """
    most, n_values = most_values(n_bytes), 0
    for block in blocks:
        n_values += block.size
        if n_values > most:
            raise ValueError(
                f"{name}: makes more than {most} values of sound out of {n_bytes} bytes: convert it to WAV, which says"
                " what it holds, at a usual sample rate"
            )
        yield block


def check_product(what: str, most: float, remedy: str, **sizes: float) -> None:
    """Raise ValueError if the product of several sizes is above a bound, with each of them."""
    product = math.prod(sizes.values())
    if not product <= most:
        factors = " * ".join(f"{name} {_float(size):.6g}" for name, size in sizes.items())
        raise ValueError(f"{what} would be {_float(product):.3g} ({factors}), expected at most {most:.3g}: {remedy}")


def _float(size: float) -> float:
    """Return a size as a float, infinite where it has too many digits."""
    try:
        return float(size)
    except OverflowError:
        return math.inf


def check_ratio(what: str, from_rate: int, to_rate: int) -> None:
    """Raise ValueError if two sample rates in Hz are too far apart to convert one to the other."""
    if not 1 / WIDEST_RATIO <= to_rate / from_rate <= WIDEST_RATIO:
        raise ValueError(
            f"{what} would be converted from {from_rate} to {to_rate} Hz, expected a ratio of at most {WIDEST_RATIO}:"
            " give the sample rate that it was recorded at"
        )
