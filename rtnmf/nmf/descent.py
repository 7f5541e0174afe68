"""How `nmf.fit` lowers the divergence: in tiles, on several threads, from few frames to all, with momentum.

All arrays are float32, C-contiguous and frames-major, V at most 1, the rows of W summing to 1.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtnmf.kernels import factor
from rtnmf.kernels.compiling import zeros
from rtnmf.nmf.blas import one_blas_thread
from rtnmf.progress import Progress

__all__ = ["FEW", "FRAMES", "LANES", "coreset", "descend"]

Array = NDArray[np.float32]
_Each = Callable[[Callable[["_Slab"], Any], list["_Slab"]], Iterable[Any]]

FEW = 4  # components that have a kernel of their own; fewer are filled up with zeros
LANES = 16  # bins are padded to a multiple, which the matrix product wants for its full speed
FRAMES = 8  # frames are padded to a multiple, so that each slab has an even number
_STAGE = "factorising"
_ROUND = 10  # iterations between two values of the divergence, which costs as much as a quarter of one
_TILE_VALUES = 2**17  # of V in a tile, so that it, W H and V / (W H) stay in the L2 cache together
_SLABS = 4  # runs of frames, each with its own sum for W, so that the result is the same for any number of threads
_WORTH_THREADS = 2**20  # values of V times components below which handing out the work costs more than it saves

_STAGES = ((16, 60), (4, 20))  # one in so many frames, and the iterations with them
_FRAMES_PER_COMPONENT = 8  # that a stage needs at least
_FEWEST_FRAMES = 128
_LIFT = np.float32(1e-4)  # of the mean spectrum, mixed in after a stage for what its frames did not hold
_FOLLOWS = 4  # updates of H alone that bring it up to a W learned from few frames
_FOLLOWS_AT_LAST = 20  # where no updates of both come after them
_MOST_MOMENTUM = 0.9
_MOST_STRETCH = 10.0  # of a value by momentum


class _Slab(NamedTuple):
    """A run of frames with what its updates need."""

    V: Array
    H: Array
    model: Array
    numerator: Array
    addend: Array


def descend(
    V: Array,
    W: Array,
    H: Array,
    n_fixed: int,
    n_iter: int,
    *,
    accelerated: bool,
    tolerance: float,
    most_frames: int | None,
    progress: Progress | None,
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Lower the divergence of V from H W, in place; return its values, and the iterations that they belong to.

    Parameters
    ----------
    V : array, shape (n_frames, n_bins), n_frames a multiple of FRAMES, n_bins one of LANES
    W : array, shape (n_components, n_bins)
        The first `n_fixed` rows stay as they are.
    H : array, shape (n_frames, n_components)
    n_iter, accelerated, tolerance, most_frames, progress
        As in `nmf.fit`.
    """
    with one_blas_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:
        whole = _Model(V, W, H, n_fixed, pool)
        first = whole.divergence
        if most_frames is None or most_frames >= len(V) or n_fixed == len(W):
            return _iterate(whole, n_iter, accelerated, tolerance, progress)
        few = whole.some(most_frames)
        _, iterations = _iterate(few, n_iter, accelerated, tolerance, progress)
        _lift(few.W[n_fixed:], V)
        whole.adopt(few.W, _FOLLOWS_AT_LAST)
        return np.array([first, whole.divergence]), iterations[[0, -1]]


