"""Discriminative training: columns that make good masks after the very updates that a stream does.

Two sets of columns are trained, one for the updates and one for the masks, by gradient descent through the unrolled
updates, on mixtures of single frames of the sources. Where bins are finer than a 128th of their frequency, the training
sees bands of them, and finds how much each band of a column gains: that costs half as much, and fits the recordings
less closely. Arrays are float32 and frames-major: a component is a row of W (updates) and of M (masks).

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

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from rtnmf.frames.model import Model
from rtnmf.kernels import training
from rtnmf.learning import gradients, mixtures, torch_gradients
from rtnmf.learning.gradients import LEAST
from rtnmf.nmf.blas import one_blas_thread
from rtnmf.progress import Progress

__all__ = ["RATE", "trained"]

Array = NDArray[np.float32]
Frames = NDArray[np.complex64] | Array

RATE = 0.14
"""Of Adam at the first step, from which it falls to 0 along a cosine."""

_BANDS = 128  # a band is this fraction of its frequency wide


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
    n_threads: int = 2,
    device: str | None = None,
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
        Steps of the descent, each on two mixtures.
    seed : int
        Of the mixtures.
    start : pair of arrays, shape (n_components, n_bins), optional
        Columns for the updates and columns for the masks to go on from, rows summing to 1. Where most of them were
        trained before, half as many steps do.
    rate : float
        Of the descent, at its first step.
    absent : sequence of floats, optional
        How probably each source is silent in a mixture, from 0 to 1; by default none ever is. Where all would be, all
        sound.
    n_threads : int
        Two, or one where cores are needed for something else; the result is the same.
    device : str, optional
        Where torch is to find the gradients, see `nmf.torch_sums.check_device`: the result is the same but for
        rounding. None means here.
    progress : Progress, optional
        Called after each step; its stage is "training".
    """
    silent = [0.0] * len(recordings) if absent is None else absent
    edges = _edges(components.shape[1])
    reach = (model.reach * np.diff(edges) / edges[-1]).astype(np.float32)
    begun = [np.maximum(columns, LEAST, dtype=np.float32) for columns in start or (components, components)]
    pooled = [[_pooled(np.abs(sound), edges) for sound in sounds] for sounds in recordings]
    W, M = (_Set(_pooled(columns, edges)) for columns in begun)
    rng, other_rng = (np.random.default_rng([seed, i]) for i in range(2))

    chosen = gradients.gradients if device is None else partial(torch_gradients.gradients, device=device)

    def drawn(rng: np.random.Generator) -> tuple[Array, Array]:
        return chosen(W.columns, M.columns, bounds, model, reach, *mixtures.drawn(rng, pooled, silent))

    with one_blas_thread(), ThreadPoolExecutor(1) as pool:
        for step in range(1, n_steps + 1):
            other = pool.submit(drawn, other_rng).result if n_threads > 1 else partial(drawn, other_rng)
            pairs = zip(drawn(rng), other(), strict=True)
            for columns, pair in zip((W, M), pairs, strict=True):
                columns.descend(*pair, rate * (0.5 + 0.5 * np.cos(np.pi * step / n_steps)))
            if progress is not None and progress("training", step, n_steps) is False:
                break
    return _scaled(begun[0], W.gains(), edges), _scaled(begun[1], M.gains(), edges)


def _edges(n_bins: int) -> NDArray[np.int_]:
    """Return the first bin of each band, and the number of bins."""
    edges = [0]
    while edges[-1] < n_bins:
        edges.append(min(edges[-1] + max(1, round(edges[-1] / _BANDS)), n_bins))
    return np.array(edges)


def _pooled(magnitudes: Array, edges: NDArray[np.int_]) -> Array:
    """Return the sums over bands, shape (n_rows, n_bands)."""
    pooled = np.empty((len(magnitudes), len(edges) - 1), np.float32)
    training.pool(np.ascontiguousarray(magnitudes, np.float32), edges, pooled)
    return pooled


def _scaled(columns: Array, gains: Array, edges: NDArray[np.int_]) -> Array:
    return columns * np.repeat(gains, np.diff(edges), axis=1)


class _Set:
    """A set of columns, float32, shape (n_components, n_bins), and their descent by Adam."""

    def __init__(self, columns: Array) -> None:
        self._begun, self._logits = columns, np.log(columns)
        self.columns = columns / columns.sum(axis=1, keepdims=True)
        self._mean, self._square = np.zeros_like(self.columns), np.zeros_like(self.columns)
        self._n = 0

    def descend(self, one: Array, other: Array, rate: float) -> None:
        """Take a step along the mean of two gradients."""
        self._n += 1
        young, scale = np.float32(rate / (1 - 0.9**self._n)), np.float32(1 / (1 - 0.99**self._n))
        training.descend(self._logits, self.columns, self._mean, self._square, one, other, young, scale)

    def gains(self) -> Array:
        """Return how many times as high the columns are as they began."""
        return self.columns / self._begun
