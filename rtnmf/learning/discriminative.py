"""Discriminative training: columns that make good masks after the very updates that a stream does.

Two sets of columns are trained, one for the updates and one for the masks, by gradient descent through the unrolled
updates, on mixtures of single frames of the sources. Arrays are float32 and frames-major: a component is a row of W
(updates) and of M (masks).

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

import functools
import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtnmf.frames.model import Model
from rtnmf.nmf.blas import one_blas_thread
from rtnmf.progress import Progress

__all__ = ["RATE", "trained"]

Array = NDArray[np.float32]
Frames = NDArray[np.complex64] | NDArray[np.float32]
Spectra = NDArray[np.complex64]

RATE = 0.12
"""Of Adam where the training begins with components, falling to 0 along a cosine."""

_WORKERS = 2  # each with mixtures of its own, so that the result is the same on any machine
_MIXTURES = 1  # per worker and step: the noise of few keeps the columns from fitting these recordings
_FRAMES = 32  # per mixture
_GAIN_DB = 10.0  # between the loudest and the softest of the levels that sources are mixed at
_FILTER_DB = 6.0  # standard deviation of the random filters, so that other rooms and microphones do no harm
_FILTER_POINTS = 8
_JOINS = 0.3  # how probably one more of the different sounds of a source is heard at the same time
_LEAST = 1e-9
_FORGIVEN = 1e-3  # error, as a fraction of a source's energy, below which less gains nothing
_PHASES = np.exp(2j * np.pi * np.arange(4096) / 4096).astype(np.complex64)


class _Update(NamedTuple):
    """The intermediate values of an update that backpropagation needs."""

    h: Array
    WH: Array
    ratio: Array
    gradient: Array
    factor: Array
    exponent: float
    after: Array


def trained(
    components: Array,
    bounds: list[int],
    recordings: Sequence[Sequence[Frames]],
    *,
    model: Model,
    n_steps: int,
    seed: int,
    start: tuple[Array, Array] | None = None,
    rate: float = RATE,
    absent: Sequence[float] | None = None,
    progress: Progress | None = None,
) -> tuple[Array, Array]:
    """Return columns for the updates and columns for the masks, both shaped as the components, rows summing to 1.

    Parameters
    ----------
    components : array, shape (n_components, n_bins)
        Those of source i are the rows bounds[i] to bounds[i + 1]; the training begins with them, unless there is a
        `start`.
    recordings : list of lists of complex64 or float32 arrays, shape (n_frames, n_bins)
        Of each source, the frames of each of its different sounds, at a mean level of 1, silent ones included: spectra,
        or their magnitudes, which get random phases. The sounds of a source are mixed with each other, one to several
        at a time.
    model : Model
        How the stream will explain a frame with these columns.
    n_steps : int
        Steps of the descent, each on 64 frames.
    seed : int
        Of the mixtures.
    start : pair of arrays, shape (n_components, n_bins), optional
        Columns for the updates and columns for the masks to go on from, rows summing to 1.
    rate : float
        Of the descent, at its first step; columns that were trained before need a lower one than components.
    absent : sequence of floats, optional
        How probably each source is silent in a mixture, from 0 to 1; by default none ever is. Where all would be, all
        sound.
    progress : Progress, optional
        Called after each step; its stage is "training".
    """
    logits = [np.log(np.maximum(columns, _LEAST)) for columns in start or (components, components)]
    silent = np.zeros(len(recordings)) if absent is None else np.asarray(absent, np.float64)
    optimisers = [_Adam(parameters) for parameters in logits]
    generators = [np.random.default_rng([seed, i]) for i in range(_WORKERS)]

    def gradients(rng: np.random.Generator) -> tuple[Array, Array]:
        return _gradients(_softmax(logits[0]), _softmax(logits[1]), bounds, model, *_mixtures(rng, recordings, silent))

    with one_blas_thread(), ThreadPoolExecutor(_WORKERS) as pool:
        for step in range(1, n_steps + 1):
            for found in list(pool.map(gradients, generators)):
                for optimiser, gradient in zip(optimisers, found, strict=True):
                    optimiser.add(gradient)
            for optimiser in optimisers:
                optimiser.descend(rate * (0.5 + 0.5 * np.cos(np.pi * step / n_steps)))
            if progress is not None and progress("training", step, n_steps) is False:
                break
    return _softmax(logits[0]), _softmax(logits[1])


def _gradients(
    W: Array, M: Array, bounds: list[int], model: Model, magnitudes: Array, targets: list[Array]
) -> tuple[Array, Array]:
    """Return the gradients of the loss with respect to the logits of W and M."""
    tape, masks, spectra = _forward(W, M, bounds, model, magnitudes)
    _, grad_masks = _loss(masks, magnitudes, targets)
    grad_W, grad_M = _backward(W, M, bounds, model, tape, masks, spectra, grad_masks)
    return _through_softmax(W, grad_W), _through_softmax(M, grad_M)


def _forward(
    W: Array, M: Array, bounds: list[int], model: Model, magnitudes: Array
) -> tuple[list[_Update], list[Array], list[Array]]:
    """Return the updates, and of each source the mask and the spectrum; see `nmf.activations`, `masks.soft_masks`."""
    n_components, n_bins = W.shape
    v = magnitudes / (magnitudes.sum(axis=1, keepdims=True) + _LEAST)
    h = np.full((len(v), n_components), 1 / n_components, v.dtype)
    tape = []
    for i in range(model.n_iter):
        exponent = model.relaxation if i else 1.0
        WH = h @ W + 1e-3 * _LEAST
        ratio = v / WH
        gradient = np.maximum(ratio @ W.T, 1e-20)
        factor = gradient**exponent if i else gradient
        tape.append(_Update(h, WH, ratio, gradient, factor, exponent, h * factor))
        h = tape[-1].after
    spectra = [
        h[:, a:b] @ M[a:b] + (model.reach / n_bins * h[:, a:b].sum(axis=1, keepdims=True) + _LEAST)
        for a, b in itertools.pairwise(bounds)
    ]
    total = sum(spectra)
    return tape, [spectrum / total for spectrum in spectra], spectra


def _loss(masks: list[Array], magnitudes: Array, targets: list[Array]) -> tuple[float, list[Array]]:
    """Return the logarithm of error over energy, the mean of mixtures and sources, and its gradients by the masks.

    It is to the frames of a mixture what SI-SDR, but for a scale, is to signals. For a source that is absent, or as
    good as that, the energy is that of the mixture.
    """
    total, gradients = 0.0, []
    n_mixtures = len(magnitudes) // _FRAMES
    whole = (magnitudes.reshape(n_mixtures, -1) ** 2).sum(axis=1)
    for mask, target in zip(masks, targets, strict=True):
        error = (mask * magnitudes - target).reshape(n_mixtures, -1)
        energy = (target.reshape(n_mixtures, -1) ** 2).sum(axis=1)
        energy = np.where(energy > _FORGIVEN * whole, energy, whole) + _LEAST
        off = (error**2).sum(axis=1) + _FORGIVEN * energy
        total += float(np.log(off / energy).mean()) / len(targets)
        gradients.append((2 / (n_mixtures * len(targets)) * error / off[:, None]).reshape(mask.shape) * magnitudes)
    return total, gradients


def _backward(
    W: Array,
    M: Array,
    bounds: list[int],
    model: Model,
    tape: list[_Update],
    masks: list[Array],
    spectra: list[Array],
    grad_masks: list[Array],
) -> tuple[Array, Array]:
    """Return the gradients with respect to W and M, by the chain rule from the masks back to the first update."""
    grad_W, grad_M, grad_h = np.zeros_like(W), np.empty_like(M), np.empty_like(tape[-1].after)
    mean = sum(mask * gradient for mask, gradient in zip(masks, grad_masks, strict=True))
    runs = itertools.pairwise(bounds)
    for (a, b), mask, spectrum, gradient in zip(runs, masks, spectra, grad_masks, strict=True):
        grad_spectrum = mask * (gradient - mean) / spectrum
        grad_M[a:b] = tape[-1].after[:, a:b].T @ grad_spectrum
        grad_h[:, a:b] = grad_spectrum @ M[a:b].T + model.reach / M.shape[1] * grad_spectrum.sum(axis=1, keepdims=True)
    for update in reversed(tape):
        grad_gradient = grad_h * update.after * update.exponent / update.gradient
        grad_h = grad_h * update.factor
        grad_WH = -(grad_gradient @ W) * update.ratio / update.WH
        grad_W += grad_gradient.T @ update.ratio + update.h.T @ grad_WH
        grad_h += grad_WH @ W.T
    return grad_W, grad_M


def _mixtures(
    rng: np.random.Generator, recordings: Sequence[Sequence[Frames]], absent: NDArray[np.float64]
) -> tuple[Array, list[Array]]:
    """Return magnitudes of mixtures of single frames, and of each source its phase-sensitive magnitudes in them."""
    n_bins = recordings[0][0].shape[1]
    sources = [np.zeros((_MIXTURES * _FRAMES, n_bins), np.complex64) for _ in recordings]
    for i in range(_MIXTURES):
        rows = slice(i * _FRAMES, (i + 1) * _FRAMES)
        is_absent = rng.random(len(absent)) < absent
        for source, given, is_silent in zip(sources, recordings, is_absent, strict=True):
            if is_absent.all() or not is_silent:
                source[rows] = _drawn(rng, given)
    mixture = sum(sources[1:], start=sources[0])
    magnitudes = np.abs(mixture)
    direction = mixture.conj() / (magnitudes + np.float32(1e-20))
    return magnitudes, [(source * direction).real for source in sources]


def _drawn(rng: np.random.Generator, sounds: Sequence[Frames]) -> Spectra:
    """Return frames of a source; each is the sum of frames of one or more of its sounds."""
    n_bins = sounds[0].shape[1]
    if len(sounds) == 1:
        return _spectra(rng, sounds[0], _FRAMES) * _filters(rng, 1, n_bins)
    frames = np.zeros((_FRAMES, n_bins), np.complex64)
    rows, heard = _heard(rng, np.array([len(sound) for sound in sounds]))
    distinct = np.unique(heard)
    for i, shape in zip(distinct, _filters(rng, len(distinct), n_bins), strict=True):
        its_rows = rows[heard == i]  # in each of which a sound is heard once at most
        frames[its_rows] += _spectra(rng, sounds[i], len(its_rows)) * shape
    return frames


def _spectra(rng: np.random.Generator, sound: Frames, n: int) -> Spectra:
    """Return n frames of a sound; magnitudes get random phases."""
    frames = sound[rng.integers(len(sound), size=n)]
    if frames.dtype == np.float32:
        return frames * _PHASES[rng.integers(len(_PHASES), size=frames.shape, dtype=np.uint16)]
    return frames.astype(np.complex64, copy=False)


def _heard(rng: np.random.Generator, lengths: NDArray[np.int_]) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Return rows from 0 to _FRAMES - 1, and for each of them a sound that is heard in it.

    In each row one is, a longer one more often; then another one joins with the probability _JOINS, as long as there
    are more.
    """
    waits = rng.exponential(size=(_FRAMES, len(lengths))) / lengths
    n_heard = np.minimum(rng.geometric(1 - _JOINS, size=_FRAMES), len(lengths))
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


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _through_softmax(rows: Array, gradient: Array) -> Array:
    return rows * (gradient - (rows * gradient).sum(axis=1, keepdims=True))


class _Adam:
    """Update parameters in place by Adam, with its usual moments (0.9, 0.99)."""

    def __init__(self, parameters: Array) -> None:
        self._parameters, self._gradient = parameters, np.zeros_like(parameters)
        self._mean, self._square = np.zeros_like(parameters), np.zeros_like(parameters)
        self._n = 0

    def add(self, gradient: Array) -> None:
        """Add the gradient of one worker to that of the step."""
        self._gradient += gradient / _WORKERS

    def descend(self, rate: float) -> None:
        """Take a step with the gradients that were added, and begin the next."""
        self._n += 1
        self._mean += 0.1 * (self._gradient - self._mean)
        self._square += 0.01 * (self._gradient**2 - self._square)
        size = np.sqrt(self._square / (1 - 0.99**self._n)) + 1e-10
        self._parameters -= np.float32(rate / (1 - 0.9**self._n)) * self._mean / size
        self._gradient[:] = 0