def _iterate(
    model: _Model, n_iter: int, accelerated: bool, tolerance: float, progress: Progress | None
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Iterate in rounds; one that raised the divergence is taken back, and the next one is plain.

    The first round is plain too: it settles which of several minima the descent leads to.
    """
    divergences, iterations = [model.divergence], [0]
    momentum = None
    for i in range(1, n_iter + 1):
        if momentum is not None:
            momentum.carry_on()
        model.iterate()
        stop = progress is not None and progress(_STAGE, i, n_iter) is False
        if not stop and i % _ROUND and i < n_iter:
            continue
        fell = model.keep_or_take_back()
        if accelerated and i == _ROUND and not stop:
            stop = not _learn_from_few(model, progress, n_iter)
        divergences.append(model.divergence)
        iterations.append(i)
        slow = divergences[-2] - divergences[-1] <= tolerance * divergences[0]
        if stop or (tolerance > 0 and slow and (fell or momentum is None)):
            break
        if not fell:
            momentum = None
        elif accelerated and momentum is None:
            momentum = _Momentum(model)
    return np.array(divergences), np.array(iterations)


def _learn_from_few(whole: _Model, progress: Progress | None, n_iter: int) -> bool:
    """Learn W from few frames, then from more, if that lowers the divergence of all; return whether to go on."""
    W = whole.W.copy()
    stages = _stages(whole)
    for n_frames, n in stages:
        few = whole.some(n_frames, W)
        momentum = _Momentum(few)
        for _ in range(n):
            if progress is not None and progress(_STAGE, _ROUND, n_iter) is False:
                return False
            momentum.carry_on()
            few.iterate()
        W = few.W
        _lift(W[whole.n_fixed :], whole.V)
    if stages:
        whole.adopt(W, _FOLLOWS)
    return True


def _stages(whole: _Model) -> list[tuple[int, int]]:
    """Return how many frames to learn from, and the iterations with them.

    None with so few components that they have few minima: some of the frames may lead to another one than all.
    """
    n_components, n_frames = len(whole.W), len(whole.V)
    if n_components <= FEW or whole.n_fixed == n_components:
        return []
    least = max(_FRAMES_PER_COMPONENT * n_components, _FEWEST_FRAMES)
    return [(n_frames // one_in, n) for one_in, n in _STAGES if n_frames // one_in >= least]


class _Model:
    """W and H for some frames V, and the divergence that they had when they were last kept."""

    def __init__(self, V: Array, W: Array, H: Array, n_fixed: int, pool: ThreadPoolExecutor) -> None:
        self.V, self.W, self.H, self.n_fixed = V, W, H, n_fixed
        self._pool = pool
        self._each: _Each = pool.map if V.size * len(W) >= _WORTH_THREADS else map
        self._slabs = _slabs(V, H, len(W) - n_fixed)
        self._kept = W.copy(), H.copy()
        self.divergence = self._measured()

    def iterate(self) -> None:
        """Update H, then the columns of W that are not fixed, and let these sum to 1 again."""
        self._update(self.n_fixed)
        if self.n_fixed == len(self.W):
            return
        learned = self.W[self.n_fixed :]
        factor.multiply(learned, sum(slab.numerator for slab in self._slabs))
        sums = learned.sum(axis=1)
        learned /= _nonzero(sums)[:, None]
        totals = sum(slab.H[:, self.n_fixed :].sum(axis=0) for slab in self._slabs)
        self.H[:, self.n_fixed :] *= sums / _nonzero(totals)

    def keep_or_take_back(self) -> bool:
        """Keep W and H if they did not raise the divergence, else go back to those kept; return whether it fell."""
        divergence = self._measured()
        if divergence > self.divergence:
            self.W[:], self.H[:] = self._kept
            return False
        self._kept[0][:], self._kept[1][:] = self.W, self.H
        self.divergence = divergence
        return True

    def adopt(self, W: Array, n_iter: int) -> None:
        """Take over a W that was learned elsewhere and bring H up to it, unless that raises the divergence."""
        self.W[:] = W
        for _ in range(n_iter):
            self._update(len(W))
        self.keep_or_take_back()

    def some(self, n_frames: int, W: Array | None = None) -> _Model:
        """Return a model of few frames that stand for all, from this W or another, which it does not share."""
        numbers, weights = coreset(self.V, n_frames)
        n = len(numbers)
        V, H = (zeros(max(1, -(-n // FRAMES)) * FRAMES, x.shape[1]) for x in (self.V, self.H))
        V[:n], H[:n] = self.V[numbers] * weights, self.H[numbers] * weights
        return _Model(V, (self.W if W is None else W).copy(), H, self.n_fixed, self._pool)

    def _update(self, n_fixed: int) -> None:
        transposed = np.ascontiguousarray(self.W.T)
        list(self._each(lambda slab: _update_slab(slab, self.W, transposed, n_fixed), self._slabs))

    def _measured(self) -> float:
        return sum(self._each(lambda slab: _divergence(slab, self.W), self._slabs))


def coreset(V: Array, n_frames: int) -> tuple[NDArray[np.intp], Array]:
    """Return the numbers of at most `n_frames` frames that stand for all, and their weights, shape (n, 1).

    A frame is drawn as often as its level is high, here at even steps of the levels summed up, and weighs the
    inverse. Since `D(c v | c W h) = c D(v | W h)`, its weight is simply its scale, and the divergence of the frames
    drawn is about that of all. Silent frames are never drawn.

    References
    ----------
    O. Bachem, M. Lucic and A. Krause, "Practical coreset constructions for machine learning", arXiv:1703.06476,
    2017 (importance sampling).
    """
    levels = V.sum(axis=1, dtype=np.float64)
    summed = levels.cumsum()
    if not levels.any():
        return np.zeros(0, np.intp), np.zeros((0, 1), np.float32)
    step = summed[-1] / n_frames
    numbers, times = np.unique(np.searchsorted(summed, (np.arange(n_frames) + 0.5) * step), return_counts=True)
    return numbers, (times * step / levels[numbers]).astype(np.float32)[:, None]


def _lift(learned: Array, V: Array) -> None:
    """Mix in a little of the mean spectrum, for bins that were silent in the frames that were learned from."""
    mean = V.sum(axis=0, dtype=np.float64)
    learned += _LIFT * learned.sum(axis=1, keepdims=True) * (mean / max(mean.sum(), 1e-30)).astype(np.float32)
    learned /= 1 + _LIFT


class _Momentum:
    """Carries W and H on along their last step, in logarithms, so that they stay positive and zeros stay zeros.

    Y. Nesterov, "A method of solving a convex programming problem with convergence rate O(1/k^2)", 1983 (the
    growing weight of the last step); L. T. K. Hien and N. Gillis, "Algorithms for nonnegative matrix factorization
    with the Kullback-Leibler divergence", Journal of Scientific Computing 87, 2021 (extrapolation of KL-NMF).
    """

    def __init__(self, model: _Model) -> None:
        self._W, self._H = model.W[model.n_fixed :], model.H
        self._last = self._W.copy(), self._H.copy()
        self._t = 1.0

    def weight(self) -> np.float32:
        """Return the weight of the last step to take, which grows from call to call."""
        t = (1 + math.sqrt(1 + 4 * self._t**2)) / 2
        weight, self._t = (self._t - 1) / t, t
        return np.float32(min(weight, _MOST_MOMENTUM))

    def carry_on(self) -> None:
        """Take the next step before the next update."""
        weight = self.weight()
        for x, last in zip((self._W, self._H), self._last, strict=True):
            step = np.divide(x, last, out=np.ones_like(x), where=last > 0)
            last[:] = x
            x *= np.clip(step**weight, 1 / _MOST_STRETCH, _MOST_STRETCH)
        sums = _nonzero(self._W.sum(axis=1))
        self._W /= sums[:, None]
        self._H[:, self._H.shape[1] - len(sums) :] *= sums


def _update_slab(slab: _Slab, W: Array, transposed: Array, n_fixed: int) -> None:
    """Update H, and sum up the numerator of the update of the learned columns, `V / (W H)` times H."""
    slab.numerator[:] = 0
    if len(W) == FEW and n_fixed == 0:
        factor.sweep(slab.V, W, slab.H, slab.numerator)
        return
    for v, h in zip(_tiles(slab.V, len(slab.model)), _tiles(slab.H, len(slab.model)), strict=True):
        r = slab.model[: len(v)]
        factor.ratio(v, np.matmul(h, W, out=r))
        factor.multiply(h, r @ transposed)
        if n_fixed < len(W):
            factor.ratio(v, np.matmul(h, W, out=r))
            np.add(slab.numerator, np.matmul(h[:, n_fixed:].T, r, out=slab.addend), out=slab.numerator)


def _divergence(slab: _Slab, W: Array) -> float:
    if len(W) == FEW:
        return factor.divergence_of_four(slab.V, W, slab.H)
    tiles = zip(_tiles(slab.V, len(slab.model)), _tiles(slab.H, len(slab.model)), strict=True)
    return sum(factor.divergence(v, np.matmul(h, W, out=slab.model[: len(v)])) for v, h in tiles)


def _slabs(V: Array, H: Array, n_learned: int) -> list[_Slab]:
    """Cut the frames into runs that share V and H, but nothing that they write to."""
    length, n_bins = -(-len(V) // _SLABS), V.shape[1]
    tile = max(1, min(length, _TILE_VALUES // n_bins))
    rows = [slice(i, i + length) for i in range(0, len(V), length)]
    shapes = ((tile, n_bins), (n_learned, n_bins), (n_learned, n_bins))
    return [_Slab(V[r], H[r], *(zeros(*shape) for shape in shapes)) for r in rows]


def _tiles(rows: Array, length: int) -> list[Array]:
    return [rows[i : i + length] for i in range(0, len(rows), length)]


def _nonzero(x: Array) -> Array:
    return np.where(x > 0, x, np.float32(1))
