"""What a dictionary means for the hop: columns in tiles, windows, and the constants of its model."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from rtnmf.bounds import MOST_STREAM_VALUES, MOST_WORK, check_product
from rtnmf.dictionary import Dictionary
from rtnmf.kernels import hop, updates

__all__ = ["check_affordable", "planned"]

_LOWEST = 3  # up to so many times `audible_hz`, what is low is shared like the lowest audible sound


_FFT_WORK = 20  # multiplications for a sample of a window of a stem: its transform, its masks


def check_affordable(dictionary: Dictionary, n_channels: int, n_iter: int) -> None:
    """Raise ValueError if a stream would take too much memory, or too much work for each second of sound.

    Parameters
    ----------
    dictionary : Dictionary
        At the rate and the latency of the stream.
    n_channels : int
    n_iter : int
        Updates of the activations per frame.
    """
    stft, n_sources, n_sets = dictionary.stft, len(dictionary.sources), 4 if dictionary.is_trained else 1
    remedy = "use fewer components or sources, a shorter window or fewer channels"
    values = dictionary.n_components * n_sets / 2 + n_sources * (3 * n_channels + 0.5) + 16
    what = "the number of values that the stream holds"
    check_product(what, MOST_STREAM_VALUES, remedy, n_fft=stft.n_fft, values=values)
    work = dictionary.n_components * n_sets * (n_iter + 1) + _FFT_WORK * (n_sources + 1) * n_channels
    remedy = "use fewer components or updates, a larger hop_length, or a lower sample rate"
    frames = dictionary.sample_rate / stft.hop_length
    what = "the number of multiplications for a second of sound"
    check_product(what, MOST_WORK, remedy, frames=frames, n_fft=stft.n_fft, work=work)


def planned(dictionary: Dictionary, mask_power: float) -> hop.Plan:
    """Return what the hop needs to know of a dictionary whose labels are grouped by source."""
    model, stft = dictionary.model, dictionary.stft
    update_columns, mask_columns = [dictionary.components], [dictionary.components]
    if dictionary.update_components is not None and dictionary.mask_components is not None:
        update_columns.append(dictionary.update_components)
        mask_columns.append(dictionary.mask_components)
    W = updates.tiled(*update_columns)
    memory, weights = np.array(model.explanations(is_trained=dictionary.is_trained), np.float32).T.copy()
    bounds = np.cumsum([0, *Counter(dictionary.labels).values()])
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
        _low_shares(dictionary, bounds),
        bounds.astype(np.uintp),
        np.float32(mask_power),
    )


def _low_shares(dictionary: Dictionary, bounds: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return the share of each source in what is inaudibly low: that of its components in the lowest audible sound.

    It is constant: shares of an offset that followed the activations would be heard.
    """
    bin_hz = dictionary.sample_rate / dictionary.stft.n_fft
    first = math.ceil(dictionary.model.audible_hz / bin_hz)
    last = max(first, math.ceil(_LOWEST * dictionary.model.audible_hz / bin_hz))
    low = dictionary.components[first : last + 1].sum(axis=0, dtype=np.float64)
    levels = np.array([low[begin:end].mean() for begin, end in itertools.pairwise(bounds)]) + 1e-9
    return (levels / levels.sum()).astype(np.float32)
