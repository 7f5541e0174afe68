"""Other sample rates: the STFT that lasts as long there, and columns moved to its bins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtnmf.frames.stft import STFT

__all__ = ["rebinned", "stft_at"]

_SMALLEST_N_FFT = 4
_LARGEST_N_FFT = 2**20


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
        If `n_fft` would be smaller than 4 or larger than 1048576.
    """
    factor = 2.0 ** round(np.log2(to_rate / from_rate))
    n_fft = _even(stft.n_fft * factor)
    if not _SMALLEST_N_FFT <= n_fft <= _LARGEST_N_FFT:
        raise ValueError(
            f"n_fft would be {stft.n_fft * factor:.12g} at {to_rate} Hz, expected {_SMALLEST_N_FFT} to"
            f" {_LARGEST_N_FFT}: resample the signal to a sample rate nearer to {from_rate} Hz instead"
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
    integrals = np.cumsum(np.vstack([np.zeros_like(columns[:1]), columns]), axis=0, dtype=np.float64)
    at_edges = np.column_stack([np.interp(new_edges, edges, column) for column in integrals.T])
    return np.diff(at_edges, axis=0).astype(np.float32)


def _even(length: float) -> int:
    return 2 * int(length / 2)
