"""Soft masks: how much of each bin belongs to each source."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["soft_masks"]

Array = NDArray[np.float32]

_REACH = 1e-4
"""Bins where the model is below this part of its mean level belong to no source in particular."""


def soft_masks(spectra: Array, power: float = 1.0) -> Array:
    """Return the share of each source in each bin: `spectra ** power`, divided by its sum over the sources.

    Bins that no source reaches follow the broadband mask, the shares of the sources in the whole frame, and
    a silent frame is shared equally. The masks of a bin always sum to 1.

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
    reached = (spectra * (n_bins / total) + _REACH * (shares / total)).astype(np.float32)
    if power != 1:
        reached **= np.float32(power)
    masks: Array = reached / reached.sum(axis=0)
    return masks
