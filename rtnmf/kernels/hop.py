"""One hop of a stream, compiled: window, FFT, magnitudes, updates, grouped masks, inverse FFTs, overlap-add.

A frame is explained by the components, and once more by trained columns where there are some; the masks are those
that both explanations agree on. Nothing here checks, allocates or waits, and the interpreter lock is released. Who
calls it owns all arrays, float32 and C-contiguous but for the spectra. W lies in tiles of `TILE` bins, shape
(n_tiles, n_components, TILE), so that a tile is in the L1 cache when its second product comes. Indices are unsigned
where loops must vectorise: numba lets signed ones count from the end, which costs a comparison each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rocket_fft import c2r, r2c

from rtnmf.kernels.compiling import FLOOR, compiled, power, zeros

__all__ = ["MEMORY", "RELAXATION", "TILE", "Plan", "Stream", "forget", "process", "started", "tiled", "track"]

Array = NDArray[np.float32]
Spectra = NDArray[np.complex64]

TILE = 96
"""Bins of a tile: 64 components of it fill most of an L1 cache, and 513, 1025 and 2049 bins leave little over."""

RELAXATION = np.float32(1.7)
"""Exponent of the second and later updates."""

MEMORY = np.float32(0.9)
"""Part of the last frame's activations in the start of the next."""

_TILE = np.uintp(TILE)
_0, _1, _2, _3, _4 = (np.uintp(i) for i in range(5))
_REACH = np.float32(1e-4)  # as in `masking`
_QUIET = np.float32(1e-10)  # -200 dB; what is below would only cost denormal arithmetic
_LOUD = np.float32(1e9)  # beyond which a spectrum could overflow
_LEAST = np.float32(1e-12)  # part of a frame below which an activation is 0, for the same reason
_ALONG = np.array([1])
_N_REMEMBERED = 5


class Plan(NamedTuple):
    """What stays the same while a stream runs."""

    hop_length: int
    analysis_window: Array
    """Shape (n_fft,)."""
    synthesis_window: Array
    """Shape (latency,)."""
    W: Array
    """What finds the activations in each explanation: columns in tiles, those of a source side by side."""
    M: Array
    """What the masks are made of, as W; or W itself."""
    memory: Array
    """Part of the last frame's activations in the start of the next, shape (n_explanations,)."""
    weights: Array
    """Powers that the models of the explanations are raised to before they are multiplied, same shape."""
    bounds: NDArray[np.uintp]
    """Source i has the components bounds[i] to bounds[i + 1], shape (n_sources + 1,)."""
    mask_power: np.float32


class Stream(NamedTuple):
    """What a stream remembers (the first five), and room to work in."""

    position: NDArray[np.int64]
    """Samples of the current hop so far, shape (1,)."""
    history: Array
    """The samples of the current frame so far, shape (n_channels, n_fft)."""
    overlap: Array
    """What is to go out, shape (n_outputs, n_channels, latency)."""
    h: Array
    """The activations of the last frame as parts of 1, shape (n_explanations, n_components)."""
    level: Array
    """The sum of the magnitudes of the last frame, shape (1,)."""
    frames: Array
    """Shape (n_channels, n_fft)."""
    spectrum: Spectra
    """Shape (n_channels, n_bins)."""
    v: Array
    """Shape (n_tiles * TILE,)."""
    g: Array
    """Shape (n_components,)."""
    r: Array
    """Shape (TILE,)."""
    shares: Array
    """Shape (n_sources, TILE)."""
    separated: Spectra
    """Shape (n_outputs * n_channels, n_bins)."""
    tails: Array
    """Shape (n_outputs * n_channels, n_fft)."""


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


