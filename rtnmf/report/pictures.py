"""The pictures of a page: spectrograms as PNG without any axis, which the page writes beside them as text.

All have the dark ground of the colour maps, on a light page, too. Levels are in dB below the loudest point of a clip.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

from rtnmf import look
from rtnmf.frames.stft import STFT
from rtnmf.report import scales
from rtnmf.report.scales import Scale

__all__ = ["RANGE_DB", "image", "levels", "owners", "ramp"]

Array = NDArray[np.float32]
Picture = NDArray[np.float64]

RANGE_DB = 80
"""From the darkest to the brightest colour."""

_MOST_COLUMNS = 1800
_N_LEVELS = 64  # more are not seen, and cost twice the bytes
_N_SHADES = 28  # of each of nine hues: a palette has 256 colours
_FULL = 0.8  # where a hue is at its fullest: what is louder turns whiter


def image(x: Array, scale: Scale, sample_rate: int, n_fft: int) -> Picture:
    """Return the magnitudes of a signal on the rows of an axis.

    Parameters
    ----------
    x : array, shape (n_samples, n_channels)
    scale : Scale
    sample_rate : int
        In Hz.
    n_fft : int
        Length of the window.

    Returns
    -------
    array, shape (n_rows, n_columns)
        At most 1800 columns, each the loudest of its frames.
    """
    stft = STFT(n_fft, n_fft // 4)
    magnitudes = np.sum([np.abs(stft.forward(channel)) for channel in x.T], axis=0)
    n_columns = min(_MOST_COLUMNS, magnitudes.shape[1])
    starts = np.unique(np.linspace(0, magnitudes.shape[1], n_columns, endpoint=False).astype(int))
    return scales.on_rows(np.maximum.reduceat(magnitudes, starts, axis=1), scale, sample_rate)


def levels(magnitudes: Picture, top: float) -> bytes:
    """Draw magnitudes in dB below `top`, as PNG."""
    return _png(_steps(magnitudes, top, _N_LEVELS), _level_palette())


def owners(magnitudes: Sequence[Picture], whole: Picture, hues: Sequence[str]) -> bytes:
    """Draw who owns each bin of the whole, as PNG: the colour is that of the loudest source, brightness is the level.

    Parameters
    ----------
    magnitudes : sequence of arrays, shape (n_rows, n_columns)
        Of the sources.
    whole : array, shape (n_rows, n_columns)
        Of what they sum to.
    hues : sequence of str
        The names of the colours of the sources, see `look.hue`.
    """
    steps, owner = _steps(whole, float(whole.max()), _N_SHADES), np.zeros(whole.shape, int)
    loudest = np.full(whole.shape, -1.0)
    for i, source in enumerate(magnitudes):
        owner[source > loudest] = i
        loudest = np.maximum(loudest, source)
    names = list(look.hues())
    place = np.array([names.index(hue) for hue in hues])
    return _png(place[owner] * _N_SHADES + steps, np.concatenate([_shades(hue, _N_SHADES) for hue in names]))


@cache
def ramp(hue: str | None = None) -> bytes:
    """Draw the colours from the quietest at the bottom to the loudest, of a hue or of the levels, as PNG."""
    colours = _level_palette() if hue is None else _shades(hue, _N_LEVELS)
    return _png(np.arange(_N_LEVELS)[:, None], colours)


def _steps(magnitudes: Picture, top: float, n: int) -> NDArray[np.int_]:
    level = 20 * np.log10(np.maximum(magnitudes / max(top, 1e-9), 1e-9))
    return np.rint(np.clip(1 + level / RANGE_DB, 0, 1) * (n - 1)).astype(int)


@cache
def _level_palette() -> NDArray[np.float64]:
    return np.asarray(colormaps["magma"](np.linspace(0, 1, _N_LEVELS)))[:, :3] * 255


def _shades(hue: str, n: int) -> NDArray[np.float64]:
    """Return colours from black over a hue to a lighter one, shape (n, 3)."""
    colour = np.array(look.hues()[hue], float)
    lighter = colour + 0.45 * (255 - colour)
    points = np.array([_level_palette()[0], colour, lighter])
    part = np.linspace(0, 1, n)
    return np.stack([np.interp(part, [0, _FULL, 1], channel) for channel in points.T], axis=1)


def _png(colours: NDArray[np.int_], palette: NDArray[np.float64]) -> bytes:
    """Return a PNG of numbers of colours, whose first row is the lowest."""
    picture = Image.fromarray(np.ascontiguousarray(colours[::-1], np.uint8))
    picture.putpalette(np.rint(palette).astype(np.uint8).tobytes())
    file = io.BytesIO()
    picture.save(file, format="png", optimize=True)
    return file.getvalue()
