"""Sound from magnitudes alone: phases that fit them, by iteration."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtnmf.bounds import MOST_STEADY_FRAMES, MOST_STEADY_SAMPLES, check_product
from rtnmf.frames.stft import STFT

__all__ = ["N_ITER_HEARD", "check_steady", "griffin_lim", "steady_frames", "steady_sound"]

N_ITER_HEARD = 16
"""Iterations after which an ear hears no difference to more."""


def griffin_lim(
    magnitudes: NDArray[np.floating], stft: STFT, *, n_iter: int = 32, momentum: float = 0.99, seed: int = 0
) -> NDArray[np.float32]:
    """Find a signal whose spectrogram is close to given magnitudes, by the fast Griffin-Lim algorithm.

    Written in terms of `STFT`, so that it also inverts spectrograms of the low-latency windows.

    Parameters
    ----------
    magnitudes : array, shape (n_bins, n_frames)
        Non-negative.
    stft : STFT
        Settings that the magnitudes belong to.
    n_iter : int
        Iterations.
    momentum : float
        0 gives the original algorithm.
    seed : int
        Of the random phases to start from.

    Returns
    -------
    array, shape (n_samples,)
        As many samples as the frames hold whole, `(n_frames + 1) * hop_length - latency`.

    References
    ----------
    N. Perraudin, P. Balazs and P. L. Sondergaard, "A fast Griffin-Lim algorithm", WASPAA 2013, algorithm 2.
    """
    magnitudes = np.asfortranarray(magnitudes, np.float32)  # frame after frame, as `forward` returns them
    n_frames = magnitudes.shape[1]
    n_samples = max(0, (n_frames + 1) * stft.hop_length - stft.latency)
    angles = np.random.default_rng(seed).random(magnitudes.T.shape, np.float32).T
    phases = np.exp(np.complex64(2j * np.pi) * angles)
    last = np.zeros_like(phases)
    for _ in range(n_iter):
        rebuilt = stft.forward(stft.inverse(magnitudes * phases, n_samples))[:, :n_frames]
        phases = rebuilt + np.float32(momentum) * (rebuilt - last)
        phases /= np.maximum(np.abs(phases), np.float32(1e-20))
        last = rebuilt
    return stft.inverse(magnitudes * phases, n_samples)


def steady_sound(
    spectrum: NDArray[np.floating], stft: STFT, sample_rate: int, seconds: float = 1.0
) -> NDArray[np.float32]:
    """Return the sound of a spectrum that stands still for some time, or for one window when that is longer.

    Parameters
    ----------
    spectrum : array, shape (n_bins,)
        Magnitudes.
    stft : STFT
        Settings that the spectrum belongs to.
    sample_rate : int
        In Hz.
    seconds : float
        At most 1.

    Returns
    -------
    array, shape (n_samples,)
        With a peak of 0.5, or silence where the spectrum is.

    Raises
    ------
    ValueError
        If a second is too many samples.
    """
    check_steady(stft, sample_rate)
    if stft.hop_length < stft.n_fft // 4:  # more frames than make a difference
        stft = STFT(stft.n_fft, stft.n_fft // 4)
    n_frames = steady_frames(stft, sample_rate, seconds)
    y = griffin_lim(np.repeat(spectrum[:, None], n_frames, axis=1), stft, n_iter=N_ITER_HEARD)
    return np.float32(0.5) * y / max(float(np.abs(y).max(initial=0)), 1e-9)


def steady_frames(stft: STFT, sample_rate: int, seconds: float) -> int:
    """Return how many frames `steady_sound` is made of, with a hop of at least a quarter of the window."""
    longest = max(stft.n_fft, int(seconds * sample_rate))
    return -(-(longest + stft.latency) // max(stft.hop_length, stft.n_fft // 4))


def check_steady(stft: STFT, sample_rate: int) -> None:
    """Raise ValueError if the sound of a spectrum, `steady_sound`, would be too long to make."""
    remedy = "convert the dictionary with .at_rate, to a sample rate that can be heard"
    longest = max(stft.n_fft, sample_rate)
    check_product("the number of samples of a component's sound", MOST_STEADY_SAMPLES, remedy, longest=longest)
    n_frames = longest / (stft.n_fft // 4)
    check_product("the number of frames of a component's sound", MOST_STEADY_FRAMES, remedy, n_frames=n_frames)
