"""What frames add to an update of W, with activations that are found from W: the arithmetic of `passes`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtnmf.kernels import factor
from rtnmf.kernels.compiling import zeros
from rtnmf.nmf.blas import one_blas_thread
from rtnmf.nmf.descent import LANES

__all__ = ["N_UPDATES", "RELAXATION", "Sums", "filled", "sums_of"]

Array = NDArray[np.float32]

N_UPDATES = 8
"""Of the activations of a frame in a pass."""
RELAXATION = 1.7
"""Exponent of all of them but the first."""

_TILE_VALUES = 2**17  # of V in a tile, as in `descent`


class Sums(NamedTuple):
    """What some frames add to an update of W."""

    numerator: Array
    """`H (V / (W H)).T`, shape (n_components, n_bins)."""
    divergence: float
    """KL divergence of the frames from their model."""
    level: float
    """The sum of the magnitudes."""
    n_frames: int
    lost: tuple[tuple[int, str], ...] = ()
    """The numbers of recordings of which something could not be read, and why."""
    n_lost: int = 0
    """Frames of what could not be read, sounding or not."""

    def __add__(self, other: Sums) -> Sums:  # type: ignore[override]  # of tuples
        return Sums(
            self.numerator + other.numerator,
            self.divergence + other.divergence,
            self.level + other.level,
            self.n_frames + other.n_frames,
            self.lost + other.lost,
            self.n_lost + other.n_lost,
        )


def sums_of(blocks: Iterable[Array], W: Array) -> Sums:
    """Return what frames add to an update of W, computed here; see `passes.sums_of`."""
    n_components, n_bins = W.shape
    width = -(-n_bins // LANES) * LANES
    rows, numerator = zeros(n_components, width), zeros(n_components, width)
    rows[:, :n_bins] = W
    transposed = np.ascontiguousarray(rows.T)
    length = max(1, _TILE_VALUES // width)
    tile, model = zeros(length, width), zeros(length, width)
    divergence, level, n_frames = 0.0, 0.0, 0
    with one_blas_thread():
        for n in filled(tile, blocks):
            v, r = tile[:n], model[:n]
            h = _activations(v, rows, transposed, r)
            divergence += factor.divergence(v, np.matmul(h, rows, out=r))
            factor.ratio(v, r)
            numerator += h.T @ r
            level += float(v.sum(dtype=np.float64))
            n_frames += n
    return Sums(numerator[:, :n_bins].copy(), divergence, level, n_frames)


def filled(tile: Array, blocks: Iterable[Array]) -> Iterator[int]:
    """Fill a tile with frames, one block after the other; yield how many are in it, when it is full and at the end."""
    n = 0
    for block in blocks:
        done = 0
        while done < len(block):
            taken = block[done : done + len(tile) - n]
            tile[n : n + len(taken), : block.shape[1]] = taken
            n, done = n + len(taken), done + len(taken)
            if n == len(tile):
                yield n
                n = 0
    if n:
        yield n


def _activations(v: Array, W: Array, transposed: Array, model: Array) -> Array:
    """Return the activations of some frames, shape (n_frames, n_components); `model` is room to work in."""
    h = np.repeat(v.sum(axis=1, keepdims=True) / np.float32(len(W)), len(W), axis=1)
    for i in range(N_UPDATES):
        factor.ratio(v, np.matmul(h, W, out=model))
        gradient = model @ transposed
        factor.multiply(h, gradient if i == 0 else gradient**RELAXATION)
    return h
