"""Measures of one separation, from arrays to figures in dB: SI-SDR, BSS-eval, and the bound of the ideal ratio mask.

Nothing here reads files, learns, or prints.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft, linalg

from rtnmf.checks import check_whole
from rtnmf.frames.masks import soft_masks
from rtnmf.frames.stft import STFT

__all__ = ["FILTER_LENGTH", "MOST_DB", "BSSEval", "bss_eval", "finite_si_sdr", "ideal_separate", "si_sdr"]

FILTER_LENGTH = 512
"""Taps of the filter that BSS-eval allows on each true source, as in the literature."""

MOST_DB = 150.0
"""Ratios above it, or below its negative, are those of rounding in single precision."""

Array = NDArray[np.float32]


class BSSEval(NamedTuple):
    """SDR, SIR and SAR in dB, per source, each of shape (n_sources,).

    The signal-to-distortion ratio counts all errors, the signal-to-interference ratio the other sources only, the
    signal-to-artifacts ratio only what no source explains.
    """

    sdr: NDArray[np.float64]
    sir: NDArray[np.float64]
    sar: NDArray[np.float64]


def si_sdr(reference: ArrayLike, estimate: ArrayLike) -> float:
    """Return the scale-invariant signal-to-distortion ratio in dB.

    `10 log10(|a s|^2 / |a s - e|^2)`, where `a = <e, s> / |s|^2`. Infinite for a perfect estimate, minus infinite
    for a silent one.

    Parameters
    ----------
    reference, estimate : array, shape (n_samples,) or (n_samples, n_channels)
        Both of the same shape; all channels count as one signal.

    Raises
    ------
    TypeError
        If an array is complex.
    ValueError
        If the shapes differ or the reference is silent.

    References
    ----------
    J. Le Roux, S. Wisdom, H. Erdogan and J. R. Hershey, "SDR - half-baked or well done?", ICASSP 2019, equation 5.
    """
    s, e = _real("reference", reference), _real("estimate", estimate)
    if s.shape != e.shape:
        raise ValueError(f"estimate has shape {e.shape}, expected {s.shape}, that of the reference")
    s, e = s.ravel(), e.ravel()
    if not s.any():
        raise ValueError("reference is silent, so no ratio to it exists")
    if not e.any():
        return -np.inf
    target = (e @ s) / (s @ s) * s
    error = target - e
    return float(_ratio_db(target @ target, error @ error))


def finite_si_sdr(reference: ArrayLike, estimate: ArrayLike) -> float:
    """Return `si_sdr` within `MOST_DB`, so that differences and means of it are numbers."""
    return float(np.clip(si_sdr(reference, estimate), -MOST_DB, MOST_DB))


def bss_eval(references: ArrayLike, estimates: ArrayLike, filter_length: int = FILTER_LENGTH) -> BSSEval:
    """Return SDR, SIR and SAR of BSS-eval, with a time-invariant filter allowed on each true source.

    An estimate is projected onto the delayed copies of its own source, and onto those of all sources. What lies
    outside the first is distortion, what lies between the two is interference, what lies outside both is artifacts.
    A filter reaches across the channels of its source.

    Parameters
    ----------
    references, estimates : array, shape (n_sources, n_samples) or (n_sources, n_samples, n_channels)
        In the same order; no reference may be silent.
    filter_length : int
        Taps of the filter.

    Returns
    -------
    BSSEval

    Raises
    ------
    TypeError
        If an array is complex.
    ValueError
        If the shapes differ or are others, or a reference is silent.

    References
    ----------
    E. Vincent, R. Gribonval and C. Fevotte, "Performance measurement in blind audio source separation",
    IEEE Transactions on Audio, Speech and Language Processing 14(4), 2006, section III.
    """
    s, e = _real("references", references), _real("estimates", estimates)
    if s.shape != e.shape or s.ndim not in (2, 3):
        raise ValueError(
            f"references have shape {s.shape}, estimates {e.shape}, expected the same twice:"
            " (n_sources, n_samples) or (n_sources, n_samples, n_channels)"
        )
    for i, reference in enumerate(s):
        if not reference.any():
            raise ValueError(f"references[{i}] is silent, so no ratio to it exists: leave this source out")
    check_whole("filter_length", filter_length, 1)
    s, e = _channels_first(s), _channels_first(e)
    inside_own, inside_all = _projected_energies(s, e, filter_length)
    energy = np.sum(e**2, axis=(1, 2))
    return BSSEval(
        _ratio_db(inside_own, energy - inside_own),
        _ratio_db(inside_own, inside_all - inside_own),
        _ratio_db(inside_all, energy - inside_all),
    )


def ideal_separate(x: ArrayLike, stems: ArrayLike, stft: STFT) -> Array:
    """Separate with the ideal ratio mask, made from the magnitudes of the true stems: the bound of soft masking.

    Parameters
    ----------
    x : array, shape (n_samples,) or (n_samples, n_channels)
        The mixture.
    stems : array, shape (n_sources, n_samples) or (n_sources, n_samples, n_channels)
        The true ones, which sum to `x`.
    stft : STFT

    Returns
    -------
    array, as `stems`

    Raises
    ------
    TypeError
        If an array is complex.
    ValueError
        If the stems have another shape than the mixture.
    """
    mixture, truth = _real("x", x).astype(np.float32), _real("stems", stems).astype(np.float32)
    if mixture.ndim not in (1, 2):
        raise ValueError(f"x has shape {mixture.shape}, expected (n_samples,) or (n_samples, n_channels)")
    if truth.ndim != mixture.ndim + 1 or truth.shape[1:] != mixture.shape:
        raise ValueError(f"stems have shape {truth.shape}, expected those of x, {mixture.shape}, one per source")
    if mixture.ndim == 1:
        return ideal_separate(mixture[:, None], truth[:, :, None], stft)[:, :, 0]
    masks = _ideal_masks(truth, stft)
    estimates = np.empty(truth.shape, np.float32)
    for c, channel in enumerate(mixture.T):
        spectrum = stft.forward(channel)
        for i, mask in enumerate(masks):
            estimates[i, :, c] = stft.inverse(spectrum * mask, len(mixture))
    return estimates


def _real(name: str, x: ArrayLike) -> NDArray[np.float64]:
    if np.iscomplexobj(x):
        raise TypeError(f"{name} is complex, expected the samples of real signals")
    return np.asarray(x, np.float64)


def _ideal_masks(stems: Array, stft: STFT) -> Array:
    """Return the ratio masks of true stems, shape (n_sources, n_bins, n_frames)."""
    magnitudes = np.stack([np.sum([np.abs(stft.forward(channel)) for channel in stem.T], axis=0) for stem in stems])
    masks = np.empty(magnitudes.shape, np.float32)
    for t in range(magnitudes.shape[-1]):
        masks[..., t] = soft_masks(np.ascontiguousarray(magnitudes[..., t]))
    return masks


def _channels_first(stems: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return stems with or without channels as (n_sources, n_channels, n_samples)."""
    return stems[:, None] if stems.ndim == 2 else stems.transpose(0, 2, 1)


