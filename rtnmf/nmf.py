"""Non-negative matrix factorisation with the generalised Kullback-Leibler divergence.

`V ~ W H`: V (n_bins, n_frames) is a magnitude spectrogram, the columns of W (n_bins, n_components) are the
components, the rows of H (n_components, n_frames) their activations. `fit` learns them offline; `activations`
follows a stream with W fixed. Nothing here knows about time signals, sources or masks.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from rtnmf import _kernels

__all__ = [
    "Factorization",
    "Tracker",
    "activations",
    "fit",
    "kl_divergence",
    "update_activations",
    "update_components",
]

Array = NDArray[np.float32]
Progress = Callable[[int, int], object]

_BLAS = threading.Lock()  # the limit belongs to the process: two fits that overlap would restore the wrong one
_CHECK_EVERY = 10  # iterations between two values of the divergence, which costs as much as a quarter of one
_TILE_VALUES = 2**17  # of V in a tile, so that it, W H and V / (W H) stay in the L2 cache together
_SLABS = 4  # runs of frames, each with its own sum for W, so that the result is the same for any number of threads
_FEW = 4  # components that have a kernel of their own; fewer are filled up with zeros
_LANES = 16  # bins are padded to a multiple, which the matrix product wants for its full speed


class Factorization(NamedTuple):
    """The result of `fit`.

    W : array, shape (n_bins, n_components)
        Learned columns sum to 1; given ones are as they were given.
    H : array, shape (n_components, n_frames)
    divergences : array, shape (n_checks,)
        KL divergence at the start, after every tenth iteration, and at the end.
    iterations : array, shape (n_checks,)
        The iteration that each divergence belongs to.
    """

    W: Array
    H: Array
    divergences: NDArray[np.float64]
    iterations: NDArray[np.intp]


def kl_divergence(V: ArrayLike, WH: ArrayLike) -> float:
    """Return the generalised Kullback-Leibler divergence of V from its model.

    `D(V | WH) = sum(V log(V / WH) - V + WH)`, where `0 log 0 = 0`. Infinite where V is positive and WH is 0.

    Parameters
    ----------
    V, WH : array, the same shape
        Non-negative.

    References
    ----------
    D. D. Lee and H. S. Seung, "Algorithms for non-negative matrix factorization", NIPS 2000, equation 3.
    """
    v, wh = np.asarray(V, np.float64), np.asarray(WH, np.float64)
    positive = v > 0
    with np.errstate(divide="ignore"):
        return float(np.sum(v[positive] * np.log(v[positive] / wh[positive])) - v.sum() + wh.sum())


def update_activations(V: Array, W: Array, H: Array) -> Array:
    """Return H after one multiplicative update: `H * (W.T @ (V / (W @ H))) / sum of each column of W`.

    The divergence never rises, and with columns of W that sum to 1 each column of H then sums to that of V.
    Silent frames give 0. The textbook form, for reading and checking; `fit` does the same in tiles.

    Parameters
    ----------
    V : array, shape (n_bins, n_frames)
    W : array, shape (n_bins, n_components)
    H : array, shape (n_components, n_frames)

    References
    ----------
    D. D. Lee and H. S. Seung, "Algorithms for non-negative matrix factorization", NIPS 2000, equation 5.
    """
    return H * (W.T @ (V / (W @ H + _kernels.FLOOR))) / (W.sum(axis=0)[:, None] + _kernels.FLOOR)


def update_components(V: Array, W: Array, H: Array) -> Array:
    """Return W after one multiplicative update: `W * ((V / (W @ H)) @ H.T) / sum of each row of H`.

    The divergence never rises when `W @ H` is that of the newest H. Components that are never active stay 0.

    Parameters and references are those of `update_activations`.
    """
    return W * ((V / (W @ H + _kernels.FLOOR)) @ H.T) / (H.sum(axis=1) + _kernels.FLOOR)


def fit(
    V: ArrayLike,
    n_components: int,
    *,
    n_iter: int = 200,
    tolerance: float = 1e-4,
    seed: int = 0,
    start: tuple[ArrayLike, ArrayLike] | None = None,
    fixed: ArrayLike | None = None,
    progress: Progress | None = None,
) -> Factorization:
    """Factorise a spectrogram by multiplicative updates of H, then of W, with V / (W H) recomputed between them.

    The divergence never rises. Bit for bit the same for the same input, seed and machine, for any number of
    threads. While it runs, BLAS is held to one thread in the whole process, and the tiles are shared out
    among as many threads as there are processors; another fit waits until it is done.

    Parameters
    ----------
    V : array, shape (n_bins, n_frames)
        Finite and non-negative; not changed. Silent frames and empty bins give zeros in H and W.
    n_components : int
        Columns of W, those in `fixed` included.
    n_iter : int
        Iterations at most.
    tolerance : float
        Stops when ten iterations lower the divergence by less than this part of the first one; 0 never stops early.
    seed : int
        Of the random start.
    start : (array, array), optional
        W (n_bins, n_components) and H (n_components, n_frames) to start from, instead of at random.
    fixed : array, shape (n_bins, n_fixed), optional
        First columns of W, which stay as they are; the others are learned. With all of them fixed, only H is.
    progress : callable, optional
        Called with the iterations done and `n_iter`; returning False ends the fit with what it has reached.

    Returns
    -------
    Factorization

    Raises
    ------
    ValueError
        If an array has the wrong shape, or holds a negative or non-finite value, or a number is out of range.

    References
    ----------
    D. D. Lee and H. S. Seung, "Algorithms for non-negative matrix factorization", NIPS 2000, equation 5.
    """
    v = _checked("V", V, (None, None))
    if v.size == 0:
        raise ValueError(f"V has shape {v.shape}, expected at least one bin and one frame")
    _check_whole("n_components", n_components, 1)
    _check_whole("n_iter", n_iter, 0)
    if not tolerance >= 0:
        raise ValueError(f"tolerance is {tolerance}, expected at least 0")
    n_bins = len(v)
    given = _checked("fixed", np.zeros((n_bins, 0)) if fixed is None else fixed, (n_bins, None))
    n_fixed = given.shape[1]
    if n_fixed > n_components:
        raise ValueError(f"fixed has {n_fixed} columns, more than n_components = {n_components}")
    scale = np.float32(v.max()) or np.float32(1)
    W, H = _random_start(v, n_components, seed) if start is None else _given_start(v, n_components, start)
    W[:, :n_fixed] = given
    rows = n_components if n_fixed else max(n_components, _FEW)
    W_rows, H_rows = _padded(W.T, rows), np.zeros((v.shape[1], rows), np.float32)
    column_sums = _nonzero(W.sum(axis=0))
    W_rows[:n_components] /= column_sums[:, None]
    H_rows[:, :n_components] = H.T * (column_sums / scale)
    with _BLAS, threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        slabs = _slabs(_padded(v.T / scale, len(H_rows)), H_rows, rows - n_fixed)
        divergences, iterations = _iterate(slabs, W_rows, n_fixed, n_iter, tolerance, progress, pool)
    W[:, n_fixed:] = W_rows[n_fixed:n_components, :n_bins].T
    H[:] = H_rows.T[:n_components] * scale
    H[:n_fixed] /= column_sums[:n_fixed, None]
    return Factorization(W, H, divergences * float(scale), iterations)


def activations(V: ArrayLike, W: ArrayLike, *, n_iter: int = 5, relaxation: float = 1.7, memory: float = 0.9) -> Array:
    """Return the activations of a stream of frames with W fixed, as `Tracker` finds them one by one.

    Parameters
    ----------
    V : array, shape (n_bins, n_frames)
        Finite and non-negative.
    W, n_iter, relaxation, memory
        As in `Tracker`.

    Returns
    -------
    array, shape (n_components, n_frames)
    """
    tracker = Tracker(W, n_iter=n_iter, relaxation=relaxation, memory=memory)
    v = _checked("V", V, (tracker.n_bins, None))
    return np.ascontiguousarray(tracker.update(np.ascontiguousarray(v.T)).T)


class Tracker:
    """Follow the activations of a stream with W fixed.

    For each frame `h` starts from `memory` of where the last frame left it and the rest uniform, so that no
    component is lost for good (a zero stays zero under a product), and gets `n_iter` updates
    `h *= (W.T @ (v / (W @ h))) ** relaxation`, the first of them plain (exponent 1). After a plain update
    `h.sum() == v.sum()`; after relaxed ones it nearly is. A silent frame gives zeros.

    State
        The activations of the last frame. `reset` clears them.
    Thread safety
        None: one stream belongs to one thread.

    Parameters
    ----------
    W : array, shape (n_bins, n_components)
        Columns sum to 1.
    n_iter : int
        Updates per frame.
    relaxation : float
        Exponent of the second and later updates, from 1 to below 2; above 1 they converge faster.
    memory : float
        Part of the last frame's activations in the start of the next, from 0 to below 1.

    References
    ----------
    R. Badeau, N. Bertin and E. Vincent, "Stability analysis of multiplicative update algorithms and application
    to nonnegative matrix factorization", IEEE Transactions on Neural Networks 21(12), 2010 (the exponent).
    """

    def __init__(self, W: ArrayLike, *, n_iter: int = 5, relaxation: float = 1.7, memory: float = 0.9) -> None:
        self._W = np.ascontiguousarray(_checked("W", W, (None, None)).T)
        self.n_iter = n_iter
        if not 1 <= relaxation < 2:
            raise ValueError(f"relaxation is {relaxation}, expected from 1 to below 2")
        if not 0 <= memory < 1:
            raise ValueError(f"memory is {memory}, expected from 0 to below 1")
        self._relaxation = np.float32(relaxation)
        self._memory = np.float32(memory)
        self._h = np.zeros(len(self._W), np.float32)

    @property
    def n_iter(self) -> int:
        """Updates per frame; may be set."""
        return self._n_iter

    @n_iter.setter
    def n_iter(self, n_iter: int) -> None:
        _check_whole("n_iter", n_iter, 1)
        self._n_iter = n_iter

    @property
    def n_bins(self) -> int:
        """Length of a frame."""
        return self._W.shape[1]

    def reset(self) -> None:
        """Forget the last frame."""
        self._h[:] = 0

    def update(self, frames: Array) -> Array:
        """Take frames, shape (n_frames, n_bins), and return their activations, shape (n_frames, n_components)."""
        H = np.empty((len(frames), len(self._W)), np.float32)
        _kernels.track(frames, self._W, self._h, H, self.n_iter, self._relaxation, self._memory)
        return H


class _Slab(NamedTuple):
    """A run of frames with what its updates need."""

    V: Array
    H: Array
    model: Array
    numerator: Array
    addend: Array


def _iterate(
    slabs: list[_Slab],
    W: Array,
    n_fixed: int,
    n_iter: int,
    tolerance: float,
    progress: Progress | None,
    pool: ThreadPoolExecutor,
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    divergences, iterations = [_divergence(slabs, W, pool)], [0]
    for i in range(1, n_iter + 1):
        _iteration(slabs, W, n_fixed, pool)
        stop = progress is not None and progress(i, n_iter) is False
        if stop or i % _CHECK_EVERY == 0 or i == n_iter:
            divergences.append(_divergence(slabs, W, pool))
            iterations.append(i)
            gained = divergences[-2] - divergences[-1]
            stop = stop or (tolerance > 0 and gained <= tolerance * divergences[0])
        if stop:
            break
    return np.array(divergences), np.array(iterations)


def _iteration(slabs: list[_Slab], W: Array, n_fixed: int, pool: ThreadPoolExecutor) -> None:
    """Update H, then the columns of W that are not fixed, and let these sum to 1 again."""
    transposed = np.ascontiguousarray(W.T)
    list(pool.map(lambda slab: _update_slab(slab, W, transposed, n_fixed), slabs))
    if n_fixed < len(W):
        learned = W[n_fixed:]
        _kernels.multiply(learned, sum(slab.numerator for slab in slabs))
        sums = learned.sum(axis=1)
        learned /= _nonzero(sums)[:, None]
        totals = sum(slab.H[:, n_fixed:].sum(axis=0) for slab in slabs)
        for slab in slabs:
            np.multiply(slab.H[:, n_fixed:], sums / _nonzero(totals), out=slab.H[:, n_fixed:])


def _update_slab(slab: _Slab, W: Array, transposed: Array, n_fixed: int) -> None:
    """Update H, and sum up the numerator of the update of the learned columns, `V / (W H)` times H."""
    slab.numerator[:] = 0
    if len(W) == _FEW and n_fixed == 0:
        _kernels.sweep(slab.V, W, slab.H, slab.numerator)
        return
    for v, h in zip(_tiles(slab.V, len(slab.model)), _tiles(slab.H, len(slab.model)), strict=True):
        r = slab.model[: len(v)]
        _kernels.ratio(v, np.matmul(h, W, out=r))
        _kernels.multiply(h, r @ transposed)
        if n_fixed < len(W):
            _kernels.ratio(v, np.matmul(h, W, out=r))
            np.add(slab.numerator, np.matmul(h[:, n_fixed:].T, r, out=slab.addend), out=slab.numerator)


def _divergence(slabs: list[_Slab], W: Array, pool: ThreadPoolExecutor) -> float:
    def of(slab: _Slab) -> float:
        tiles = zip(_tiles(slab.V, len(slab.model)), _tiles(slab.H, len(slab.model)), strict=True)
        return sum(_tile_divergence(v, np.matmul(h, W, out=slab.model[: len(v)])) for v, h in tiles)

    return sum(pool.map(of, slabs))


def _tile_divergence(v: Array, r: Array) -> float:
    """Return the divergence of a tile from its model `r`, which is overwritten; logarithms in float32, sums in 64."""
    surplus = _kernels.ratio_and_surplus(v, r)
    np.log(r, out=r)
    return float(surplus + _kernels.dot(v, r))


def _slabs(V: Array, H: Array, n_learned: int) -> list[_Slab]:
    """Cut the frames into runs that share V and H, but nothing that they write to."""
    length, n_bins = -(-len(V) // _SLABS), V.shape[1]
    tile = max(1, min(length, _TILE_VALUES // n_bins))
    rows = [slice(i, i + length) for i in range(0, len(V), length)]
    shapes = ((tile, n_bins), (n_learned, n_bins), (n_learned, n_bins))
    return [_Slab(V[r], H[r], *(np.empty(shape, np.float32) for shape in shapes)) for r in rows]


def _tiles(rows: Array, length: int) -> list[Array]:
    return [rows[i : i + length] for i in range(0, len(rows), length)]


def _random_start(V: Array, n_components: int, seed: int) -> tuple[Array, Array]:
    """Draw W and H at random, at the level of V."""
    rng = np.random.default_rng(seed)
    W = rng.uniform(0.1, 1.0, (V.shape[0], n_components)).astype(np.float32)
    H = rng.uniform(0.1, 1.0, (n_components, V.shape[1])).astype(np.float32)
    return W / W.sum(axis=0), H * V.sum(axis=0) / n_components


def _given_start(V: Array, n_components: int, start: tuple[ArrayLike, ArrayLike]) -> tuple[Array, Array]:
    """Return copies of the W and H to start from."""
    W, H = start
    return (
        _checked("start[0]", W, (V.shape[0], n_components)).copy(),
        _checked("start[1]", H, (n_components, V.shape[1])).copy(),
    )


def _padded(rows: Array, n_rows: int) -> Array:
    """Return a C-contiguous copy with empty bins, and rows, added."""
    padded = np.zeros((n_rows, -(-rows.shape[1] // _LANES) * _LANES), np.float32)
    padded[: len(rows), : rows.shape[1]] = rows
    return padded


def _check_whole(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} is {value!r}, expected a whole number")
    if value < least:
        raise ValueError(f"{name} is {value}, expected at least {least}")


def _nonzero(x: Array) -> Array:
    return np.where(x > 0, x, np.float32(1))


def _checked(name: str, x: ArrayLike, shape: tuple[int | None, int | None]) -> Array:
    array = np.asarray(x, np.float32)
    expected = tuple("any" if n is None else n for n in shape)
    if array.ndim != 2 or any(n not in (None, m) for n, m in zip(shape, array.shape, strict=True)):
        raise ValueError(f"{name} has shape {array.shape}, expected {expected}")
    if not np.isfinite(array).all() or array.min(initial=0.0) < 0:
        raise ValueError(f"{name} holds negative or non-finite values, expected a magnitude spectrogram")
    return array
