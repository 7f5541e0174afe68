"""Sound from magnitudes alone: phases that fit them, by iteration."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtnmf.frames.stft import STFT

__all__ = ["griffin_lim"]


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
