"""What a denoiser of speech implies: its output over its input, bin by bin, for the frame that is due.

A denoiser works in blocks of its own, at a rate of its own, and late. Here it is handed a stream as the hops get it,
and its output is compared with the input of the same moment.
"""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

from rtnmf.bounds import MOST_STREAM_VALUES, check_product, check_ratio
from rtnmf.experts.network import FRAME, RATE, Network
from rtnmf.frames.stft import STFT
from rtnmf.kernels.advised import N_AGES

__all__ = ["Denoiser"]

Array = NDArray[np.float32]

_WINDOW = 2 * FRAME
_LEAST = np.float32(1e-6)  # power of a bin at about -110 dB of full scale: below it, nothing is said
_SUREST = np.float32(0.98)
_OLDEST_WEIGHT = 1e-3  # of the last frame, where none lies under the window of the hop


class Denoiser:
    """Say by what to multiply the share of the voices in each bin, from what a denoiser makes of the stream.

    The shares that it implies are averaged over those of its last frames that lie under the windows of the frame that
    is due, each weighed by how much it counts there. The newest are missing, `network.delay` and up to a frame of the
    denoiser's: with windows of 43 ms and more, little of the weight when a frame comes, and hardly any a hop later;
    with those of 3 ms, its word is that of an earlier moment.

    State
        The denoiser's, the resampler's, and the powers of its last frames.
    Latency
        None: the stream waits for nothing.
    Thread safety
        None.

    Parameters
    ----------
    network : Network
    powers : array, shape (n_bins,)
        Of its word in each bin, in the product with what was taught.
    stft : STFT
    sample_rate : int
        Of the stream, in Hz.
    """

    def __init__(self, network: Network, powers: Array, stft: STFT, sample_rate: int) -> None:
        check_ratio("what is heard", sample_rate, RATE)
        n_remembered = int(stft.n_fft * RATE / sample_rate // FRAME) + 1
        remedy = "leave the experts out, or use a shorter window"
        what = "the number of values that an expert holds"
        check_product(what, MOST_STREAM_VALUES, remedy, n_bins=stft.n_bins, frames=2 * n_remembered)
        self._network, self._exponents = network, powers
        self._resampler = None
        if sample_rate != RATE:
            self._resampler = soxr.ResampleStream(
                sample_rate, RATE, 1, dtype="float32", quality="QQ"
            )  # what is better holds back 20 ms
        self._hop = stft.hop_length * RATE / sample_rate
        self._places, self._parts = _interpolation(stft.n_bins, sample_rate / stft.n_fft)
        self._window = np.hanning(_WINDOW + 1)[:_WINDOW].astype(np.float32)
        self._length = stft.n_fft * RATE / sample_rate
        weight = stft.analysis_window.astype(np.float64)
        weight[-stft.latency :] *= stft.synthesis_window
        weight[: -stft.latency] = 0
        self._weight = weight.clip(0)
        self._powers = np.zeros((2, n_remembered, stft.n_bins), np.float32)
        self._centres = np.zeros(n_remembered)
        self._heard = np.zeros(_WINDOW + network.delay, np.float32)
        self._made = np.zeros(_WINDOW, np.float32)
        self.reset()

    def reset(self) -> None:
        """Reset the stream state."""
        self._network.reset()
        if self._resampler is not None:
            self._resampler.clear()
        for state in (self._powers, self._heard, self._made):
            state[:] = 0
        self._centres[:] = -np.inf
        self._queue = np.zeros(0, np.float32)
        self._n_frames = self._n_hops = 0

    def hop(self, samples: Array) -> Array:
        """Take the samples of a hop, and return the odds of the voices, as `panel.Expert` has it."""
        new = samples if self._resampler is None else self._resampler.resample_chunk(samples)
        queue = np.concatenate([self._queue, new])
        n_whole = len(queue) // FRAME * FRAME
        for start in range(0, n_whole, FRAME):
            self._frame(queue[start : start + FRAME])
        self._queue = queue[n_whole:]
        self._n_hops += 1
        return np.stack([self._odds(age * self._hop) for age in range(N_AGES)])

    def _frame(self, frame: Array) -> None:
        """Compare a frame that the denoiser makes with what it was made of."""
        self._heard = np.append(self._heard[FRAME:], frame)
        self._made = np.append(self._made[FRAME:], self._network.denoise(frame))
        self._n_frames += 1
        place = self._n_frames % len(self._centres)
        for power, samples in zip(self._powers, (self._heard[:_WINDOW], self._made), strict=True):
            spectrum = np.abs(np.fft.rfft(samples * self._window)) ** 2
            power[place] = spectrum[self._places] * (1 - self._parts) + spectrum[self._places + 1] * self._parts
        self._centres[place] = (self._n_frames - 1) * FRAME - self._network.delay

    def _odds(self, ago: float) -> Array:
        """Return the odds for the frame that ended so long ago, shape (n_bins,)."""
        before = self._n_hops * self._hop - ago - self._centres
        positions = (1 - before / self._length) * len(self._weight)
        weights = np.interp(positions, np.arange(len(self._weight)), self._weight, left=0, right=0)
        weights[self._n_frames % len(weights)] += _OLDEST_WEIGHT
        heard, made = weights.astype(np.float32) @ self._powers
        share = np.sqrt((made + _LEAST / 4) / (heard + _LEAST))
        share = np.clip(share, 1 - _SUREST, _SUREST)
        odds: Array = (share / (1 - share)) ** self._exponents
        return odds


def _interpolation(n_bins: int, bin_hz: float) -> tuple[NDArray[np.intp], Array]:
    """Return between which bins of the denoiser's window each bin lies, the lower of the two and how far from it."""
    positions = np.minimum(np.arange(n_bins) * bin_hz * _WINDOW / RATE, _WINDOW // 2)
    places = np.minimum(positions.astype(np.intp), _WINDOW // 2 - 1)
    return places, (positions - places).astype(np.float32)
