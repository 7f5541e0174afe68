"""Soft masks: how much of each bin belongs to each source."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtnmf.frames.model import Model

__all__ = ["MASK_POWER", "agreed_masks", "soft_masks"]

Array = NDArray[np.float32]

MASK_POWER = 1.0
"""The power of masks where none is given: a bin is shared in proportion to the magnitudes."""


def soft_masks(spectra: Array, power: float = MASK_POWER, reach: float = Model.reach) -> Array:
    """Return the share of each source in each bin: `spectra ** power`, divided by its sum over the sources.

    Before the power, `reach` times the mean level is added to each bin, divided among the sources as the whole frame
    is: it matters only in bins that no source reaches, which so follow the broadband mask. Spectra that are all silent
    are shared equally. The masks of a bin always sum to 1.

    Parameters
    ----------
    spectra : array, shape (n_sources, n_bins)
        Modelled magnitudes of the sources, finite and non-negative; not changed.
    power : float
        1 gives the ratio of magnitudes, 2 the Wiener filter; positive.
    reach : float
        Fraction of the mean level that is added, see `Model`.

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
    reached = spectra * np.float32(n_bins / total) + np.float32(reach) * (shares / total)
    if power != 1:
        reached = (reached / reached.max(axis=0)) ** np.float32(power)  # at most 1, so that no power overflows
    masks: Array = reached / reached.sum(axis=0)
    return masks


def agreed_masks(masks: Sequence[Array], weights: Sequence[float] = Model.weights, power: float = MASK_POWER) -> Array:
    """Return the product of powers of several masks, normalised over the sources.

    Trained columns separate better what they were trained with, components what they were not; where two masks
    differ, the one that is surer of a bin decides it.

    Parameters
    ----------
    masks : sequence of arrays, shape (n_sources, n_bins)
        Those of each explanation, as from `soft_masks`.
    weights : sequence of float
        The power of each, see `Model`.
    power : float
        Of the product, as in `soft_masks`.

    Returns
    -------
    array, shape (n_sources, n_bins)

    References
    ----------
    G. E. Hinton, "Products of experts", ICANN 1999, equation 1.
    """
    powers = [np.float32(w) * np.log(np.maximum(mask, 1e-37)) for mask, w in zip(masks, weights, strict=True)]
    logs = np.sum(powers, axis=0)
    shares = np.exp(np.float32(power) * (logs - logs.max(axis=0)))
    agreed: Array = shares / shares.sum(axis=0)
    return agreed
