"""Factorisation of a spectrogram that is larger than memory: in partitions, in passes that each see every frame once.

Only W goes from one pass to the next. The activations of a frame are found anew from W in each pass, so a partition can
be worked on by whoever has its recordings, and again where that failed; and the result depends on the partitions
alone, since what they add to an update is summed up in pairs, in a fixed order. W starts from few frames that stand for
all, so that a pass or two are enough.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtnmf.nmf import sums, torch_sums
from rtnmf.nmf.descent import coreset
from rtnmf.nmf.factorisation import fit
from rtnmf.nmf.sums import Sums

__all__ = [
    "MOST_REPRESENTATIVES",
    "Pass",
    "Sums",
    "added",
    "check_wanted",
    "in_order",
    "passes",
    "representatives",
    "started",
    "sums_of",
]

Array = NDArray[np.float32]
_S = TypeVar("_S")
_T = TypeVar("_T")

MOST_REPRESENTATIVES = 8192
"""Frames that the first W of passes is learned from."""

_LIFT = 1e-4  # of the mean spectrum, in a start that was learned from few frames
_AHEAD = 2  # results that a thread may be ahead of the one that is needed next

_this_thread = threading.local()


class Pass(NamedTuple):
    """What a pass over all frames found."""

    W: Array
    """Updated once, shape (n_components, n_bins), rows sum to 1."""
    divergence: float
    """KL divergence of all frames with the W that the pass began with, as a fraction of the sum of V."""
    n_frames: int
    lost: tuple[tuple[int, str], ...]
    """As in `Sums`."""


def passes(total: Callable[[Array], Sums], W: ArrayLike) -> Iterator[Pass]:
    """Yield one pass over all frames after the other, without end; each begins with the W that the last one ended with.

    In a pass, the activations of each frame begin as equal parts of its level and get 8 multiplicative updates, all
    but the first with an exponent of 1.7. Then W gets one, with the sums over all frames. The activations are then
    close to their minimum, so that the divergence falls from pass to pass, unless hardly any is left.

    Parameters
    ----------
    total : callable
        Returns the sums over all frames with a W: what `sums_of` gives of each partition, `added` up. Bit for bit the
        same for the same partitions on processors of one kind, whoever computes them.
    W : array, shape (n_components, n_bins)
        To begin with, such as `started` returns: non-negative, its rows are divided by their sums.

    References
    ----------
    D. D. Lee and H. S. Seung, "Algorithms for non-negative matrix factorization", NIPS 2000, equation 5.
    R. Badeau, N. Bertin and E. Vincent, "Stability analysis of multiplicative update algorithms and application to
    nonnegative matrix factorization", IEEE Transactions on Neural Networks 21(12), 2010 (the exponent).
    """
    rows = np.array(W, np.float32)
    rows /= _sums(rows)
    while True:
        found = total(rows)
        rows = rows * found.numerator
        rows /= _sums(rows)
        yield Pass(rows.copy(), found.divergence / found.level if found.level else 0.0, found.n_frames, found.lost)


def sums_of(blocks: Iterable[Array], W: Array, device: str | None = None) -> Sums:
    """Return what frames add to an update of W, shape (n_components, n_bins), with activations found from W.

    The result is the same to the bit however the frames are divided into blocks.

    Parameters
    ----------
    blocks : iterable of arrays, shape (n_frames, n_bins)
    W : array, shape (n_components, n_bins)
        Rows sum to 1.
    device : str, optional
        Where torch is to compute it; see `torch_sums`. None means here.
    """
    return sums.sums_of(blocks, W) if device is None else torch_sums.sums_of(blocks, W, device)


def added(results: Iterable[_T]) -> _T:
    """Add up results in pairs, neighbours first, as soon as both are there: in the same order however they come.

    Runs of 1, 2, 4, ... neighbours that begin at a multiple of their length may be added up before, elsewhere.
    """
    waiting: list[tuple[int, Any]] = []
    for result in results:
        size, sum_of_all = 1, result
        while waiting and waiting[-1][0] == size:
            sum_of_all = waiting.pop()[1] + sum_of_all
            size *= 2
        waiting.append((size, sum_of_all))
    while len(waiting) > 1:
        (_, last), (size, before) = waiting.pop(), waiting.pop()
        waiting.append((size, before + last))
    return waiting[0][1]


def in_order(function: Callable[[_S], _T], items: Iterable[_S], n_threads: int | None = None) -> Iterator[_T]:
    """Yield what a function returns for each of some items, in their order, from several threads.

    Parameters
    ----------
    function : callable
        Where it takes long, it calls `check_wanted` often.
    items : iterable
        Few are taken ahead.
    n_threads : int, optional
        None means as many as there are processors.
    """
    n_threads = n_threads or os.cpu_count() or 1
    is_over = threading.Event()
    with ThreadPoolExecutor(n_threads, initializer=setattr, initargs=(_this_thread, "is_over", is_over)) as pool:
        begun: deque[Future[_T]] = deque()
        try:
            for item in items:
                begun.append(pool.submit(function, item))
                if len(begun) >= _AHEAD * n_threads:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            is_over.set()
            for future in begun:
                future.cancel()


def check_wanted() -> None:
    """Raise CancelledError in a thread of `in_order` when nobody waits for its results any more, as after Ctrl-C.

    Whatever takes long there has to call it often, since Python waits for its threads before it ends.
    """
    is_over = getattr(_this_thread, "is_over", None)
    if is_over is not None and is_over.is_set():
        raise CancelledError


def started(frames: Array, n_components: int, *, seed: int = 0, n_iter: int = 200) -> Array:
    """Return a W to begin passes with, shape (n_components, n_bins), learned from few frames that stand for all.

    Parameters
    ----------
    frames : array, shape (n_frames, n_bins)
        Drawn and weighted as `representatives` does, from each partition.
    n_components : int
    seed : int
    n_iter : int
    """
    W = fit(frames.T, n_components, n_iter=n_iter, tolerance=0, seed=seed).W.T
    mean = frames.mean(axis=0, dtype=np.float64)
    return ((W + _LIFT * mean / max(mean.sum(), 1e-30)) / (1 + _LIFT)).astype(np.float32)


def representatives(V: Array, n_frames: int = MOST_REPRESENTATIVES) -> Array:
    """Return at most so many frames that stand for all, the rows of V, each scaled by what it weighs."""
    numbers, weights = coreset(V, n_frames)
    return V[numbers] * weights


def _sums(W: Array) -> Array:
    sums = W.sum(axis=1, keepdims=True)
    return np.where(sums > 0, sums, np.float32(1))