def started(plan: Plan, n_channels: int, n_outputs: int) -> Stream:
    """Return a stream that has heard nothing."""
    n_fft, n_bins = len(plan.analysis_window), len(plan.analysis_window) // 2 + 1
    n_explanations, n_tiles, n_components, _ = plan.W.shape
    n_rows, n_sources = n_outputs * n_channels, len(plan.bounds) - 1
    return Stream(
        position=np.zeros(1, np.int64),
        history=zeros(n_channels, n_fft),
        overlap=zeros(n_outputs, n_channels, len(plan.synthesis_window)),
        h=zeros(n_explanations, n_components),
        level=zeros(1),
        frames=zeros(n_channels, n_fft),
        spectrum=zeros(n_channels, 2 * n_bins).view(np.complex64),
        v=zeros(n_tiles * TILE),
        g=zeros(n_components),
        r=zeros(TILE),
        shares=zeros(n_sources, TILE),
        separated=zeros(n_rows, 2 * n_bins).view(np.complex64),
        tails=zeros(n_rows, n_fft),
    )


def forget(stream: Stream) -> None:
    """Let the next sample be the first one."""
    for state in stream[:_N_REMEMBERED]:
        state[:] = 0


@compiled(inline=True)
def _add_model(w: Array, first: np.uintp, h: Array, begin: np.uintp, end: np.uintp, r: Array) -> None:
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
        _add_model(w, first, h, _0, n_components, r)
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


@compiled(inline=True)
def analyse(plan: Plan, stream: Stream) -> None:
    """Transform the last frame, and set v to the sum over the channels of its magnitudes, divided by its own sum."""
    frames, spectrum, v = stream.frames, stream.spectrum, stream.v
    n_channels, n_fft = frames.shape
    for c in range(n_channels):
        for i in range(n_fft):
            frames[c, i] = stream.history[c, i] * plan.analysis_window[i]
    r2c(frames, spectrum, _ALONG, True, 1.0, 1)
    v[:] = 0
    for c in range(n_channels):
        for b in range(spectrum.shape[1]):
            x = spectrum[c, b]
            v[b] += np.sqrt(x.real * x.real + x.imag * x.imag)
    stream.level[0] = normalise(v)


@compiled(inline=True)
def explain(plan: Plan, stream: Stream, n_iter: int) -> None:
    """Find the activations of the frame, in each explanation."""
    for e in range(plan.W.shape[0]):
        follow(stream.v, plan.W[e], stream.h[e], stream.g, stream.r, n_iter, RELAXATION, plan.memory[e])


@compiled(inline=True)
def share(plan: Plan, h: Array, n_bins: int, first: np.uintp, shares: Array, r: Array) -> None:
    """Set the shares of the sources in the bins of a tile that begins at w[first]; see `masking.soft_masks`."""
    for s in range(shares.shape[0]):
        begin, end = plan.bounds[s], plan.bounds[s + 1]
        shares[s] = 1
        for e in range(h.shape[0]):
            r[:] = _REACH / np.float32(n_bins) * h[e, begin:end].sum()
            _add_model(plan.M[e].reshape(-1), first, h[e], begin, end, r)
            multiply(shares[s], r, plan.weights[e])
    if plan.mask_power != 1:
        sharpen(shares, r, plan.mask_power)
    r[:] = 0
    for s in range(shares.shape[0]):
        for i in range(_TILE):
            r[i] += shares[s, i]
    for s in range(shares.shape[0]):
        for i in range(_TILE):
            shares[s, i] /= r[i]


@compiled(inline=True)
def multiply(x: Array, y: Array, exponent: np.float32) -> None:
    """Multiply x by a power of y."""
    if exponent == 1:
        for i in range(_TILE):
            x[i] *= y[i]
    else:
        for i in range(_TILE):
            x[i] *= power(y[i], exponent)


@compiled(inline=True)
def sharpen(shares: Array, largest: Array, exponent: np.float32) -> None:
    """Raise the shares of each bin, as parts of the largest, to a power."""
    largest[:] = 0
    for s in range(shares.shape[0]):
        for i in range(_TILE):
            largest[i] = max(largest[i], shares[s, i])
    for s in range(shares.shape[0]):
        for i in range(_TILE):
            shares[s, i] = power(shares[s, i] / largest[i], exponent)


