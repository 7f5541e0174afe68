"""Columns of the scrolling spectrograms: how loud each band of the input and of the output is, and who owns it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rtnmf.control.web.messages import BANDS, columns

__all__ = ["Scope", "band_hz"]

Samples = NDArray[np.float32]

COLUMNS_PER_S = 60
_N_FFT = 2048
_LOWEST_HZ, _HIGHEST_HZ = 40.0, 16_000.0
_RANGE_DB = 90.0
_NARROWEST = 2.0
"""Bins that the energy of a band is gathered from at least: a window spreads each tone as far."""
_MOST_AT_ONCE = 8


def band_hz(sample_rate: int) -> list[float]:
    """Return the edges of the bands in Hz, `BANDS` + 1 of them, at equal distances on a logarithmic axis."""
    return np.geomspace(_LOWEST_HZ, min(_HIGHEST_HZ, sample_rate / 2), BANDS + 1).round(2).tolist()


class Scope:
    """The spectrograms of what a separation hears and puts out, column by column, each computed once.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._step = sample_rate // COLUMNS_PER_S
        self._done = -1

    def n_wanted(self) -> int:
        """Return how many of the newest samples `columns` looks at."""
        return _N_FFT + _MOST_AT_ONCE * self._step

    def columns(self, end: int, x: Samples, stems: Samples, weights: Samples) -> bytes:
        """Return the columns that are due, as `messages.columns` writes them; there are none before enough came in.

        Where many are due, as after a pause, only the newest are drawn.

        Parameters
        ----------
        end : int
            Samples that came in so far: the number of the last one given here, plus one.
        x : array, shape (n_samples, n_channels)
            The input, delayed as the stems are.
        stems : array, shape (n_sources, n_samples, n_channels)
        weights : array, shape (n_sources + 1,)
            Of each stem, and last of the input, in the output; see `Mixer.weights`.
        """
        first, last = end - len(x) + _N_FFT, end // self._step
        newest = range(max(self._done + 1, last - _MOST_AT_ONCE + 1, -(-first // self._step)), last + 1)
        if not newest or self._done > last:
            self._done = min(self._done, last)  # another stream has begun
            return b""
        self._done = last
        starts = [number * self._step - (end - len(x)) - _N_FFT for number in newest]
        heard = np.concatenate([x[None], stems]).mean(axis=2)
        frames = np.stack([heard[:, start : start + _N_FFT] for start in starts])
        return columns(_pictures(np.fft.rfft(frames * _window()), weights, self.sample_rate))


def _pictures(
    spectra: NDArray[np.complexfloating], weights: Samples, sample_rate: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return levels and owners of input and output, each of shape (n_columns, 2, BANDS).

    The input is the sum of the stems, so the share of a stem in the output is its weight plus that of the input.
    """
    stems, shares = spectra[:, 1:], weights[:-1] + weights[-1]
    output = np.einsum("s,csb->cb", shares, stems)
    energies = _in_bands(np.concatenate([spectra[:, :1], output[:, None], stems], axis=1), sample_rate)
    levels, of_stems = _levels(energies[:, :2]), energies[:, 2:]
    heard = of_stems * (shares**2)[:, None]
    owners = [of_stems.argmax(axis=1), (heard if heard.any() else of_stems).argmax(axis=1)]
    first, second = (np.stack([levels[:, i], owners[i].astype(np.uint8)], axis=1) for i in (0, 1))
    return first, second


def _levels(energies: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return levels from 0 at -90 dB to 255 at 0 dB, that of a sine of full scale."""
    level_db = 10 * np.log10(np.maximum(energies, 1e-12))
    return np.clip(255 * (1 + level_db / _RANGE_DB), 0, 255).astype(np.uint8)


def _in_bands(spectra: NDArray[np.complexfloating], sample_rate: int) -> NDArray[np.float64]:
    """Return the energy in each band of spectra of shape (..., n_bins), as shape (..., BANDS)."""
    below = np.zeros((*spectra.shape[:-1], spectra.shape[-1] + 1))
    np.cumsum(spectra.real**2 + spectra.imag**2, axis=-1, dtype=np.float64, out=below[..., 1:])
    bins, fractions = _edges(sample_rate)
    at_edges = below[..., bins] * (1 - fractions) + below[..., bins + 1] * fractions
    return (at_edges[..., 1, :] - at_edges[..., 0, :]) * (4 / (_N_FFT * np.sum(_window() ** 2)))


@lru_cache(maxsize=8)
def _edges(sample_rate: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return where each band begins and ends among the bins, as whole bins and fractions, both of shape (2, BANDS)."""
    edges = np.array(band_hz(sample_rate)) * _N_FFT / sample_rate + 0.5  # bin k lasts from k to k + 1
    middle, half = (edges[1:] + edges[:-1]) / 2, np.maximum(edges[1:] - edges[:-1], _NARROWEST) / 2
    at = np.clip([middle - half, middle + half], 0, _N_FFT // 2 + 1 - 1e-6)
    return at.astype(np.intp), at % 1


@lru_cache(maxsize=1)
def _window() -> Samples:
    """Return the periodic Hann window."""
    return np.hanning(_N_FFT + 1)[:-1].astype(np.float32)
