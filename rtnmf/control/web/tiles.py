"""The spectra of components, as the tiles of the page show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rtnmf.control.web.scope import band_hz

if TYPE_CHECKING:
    from rtnmf.dictionary import Dictionary

__all__ = ["spectra"]

_RANGE_DB = 60.0


def spectra(dictionary: Dictionary) -> bytes:
    """Return the spectrum of each component as bytes.

    Returns
    -------
    bytes
        One array of unsigned 8-bit integers, shape (n_components, BANDS): the loudest bin of each band, from 0 at
        60 dB below the loudest of the component and less, to 255.
    """
    components = dictionary.components
    bins = np.array(band_hz(dictionary.sample_rate)[:-1]) * dictionary.stft.n_fft / dictionary.sample_rate
    first = np.minimum(bins.astype(int), len(components) - 1)
    bands = np.maximum.reduceat(components, first, axis=0)  # of a band within one bin it is that bin
    level_db = 20 * np.log10(np.maximum(bands / np.maximum(bands.max(axis=0), 1e-30), 1e-9))
    return np.clip(255 * (1 + level_db / _RANGE_DB), 0, 255).astype(np.uint8).T.tobytes()
