"""How fast is a separator? Its latency, the time of each block and part of a hop, and the limit of the machine.

Nothing here prints.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtnmf.checks import check_whole
from rtnmf.engine.separator import Separator
from rtnmf.kernels import hop, probes

__all__ = ["PARTS", "Benchmark", "Streamed", "benchmark", "measured_latency", "stream"]

Array = NDArray[np.float32]

PARTS = ("window and FFT", "updates", "masks", "inverse FFT and overlap-add")
"""The parts of a hop, in their order."""

_ROUNDS = 15
_ROUND_S = 2e-3  # long against the resolution of the clock, short against a time slice of another program
_VALUES = 2**11
_STEPS = 32


class Streamed(NamedTuple):
    """The result of `stream`.

    stems : array, shape (n_outputs, n_samples) or (n_outputs, n_samples, n_channels)
        Aligned with the input and as long.
    block_seconds : array, shape (n_blocks,)
        Time that each block took.
    """

    stems: Array
    block_seconds: NDArray[np.float64]


class Benchmark(NamedTuple):
    """The result of `benchmark`; times are in seconds.

    block_length : int
        In samples.
    budget_s : float
        Duration of a block.
    block_seconds : array, shape (n_blocks,)
        Time that each block took.
    measured_latency : int
        Delay of a click, in samples.
    is_same_for_any_blocks : bool
        Whether other block lengths gave bit-identical stems.
    hop_s : float
        Duration of a hop.
    part_s : {part: float}
        Median time of each of `PARTS` in a hop.
    limit_s : float
        Lower limit on the time of the updates of a hop: to read W from its cache once per update, or to do the
        multiplications and additions at the rate that this core reaches, whichever takes longer.
    """

    block_length: int
    budget_s: float
    block_seconds: NDArray[np.float64]
    measured_latency: int
    is_same_for_any_blocks: bool
    hop_s: float
    part_s: dict[str, float]
    limit_s: float

    @property
    def real_time_factor(self) -> float:
        """Time to separate divided by the duration of the sound."""
        return float(self.block_seconds.sum() / (len(self.block_seconds) * self.budget_s))


def benchmark(separator: Separator, block_length: int, duration_s: float) -> Benchmark:
    """Measure a separator on noise, which costs as much as any sound.

    Parameters
    ----------
    separator : Separator
        Reset before and after.
    block_length : int
        In samples.
    duration_s : float
        Duration of the noise.

    Returns
    -------
    Benchmark

    Raises
    ------
    TypeError, ValueError
        If the block length is not an integer of at least 1, or the duration not positive and finite.
    """
    check_whole("block_length", block_length, 1)
    if not 0 < duration_s < math.inf:
        raise ValueError(f"duration_s is {duration_s}, expected a positive number of seconds")
    rate, stft = separator.sample_rate, separator.dictionary.stft
    n_samples = max(1, round(duration_s * rate / block_length)) * block_length
    noise = np.random.default_rng(0).uniform(-1, 1, (n_samples, separator.n_channels)).astype(np.float32)
    stream(separator, noise[: 4 * stft.n_fft], block_length)
    streamed = stream(separator, noise, block_length)
    return Benchmark(
        block_length,
        block_length / rate,
        streamed.block_seconds,
        measured_latency(separator),
        _is_same_for_any_blocks(separator, noise[: 4 * stft.n_fft]),
        stft.hop_length / rate,
        _part_s(separator, noise[: 2 * stft.n_fft]),
        _limit_s(separator),
    )


def stream(separator: Separator, x: ArrayLike, block_length: int) -> Streamed:
    """Send a signal through a separator block by block, as a sound card would, and time each block.

    Parameters
    ----------
    separator : Separator
        Reset before and after.
    x : array of floats, shape (n_samples,) or (n_samples, n_channels)
    block_length : int
        In samples.

    Returns
    -------
    Streamed

    Raises
    ------
    TypeError, ValueError
        If the block length is not an integer of at least 1, or the separator refuses the signal.
    """
    check_whole("block_length", block_length, 1)
    signal = np.asarray(x)
    if signal.dtype == np.float64:
        signal = signal.astype(np.float32)  # which would take time from the blocks
    separator.reset()
    outputs, seconds = [separator.process(signal[:0])], []
    for start in range(0, len(signal), block_length):
        began = time.perf_counter()
        outputs.append(separator.process(signal[start : start + block_length]))
        seconds.append(time.perf_counter() - began)
    outputs.append(separator.flush())
    return Streamed(np.concatenate(outputs, axis=1)[:, separator.latency :], np.array(seconds))


def measured_latency(separator: Separator) -> int:
    """Send a click through a separator and return its delay in samples; the separator is reset before and after."""
    position = separator.latency // 3
    click = np.zeros((3 * separator.latency, separator.n_channels), np.float32)
    click[position] = 1
    separator.reset()
    heard = np.abs(separator.process(click).sum(axis=(0, 2)))
    separator.reset()
    return int(np.argmax(heard)) - position


def _is_same_for_any_blocks(separator: Separator, x: Array) -> bool:
    hop_length = separator.dictionary.stft.hop_length
    whole = stream(separator, x, len(x)).stems
    lengths = (17, hop_length - 1 or 1, hop_length, hop_length + 1, 509)
    return all(np.array_equal(stream(separator, x, length).stems, whole) for length in lengths)


def _part_s(separator: Separator, x: Array) -> dict[str, float]:
    """Return the median time of each part of a hop."""
    plan = separator.plan
    state = hop.started(plan, separator.n_channels)
    stems = np.empty((len(separator.sources), *x.shape), np.float32)
    hop.process(plan, state, x, stems, separator.n_iter)

    def repeated(i: int) -> Callable[[int], object]:
        return lambda n: probes.repeat(i, plan, state, separator.n_iter, n)

    return {part: _median_s(repeated(i)) for i, part in enumerate(PARTS)}


def _limit_s(separator: Separator) -> float:
    """Return the lower limit on the time of the updates of a hop."""
    n_values = len(separator.plan.W) * separator.dictionary.components.size
    W, x = np.full(n_values, 1e-6, np.float32), np.zeros(_VALUES, np.float32)
    read_s = _median_s(lambda n: probes.read(W, n))
    a, b = np.float32(0.999), np.float32(0.5)
    step_s = _median_s(lambda n: probes.multiply_add(x, a, b, n)) / (_VALUES * _STEPS)
    return separator.n_iter * max(read_s, 2 * n_values * step_s)


def _median_s(repeat: Callable[[int], object]) -> float:
    """Return the median time of one repetition, given a function that does n of them."""

    def taken(n: int) -> float:
        began = time.perf_counter()
        repeat(n)
        return time.perf_counter() - began

    taken(1)
    n = max(1, int(_ROUND_S / max(1e-9, taken(1))))
    return float(np.median([taken(n) for _ in range(_ROUNDS)])) / n
