"""The activations of a frame with W fixed, compiled: multiplicative updates, and the tiles that W lies in for them.

Arrays are float32 and C-contiguous. W lies in tiles of `TILE` bins, shape (n_tiles, n_components, TILE), so that a
tile is in the L1 cache when its second product comes. Indices are unsigned where loops must vectorise: numba lets
signed ones count from the end, which costs a comparison each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtnmf.kernels.compiling import FLOOR, compiled, power, zeros

__all__ = ["TILE", "add_model", "follow", "gradient", "normalise", "tiled", "track"]

Array = NDArray[np.float32]

TILE = 96
"""Bins of a tile: 64 components of it fill most of an L1 cache, and 513, 1025 and 2049 bins leave little over."""

_TILE = np.uintp(TILE)
_0, _1, _2, _3, _4 = (np.uintp(i) for i in range(5))
_LEAST = np.float32(1e-12)  # fraction of a frame below which an activation would only cost denormal arithmetic


def tiled(*sets: Array) -> Array:
    """Return sets of columns, each of shape (n_bins, n_components), in tiles, the last ones filled up with zeros."""
    n_bins, n_components = sets[0].shape
    n_tiles = -(-n_bins // TILE)
    tiles = zeros(len(sets), n_tiles, n_components, TILE)
    for one, W in zip(tiles, sets, strict=True):
        for t in range(n_tiles):
            rows = W[t * TILE : (t + 1) * TILE]
            one[t, :, : len(rows)] = rows.T
    return tiles


@compiled(inline=True)
def add_model(w: Array, first: np.uintp, h: Array, begin: np.uintp, end: np.uintp, r: Array) -> None:
    """Add to r the model of a tile that begins at w[first], by the components from `begin` to `end`."""
    o = first + begin * _TILE
    k = begin
    while k + _3 < end:
        a, b, c, d = h[k], h[k + _1], h[k + _2], h[k + _3]
        for i in range(_TILE):
            r[i] += (a * w[o + i] + b * w[o + _TILE + i]) + (c * w[o + _2 * _TILE + i] + d * w[o + _3 * _TILE + i])
        o += _4 * _TILE
        k += _4
    while k < end:
        a = h[k]
        for i in range(_TILE):
            r[i] += a * w[o + i]
        o += _TILE
        k += _1


@compiled(inline=True)
def _add_gradient(w: Array, first: np.uintp, r: Array, g: Array) -> None:
    """Add to g the products of a tile that begins at w[first] with r."""
    n_components = np.uintp(g.shape[0])
    zero = np.float32(0)
    o = first
    k = _0
    while k + _3 < n_components:
        a, b, c, d = zero, zero, zero, zero
        for i in range(_TILE):
            q = r[i]
            a += w[o + i] * q
            b += w[o + _TILE + i] * q
            c += w[o + _2 * _TILE + i] * q
            d += w[o + _3 * _TILE + i] * q
        g[k] += a
        g[k + _1] += b
        g[k + _2] += c
        g[k + _3] += d
        o += _4 * _TILE
        k += _4
    while k < n_components:
        a = zero
        for i in range(_TILE):
            a += w[o + i] * r[i]
        g[k] += a
        o += _TILE
        k += _1


@compiled(inline=True)
def gradient(v: Array, W: Array, h: Array, g: Array, r: Array) -> None:
    """Set g = W.T (v / (W h)), reading W from the L2 cache once."""
    w = W.reshape(-1)
    n_components = np.uintp(h.shape[0])
    g[:] = 0
    first = _0
    x = _0
    for _ in range(W.shape[0]):
        for i in range(_TILE):
            r[i] = FLOOR
        add_model(w, first, h, _0, n_components, r)
        for i in range(_TILE):
            r[i] = v[x + i] / r[i]
        _add_gradient(w, first, r, g)
        first += n_components * _TILE
        x += _TILE


@compiled(inline=True)
def follow(
    v: Array, W: Array, h: Array, g: Array, r: Array, n_iter: int, relaxation: np.float32, memory: np.float32
) -> None:
    """Update h for a frame v that sums to 1, from where the last frame left it; see `nmf.activations`."""
    n_components = h.shape[0]
    uniform = np.float32(1) / np.float32(n_components)
    total = h.sum()
    if total > 0:
        for k in range(n_components):
            h[k] = memory * h[k] / total + (np.float32(1) - memory) * uniform
    else:
        h[:] = uniform
    for i in range(n_iter):
        gradient(v, W, h, g, r)
        if i > 0:
            for k in range(n_components):
                g[k] = power(g[k], relaxation)
        for k in range(n_components):
            a = h[k] * g[k]
            h[k] = a if a > _LEAST else np.float32(0)


@compiled(inline=True)
def normalise(v: Array) -> np.float32:
    """Divide v by its sum and return that, or 0 for silence."""
    total = v.sum()
    if not total > FLOOR:
        return np.float32(0)
    v *= np.float32(1) / total
    return total


@compiled()
def track(V: Array, W: Array, H: Array, n_iter: int, relaxation: np.float32, memory: np.float32) -> None:
    """Write the activations of a stream of frames, the rows of V, to the rows of H."""
    h, g, r = np.zeros(H.shape[1], np.float32), np.empty(H.shape[1], np.float32), np.empty(_TILE, np.float32)
    v = np.zeros(W.shape[0] * _TILE, np.float32)
    for t in range(V.shape[0]):
        v[: V.shape[1]] = V[t]
        level = normalise(v)
        if level > 0:
            follow(v, W, h, g, r, n_iter, relaxation, memory)
        else:
            h[:] = 0
        for k in range(h.shape[0]):
            H[t, k] = h[k] * level
