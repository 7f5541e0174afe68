"""Other sample rates: the STFT that lasts as long there, and columns moved to its bins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtnmf.bounds import LONGEST_WINDOW
from rtnmf.frames.stft import STFT

__all__ = ["rebinned", "stft_at"]

_SMALLEST_N_FFT = 4


def stft_at(stft: STFT, from_rate: int, to_rate: int) -> STFT:
    """Return the settings that last about as long at another sample rate.

    All lengths are multiplied by the power of two nearest to the ratio of the rates. Where that leaves fractions they
    are rounded down, `n_fft` and `latency` to even numbers, `hop_length` to at least one sample.

    Parameters
    ----------
    stft : STFT
        Settings at `from_rate`.
    from_rate, to_rate : int
        In Hz.

    Raises
    ------
    ValueError
        If `n_fft` would be smaller than 4 or larger than 524288.
    """
    factor = 2.0 ** round(np.log2(to_rate / from_rate))
    n_fft = _even(stft.n_fft * factor)
    if not _SMALLEST_N_FFT <= n_fft <= LONGEST_WINDOW:
        raise ValueError(
            f"n_fft would be {stft.n_fft * factor:.12g} at {to_rate} Hz, expected {_SMALLEST_N_FFT} to"
            f" {LONGEST_WINDOW}: resample the signal to a sample rate nearer to {from_rate} Hz instead"
        )
    hop_length = max(1, int(stft.hop_length * factor))
    return STFT(n_fft, hop_length, latency=max(2 * hop_length, _even(stft.latency * factor)))


def rebinned(columns: NDArray[np.float32], from_hz: float, to_hz: float, n_bins: int) -> NDArray[np.float32]:
    """Integrate each column, taken as constant within a bin, over the bins of another STFT.

    Parameters
    ----------
    columns : array, shape (n_bins of the old STFT, n_components)
        Magnitude spectra.
    from_hz, to_hz : float
        Width of the old and of the new bins in Hz.
    n_bins : int
        Number of new bins.

    Returns
    -------
    array, shape (n_bins, n_components)
        Zero above the old spectrum; what lies above the new one is lost, so that columns may sum to less than before.
    """
    edges = (np.arange(len(columns) + 1) - 0.5) * from_hz
    new_edges = (np.arange(n_bins + 1) - 0.5) * to_hz
    moved = np.empty((n_bins, columns.shape[1]), np.float32, order="F")
    for column, new in zip(columns.T, moved.T, strict=True):  # one by one: in float64 all would take a lot of memory
        integral = np.append(0.0, np.cumsum(column, dtype=np.float64))
        new[:] = np.diff(np.interp(new_edges, edges, integral))
    return moved


def _even(length: float) -> int:
    return 2 * int(length / 2)
