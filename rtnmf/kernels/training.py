"""The compiled inner loops of the discriminative training, between its matrix products.

Arrays are C-contiguous and frames-major: a spectrum is a row, a component is a row. They are float32; float64 is for
comparing gradients with finite differences.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtnmf.kernels.compiling import compiled, exp2

__all__ = ["LEAST", "add_filtered", "descend", "loss", "pool", "project", "ratios", "through_ratios"]

Array = NDArray[Any]

LEAST = np.float32(1e-12)
"""Added to a model before a division."""

_PER_LOG_2 = np.float32(1 / np.log(2))
_TURN = 2 * np.pi * np.arange(256) / 256
_COS, _SIN = np.cos(_TURN).astype(np.float32), np.sin(_TURN).astype(np.float32)
_0, _1 = np.float32(0), np.float32(1)


@compiled()
def ratios(v: Array, WH: Array, ratio: Array) -> None:
    """Set ratio = v / WH, and replace WH by its inverse."""
    for t in range(v.shape[0]):
        a, m, q = v[t], WH[t], ratio[t]
        for b in range(v.shape[1]):
            inverse = _1 / (m[b] + LEAST)
            m[b] = inverse
            q[b] = a[b] * inverse


@compiled()
def through_ratios(gradient: Array, ratio: Array, inverse: Array) -> None:
    """Replace the gradient with respect to v / WH by that with respect to WH."""
    for t in range(gradient.shape[0]):
        g, q, i = gradient[t], ratio[t], inverse[t]
        for b in range(gradient.shape[1]):
            g[b] *= -q[b] * i[b]


@compiled()
def loss(spectra: Array, magnitudes: Array, targets: Array, forgiven: float) -> float:
    """Return the loss of the model spectra of the sources, and replace them by its gradient with respect to them.

    It is the mean over the sources of the logarithm of `error / energy + forgiven`, where the error is what the mask
    leaves between the mixture and the target: to the frames of a mixture what SI-SDR, but for a scale, is to signals.
    For a source that is absent, or as good as that, the energy is that of the mixture.

    spectra, targets : array, shape (n_sources, n_frames, n_bins)
    magnitudes : array, shape (n_frames, n_bins)
    """
    n_sources, n_frames, n_bins = spectra.shape
    inverse = np.zeros_like(magnitudes)
    errors, energies, whole = np.zeros(n_sources), np.zeros(n_sources), 0.0
    for t in range(n_frames):
        x, i = magnitudes[t], inverse[t]
        for s in range(n_sources):
            m = spectra[s, t]
            for b in range(n_bins):
                i[b] += m[b]
        squares = _0
        for b in range(n_bins):
            i[b] = _1 / i[b]
            squares += x[b] * x[b]
        whole += float(squares)
        for s in range(n_sources):
            m, target = spectra[s, t], targets[s, t]
            error, squares = _0, _0
            for b in range(n_bins):
                m[b] *= i[b]
                off = m[b] * x[b] - target[b]
                error += off * off
                squares += target[b] * target[b]
            errors[s] += error
            energies[s] += squares
    value = 0.0
    slopes = np.empty(n_sources, spectra.dtype)
    for s in range(n_sources):
        energy = (energies[s] if energies[s] > forgiven * whole else whole) + 1e-9
        least = errors[s] + forgiven * energy
        value += np.log(least / energy) / n_sources
        slopes[s] = 2 / (n_sources * least)
    mean = np.empty(n_bins, spectra.dtype)
    for t in range(n_frames):
        x, i = magnitudes[t], inverse[t]
        mean[:] = 0
        for s in range(n_sources):
            m, target, slope = spectra[s, t], targets[s, t], slopes[s]
            for b in range(n_bins):
                mean[b] += m[b] * (m[b] * x[b] - target[b]) * x[b] * slope
        for s in range(n_sources):
            m, target, slope = spectra[s, t], targets[s, t], slopes[s]
            for b in range(n_bins):
                m[b] = ((m[b] * x[b] - target[b]) * x[b] * slope - mean[b]) * i[b]
    return value


@compiled()
def pool(magnitudes: Array, edges: NDArray[np.int_], pooled: Array) -> None:
    """Set the sums of magnitudes over the bins from each edge to the next; the last one is their number."""
    for t in range(magnitudes.shape[0]):
        for i in range(len(edges) - 1):
            total = _0
            for b in range(edges[i], edges[i + 1]):
                total += magnitudes[t, b]
            pooled[t, i] = total


@compiled()
def add_filtered(
    real: Array,
    imag: Array,
    rows: NDArray[np.int_],
    magnitudes: Array,
    phases: NDArray[np.uint8],
    filters: Array,
    which: NDArray[np.int_],
) -> None:
    """Add magnitudes, each filtered by which one of the filters, to rows of a spectrum; phases are 256ths of a turn."""
    for i in range(len(rows)):
        x, y, a, f, phase = real[rows[i]], imag[rows[i]], magnitudes[i], filters[which[i]], phases[i]
        for b in range(len(a)):
            filtered = a[b] * f[b]
            x[b] += filtered * _COS[phase[b]]
            y[b] += filtered * _SIN[phase[b]]


@compiled()
def project(real: Array, imag: Array, magnitudes: Array) -> None:
    """Set the magnitudes of the mixture of sources, and replace their real parts by those in its direction.

    real, imag : array, shape (n_sources, n_frames, n_bins)
    magnitudes : array, shape (n_frames, n_bins)
    """
    n_sources, n_frames, n_bins = real.shape
    c, s = np.empty(n_bins, np.float32), np.empty(n_bins, np.float32)
    for t in range(n_frames):
        magnitude = magnitudes[t]
        c[:] = 0
        s[:] = 0
        for i in range(n_sources):
            x, y = real[i, t], imag[i, t]
            for b in range(n_bins):
                c[b] += x[b]
                s[b] += y[b]
        for b in range(n_bins):
            magnitude[b] = np.sqrt(c[b] * c[b] + s[b] * s[b])
            inverse = _1 / (magnitude[b] + np.float32(1e-20))
            c[b] *= inverse
            s[b] *= inverse
        for i in range(n_sources):
            x, y = real[i, t], imag[i, t]
            for b in range(n_bins):
                x[b] = x[b] * c[b] + y[b] * s[b]


@compiled()
def descend(
    logits: Array,
    columns: Array,
    mean: Array,
    square: Array,
    one: Array,
    other: Array,
    rate: np.float32,
    scale: np.float32,
) -> None:
    """Take a step of Adam along the mean of two gradients by the columns, which are the softmax of each row of logits.

    mean, square : array, shape as the columns
        The moments of the gradient, decaying by 0.9 and 0.99.
    rate, scale : float
        Of the step, and of the square, with the corrections for how young the moments are.
    """
    half = np.float32(0.5)
    for k in range(logits.shape[0]):
        x, w, m, s, a, c = logits[k], columns[k], mean[k], square[k], one[k], other[k]
        along = _0
        for b in range(len(x)):
            along += w[b] * (a[b] + c[b]) * half
        for b in range(len(x)):
            g = w[b] * ((a[b] + c[b]) * half - along)
            m[b] += np.float32(0.1) * (g - m[b])
            s[b] += np.float32(0.01) * (g * g - s[b])
            x[b] -= rate * m[b] / (np.sqrt(s[b] * scale) + np.float32(1e-10))
        _softmax(x, w)


@compiled(inline=True)
def _softmax(x: Array, w: Array) -> None:
    highest = x[0]
    for b in range(len(x)):
        highest = max(highest, x[b])
    total = _0
    for b in range(len(x)):
        w[b] = exp2(max((x[b] - highest) * _PER_LOG_2, np.float32(-123)))
        total += w[b]
    inverse = _1 / total
    for b in range(len(x)):
        w[b] *= inverse
