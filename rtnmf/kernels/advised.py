"""A hop of a stream about which experts are asked, compiled, and what columns say as an expert.

Each frame gets masks twice: when it comes, for the samples that go out at once, and a hop later, when the experts have
heard more, for all others. So their delay costs no latency. All else is as in `hop`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtnmf.kernels.compiling import compiled, power
from rtnmf.kernels.hop import (
    FAINTEST,
    Plan,
    Stream,
    advance,
    analyse,
    explain,
    multiply,
    pass_on,
    share,
    synthesise,
    usable,
    weigh,
)
from rtnmf.kernels.updates import TILE

__all__ = ["N_AGES", "Advice", "odds_of_first", "process_advised"]

Array = NDArray[np.float32]
Spectra = NDArray[np.complex64]

_TILE = np.uintp(TILE)
_0 = np.uintp(0)
_FIRST, _LATE = np.int64(0), np.int64(1)  # literals would be compiled for each


class Advice(NamedTuple):
    """What experts say of the hops that end in a block."""

    odds: Array
    """By what each multiplies the shares of its sources, shape (n_experts, n_hops, N_AGES, n_tiles * TILE).

    In each bin of the frame that ends with a hop, and of the frame before, of which it knows more by then.
    """
    speaks: NDArray[np.bool_]
    """Whether each speaks for each source, shape (n_experts, n_sources)."""


N_AGES = 2
"""How many times the masks of a frame are made where experts are asked."""


@compiled(fastmath=False)
def process_advised(plan: Plan, stream: Stream, block: Array, stems: Array, n_iter: int, advice: Advice) -> None:
    """Take a block as `process` does, with what experts say of the hops that end in it.

    That the two are compiled apart keeps what is separated without experts the same to the bit.
    """
    done, n_samples, k = 0, block.shape[0], _FIRST
    while done < n_samples:
        done = pass_on(plan, stream, block, stems, done)
        if stream.position[0] == plan.hop_length:
            hop_advised(plan, stream, n_iter, advice, k)
            stream.position[0] = 0
            k += 1


@compiled(inline=True)
def hop_advised(plan: Plan, stream: Stream, n_iter: int, advice: Advice, k: int) -> None:
    """Add what goes out of the last frame from now on, and what goes out of the new one until the next hop."""
    hop_length, latency = plan.hop_length, stream.overlap.shape[2]
    advance(stream.overlap, hop_length)
    analyse(plan, stream)
    mask_with(plan, stream, stream.last_spectrum, advice, k, _LATE)
    synthesise(plan, stream, stream.last_trends, hop_length, latency, hop_length)
    if stream.level[0] > 0:
        explain(plan, stream, n_iter)
        share_all(plan, stream)
    else:
        stream.h[:] = 0
    mask_with(plan, stream, stream.spectrum, advice, k, _FIRST)
    synthesise(plan, stream, stream.trends, _FIRST, hop_length, _FIRST)
    stream.last_spectrum[:] = stream.spectrum
    stream.last_trends[:] = stream.trends
    advance(stream.history, hop_length)


@compiled(inline=True)
def mask_with(plan: Plan, stream: Stream, spectrum: Spectra, advice: Advice, k: int, age: int) -> None:
    """Set the spectra of the stems of a frame, tile by tile, from its shares and what experts say of it."""
    for t in range(stream.last_shares.shape[0]):
        stream.shares[:] = stream.last_shares[t]
        advise(advice, k, age, t * TILE, plan.mask_power, stream.shares, stream.r)
        weigh(stream.shares, t * TILE, spectrum, stream.separated)


@compiled(inline=True)
def share_all(plan: Plan, stream: Stream) -> None:
    """Set what the explanations say of the last frame, tile by tile."""
    tile_values, first = np.uintp(plan.W.shape[2]) * _TILE, _0
    for t in range(plan.W.shape[1]):
        share(plan, stream.h, stream.spectrum.shape[1], first, stream.last_shares[t], stream.r)
        first += tile_values


@compiled(inline=True)
def advise(advice: Advice, k: int, age: int, begin: int, exponent: np.float32, shares: Array, total: Array) -> None:
    """Multiply the shares of the sources by the odds that experts give them, and normalise."""
    total[:] = 0
    for s in range(shares.shape[0]):
        for p in range(advice.odds.shape[0]):
            if advice.speaks[p, s]:
                multiply(shares[s], advice.odds[p, k, age, begin:], exponent)
        for i in range(_TILE):
            shares[s, i] += FAINTEST
            total[i] += shares[s, i]
    for s in range(shares.shape[0]):
        for i in range(_TILE):
            shares[s, i] /= total[i]


@compiled(fastmath=False)
def odds_of_first(
    plan: Plan, stream: Stream, samples: Array, n_iter: int, surest: np.float32, powers: Array, odds: Array
) -> None:
    """Take the samples of a hop of one channel, and set powers of the odds of the first source in each bin.

    Its shares count as at most `surest`, and as at least what is left of 1.
    """
    hop_length, n_bins = plan.hop_length, odds.shape[0]
    start = stream.history.shape[1] - hop_length
    for i in range(hop_length):
        stream.history[0, start + i] = usable(samples[i])
    analyse(plan, stream)
    odds[:] = 1
    if stream.level[0] > 0:
        explain(plan, stream, n_iter)
        share_all(plan, stream)
        for b in range(n_bins):
            x = min(max(stream.last_shares[b // TILE, 0, b % TILE], 1 - surest), surest)
            odds[b] = power(x / (1 - x), powers[b])
    else:
        stream.h[:] = 0
    advance(stream.history, hop_length)
