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

_PAIR_FLOOR = np.float32(1e-15)  # the product of two of them is still a normal number
_FLUSH = np.float32(1e-25)
_TILE = 256

_LOG_2 = np.float32(np.log(2))
_ROOT_HALF_BITS = np.sqrt(np.float32(0.5)).view(np.int32)


def _series() -> tuple[np.float32, ...]:
    """Return the coefficients of a polynomial for log(1 + m) / m, where 1 + m is from sqrt(1/2) to sqrt(2)."""
    low, high = np.sqrt(0.5) - 1, np.sqrt(2) - 1
    nodes = (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (np.arange(10) + 0.5) / 10)
    return tuple(np.polynomial.Polynomial.fit(nodes, np.log1p(nodes) / nodes, 9).convert().coef.astype(np.float32))


_LOG_SERIES = _series()


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
def _log(x: np.float32) -> np.float32:
    """Return the natural logarithm of a normal number: that of its exponent plus a polynomial for its mantissa."""
    bits = np.float32(x).view(np.int32)
    exponent = (bits - _ROOT_HALF_BITS) >> np.int32(23)
    m = np.int32(bits - (exponent << np.int32(23))).view(np.float32) - np.float32(1)
    p = _LOG_SERIES[9]
    p = p * m + _LOG_SERIES[8]
    p = p * m + _LOG_SERIES[7]
    p = p * m + _LOG_SERIES[6]
    p = p * m + _LOG_SERIES[5]
    p = p * m + _LOG_SERIES[4]
    p = p * m + _LOG_SERIES[3]
    p = p * m + _LOG_SERIES[2]
    p = p * m + _LOG_SERIES[1]
    p = p * m + _LOG_SERIES[0]
    return p * m + np.float32(exponent) * _LOG_2


@_compiled
def divergence(V: Array, WH: Array) -> np.float64:
    """Return the KL divergence of V from WH, in float32 within a tile, summed up in float64."""
    total = np.float64(0)
    for t in range(V.shape[0]):
        for start in range(0, V.shape[1], _TILE):
            v = V[t, start : start + _TILE]
            wh = WH[t, start : start + _TILE]
            s = np.float32(0)
            for b in range(v.shape[0]):
                m = wh[b] + FLOOR
                s += m - v[b] + v[b] * _log(v[b] / m + FLOOR)
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
