"""How much of a dictionary and of a clip a page has room for, and which part of it that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtnmf.bounds import FEWEST_ROWS, MOST_PAGE_FRAMES, MOST_PAGE_VALUES, MOST_ROWS, check_product
from rtnmf.dictionary import Dictionary
from rtnmf.frames.griffin_lim import check_steady
from rtnmf.frames.stft import STFT

__all__ = ["first", "most_rows", "shown_stft", "strongest", "unshown"]

Array = NDArray[np.float32]


def shown_stft(dictionary: Dictionary, x: Array | None) -> STFT:
    """Return the same window with no more frames than eyes and ears need: low latency has many.

    Raises
    ------
    ValueError
        If they are still too many.
    """
    check_steady(dictionary.stft, dictionary.sample_rate)
    stft, n_samples = dictionary.stft, 0 if x is None else len(x)
    if stft.latency < stft.n_fft or n_samples / stft.hop_length * stft.n_bins > MOST_PAGE_VALUES:
        stft = STFT(stft.n_fft, stft.n_fft // 4)
    what, remedy = "the number of activations of the clip", "show a shorter part of it, or use fewer components"
    n_frames = n_samples / stft.hop_length
    check_product(what, MOST_PAGE_VALUES, remedy, n_components=dictionary.n_components, n_frames=n_frames)
    return stft


def most_rows(dictionary: Dictionary, x: Array | None) -> int:
    """Return how many sources, and how many components, a page has room for."""
    stft = dictionary.stft
    n_frames = -(-max(stft.n_fft, dictionary.sample_rate) // max(stft.hop_length, stft.n_fft // 4))
    fits = MOST_PAGE_FRAMES // n_frames if x is None else MOST_PAGE_VALUES // x.size
    return min(MOST_ROWS, max(FEWEST_ROWS, fits))


def unshown(dictionary: Dictionary, n_shown: int) -> dict[str, str]:
    """Return the fact that a page gets where it does not show all sources."""
    n_sources = len(dictionary.sources)
    return {} if n_shown == n_sources else {"Sources shown": f"the first {n_shown} of {n_sources}"}


def first(dictionary: Dictionary, n_most: int) -> list[int]:
    """Return all components, or as many of each of the sources that are shown as there is room for."""
    if dictionary.n_components <= n_most:
        return list(range(dictionary.n_components))
    shown = dictionary.sources[:n_most]
    left = dict.fromkeys(shown, n_most // len(shown))
    found = []
    for k, label in enumerate(dictionary.labels):
        if left.get(label, 0):
            left[label] -= 1
            found.append(k)
    return found


def strongest(strengths: Array, labels: Sequence[str], n_most: int) -> list[int]:
    """Return the strongest components, the strongest first: half of the places are shared by the sources evenly."""
    order = np.argsort(-strengths, kind="stable").tolist()
    n_each, n_taken, kept = n_most // (2 * len(set(labels))), Counter[str](), set[int]()
    for k in order:
        if n_taken[labels[k]] < n_each:
            n_taken[labels[k]] += 1
            kept.add(k)
    kept |= set([k for k in order if k not in kept][: max(0, n_most - len(kept))])
    return [k for k in order if k in kept]
