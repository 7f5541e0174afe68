"""Weighted sums of stems, compiled, with weights that move in straight lines, and a limiter for them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtnmf.kernels.compiling import compiled

__all__ = ["limit", "mix"]

Array = NDArray[np.float32]

_ALL_BUT_ONE = 1 - 2.0**-24  # no float32 differs from itself by less


@compiled(fastmath=False)
def mix(stems: Array, dry: Array, target: Array, slopes: Array, left: int, outputs: Array) -> None:
    """Add up stems and the dry signal in each output; `left` samples before the end of their way, weights are on it.

    Parameters
    ----------
    stems : array, shape (n_sources, n_samples, n_channels)
    dry : array, shape (n_samples, n_channels)
    target, slopes : array, shape (n_outputs, n_sources + 1)
        The weights at the end, of the dry signal last, and their change per sample.
    left : int
        Samples until then.
    outputs : array, shape (n_outputs, n_samples, n_channels)
        All zeros.
    """
    for o in range(outputs.shape[0]):
        for s in range(stems.shape[0]):
            add(stems[s], target[o, s], slopes[o, s], left, outputs[o])
        add(dry, target[o, stems.shape[0]], slopes[o, stems.shape[0]], left, outputs[o])


@compiled(fastmath=False, inline=True)
def add(signal: Array, target: np.float32, slope: np.float32, left: int, output: Array) -> None:
    """Add a signal to an output, sample by sample alike in blocks of any length."""
    if target == 0 and (slope == 0 or left == 0):
        return
    n_moving = min(left, signal.shape[0])
    for c in range(signal.shape[1]):
        for i in range(n_moving):
            output[i, c] += (target - slope * np.float32(left - 1 - i)) * signal[i, c]
        for i in range(n_moving, signal.shape[0]):
            output[i, c] += target * signal[i, c]


@compiled(fastmath=False)
def limit(outputs: Array, gains: NDArray[np.float64], ceiling: float, release: float) -> bool:
    """Turn each output down where it is over the ceiling, at once, and up again bit by bit; return if it did.

    Every sample is computed alike in blocks of any length, and a gain that is back at 1 changes no bit.

    Parameters
    ----------
    outputs : array, shape (n_outputs, n_samples, n_channels)
        Changed in place.
    gains : array, shape (n_outputs,)
        Of each output after the last sample, for all of its channels; changed in place.
    ceiling : float
        No sample is louder than this, but for rounding.
    release : float
        Fraction of the way back to 1 that a gain covers in a sample.
    """
    is_limited = False
    for o in range(outputs.shape[0]):
        gain = gains[o]
        for i in range(outputs.shape[1]):
            gain += (1 - gain) * release
            if gain > _ALL_BUT_ONE:
                gain = 1.0
            peak = 0.0
            for c in range(outputs.shape[2]):
                peak = max(peak, abs(float(outputs[o, i, c])))
            if peak * gain > ceiling:
                gain = ceiling / peak
            if gain < 1:
                is_limited = True
                for c in range(outputs.shape[2]):
                    outputs[o, i, c] = np.float32(gain * outputs[o, i, c])
        gains[o] = gain
    return is_limited
