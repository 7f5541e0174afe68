"""Train columns so that the masks come out right: through the very updates that a stream gets, by gradient descent.

Two sets of columns are trained, one for the updates and one for the masks, on mixtures of single frames of the
recordings. Arrays are float32 and frames-major: a component is a row of W (updates) and of M (masks).

References
----------
J. Le Roux, J. R. Hershey and F. Weninger, "Deep NMF for speech separation", ICASSP 2015 (unrolled updates).
F. Weninger, J. Le Roux, J. R. Hershey and S. Watanabe, "Discriminative NMF and its application to single-channel
source separation", Interspeech 2014 (columns of their own for the masks).
H. Erdogan, J. R. Hershey, S. Watanabe and J. Le Roux, "Phase-sensitive and recognition-boosted speech separation
using deep recurrent neural networks", ICASSP 2015 (the magnitudes that a mask can reach).
D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from rtnmf.kernels.hop import RELAXATION

__all__ = ["trained"]

Array = NDArray[np.float32]
Spectra = NDArray[np.complex64]

_WORKERS = 2  # each draws and works through mixtures of its own, so that the result is the same on any machine
_MIXTURES = 1  # of a worker in a step: the noise of few keeps the columns from fitting these recordings
_FRAMES = 32  # of a mixture
_RATE = 0.12  # of Adam, falling to 0 along a cosine
_GAIN_DB = 10.0  # between the loudest and the softest of the levels that sources are mixed at
_FILTER_DB = 6.0  # standard deviation of the random filters, so that other rooms and microphones do no harm
_FILTER_POINTS = 8
_REACH = 1e-4  # as in `masking`
_LEAST = 1e-9
_FORGIVEN = 1e-3  # error, as a part of a source's energy, below which less gains nothing


class _Update(NamedTuple):
    """What an update leaves for the way back."""

    h: Array
    model: Array
    ratio: Array
    gradient: Array
    factor: Array
    exponent: float
    after: Array


def trained(
    components: Array,
    bounds: list[int],
    recordings: list[Spectra],
    *,
    n_iter: int,
    n_steps: int,
    seed: int,
    progress: Callable[[int, int], object] | None = None,
) -> tuple[Array, Array]:
    """Return the columns for the updates and those for the masks, both shaped as the components, rows summing to 1.

    Parameters
    ----------
    components : array, shape (n_components, n_bins)
        To begin with; those of source i are the rows bounds[i] to bounds[i + 1].
    recordings : list of complex arrays, shape (n_frames, n_bins)
        Frames of each source, at a mean level of 1, silent ones included.
    n_iter : int
        Updates per frame.
    n_steps : int
        Of the descent, each on 64 frames.
    seed : int
        Of the mixtures.
    progress : callable, optional
        Called with the steps done and their number; returning False ends the training.
    """
    logits = [np.log(np.maximum(components, _LEAST)) for _ in range(2)]
    steps = [_Adam(one) for one in logits]
    draws = [np.random.default_rng([seed, i]) for i in range(_WORKERS)]

    def slopes(rng: np.random.Generator) -> tuple[Array, Array]:
        return _slopes(_softmax(logits[0]), _softmax(logits[1]), bounds, n_iter, *_mixtures(rng, recordings))

    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(_WORKERS) as pool:
        for step in range(1, n_steps + 1):
            rate = _RATE * (0.5 + 0.5 * np.cos(np.pi * step / n_steps))
            for of_worker in list(pool.map(slopes, draws)):
                for adam, slope in zip(steps, of_worker, strict=True):
                    adam.add(slope)
            for adam in steps:
                adam.descend(rate)
            if progress is not None and progress(step, n_steps) is False:
                break
    return _softmax(logits[0]), _softmax(logits[1])


def _slopes(
    W: Array, M: Array, bounds: list[int], n_iter: int, magnitudes: Array, targets: list[Array]
) -> tuple[Array, Array]:
    """Return the slopes of the loss along the logits of W and M."""
    tape, shares, models = _forward(W, M, bounds, n_iter, magnitudes)
    _, of_shares = _loss(shares, magnitudes, targets)
    of_W, of_M = _backward(W, M, bounds, tape, shares, models, of_shares)
    return _through_softmax(W, of_W), _through_softmax(M, of_M)


def _forward(
    W: Array, M: Array, bounds: list[int], n_iter: int, magnitudes: Array
) -> tuple[list[_Update], list[Array], list[Array]]:
    """Return the updates, the mask of each source, and its model; see `nmf.activations` and `masking.soft_masks`."""
    n_components, n_bins = W.shape
    v = magnitudes / (magnitudes.sum(axis=1, keepdims=True) + _LEAST)
    h = np.full((len(v), n_components), 1 / n_components, v.dtype)
    tape = []
    for i in range(n_iter):
        exponent = float(RELAXATION) if i else 1.0
        model = h @ W + 1e-3 * _LEAST
        ratio = v / model
        gradient = np.maximum(ratio @ W.T, 1e-20)
        factor = gradient**exponent if i else gradient
        tape.append(_Update(h, model, ratio, gradient, factor, exponent, h * factor))
        h = tape[-1].after
    models = [
        h[:, a:b] @ M[a:b] + (_REACH / n_bins * h[:, a:b].sum(axis=1, keepdims=True) + _LEAST) for a, b in _runs(bounds)
    ]
    total = sum(models)
    return tape, [model / total for model in models], models


def _loss(shares: list[Array], magnitudes: Array, targets: list[Array]) -> tuple[float, list[Array]]:
    """Return the logarithm of error over energy, in the mean of mixtures and sources, and its slopes along the shares.

    What SI-SDR is for signals, but for a scale, this is for the frames of a mixture.
    """
    total, slopes = 0.0, []
    n_mixtures = len(magnitudes) // _FRAMES
    for share, target in zip(shares, targets, strict=True):
        error = (share * magnitudes - target).reshape(n_mixtures, -1)
        energy = (target.reshape(n_mixtures, -1) ** 2).sum(axis=1) + _LEAST
        off = (error**2).sum(axis=1) + _FORGIVEN * energy
        total += float(np.log(off / energy).mean()) / len(targets)
        slopes.append((2 / (n_mixtures * len(targets)) * error / off[:, None]).reshape(share.shape) * magnitudes)
    return total, slopes


def _backward(
    W: Array,
    M: Array,
    bounds: list[int],
    tape: list[_Update],
    shares: list[Array],
    models: list[Array],
    of_shares: list[Array],
) -> tuple[Array, Array]:
    """Return the slopes along W and M, by the chain rule from the masks back to the first update."""
    of_W, of_M, of_h = np.zeros_like(W), np.empty_like(M), np.empty_like(tape[-1].after)
    mean = sum(share * slope for share, slope in zip(shares, of_shares, strict=True))
    for (a, b), share, model, slope in zip(_runs(bounds), shares, models, of_shares, strict=True):
        of_model = share * (slope - mean) / model
        of_M[a:b] = tape[-1].after[:, a:b].T @ of_model
        of_h[:, a:b] = of_model @ M[a:b].T + _REACH / M.shape[1] * of_model.sum(axis=1, keepdims=True)
    for update in reversed(tape):
        of_gradient = of_h * update.after * update.exponent / update.gradient
        of_h = of_h * update.factor
        of_model = -(of_gradient @ W) * update.ratio / update.model
        of_W += of_gradient.T @ update.ratio + update.h.T @ of_model
        of_h += of_model @ W.T
    return of_W, of_M


def _runs(bounds: list[int]) -> Iterator[tuple[int, int]]:
    return itertools.pairwise(bounds)


def _mixtures(rng: np.random.Generator, recordings: list[Spectra]) -> tuple[Array, list[Array]]:
    """Return magnitudes of mixtures of single frames, and what of them a mask can give to each source at best."""
    n_bins = recordings[0].shape[1]
    sources = [np.empty((_MIXTURES * _FRAMES, n_bins), np.complex64) for _ in recordings]
    for i in range(_MIXTURES):
        rows = slice(i * _FRAMES, (i + 1) * _FRAMES)
        for source, recording in zip(sources, recordings, strict=True):
            source[rows] = recording[rng.integers(len(recording), size=_FRAMES)] * _filter(rng, n_bins)
    mixture = sum(sources[1:], start=sources[0])
    magnitudes = np.abs(mixture)
    direction = mixture.conj() / (magnitudes + np.float32(1e-20))
    return magnitudes, [(source * direction).real for source in sources]


def _filter(rng: np.random.Generator, n_bins: int) -> Array:
    """Return a random level and a random smooth filter, shape (n_bins,)."""
    level_db = rng.uniform(-_GAIN_DB / 2, _GAIN_DB / 2)
    octaves = np.log1p(40 * np.arange(n_bins) / n_bins) / np.log(41)
    points = np.linspace(0, 1, _FILTER_POINTS)
    shape_db = np.interp(octaves, points, rng.normal(scale=_FILTER_DB, size=_FILTER_POINTS))
    return (10 ** ((level_db + shape_db) / 20)).astype(np.float32)


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _through_softmax(rows: Array, slopes: Array) -> Array:
    return rows * (slopes - (rows * slopes).sum(axis=1, keepdims=True))


class _Adam:
    """Descends along slopes, each divided by its usual size."""

    def __init__(self, x: Array) -> None:
        self._x, self._slope = x, np.zeros_like(x)
        self._mean, self._square = np.zeros_like(x), np.zeros_like(x)
        self._n = 0

    def add(self, slope: Array) -> None:
        self._slope += slope / _WORKERS

    def descend(self, rate: float) -> None:
        self._n += 1
        self._mean += 0.1 * (self._slope - self._mean)
        self._square += 0.01 * (self._slope**2 - self._square)
        size = np.sqrt(self._square / (1 - 0.99**self._n)) + 1e-10
        self._x -= np.float32(rate / (1 - 0.9**self._n)) * self._mean / size
        self._slope[:] = 0