@compiled(inline=True)
def weigh(shares: Array, gains: Array, begin: int, spectrum: Spectra, separated: Spectra, weights: Array) -> None:
    """Multiply the bins from `begin` on by the mask of each output, the sources' shares weighed by the gains."""
    n_channels, n_bins = spectrum.shape
    n = min(TILE, n_bins - begin)
    for o in range(gains.shape[0]):
        weights[:] = 0
        for s in range(shares.shape[0]):
            gain = gains[o, s]
            if gain != 0:
                for i in range(_TILE):
                    weights[i] += gain * shares[s, i]
        for c in range(n_channels):
            x, y = spectrum[c, begin:], separated[o * n_channels + c, begin:]
            for i in range(n):
                y[i] = x[i] * weights[i]


@compiled(inline=True)
def synthesise(plan: Plan, stream: Stream) -> None:
    """Transform the outputs back, and add the last `latency` samples of each to what is to go out."""
    n_outputs, n_channels, latency = stream.overlap.shape
    n_fft = stream.tails.shape[1]
    c2r(stream.separated, stream.tails, _ALONG, False, 1.0 / n_fft, 1)
    for o in range(n_outputs):
        for c in range(n_channels):
            overlap, tail = stream.overlap[o, c], stream.tails[o * n_channels + c, n_fft - latency :]
            for i in range(latency):
                overlap[i] += tail[i] * plan.synthesis_window[i]


@compiled(inline=True)
def hop(plan: Plan, stream: Stream, gains: Array, n_iter: int) -> None:
    """Separate the frame that is complete, and make room for the next hop."""
    advance(stream.overlap, plan.hop_length)
    analyse(plan, stream)
    if stream.level[0] > 0:
        explain(plan, stream, n_iter)
        mask(plan, stream, gains)
        synthesise(plan, stream)
    else:
        stream.h[:] = 0
    advance(stream.history, plan.hop_length)


@compiled(inline=True)
def mask(plan: Plan, stream: Stream, gains: Array) -> None:
    """Set the spectra of the outputs, tile by tile."""
    tile_values = np.uintp(plan.W.shape[2]) * _TILE
    first = _0
    for t in range(plan.W.shape[1]):
        share(plan, stream.h, stream.spectrum.shape[1], first, stream.shares, stream.r)
        weigh(stream.shares, gains, t * TILE, stream.spectrum, stream.separated, stream.r)
        first += tile_values


@compiled(inline=True)
def advance(x: Array, n: int) -> None:
    """Move the last axis on by n samples, and fill up with zeros."""
    length = x.shape[-1]
    rows = x.reshape(-1, length)
    for row in rows:
        for i in range(length - n):
            row[i] = row[i + n]
        row[length - n :] = 0


@compiled(fastmath=False)
def process(plan: Plan, stream: Stream, block: Array, outputs: Array, gains: Array, n_iter: int) -> None:
    """Take a block, shape (n_samples, n_channels), and fill the outputs, shape (n_outputs, n_samples, n_channels)."""
    n_samples, hop_length = block.shape[0], plan.hop_length
    start = stream.history.shape[1] - hop_length
    done, position = 0, stream.position[0]
    while done < n_samples:
        n = min(hop_length - position, n_samples - done)
        for c in range(block.shape[1]):
            for i in range(n):
                stream.history[c, start + position + i] = usable(block[done + i, c])
            for o in range(outputs.shape[0]):
                for i in range(n):
                    outputs[o, done + i, c] = stream.overlap[o, c, position + i]
        done += n
        position += n
        if position == hop_length:
            hop(plan, stream, gains, n_iter)
            position = 0
    stream.position[0] = position


@compiled(fastmath=False, inline=True)
def usable(x: np.float32) -> np.float32:
    """Return a sample, 0 when it is not finite, too loud for a spectrum, or too quiet to matter."""
    return x if _QUIET < abs(x) < _LOUD else np.float32(0)
