"""Which frames of a mixture can be trusted to hold the rest and next to nothing that was taught."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtnmf import nmf
from rtnmf.dictionary import Dictionary
from rtnmf.frames.masks import agreed_masks, soft_masks
from rtnmf.learning.columns import columns

__all__ = ["Trusted", "masks", "rest_shares", "taught_shares", "trusted"]

Array = NDArray[np.float32]
Places = NDArray[np.intp]

_PART = 0.35  # of the frames, at most
_MOST_TAUGHT = 0.5
_SILENCE_DB = -60.0
_AROUND = 9  # frames, a tenth of a second, that are to be without what was taught as well
_RUN, _FOLDS = 24, 4  # frames of a run, and groups of runs that are compared with the others
_N_COMPONENTS, _N_ITER, _N_UPDATES = 16, 20, 20  # of the comparison
_MOST_UNLIKE = 0.5
_ODDS_POWER = 1.0  # of what experts say, beside the power that it has already
_SHARE_POWER = 0.5


class Trusted(NamedTuple):
    """Frames to learn the rest from."""

    places: Places
    """Their numbers, in their order."""
    magnitudes: Array
    """What is taken of them, shape (n_bins, n_trusted)."""


def masks(dictionary: Dictionary, V: Array, *, memory: bool = True) -> Array:
    """Return the share of each source in each bin of frames, as a stream finds it, shape (n_sources, n_bins, n_frames).

    Parameters
    ----------
    dictionary : Dictionary
    V : array, shape (n_bins, n_frames)
        Magnitudes, summed over the channels.
    memory : bool
        Whether the frames follow each other in time.
    """
    labels, model = np.array(dictionary.labels), dictionary.model
    sets = [(dictionary.components, dictionary.components)]
    if dictionary.update_components is not None and dictionary.mask_components is not None:
        sets.append((dictionary.update_components, dictionary.mask_components))
    explanations = model.explanations(is_trained=dictionary.is_trained)
    found = []
    for (W, M), (remembered, _) in zip(sets, explanations, strict=True):
        H = nmf.activations(
            V, W, n_iter=model.n_iter, relaxation=model.relaxation, memory=remembered if memory else 0.0
        )
        spectra = np.stack([M[:, labels == source] @ H[labels == source] for source in dictionary.sources])
        found.append([soft_masks(spectra[:, :, t], reach=model.reach) for t in range(V.shape[1])])
    weights = [weight for _, weight in explanations]
    if len(found) == 1:
        return np.stack(found[0], axis=2)
    return np.stack([agreed_masks(frame, weights) for frame in zip(*found, strict=True)], axis=2)


def rest_shares(dictionary: Dictionary, V: Array, odds: Array | None = None) -> Array:
    """Return the share of the rest in each bin of frames that follow each other, shape (n_bins, n_frames).

    Parameters
    ----------
    dictionary : Dictionary
        With a rest.
    V : array, shape (n_bins, n_frames)
        Magnitudes, summed over the channels.
    odds : array, shape (n_bins, n_frames), optional
        What experts say of the voices in each bin, see `hearing`: it multiplies their shares.
    """
    shares = masks(dictionary, V)
    if odds is not None:
        shares[[source in dictionary.voices for source in dictionary.sources]] *= odds**_ODDS_POWER
        shares /= shares.sum(axis=0)
    rest: Array = shares[dictionary.sources.index(dictionary.rest)]
    return rest


def taught_shares(V: Array, rest: Array) -> Array:
    """Return the part of each frame that goes to sources that were taught, from the shares of the rest."""
    return 1 - np.einsum("bt,bt->t", rest, V) / np.maximum(V.sum(axis=0), 1e-30)


def trusted(dictionary: Dictionary, V: Array, seed: int = 0, odds: Array | None = None) -> Trusted:
    """Return the frames to learn the rest from: candidates that bear each other out.

    A frame is left out where components of the other runs of candidates, and of what was taught, explain it rather as
    something that was taught. So a single word that was taken for the rest does not count, while what is heard again
    and again does. Where experts were asked, bins count by the square root of the share that the rest has of them: what
    a frame still holds of a voice is there, and the whole share would double what the masks got wrong.

    Parameters
    ----------
    dictionary, V, odds
        As for `rest_shares`.
    seed : int
    """
    if not V.shape[1]:
        return Trusted(np.zeros(0, np.intp), V)
    rest = rest_shares(dictionary, V, odds)
    places = _candidates(V, taught_shares(V, rest))
    fold = places // _RUN % _FOLDS
    kept = [_borne_out(dictionary, V, places[fold == i], places[fold != i], seed) for i in range(_FOLDS)]
    places = np.sort(np.concatenate(kept))
    return Trusted(places, V[:, places] if odds is None else V[:, places] * rest[:, places] ** _SHARE_POWER)


def _borne_out(dictionary: Dictionary, V: Array, places: Places, others: Places, seed: int) -> Places:
    """Return those of the frames that components of the others explain better than what was taught."""
    if not len(places) or len(others) < _N_COMPONENTS:
        return places
    learned = columns(V[:, others] / V[:, others].sum(axis=0).mean(), "", _N_COMPONENTS, _N_ITER, seed, None).W
    taught = dictionary.components[:, np.array(dictionary.labels) != dictionary.rest]
    H = nmf.activations(V[:, places], np.hstack([taught, learned]), n_iter=_N_UPDATES, memory=0.0)
    shares = H[: taught.shape[1]].sum(axis=0) / np.maximum(H.sum(axis=0), 1e-30)
    return places[shares < _MOST_UNLIKE]


def _candidates(V: Array, alone: Array) -> Places:
    """Return the numbers of the frames that may hold next to nothing that was taught, in their order.

    Those are the third with the smallest share of what was taught, among those that sound, of which the rest has the
    larger part. The share of a frame is that of the frames around it where that is larger: a single frame without a
    voice is more likely a sound of the voice that was not taught than a pause.
    """
    levels = V.sum(axis=0)
    taught = np.maximum(alone, _summed(alone * levels) / np.maximum(_summed(levels), 1e-30))
    usable = np.flatnonzero((levels > levels.max(initial=0) * 10 ** (_SILENCE_DB / 20)) & (taught < _MOST_TAUGHT))
    return np.sort(usable[np.argsort(taught[usable], kind="stable")[: int(_PART * V.shape[1])]])


def _summed(values: Array) -> Array:
    """Return the sum of the values around each."""
    return np.convolve(values, np.ones(_AROUND, np.float32))[_AROUND // 2 :][: len(values)]
