"""Factorisation of a spectrogram that comes in blocks, and never has to be in memory as a whole."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtnmf.checks import check_magnitudes, check_whole
from rtnmf.nmf.factorisation import LOUDEST, MOST
from rtnmf.nmf.passes import MOST_REPRESENTATIVES, Sums, added, in_order, passes, representatives, started, sums_of
from rtnmf.nmf.torch_sums import check_device

__all__ = ["Components", "fit_blocks"]

Array = NDArray[np.float32]


class Components(NamedTuple):
    """The result of `fit_blocks`.

    W : array, shape (n_bins, n_components)
        Columns sum to 1.
    divergences : array, shape (n_passes,)
        KL divergence of all frames with the W that each pass began with, as a fraction of the sum of V.
    """

    W: Array
    divergences: NDArray[np.float64]


def fit_blocks(
    blocks: Iterable[ArrayLike], n_components: int, *, n_passes: int = 2, seed: int = 0, device: str | None = None
) -> Components:
    """Factorise a spectrogram of any length, which is read block after block, once and then in each pass.

    From the first reading some frames are kept that stand for all, and W is learned from them; then each pass updates W
    with the sums over all frames, as `passes.passes` says. Activations are found anew in each pass and not kept:
    `activations` finds those of any block. At most two blocks for each processor are in memory at a time.

    The result depends on the blocks, as rounding does, but not on the number of threads.

    Parameters
    ----------
    blocks : iterable of arrays, shape (n_bins, n_frames)
        Magnitudes, finite and non-negative; the numbers of frames may differ. The same ones in the same order whenever
        it is iterated over: a list, or an object whose `__iter__` reads them anew; an iterator is refused.
    n_components : int
    n_passes : int
        Two are enough where the frames are many.
    seed : int
        Of the random start.
    device : str, optional
        Where torch is to compute the passes, such as "cuda": the result is the same but for rounding. None means on the
        processors.

    Returns
    -------
    Components

    Raises
    ------
    TypeError, ValueError
        If a block is complex, has the wrong shape, or holds a negative or non-finite value, if there is no sound in
        any, if there are other frames when they are read again, or if a number is out of range.

    References
    ----------
    As for `fit` and `passes.passes`.
    """
    check_whole("n_components", n_components, 1, MOST)
    check_whole("n_passes", n_passes, 1, MOST)
    check_whole("seed", seed, 0)
    if device is not None:
        check_device("device", device)
    if iter(blocks) is blocks:
        raise TypeError(
            f"blocks is {blocks!r:.80}, which can be read only once: pass a list, or an object"
            " whose __iter__ reads anew"
        )
    some, n_frames = _first_reading(blocks)
    begun = started(some, n_components, seed=seed)
    found = list(itertools.islice(passes(lambda W: _total(blocks, W, n_frames, device), begun), n_passes))
    return Components(np.ascontiguousarray(found[-1].W.T), np.array([one.divergence for one in found]))


def _first_reading(blocks: Iterable[ArrayLike]) -> tuple[Array, int]:
    """Return frames that stand for all, shape (n_kept, n_bins), and how many there are in all."""
    kept: list[Array] = []
    n_frames = 0
    for frames in _checked(blocks):
        n_frames += len(frames)
        kept = [np.vstack([*kept, representatives(frames)])]
        if len(kept[0]) > 2 * MOST_REPRESENTATIVES:
            kept = [representatives(kept[0])]
    peak = max((float(some.max(initial=0)) for some in kept), default=0.0)
    if not peak:
        raise ValueError(f"blocks have {n_frames} frames, none of which sounds: nothing can be learned from them")
    if not 1 / LOUDEST < peak < LOUDEST:
        raise ValueError(
            f"blocks reach {peak:.3g}, expected {1 / LOUDEST:g} to {LOUDEST:g}: divide them by the largest value"
        )
    return representatives(kept[0]), n_frames


def _total(blocks: Iterable[ArrayLike], W: Array, n_frames: int, device: str | None) -> Sums:
    total = added(in_order(lambda frames: sums_of([frames], W, device), _checked(blocks, W.shape[1])))
    if total.n_frames != n_frames:
        raise ValueError(
            f"blocks had {n_frames} frames when they were read first, and now {total.n_frames}: they have to be"
            " the same ones each time"
        )
    return total


def _checked(blocks: Iterable[ArrayLike], n_bins: int | None = None) -> Iterator[Array]:
    """Yield the frames of blocks, shape (n_frames, n_bins), if all have as many bins as the first."""
    for block in blocks:
        V = check_magnitudes("a block of V", block, ("n_bins" if n_bins is None else n_bins, "n_frames"))
        n_bins = len(V)
        yield V.T
