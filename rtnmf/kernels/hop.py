"""One hop of a stream, compiled: window, FFT, magnitudes, updates, masks, inverse FFTs, overlap-add.

A frame is explained by the components, and once more by trained columns where there are some; the masks are those
that both explanations agree on. Where experts are asked, `advised` takes over. Nothing here checks, allocates or waits,
and the interpreter lock is released. Who calls it owns all arrays, float32 and C-contiguous but for the spectra. W and
M lie in tiles, see `updates`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rocket_fft import c2r, r2c

from rtnmf.kernels.compiling import compiled, power, zeros
from rtnmf.kernels.updates import TILE, add_model, follow, normalise

__all__ = [
    "FAINTEST",
    "INDEPENDENT",
    "LOUDEST",
    "QUIETEST",
    "Plan",
    "Stream",
    "process",
    "reset",
    "started",
]

Array = NDArray[np.float32]
Spectra = NDArray[np.complex64]

LOUDEST = np.float32(1e9)
"""Samples that are not below it count as silence: their spectrum could overflow."""

QUIETEST = np.float32(1e-10)
"""Samples that are not above it, -200 dB, count as silence: they would only cost denormal arithmetic."""

_TILE = np.uintp(TILE)
_0 = np.uintp(0)
FAINTEST = np.float32(1e-37)
_ALONG = np.array([1])
_N_REMEMBERED = 8


class Plan(NamedTuple):
    """What stays the same while a stream runs."""

    hop_length: int
    analysis_window: Array
    """Shape (n_fft,)."""
    synthesis_window: Array
    """Shape (latency,)."""
    trend_basis: Array
    """Basis of what is inaudibly low in a windowed frame, shape (n_terms, n_fft)."""
    W: Array
    """What finds the activations in each explanation: columns in tiles, those of a source side by side."""
    M: Array
    """What the masks are made of, as W; or W itself."""
    memory: Array
    """Fraction of the last frame's activations in the start of the next, shape (n_explanations,)."""
    weights: Array
    """Powers that the models of the explanations are raised to before they are multiplied, same shape."""
    relaxation: np.float32
    """Exponent of the second and later updates."""
    reach: np.float32
    """Fraction of the mean level of a model that is added to it, divided among the sources as the whole frame is."""
    low_shares: Array
    """The constant share of each source in what is inaudibly low, shape (n_sources,)."""
    bounds: NDArray[np.uintp]
    """Source i has the components bounds[i] to bounds[i + 1], shape (n_sources + 1,)."""
    mask_power: np.float32

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, tuple(self)


def _restored(*parts: Any) -> Plan:
    """Return the plan that was pickled or copied, with arrays of the kinds that it had: others would be compiled for.

    Pickled arrays can be written to, whether they could before or not, and begin anywhere.
    """
    plan = Plan(*parts)
    W = _aligned(plan.W)
    plan = plan._replace(W=W, M=W if plan.M is plan.W else _aligned(plan.M))
    for window in (plan.analysis_window, plan.synthesis_window):
        window.flags.writeable = False
    return plan


def _aligned(columns: Array) -> Array:
    copy = zeros(*columns.shape)
    copy[:] = columns
    return copy


class Stream(NamedTuple):
    """What a stream remembers (the first eight), and room to work in."""

    position: NDArray[np.int64]
    """Samples of the current hop so far, shape (1,)."""
    history: Array
    """The samples of the current frame so far, shape (n_channels, n_fft)."""
    overlap: Array
    """What is to go out, shape (n_sources, n_channels, latency)."""
    h: Array
    """The activations of the last frame as parts of 1, shape (n_explanations, n_components)."""
    level: Array
    """The sum of the magnitudes of the last frame, shape (1,)."""
    last_spectrum: Spectra
    """Of the last frame, where experts are asked, shape (n_channels, n_bins)."""
    last_shares: Array
    """What the explanations say of it, shape (n_tiles, n_sources, TILE)."""
    last_trends: Array
    """What was inaudibly low in it, shape (n_channels, n_fft)."""
    frames: Array
    """Shape (n_channels, n_fft)."""
    trends: Array
    """What was inaudibly low in the frames, shape (n_channels, n_fft)."""
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
    """Shape (n_sources * n_channels, n_bins)."""
    tails: Array
    """Shape (n_sources * n_channels, n_fft)."""


