"""Spectrograms that several tests factorise."""

import numpy as np


def spectrogram(n_bins=120, n_frames=90, seed=0):
    """Return something with structure, a silent frame and an empty bin, float32."""
    rng = np.random.default_rng(seed)
    V = rng.random((n_bins, 6)) ** 6 @ rng.random((6, n_frames)) ** 6 + 0.01 * rng.random((n_bins, n_frames))
    V[:, 5] = 0
    V[7] = 0
    return V.astype(np.float32)


def start(V, n_components, seed=1):
    """Return a random W and H."""
    rng = np.random.default_rng(seed)
    return rng.random((V.shape[0], n_components)) + 0.1, rng.random((n_components, V.shape[1])) + 0.1


def spread_spectrogram(n_frames=3000, n_bins=65, seed=0):
    """Return frames of four components as rows, with the spread of magnitudes of noise, some of them silent."""
    rng = np.random.default_rng(seed)
    W, H = rng.random((4, n_bins)) ** 8, rng.random((n_frames, 4)) ** 4
    V = ((H @ W + 0.001) * rng.rayleigh(size=(n_frames, n_bins))).astype(np.float32)
    V[100:120] = 0
    return V
