"""The short-time Fourier transform: its settings, both windows, forward and inverse.

The same transform of a running stream is compiled into the hop, `_hop`.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy import fft
from numpy.typing import NDArray

from rtnmf.bounds import LONGEST_WINDOW, check_product
from rtnmf.checks import check_number, check_single, check_whole, whole_hz

__all__ = ["STFT", "latency_samples"]

_DEFAULT_WINDOW_S = 0.042
_MOST_TERMS = 16


@dataclass(frozen=True)
class STFT:
    """Settings and windows of a short-time Fourier transform.

    Frame `t` covers the `n_fft` samples that end just before sample `(t + 1) * hop_length`; what lies
    before the first sample is silence. The synthesis window spans the last `latency` samples of a frame.
    With `latency == n_fft` both windows are the square root of a Hann window. With a smaller latency the
    analysis window rises over the whole frame and falls in the last half latency, the synthesis window is
    short, and their product is a Hann window over the last `latency` samples, so that the frequency
    resolution stays that of `n_fft` and the delay becomes `latency`. Reconstruction is exact because the
    synthesis window is divided by the overlap-added product.

    Parameters
    ----------
    n_fft : int
        Length of a frame in samples, even, from 4 to 524288.
    hop_length : int
        Samples from one frame to the next, at most half of `latency`.
    latency : int, optional
        Delay from input to output in samples, even; `2 * hop_length <= latency <= n_fft`. None means `n_fft`.

    Raises
    ------
    TypeError, ValueError
        If a setting is not a whole number or out of its range.

    References
    ----------
    D. Mauler and R. Martin, "A low delay, variable resolution, perfect reconstruction spectral
    analysis-synthesis system for speech enhancement", EUSIPCO 2007, section 3.
    S. U. N. Wood and J. Rouat, "Unsupervised low latency speech enhancement with RT-GCC-NMF",
    arXiv 1904.03130, 2019.
    """

    n_fft: int = 2048
    hop_length: int = 512
    _: KW_ONLY
    latency: int = None  # type: ignore[assignment]  # None becomes n_fft below, so readers always see an int

    def __post_init__(self) -> None:
        if self.latency is None:
            object.__setattr__(self, "latency", self.n_fft)
        for name, least in (("n_fft", 4), ("hop_length", 1), ("latency", 2)):
            object.__setattr__(self, name, check_whole(name, getattr(self, name), least))
        check_product("the number of samples of a window", LONGEST_WINDOW, "use a shorter one", n_fft=self.n_fft)
        if self.n_fft % 2:
            raise ValueError(f"n_fft is {self.n_fft}, expected an even number")
        if self.latency % 2 or not 2 * self.hop_length <= self.latency <= self.n_fft:
            raise ValueError(
                f"latency is {self.latency}, expected an even number from 2 * hop_length = {2 * self.hop_length}"
                f" to n_fft = {self.n_fft}: change latency or hop_length"
            )

    def __getstate__(self) -> dict[str, int]:
        # Without the cached windows, which would be writeable in the copy.
        return {"n_fft": self.n_fft, "hop_length": self.hop_length, "latency": self.latency}

    @classmethod
    def default(
        cls, sample_rate: int, *, latency: int | Literal["low"] | None = None, latency_ms: float | None = None
    ) -> STFT:
        """Return the settings that suit a sample rate: a window of 43 to 85 ms, a hop of a quarter of the latency.

        Parameters
        ----------
        sample_rate : int
            In Hz: 1024 samples at 16 to 24 kHz, 2048 up to 48 kHz, 4096 up to 96 kHz.
        latency : int or "low", optional
            In samples; "low" means a sixteenth of the window, 128 samples (2.7 ms) at 48 kHz; None that of the window.
        latency_ms : float, optional
            Upper limit on the latency in ms, instead of `latency`; the window limits it too.

        Raises
        ------
        TypeError, ValueError
            If the sample rate or the latency is out of its range, or the latency is given twice.
        """
        rate = whole_hz(sample_rate)
        n_fft = max(64, 2 ** math.ceil(math.log2(_DEFAULT_WINDOW_S * rate)))
        check_single(latency=latency, latency_ms=latency_ms)
        if latency == "low":
            latency = n_fft // 16
        elif latency is not None:
            latency = check_whole("latency", latency, 2)
        elif latency_ms is not None:
            latency = min(n_fft, latency_samples(latency_ms, rate))
        return cls(n_fft, max(1, min(n_fft, latency or n_fft) // 4), latency=latency)  # type: ignore[arg-type]

    @property
    def n_bins(self) -> int:
        """Number of frequency bins of a spectrum, `n_fft // 2 + 1`."""
        return self.n_fft // 2 + 1

    @cached_property
    def analysis_window(self) -> NDArray[np.float32]:
        """Window of the forward transform, shape (n_fft,), read-only."""
        fall = self.latency // 2
        rise = self.n_fft - fall
        return _readonly(np.concatenate([_root_hann(rise)[:rise], _root_hann(fall)[fall:]]))

    @cached_property
    def synthesis_window(self) -> NDArray[np.float32]:
        """Window of the inverse transform over the last `latency` samples of a frame, shape (latency,), read-only."""
        half = self.latency // 2
        product = _root_hann(half) ** 2
        analysis = self.analysis_window[-self.latency :].astype(np.float64)
        window = np.divide(product, analysis, out=np.zeros_like(product), where=product > 0)
        return _readonly(window / _overlap_added(product, self.hop_length))

    def trend(self, sample_rate: int, audible_hz: float) -> NDArray[np.float32]:
        """Return an orthonormal basis of what a windowed frame can hold below a frequency: a polynomial trend.

        A frame of `T` seconds gets `2 audible_hz T` terms, rounded, at most 16, such as a straight line for 20 Hz in 46
        ms: that holds 98 % of a tone of 10 Hz, 75 % of 20 Hz, 5 % of 40 Hz, and no bin is touched that is far above,
        while lower bins set to 0 would leave what leaks from them.

        Parameters
        ----------
        sample_rate : int
            In Hz.
        audible_hz : float

        Returns
        -------
        array, shape (n_terms, n_fft)
            With no term where the frame is too short to tell.
        """
        n_terms = min(_MOST_TERMS, round(2 * audible_hz * self.n_fft / sample_rate))
        polynomials = np.polynomial.legendre.legvander(np.linspace(-1, 1, self.n_fft), n_terms)[:, :n_terms]
        basis, _ = np.linalg.qr(polynomials * self.analysis_window[:, None])
        return np.ascontiguousarray(basis.T, np.float32)

    def forward(
        self, x: NDArray[np.floating], hop_length: int | None = None, trend: NDArray[np.float32] | None = None
    ) -> NDArray[np.complex64]:
        """Transform a signal.

        Parameters
        ----------
        x : array, shape (n_samples,)
            The signal; it is not changed.
        hop_length : int, optional
            From one frame to the next, None for the transform's own; a spectrum taken at another hop cannot be
            inverted.
        trend : array, shape (n_terms, n_fft), optional
            A basis that is taken out of each windowed frame, as `trend` returns it.

        Returns
        -------
        array, shape (n_bins, n_frames)
            As many frames as it takes for the inverse to return every sample,
            `(n_samples + latency - 1) // hop_length`, none for an empty signal.
        """
        if np.iscomplexobj(x):
            raise TypeError("x is complex, expected real samples: transform its real and its imaginary part each")
        x = np.asarray(x, np.float32)
        if x.ndim != 1:
            raise ValueError(f"x has shape {x.shape}, expected (n_samples,): transform one channel at a time")
        hop_length = self.hop_length if hop_length is None else check_whole("hop_length", hop_length, 1)
        n_frames = (len(x) + self.latency - 1) // hop_length if len(x) else 0
        padded = np.zeros(self.n_fft + max(len(x), n_frames * hop_length), np.float32)
        padded[self.n_fft : self.n_fft + len(x)] = x
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.n_fft)[hop_length::hop_length]
        return self.transform(frames[:n_frames], trend).T

    def transform(self, frames: NDArray[np.float32], trend: NDArray[np.float32] | None = None) -> NDArray[np.complex64]:
        """Transform frames that are cut already.

        Parameters
        ----------
        frames : array, shape (n_frames, n_fft)
            Float32; not changed.
        trend : array, shape (n_terms, n_fft), optional
            As for `forward`.

        Returns
        -------
        array, shape (n_frames, n_bins)
        """
        windowed = frames * self.analysis_window
        if trend is not None:
            parts = np.einsum("tn,kn->tk", windowed, trend)  # a matrix product would round by how many frames there are
            windowed -= np.einsum("tk,kn->tn", parts, trend)
        return _rfft(windowed)

    def inverse(self, spectrum: NDArray[np.complexfloating], n_samples: int) -> NDArray[np.float32]:
        """Transform back and overlap-add.

        Parameters
        ----------
        spectrum : array, shape (n_bins, n_frames)
            As `forward` returns it, changed or not.
        n_samples : int
            Length of the signal that was transformed.

        Returns
        -------
        array, shape (n_samples,)
            Equal to the signal up to rounding where the spectrum was not changed.
        """
        check_whole("n_samples", n_samples, 0)
        if spectrum.ndim != 2 or spectrum.shape[0] != self.n_bins:
            raise ValueError(f"spectrum has shape {spectrum.shape}, expected ({self.n_bins}, n_frames)")
        tails = fft.irfft(spectrum.T, self.n_fft, axis=1)[:, -self.latency :] * self.synthesis_window
        y = np.zeros(len(tails) * self.hop_length + self.latency, np.float32)
        for t, tail in enumerate(tails):
            y[t * self.hop_length : t * self.hop_length + self.latency] += tail
        y = y[self.latency - self.hop_length :]
        if n_samples > max(0, len(y) - self.latency):
            raise ValueError(f"n_samples is {n_samples}, more than the {spectrum.shape[1]} frames hold")
        return y[:n_samples].copy()


def latency_samples(latency_ms: float, sample_rate: int) -> int:
    """Return the largest latency that an `STFT` can have within a time: an even number of samples.

    Raises
    ------
    TypeError, ValueError
        If the time is not a number of milliseconds, or shorter than two samples.
    """
    if isinstance(latency_ms, bool) or not isinstance(latency_ms, (int, float, np.integer, np.floating)):
        raise TypeError(f"latency_ms is {latency_ms!r}, expected a number of milliseconds")
    samples = 2 * int(min(check_number("latency_ms", latency_ms), 1e9) * sample_rate / 2000) if latency_ms > 0 else 0
    if samples < 2:
        least_ms = math.ceil(2e7 / sample_rate) / 1e4
        raise ValueError(f"latency_ms is {latency_ms}, expected at least two samples, {least_ms:.10g} ms")
    return samples


def _rfft(frames: NDArray[np.float32]) -> NDArray[np.complex64]:
    """Transform along the last axis; in single precision, which numpy's types do not tell."""
    return fft.rfft(frames, axis=-1)  # type: ignore[return-value]


def _root_hann(half: int) -> NDArray[np.float64]:
    """Return the square root of a periodic Hann window of `2 * half` samples."""
    return np.sin(np.pi * np.arange(2 * half) / (2 * half))


def _overlap_added(product: NDArray[np.float64], hop_length: int) -> NDArray[np.float64]:
    """Return, for each sample of `product`, the sum of the copies of it that overlap there."""
    padded = np.zeros(-(-len(product) // hop_length) * hop_length)
    padded[: len(product)] = product
    sums = padded.reshape(-1, hop_length).sum(axis=0)
    return np.resize(sums, len(product))


def _readonly(window: NDArray[np.float64]) -> NDArray[np.float32]:
    frozen = window.astype(np.float32)
    frozen.flags.writeable = False
    return frozen