def _projected_energies(
    s: NDArray[np.float64], e: NDArray[np.float64], filter_length: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the energy of each estimate inside the delayed copies of its own source, and inside those of all.

    Both arrays have shape (n_sources, n_channels, n_samples).
    """
    n_sources, n_channels, n_samples = s.shape
    n_fft = fft.next_fast_len(n_samples + filter_length, real=True)
    spectra, estimated = (fft.rfft(x.reshape(-1, n_samples), n_fft) for x in (s, e))
    gram = _gram(spectra, n_fft, filter_length)
    products = fft.irfft(spectra.conj()[:, None] * estimated, n_fft)[:, :, :filter_length]
    inside_own = np.empty(n_sources)
    for i in range(n_sources):
        own = slice(i * n_channels, (i + 1) * n_channels)
        taps = slice(own.start * filter_length, own.stop * filter_length)
        columns = products[own, own].transpose(0, 2, 1).reshape(-1, n_channels)
        inside_own[i] = _projected_energy(gram[taps, taps].copy(), columns).sum()
    everything = _projected_energy(gram, products.transpose(0, 2, 1).reshape(len(gram), -1))
    return inside_own, everything.reshape(n_sources, n_channels).sum(axis=1)


def _gram(spectra: NDArray[np.complex128], n_fft: int, filter_length: int) -> NDArray[np.float64]:
    """Return the inner products of all delayed copies of all signals, as blocks of Toeplitz matrices."""
    n = len(spectra)
    gram = np.empty((n, filter_length, n, filter_length))
    for i in range(n):
        for j in range(i, n):
            lags = fft.irfft(spectra[i].conj() * spectra[j], n_fft)
            block = linalg.toeplitz(lags[:filter_length], np.roll(lags[::-1], 1)[:filter_length])
            gram[i, :, j], gram[j, :, i] = block, block.T
    return gram.reshape(n * filter_length, n * filter_length)


def _projected_energy(gram: NDArray[np.float64], products: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, for each column of inner products, the energy of the projection onto the span; `gram` is used up."""
    gram.flat[:: len(gram) + 1] += 1e-10 * np.trace(gram) / len(gram)
    solved = linalg.solve(gram.T, products, assume_a="pos", overwrite_a=True, check_finite=False)
    energies: NDArray[np.float64] = np.sum(products * solved, axis=0)
    return energies


def _ratio_db(signal: NDArray[np.float64] | float, error: NDArray[np.float64] | float) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: NDArray[np.float64] = 10 * np.log10(np.asarray(signal) / np.maximum(error, 0))
    return ratio
