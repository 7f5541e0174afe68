"""Soft masks: how much of each bin belongs to each source."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["soft_masks"]

Array = NDArray[np.float32]

_REACH = 1e-4  # of the mean level of the model, added as the broadband mask


def soft_masks(spectra: Array, power: float = 1.0) -> Array:
    """Return the share of each source in each bin: `spectra ** power`, divided by its sum over the sources.

    Before the power, a ten-thousandth of the mean level is added to each spectrum, shared out like the whole
    frame: it matters only in bins that no source reaches, which so follow the broadband mask. A silent frame
    is shared equally. The masks of a bin always sum to 1.

    Parameters
    ----------
    spectra : array, shape (n_sources, n_bins)
        Modelled magnitudes of the sources, finite and non-negative; not changed.
    power : float
        1 gives the ratio of magnitudes, 2 the Wiener filter; positive.

    Returns
    -------
    array, shape (n_sources, n_bins)

    References
    ----------
    A. Liutkus and R. Badeau, "Generalized Wiener filtering with fractional power spectrograms", ICASSP 2015,
    equation 7.
    """
    n_sources, n_bins = spectra.shape
    shares = spectra.sum(axis=1, keepdims=True)
    total = shares.sum()
    if not total > 0:
        return np.full_like(spectra, 1 / n_sources)
    reached = spectra * np.float32(n_bins / total) + np.float32(_REACH) * (shares / total)
    if power != 1:
        reached = (reached / reached.max(axis=0)) ** np.float32(power)  # at most 1, so that no power overflows
    masks: Array = reached / reached.sum(axis=0)
    return masks
