"""The rest of the world, learned from the mixture itself.

Frames of a mixture in which next to nothing was taught are taken for the rest: columns are learned from them, beside
those of the pool, and the training is repeated, against the frames of the taught sounds that a dictionary carries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtnmf import nmf
from rtnmf.dictionary import Dictionary
from rtnmf.dictionary.examples import coded, decoded, spread
from rtnmf.dictionary.parts import TRAINED, check_adaptable
from rtnmf.learning.clips import Recording
from rtnmf.learning.columns import columns
from rtnmf.learning.hearing import hearing
from rtnmf.learning.recordings import mixture_frames
from rtnmf.learning.training import trained
from rtnmf.learning.trusting import masks, trusted
from rtnmf.progress import Progress

__all__ = ["FEWEST", "Finding", "adapted", "finding"]

Array = NDArray[np.float32]
Spectra = NDArray[np.complex64]
Places = NDArray[np.intp]

FEWEST = 24
"""Frames that can be trusted, from which anything is learned."""

_N_STEPS = 300
_N_COMPONENTS = 24  # learned from a mixture
_MOST_FRAMES = 2048  # of a long mixture that are learned from
_POOL = 0.1  # of the frames that the rest is trained with
_N_KEPT = 12  # components of the rest before, those that what was found needs most: others would take from the taught
_RUN = 8  # frames next to each other, which are much alike
_HELD_BACK = 4  # one in so many runs is held back, and one in so many taught frames
_N_ITER = 10  # updates that tell which components are needed
_N_JUDGED = 256  # mixtures of single frames


class Finding(NamedTuple):
    """What was learned from a mixture."""

    dictionary: Dictionary | None
    """None where too few frames could be trusted, or nothing was gained."""
    n_frames: int
    """That were trusted."""
    gained_db: float
    """Over the dictionary before, on mixtures of frames that were held back."""


def adapted(
    dictionary: Dictionary,
    mixture: Recording,
    *,
    seed: int = 0,
    progress: Progress | None = None,
    strict: bool = False,
    experts: Sequence[str] | None = None,
) -> Dictionary:
    """Return a dictionary whose rest was learned from a mixture, too.

    Components are learned from the frames in which next to nothing was taught (see `trusting.trusted`), and all columns
    are trained again. Where that does not tell the taught sounds apart better, on frames that are held back, or where
    hardly a frame is without them, the dictionary stays as it is.

    Parameters
    ----------
    dictionary : Dictionary
        With a rest, and with frames of every source.
    mixture : array, path, AudioReader, Clip or Together
        An array is at the sample rate of the dictionary, shape (n_samples,) or (n_samples, n_channels).
    seed : int
    progress : Progress, optional
        Its stage is the name of the rest.
    strict : bool
        Raise where a file is damaged, instead of a warning.
    experts : sequence of str, optional
        Which to ask about the voices of the dictionary when frames are chosen, as for `Separator`.

    Raises
    ------
    TypeError, ValueError
        If the dictionary has no rest or lacks frames, the mixture cannot be read, or an expert is not there.
    """
    check_adaptable(dictionary)
    asked = hearing(dictionary, experts)
    V, odds = mixture_frames(
        mixture, dictionary.sample_rate, dictionary.stft, dictionary.model.audible_hz, asked, strict=strict
    )
    step = None if progress is None else lambda _, done, total: progress(dictionary.rest, done, total)
    return finding(dictionary, dictionary, V, odds=odds, seed=seed, progress=step).dictionary or dictionary


def finding(
    dictionary: Dictionary,
    last: Dictionary,
    V: Array,
    *,
    odds: Array | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Finding:
    """Learn the rest from frames of a mixture, beside that of a dictionary.

    Parameters
    ----------
    dictionary : Dictionary
        The one to learn beside, which chooses the frames.
    last : Dictionary
        The one to be better than: the same, or what was found before.
    V : array, shape (n_bins, n_frames)
        Magnitudes of frames that follow each other, summed over the channels.
    odds : array, shape (n_bins, n_frames), optional
        What experts say of the voices in them, see `hearing`.
    seed : int
    progress : Progress, optional
    """
    places, found = trusted(dictionary, V, seed, odds)
    if len(places) < FEWEST:
        return Finding(None, len(places), 0.0)
    kept, judged = (found[:, some] for some in _held_back(spread(len(places), _MOST_FRAMES)))
    level = kept.sum(axis=0).mean()
    examples = {source: decoded(codes) for source, codes in dictionary.frames.items()}
    learned = _learned(dictionary, examples, kept / level, seed, progress)
    before, after = (_error_db(one, examples, judged / level, seed) for one in (last, learned))
    return Finding(learned if after < before else None, len(places), before - after)


def _learned(
    dictionary: Dictionary, examples: Mapping[str, Array], found: Array, seed: int, progress: Progress | None
) -> Dictionary:
    """Return a dictionary with components of found frames beside those of the rest, trained with both."""
    rest = dictionary.rest
    n_pool, n_examples = round(found.shape[1] * _POOL / (1 - _POOL)), max(1, dictionary.frames[rest].shape[1] // 2)
    kept = [_drawn(examples[rest], n_examples, seed), found[:, spread(found.shape[1], n_examples)]]
    grown = replace(_grown(dictionary, found, seed), frames={**dictionary.frames, rest: coded(np.hstack(kept))})
    heard = {source: V[:, _held_back(np.arange(V.shape[1]))[0]] for source, V in examples.items()}
    heard[rest] = np.hstack([found, _drawn(examples[rest], n_pool, seed)])
    frames = {source: [np.ascontiguousarray(V.T)] for source, V in heard.items()}
    return trained(grown, frames, n_steps=_N_STEPS, seed=seed, progress=progress)


def _grown(dictionary: Dictionary, found: Array, seed: int) -> Dictionary:
    """Return a dictionary with components of found frames in its rest, beside those that these need most."""
    labels = np.array(dictionary.labels)
    taught, rest = np.flatnonzero(labels != dictionary.rest), np.flatnonzero(labels == dictionary.rest)
    new = columns(found, dictionary.rest, min(_N_COMPONENTS, found.shape[1]), None, seed, None).W
    W = np.hstack([new, dictionary.components[:, rest]])
    needs = nmf.activations(found, W, n_iter=_N_ITER, memory=0.0)[new.shape[1] :].sum(axis=1)
    kept = rest[np.sort(np.argsort(-needs, kind="stable")[:_N_KEPT])]
    sets: dict[str, Any] = {
        name: np.hstack([old[:, taught], new, old[:, kept]])
        for name in ("components", *TRAINED)
        if (old := getattr(dictionary, name)) is not None
    }
    names = (*(dictionary.labels[k] for k in taught), *[dictionary.rest] * (new.shape[1] + len(kept)))
    return replace(dictionary, **sets, labels=names).select(*dictionary.sources)


def _held_back(places: Places) -> tuple[Places, Places]:
    """Return the frames to learn from and those to judge by, in runs; all for both where they are few."""
    is_judged = np.arange(len(places)) // _RUN % _HELD_BACK == _HELD_BACK - 1
    return (places[~is_judged], places[is_judged]) if is_judged.any() else (places, places)


def _drawn(V: Array, n_frames: int, seed: int) -> Array:
    return V[:, np.random.default_rng(seed).integers(V.shape[1], size=n_frames)]


def _error_db(dictionary: Dictionary, examples: Mapping[str, Array], judged: Array, seed: int) -> float:
    """Return the error of the taught sources in dB of their energy, in mixtures of frames that were held back."""
    rng = np.random.default_rng(seed)
    taught = [source for source in dictionary.sources if source != dictionary.rest]
    drawn = {dictionary.rest: judged}
    drawn |= {s: examples[s][:, _held_back(np.arange(examples[s].shape[1]))[1]] for s in taught}
    spectra = {
        source: V[:, rng.integers(V.shape[1], size=_N_JUDGED)]
        * np.exp(2j * np.pi * rng.random((len(V), _N_JUDGED))).astype(np.complex64)
        for source, V in drawn.items()
    }
    mixture = np.sum(list(spectra.values()), axis=0)
    found = masks(dictionary, np.abs(mixture), memory=False)
    errors = [
        10 * np.log10(_energy(found[dictionary.sources.index(s)] * mixture - spectra[s]) / _energy(spectra[s]))
        for s in taught
    ]
    return float(np.mean(errors))


def _energy(spectra: Spectra) -> float:
    return float(np.sum(np.abs(spectra) ** 2)) + 1e-30