INDEPENDENT = ("position", "history", "overlap", "last_spectrum", "last_shares", "last_trends")
"""What a stream remembers that another plan of the same sources goes on with."""


def started(plan: Plan, n_channels: int) -> Stream:
    """Return a stream that has heard nothing."""
    n_fft, n_bins = len(plan.analysis_window), len(plan.analysis_window) // 2 + 1
    n_explanations, n_tiles, n_components, _ = plan.W.shape
    n_sources = len(plan.bounds) - 1
    n_rows = n_sources * n_channels
    return Stream(
        position=np.zeros(1, np.int64),
        history=zeros(n_channels, n_fft),
        overlap=zeros(n_sources, n_channels, len(plan.synthesis_window)),
        h=zeros(n_explanations, n_components),
        level=zeros(1),
        last_spectrum=zeros(n_channels, 2 * n_bins).view(np.complex64),
        last_shares=zeros(n_tiles, n_sources, TILE),
        last_trends=zeros(n_channels, n_fft),
        frames=zeros(n_channels, n_fft),
        trends=zeros(n_channels, n_fft),
        spectrum=zeros(n_channels, 2 * n_bins).view(np.complex64),
        v=zeros(n_tiles * TILE),
        g=zeros(n_components),
        r=zeros(TILE),
        shares=zeros(n_sources, TILE),
        separated=zeros(n_rows, 2 * n_bins).view(np.complex64),
        tails=zeros(n_rows, n_fft),
    )


def reset(stream: Stream) -> None:
    """Reset the stream state."""
    for state in stream[:_N_REMEMBERED]:
        state[:] = 0


@compiled(inline=True)
def analyse(plan: Plan, stream: Stream) -> None:
    """Transform the last frame without its trend, and set v to the sum of its channels' magnitudes, normalised."""
    frames, spectrum, v = stream.frames, stream.spectrum, stream.v
    n_channels, n_fft = frames.shape
    for c in range(n_channels):
        for i in range(n_fft):
            frames[c, i] = stream.history[c, i] * plan.analysis_window[i]
        detrend(frames[c], plan.trend_basis, stream.trends[c])
    r2c(frames, spectrum, _ALONG, True, 1.0, 1)
    v[:] = 0
    for c in range(n_channels):
        for b in range(spectrum.shape[1]):
            x = spectrum[c, b]
            v[b] += np.sqrt(x.real * x.real + x.imag * x.imag)
    stream.level[0] = normalise(v)


@compiled(inline=True)
def detrend(frame: Array, basis: Array, trend: Array) -> None:
    """Move what a windowed frame holds of the basis into the trend."""
    trend[:] = 0
    for k in range(basis.shape[0]):
        part = np.float32(0)
        for i in range(frame.shape[0]):
            part += basis[k, i] * frame[i]
        for i in range(frame.shape[0]):
            trend[i] += part * basis[k, i]
    for i in range(frame.shape[0]):
        frame[i] -= trend[i]


@compiled(inline=True)
def explain(plan: Plan, stream: Stream, n_iter: int) -> None:
    """Find the activations of the frame, in each explanation."""
    for e in range(plan.W.shape[0]):
        follow(stream.v, plan.W[e], stream.h[e], stream.g, stream.r, n_iter, plan.relaxation, plan.memory[e])


@compiled(inline=True)
def share(plan: Plan, h: Array, n_bins: int, first: np.uintp, shares: Array, r: Array) -> None:
    """Set the shares of the sources in the bins of a tile that begins at w[first]; see `frames.masks.soft_masks`.

    An explanation without any activation, since no component has energy where the frame has it, shares equally.
    """
    for s in range(shares.shape[0]):
        begin, end = plan.bounds[s], plan.bounds[s + 1]
        shares[s] = 1
        for e in range(h.shape[0]):
            if h[e].sum() > 0:
                r[:] = plan.reach / np.float32(n_bins) * h[e, begin:end].sum()
                add_model(plan.M[e].reshape(-1), first, h[e], begin, end, r)
                multiply(shares[s], r, plan.weights[e])
        for i in range(_TILE):
            shares[s, i] += FAINTEST  # or explanations that contradict each other leave no share of a bin
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
    """Raise the shares of each bin, as fractions of the largest, to a power."""
    largest[:] = 0
    for s in range(shares.shape[0]):
        for i in range(_TILE):
            largest[i] = max(largest[i], shares[s, i])
    for s in range(shares.shape[0]):
        for i in range(_TILE):
            shares[s, i] = power(shares[s, i] / largest[i], exponent)


