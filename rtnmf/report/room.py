"""How much of a dictionary and of a clip a page has room for, and which part of it that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len

from rtnmf.bounds import FEWEST_ROWS, MOST_PAGE_VALUES, MOST_PAGE_WORK, MOST_ROWS, MOST_STRIPS, check_product
from rtnmf.dictionary import Dictionary
from rtnmf.frames.griffin_lim import check_steady, steady_frames
from rtnmf.frames.stft import STFT
from rtnmf.report.sounds import playable_rate

__all__ = ["Room", "facts", "first", "fitting", "shown_stft", "strongest"]

Array = NDArray[np.float32]

_SECONDS = (1.0, 0.5, 0.25)  # of the sound of a component: as long as all of them may be
_MOST_OVERLAP = 8  # hops in a window
_FRAME = 64  # samples that take as long as what each frame takes apart from its samples
_CACHED = 2**16  # samples of a transform that stays in the cache of a processor


class Room(NamedTuple):
    """How many sources and components a page shows, and how many seconds their sounds have."""

    n_sources: int
    n_components: int
    seconds: float


def shown_stft(dictionary: Dictionary, x: Array | None) -> STFT:
    """Return the same window with no more frames than eyes and ears need: low latency has many.

    Raises
    ------
    ValueError
        If they are still too many.
    """
    check_steady(dictionary.stft, dictionary.sample_rate)
    stft, n_samples = dictionary.stft, 0 if x is None else len(x) + dictionary.stft.latency
    has_many = stft.latency < stft.n_fft or stft.hop_length < stft.n_fft // _MOST_OVERLAP
    if has_many or n_samples / stft.hop_length * stft.n_bins > MOST_PAGE_VALUES:
        stft = STFT(stft.n_fft, stft.n_fft // 4)
    what, remedy = "the number of activations of the clip", "show a shorter part of it, or use fewer components"
    n_frames = n_samples / stft.hop_length
    check_product(what, MOST_PAGE_VALUES, remedy, n_components=dictionary.n_components, n_frames=n_frames)
    return stft


def fitting(dictionary: Dictionary, x: Array | None, stft: STFT, n_strongest: int) -> Room:
    """Return how much a page shows: fewer rows of a longer clip, and where there are many, shorter sounds.

    Raises
    ------
    ValueError
        If not even one component can be heard.
    """
    shortest = _work(stft, dictionary.sample_rate, _SECONDS[-1])
    remedy = "convert the dictionary with .at_rate, to a usual sample rate"
    check_product("the work for a component's sound", MOST_PAGE_WORK, remedy, samples=shortest)
    fits, n_most = int(MOST_PAGE_WORK / shortest), MOST_ROWS
    n_sources, n_components = len(dictionary.sources), dictionary.n_components
    if x is not None:
        n_most = min(n_most, max(FEWEST_ROWS, MOST_PAGE_VALUES // x.size))
        n_sources, n_components = min(n_sources, MOST_STRIPS), min(n_components, n_strongest)
    if dictionary.n_components == len(dictionary.sources):  # each is a source
        n_sources, n_components = min(n_sources, n_most, fits), 0
    else:
        n_sources = min(n_sources, n_most, max(1, fits // 2))
        n_components = min(n_components, n_most, fits - n_sources)
    work = [(n_sources + n_components) * _work(stft, dictionary.sample_rate, seconds) for seconds in _SECONDS]
    affordable = (seconds for seconds, total in zip(_SECONDS, work, strict=True) if total <= MOST_PAGE_WORK)
    return Room(n_sources, n_components, next(affordable, _SECONDS[-1]))


def _work(stft: STFT, sample_rate: int, seconds: float) -> float:
    """Return the samples of all frames of a component's sound, and those that are played."""
    n_frames = steady_frames(stft, sample_rate, seconds)
    played = max(stft.n_fft, seconds * sample_rate) / sample_rate * playable_rate(sample_rate)
    return n_frames * (_slowness(stft.n_fft) * stft.n_fft + _FRAME) + played


def _slowness(n_fft: int) -> int:
    """Return how many times as long a transform takes as that of a power of two: lengths with large prime factors."""
    if next_fast_len(n_fft) == n_fft:
        return 1
    return 4 if n_fft < _CACHED else 8


def facts(dictionary: Dictionary, room: Room) -> dict[str, str]:
    """Return the facts that a page gets where it does not show all sources, or sounds that are shorter than usual."""
    n_sources, found = len(dictionary.sources), {}
    if room.n_sources < n_sources:
        found["Sources shown"] = f"the first {room.n_sources} of {n_sources}"
    if room.seconds < _SECONDS[0]:
        found["Sounds of the components"] = f"{room.seconds:g} s each, as there are many"
    return found


def first(labels: Sequence[str], n_most: int) -> list[int]:
    """Return all components, or as many of each source as there is room for."""
    if len(labels) <= n_most:
        return list(range(len(labels)))
    left = dict.fromkeys(labels, n_most // len(set(labels)))
    found = []
    for k, label in enumerate(labels):
        if left[label]:
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
