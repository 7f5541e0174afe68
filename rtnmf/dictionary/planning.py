"""What a dictionary means for the hop: columns in tiles, windows, and the constants of its model."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rtnmf.dictionary import Dictionary
from rtnmf.kernels import hop, updates

__all__ = ["planned"]

_LOWEST = 3  # up to so many times `audible_hz`, what is low is shared like the lowest audible sound


def planned(dictionary: Dictionary, mask_power: float) -> hop.Plan:
    """Return what the hop needs to know of a dictionary whose labels are grouped by source."""
    model, stft = dictionary.model, dictionary.stft
    update_columns, mask_columns = [dictionary.components], [dictionary.components]
    if dictionary.update_components is not None and dictionary.mask_components is not None:
        update_columns.append(dictionary.update_components)
        mask_columns.append(dictionary.mask_components)
    W = updates.tiled(*update_columns)
    memory, weights = np.array(model.explanations(is_trained=dictionary.is_trained), np.float32).T.copy()
    bounds = np.cumsum([0, *(dictionary.labels.count(source) for source in dictionary.sources)])
    return hop.Plan(
        stft.hop_length,
        stft.analysis_window,
        stft.synthesis_window,
        stft.trend(dictionary.sample_rate, model.audible_hz),
        W,
        updates.tiled(*mask_columns) if dictionary.is_trained else W,
        memory,
        weights,
        np.float32(model.relaxation),
        np.float32(model.reach),
        _low_shares(dictionary),
        bounds.astype(np.uintp),
        np.float32(mask_power),
    )


def _low_shares(dictionary: Dictionary) -> NDArray[np.float32]:
    """Return the share of each source in what is inaudibly low: that of its components in the lowest audible sound.

    It is constant: shares of an offset that followed the activations would be heard.
    """
    bin_hz = dictionary.sample_rate / dictionary.stft.n_fft
    first = math.ceil(dictionary.model.audible_hz / bin_hz)
    last = max(first, math.ceil(_LOWEST * dictionary.model.audible_hz / bin_hz))
    low = dictionary.components[first : last + 1].sum(axis=0, dtype=np.float64)
    labels = np.array(dictionary.labels)
    levels = np.array([low[labels == source].mean() for source in dictionary.sources]) + 1e-9
    return (levels / levels.sum()).astype(np.float32)