@compiled(inline=True)
def weigh(shares: Array, begin: int, spectrum: Spectra, separated: Spectra) -> None:
    """Multiply the bins from `begin` on by the share of each source."""
    n_channels, n_bins = spectrum.shape
    n = min(TILE, n_bins - begin)
    for s in range(shares.shape[0]):
        for c in range(n_channels):
            x, y = spectrum[c, begin:], separated[s * n_channels + c, begin:]
            for i in range(n):
                y[i] = x[i] * shares[s, i]


@compiled(inline=True)
def synthesise(plan: Plan, stream: Stream, trends: Array, begin: int, end: int, ago: int) -> None:
    """Transform the stems back, and add samples `begin` to `end` of the last `latency` of each to what is to go out.

    The frame ended a number of samples ago. What is inaudibly low has constant shares: any that changed from frame to
    frame would be heard.
    """
    n_sources, n_channels, latency = stream.overlap.shape
    n_fft = stream.tails.shape[1]
    c2r(stream.separated, stream.tails, _ALONG, False, 1.0 / n_fft, 1)
    for s in range(n_sources):
        for c in range(n_channels):
            overlap, tail = stream.overlap[s, c], stream.tails[s * n_channels + c, n_fft - latency :]
            trend = trends[c, n_fft - latency :]
            for i in range(begin, end):
                overlap[i - ago] += (tail[i] + plan.low_shares[s] * trend[i]) * plan.synthesis_window[i]


@compiled(inline=True)
def hop(plan: Plan, stream: Stream, n_iter: int) -> None:
    """Separate the frame that is complete, and make room for the next hop."""
    advance(stream.overlap, plan.hop_length)
    analyse(plan, stream)
    if stream.level[0] > 0:
        explain(plan, stream, n_iter)
        mask(plan, stream)
        synthesise(plan, stream, stream.trends, 0, stream.overlap.shape[2], 0)
    else:
        stream.h[:] = 0
        if stream.trends.any():
            stream.separated[:] = 0
            synthesise(plan, stream, stream.trends, 0, stream.overlap.shape[2], 0)
    advance(stream.history, plan.hop_length)


@compiled(inline=True)
def mask(plan: Plan, stream: Stream) -> None:
    """Set the spectra of the stems, tile by tile."""
    tile_values = np.uintp(plan.W.shape[2]) * _TILE
    first = _0
    for t in range(plan.W.shape[1]):
        share(plan, stream.h, stream.spectrum.shape[1], first, stream.shares, stream.r)
        weigh(stream.shares, t * TILE, stream.spectrum, stream.separated)
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
def process(plan: Plan, stream: Stream, block: Array, stems: Array, n_iter: int) -> None:
    """Take a block, shape (n_samples, n_channels), and fill the stems, shape (n_sources, n_samples, n_channels)."""
    done, n_samples = 0, block.shape[0]
    while done < n_samples:
        done = pass_on(plan, stream, block, stems, done)
        if stream.position[0] == plan.hop_length:
            hop(plan, stream, n_iter)
            stream.position[0] = 0


@compiled(fastmath=False, inline=True)
def pass_on(plan: Plan, stream: Stream, block: Array, stems: Array, done: int) -> int:
    """Take the samples of a block from `done` on, as many as the hop lacks, and let as many out; return where it is."""
    start, position = stream.history.shape[1] - plan.hop_length, stream.position[0]
    n = min(plan.hop_length - position, block.shape[0] - done)
    for c in range(block.shape[1]):
        for i in range(n):
            stream.history[c, start + position + i] = usable(block[done + i, c])
        for s in range(stems.shape[0]):
            for i in range(n):
                stems[s, done + i, c] = stream.overlap[s, c, position + i]
    stream.position[0] = position + n
    return done + n


@compiled(fastmath=False, inline=True)
def usable(x: np.float32) -> np.float32:
    """Return a sample, 0 when it is not finite, too loud for a spectrum, or too quiet to matter."""
    return x if QUIETEST < abs(x) < LOUDEST else np.float32(0)
