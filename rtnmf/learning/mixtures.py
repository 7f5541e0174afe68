"""Mixtures to train on: of single frames, each of a mixture of the sounds of its source, at random levels and phases.

Arrays are frames-major. Only the frames that are drawn cost anything, however many sounds there are.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtnmf.kernels import training

__all__ = ["N_FRAMES", "drawn"]

Array = NDArray[np.float32]
Places = NDArray[np.int_]

N_FRAMES = 24
"""Of a mixture: the noise of few keeps columns from fitting these recordings."""

_GAIN_DB = 10.0  # between the loudest and the softest of the levels that sources are mixed at
_FILTER_DB = 6.0  # standard deviation of the random filters, so that other rooms and microphones do no harm
_FILTER_POINTS = 8
_JOINS = 0.3  # how probably one more of the different sounds of a source is heard at the same time


def drawn(
    rng: np.random.Generator, recordings: Sequence[Sequence[Array]], absent: Sequence[float]
) -> tuple[Array, Array]:
    """Return magnitudes of a mixture of single frames, and of each source its phase-sensitive magnitudes in it.

    Parameters
    ----------
    recordings : sequence of sequences of arrays, shape (n_frames, n_bins)
        Of each source, the magnitudes of each of its sounds. Phases are random.
    absent : sequence of float
        How probably each source is silent; where all would be, all sound.

    Returns
    -------
    array, shape (N_FRAMES, n_bins); array, shape (n_sources, N_FRAMES, n_bins)
    """
    n_sources, n_bins = len(recordings), recordings[0][0].shape[1]
    real, imag = np.zeros((2, n_sources, N_FRAMES, n_bins), np.float32)
    is_silent = rng.random(n_sources) < absent
    for i, sounds in enumerate(recordings):
        if is_silent.all() or not is_silent[i]:
            _draw(rng, sounds, real[i], imag[i])
    magnitudes = np.empty_like(real[0])
    training.project(real, imag, magnitudes)
    return magnitudes, real


def _draw(rng: np.random.Generator, sounds: Sequence[Array], real: Array, imag: Array) -> None:
    """Add the frames of a source; each is the sum of frames of one or more of its sounds."""
    lengths = np.array([len(sound) for sound in sounds])
    rows, heard = _heard(rng, lengths) if len(sounds) > 1 else (np.arange(N_FRAMES), np.zeros(N_FRAMES, np.int_))
    places = (rng.random(len(heard)) * lengths[heard]).astype(np.int_)
    frames = np.stack([sounds[i][place] for i, place in zip(heard.tolist(), places.tolist(), strict=True)])
    distinct, which = np.unique(heard, return_inverse=True)
    phases = np.frombuffer(rng.bytes(frames.size), np.uint8).reshape(frames.shape)
    training.add_filtered(real, imag, rows, frames, phases, _filters(rng, len(distinct), frames.shape[1]), which)


def _heard(rng: np.random.Generator, lengths: Places) -> tuple[Places, Places]:
    """Return rows from 0 to N_FRAMES - 1, and for each of them a sound that is heard in it.

    In each row one is, a longer one more often; then another one joins with the probability _JOINS, as long as there
    are more.
    """
    waits = rng.exponential(size=(N_FRAMES, len(lengths))) / lengths
    n_heard = np.minimum(rng.geometric(1 - _JOINS, size=N_FRAMES), len(lengths))
    found = []
    for n in range(n_heard.max()):
        rows = np.flatnonzero(n_heard > n)
        sounds = waits[rows].argmin(axis=1)
        waits[rows, sounds] = np.inf
        found.append((rows, sounds))
    rows, sounds = np.hstack(found)
    return rows, sounds


def _filters(rng: np.random.Generator, n: int, n_bins: int) -> Array:
    """Return random smooth filters, each at a random level, shape (n, n_bins)."""
    level_db = rng.uniform(-_GAIN_DB / 2, _GAIN_DB / 2, size=(n, 1))
    points_db = level_db + rng.normal(scale=_FILTER_DB, size=(n, _FILTER_POINTS))
    return np.exp((np.log(10) / 20 * points_db).astype(np.float32) @ _hats(n_bins))


@functools.cache
def _hats(n_bins: int) -> Array:
    """Return the weights by which values at points, the denser the lower, are interpolated at bins."""
    octaves = np.log1p(40 * np.arange(n_bins) / n_bins) / np.log(41)
    points = np.linspace(0, 1, _FILTER_POINTS)
    return np.array([np.interp(octaves, points, one) for one in np.eye(_FILTER_POINTS)], np.float32)
