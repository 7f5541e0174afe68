"""The compiled inner loops of the factorisation. They check nothing: `nmf` does.

All arrays are float32, C-contiguous and frames-major: a spectrum is a row, a component is a row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtnmf.kernels.compiling import FLOOR, compiled, log

Array = NDArray[np.float32]

FLUSH = np.float32(1e-25)
"""An activation that is no more than this becomes 0."""

_PAIR_FLOOR = np.float32(1e-15)  # the product of two of them is still a normal number
_TILE = 256


@compiled()
def ratio(V: Array, WH: Array) -> None:
    """Replace WH by V / WH."""
    for t in range(V.shape[0]):
        v = V[t]
        wh = WH[t]
        for b in range(v.shape[0]):
            wh[b] = v[b] / (wh[b] + FLOOR)


@compiled()
def divergence(V: Array, WH: Array) -> np.float64:
    """Return the KL divergence of V from WH, in float32 within a tile, summed up in float64."""
    total = np.float64(0)
    for t in range(V.shape[0]):
        for start in range(0, V.shape[1], _TILE):
            v = V[t, start : start + _TILE]
            wh = WH[t, start : start + _TILE]
            s = np.float32(0)
            for b in range(v.shape[0]):
                s += _term(v[b], wh[b] + FLOOR)
            total += np.float64(s)
    return total


@compiled()
def divergence_of_four(V: Array, W: Array, H: Array) -> np.float64:
    """Return the KL divergence of V from H W with four components, without storing H W."""
    total = np.float64(0)
    for start in range(0, V.shape[1], _TILE):
        stop = min(start + _TILE, V.shape[1])
        w0, w1, w2, w3 = W[0, start:stop], W[1, start:stop], W[2, start:stop], W[3, start:stop]
        for t in range(V.shape[0]):
            v, h0, h1, h2, h3 = V[t, start:stop], H[t, 0], H[t, 1], H[t, 2], H[t, 3]
            s = np.float32(0)
            for b in range(v.shape[0]):
                s += _term(v[b], h0 * w0[b] + h1 * w1[b] + h2 * w2[b] + h3 * w3[b] + FLOOR)
            total += np.float64(s)
    return total


@compiled(inline=True)
def _term(v: np.float32, m: np.float32) -> np.float32:
    """Return what a value of V and its model, which is not 0, add to the divergence."""
    return m - v + v * log(v / m + FLOOR)


@compiled(inline=True)
def _flushed(a: np.float32) -> np.float32:
    """Return a, or 0 when it is too small to matter and would only cost denormal arithmetic."""
    return a if a > FLUSH else np.float32(0)


@compiled()
def multiply(A: Array, G: Array) -> None:
    """Multiply A by G."""
    for t in range(A.shape[0]):
        for k in range(A.shape[1]):
            A[t, k] = _flushed(A[t, k] * G[t, k])


@compiled()
def sweep(V: Array, W: Array, H: Array, numerator: Array) -> None:
    """Update H with four components, then add V / (H W) times H to the numerator of W; V / (H W) is never stored.

    A matrix product gains nothing from so few components; here divisions and loads are the limit. So frames are
    taken in pairs, which share the loads, and one division: `a / m = a n / (m n)`. The number of frames is even.
    """
    n_bins = V.shape[1]
    w0, w1, w2, w3 = W[0], W[1], W[2], W[3]
    n0, n1, n2, n3 = numerator[0], numerator[1], numerator[2], numerator[3]
    zero, one = np.float32(0), np.float32(1)
    for t in range(0, V.shape[0], 2):
        v, u, h, k = V[t], V[t + 1], H[t], H[t + 1]
        h0, h1, h2, h3 = h[0], h[1], h[2], h[3]
        k0, k1, k2, k3 = k[0], k[1], k[2], k[3]
        g0, g1, g2, g3 = zero, zero, zero, zero
        f0, f1, f2, f3 = zero, zero, zero, zero
        for b in range(n_bins):
            m = h0 * w0[b] + h1 * w1[b] + h2 * w2[b] + h3 * w3[b] + _PAIR_FLOOR
            n = k0 * w0[b] + k1 * w1[b] + k2 * w2[b] + k3 * w3[b] + _PAIR_FLOOR
            r = one / (m * n)
            q, p = v[b] * n * r, u[b] * m * r
            g0 += w0[b] * q
            g1 += w1[b] * q
            g2 += w2[b] * q
            g3 += w3[b] * q
            f0 += w0[b] * p
            f1 += w1[b] * p
            f2 += w2[b] * p
            f3 += w3[b] * p
        h0, h1, h2, h3 = _flushed(h0 * g0), _flushed(h1 * g1), _flushed(h2 * g2), _flushed(h3 * g3)
        k0, k1, k2, k3 = _flushed(k0 * f0), _flushed(k1 * f1), _flushed(k2 * f2), _flushed(k3 * f3)
        h[0], h[1], h[2], h[3] = h0, h1, h2, h3
        k[0], k[1], k[2], k[3] = k0, k1, k2, k3
        for b in range(n_bins):
            m = h0 * w0[b] + h1 * w1[b] + h2 * w2[b] + h3 * w3[b] + _PAIR_FLOOR
            n = k0 * w0[b] + k1 * w1[b] + k2 * w2[b] + k3 * w3[b] + _PAIR_FLOOR
            r = one / (m * n)
            q, p = v[b] * n * r, u[b] * m * r
            n0[b] += h0 * q + k0 * p
            n1[b] += h1 * q + k1 * p
            n2[b] += h2 * q + k2 * p
            n3[b] += h3 * q + k3 * p
