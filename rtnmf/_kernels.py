"""The compiled inner loops of the factorisation. They check nothing: `nmf` does.

All arrays are float32, C-contiguous and frames-major: a spectrum is a row, a component is a row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

# `error_model="numpy"` lets divisions vectorise; NaN and Inf never come in, so fastmath may assume none.
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": True, "nogil": True}

FLOOR = np.float32(1e-30)
"""Added to every model spectrum before a division, so that empty bins and silent frames give 0, not NaN."""

_FLUSH = np.float32(1e-25)
_TILE = 256


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    try:
        return numba.njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # no folder to keep the compiled code in: compile anew in each process
        return numba.njit(**_OPTIONS)(function)


@_compiled
def ratio(V: Array, WH: Array) -> None:
    """Replace WH by V / WH."""
    for t in range(V.shape[0]):
        v = V[t]
        wh = WH[t]
        for b in range(v.shape[0]):
            wh[b] = v[b] / (wh[b] + FLOOR)


@_compiled
def ratio_and_surplus(V: Array, WH: Array) -> np.float64:
    """Replace WH by V / WH, floored for a logarithm, and return sum(WH - V), summed up in float64 tile by tile."""
    surplus = np.float64(0)
    for t in range(V.shape[0]):
        for start in range(0, V.shape[1], _TILE):
            v = V[t, start : start + _TILE]
            wh = WH[t, start : start + _TILE]
            s = np.float32(0)
            for b in range(v.shape[0]):
                s += wh[b] - v[b]
                wh[b] = v[b] / (wh[b] + FLOOR) + FLOOR
            surplus += np.float64(s)
    return surplus


@_compiled
def dot(A: Array, B: Array) -> np.float64:
    """Return the sum of the products, summed up in float64 tile by tile."""
    total = np.float64(0)
    for t in range(A.shape[0]):
        for start in range(0, A.shape[1], _TILE):
            a = A[t, start : start + _TILE]
            b = B[t, start : start + _TILE]
            s = np.float32(0)
            for i in range(a.shape[0]):
                s += a[i] * b[i]
            total += np.float64(s)
    return total


@_compiled
def _flushed(a: np.float32) -> np.float32:
    """Return a, or 0 when it is too small to matter and would only cost denormal arithmetic."""
    return a if a > _FLUSH else np.float32(0)


@_compiled
def multiply(A: Array, G: Array) -> None:
    """Multiply A by G."""
    for t in range(A.shape[0]):
        for k in range(A.shape[1]):
            A[t, k] = _flushed(A[t, k] * G[t, k])


@_compiled
def sweep(V: Array, W: Array, H: Array, numerator: Array) -> None:
    """Update H with four components, then add V / (H W) times H to the numerator of W; V / (H W) stays in registers.

    A matrix product gains nothing from so few components; here the divisions are the limit.
    """
    n_bins = V.shape[1]
    w0, w1, w2, w3 = W[0], W[1], W[2], W[3]
    r = np.empty(n_bins, np.float32)
    for t in range(V.shape[0]):
        v, h = V[t], H[t]
        h0, h1, h2, h3 = h[0], h[1], h[2], h[3]
        g0, g1, g2, g3 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        for b in range(n_bins):
            q = v[b] / (h0 * w0[b] + h1 * w1[b] + h2 * w2[b] + h3 * w3[b] + FLOOR)
            g0 += w0[b] * q
            g1 += w1[b] * q
            g2 += w2[b] * q
            g3 += w3[b] * q
        h0, h1, h2, h3 = _flushed(h0 * g0), _flushed(h1 * g1), _flushed(h2 * g2), _flushed(h3 * g3)
        h[0], h[1], h[2], h[3] = h0, h1, h2, h3
        for b in range(n_bins):
            r[b] = v[b] / (h0 * w0[b] + h1 * w1[b] + h2 * w2[b] + h3 * w3[b] + FLOOR)
        for k in range(4):
            n, a = numerator[k], h[k]
            for b in range(n_bins):
                n[b] += a * r[b]


@_compiled
def _gradient(v: Array, W: Array, h: Array, g: Array, r: Array) -> None:
    """Set g = W (v / (h W)), reading each tile of W once: its first product leaves it in the cache for the second."""
    n_components, n_bins = W.shape
    g[:] = 0
    for start in range(0, n_bins, _TILE):
        stop = min(n_bins, start + _TILE)
        n = stop - start
        r[:n] = FLOOR
        for k in range(n_components):
            w = W[k, start:stop]
            a = h[k]
            for b in range(n):
                r[b] += a * w[b]
        x = v[start:stop]
        for b in range(n):
            r[b] = x[b] / r[b]
        for k in range(n_components):
            w = W[k, start:stop]
            s = np.float32(0)
            for b in range(n):
                s += w[b] * r[b]
            g[k] += s


@_compiled
def track(V: Array, W: Array, h: Array, H: Array, n_iter: int, exponent: np.float32, memory: np.float32) -> None:
    """Follow a stream: for each frame of V, update h from where the last frame left it, and write it to H."""
    n_components = W.shape[0]
    g = np.empty(n_components, np.float32)
    r = np.empty(_TILE, np.float32)
    v = np.empty(V.shape[1], np.float32)
    for t in range(V.shape[0]):
        total = 0.0
        for b in range(v.shape[0]):
            total += V[t, b]
        if not total > FLOOR:
            h[:] = 0
            H[t] = 0
            continue
        for b in range(v.shape[0]):
            v[b] = V[t, b] / total
        mean = h.sum() / n_components
        if mean > 0:
            for k in range(n_components):
                h[k] = memory * h[k] / mean + (1 - memory)
        else:
            h[:] = 1
        h /= n_components
        for i in range(n_iter):
            _gradient(v, W, h, g, r)
            for k in range(n_components):
                h[k] *= g[k] if i == 0 else g[k] ** exponent
        H[t] = h * total


@_compiled
def group(W: Array, h: Array, bounds: NDArray[np.intp], spectra: Array) -> None:
    """Set spectra[i] to the sum of the components bounds[i] to bounds[i + 1], each times its activation."""
    for i in range(spectra.shape[0]):
        s = spectra[i]
        s[:] = 0
        for k in range(bounds[i], bounds[i + 1]):
            w = W[k]
            a = h[k]
            for b in range(s.shape[0]):
                s[b] += a * w[b]
