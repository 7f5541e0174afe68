"""The streaming engine once more, in plain numpy: slow, and easy to check against the papers.

The tests hold the compiled engine to it, `bench_stream.py` measures both.
"""

import numpy as np
from numpy import fft

from rtnmf.masking import soft_masks

__all__ = ["PlainSeparator"]


class PlainSeparator:
    """Separate a stream as `rtnmf.Separator` does."""

    def __init__(self, dictionary, *, n_channels=1, n_iter=5, mask_power=1.0, gains=None):
        dictionary = dictionary.select(*dictionary.sources)
        self.stft, self.n_iter, self.mask_power = dictionary.stft, n_iter, mask_power
        self.W = np.ascontiguousarray(dictionary.components)
        self.WT = np.ascontiguousarray(self.W.T)
        self.columns = [[k for k, label in enumerate(dictionary.labels) if label == s] for s in dictionary.sources]
        self.gains = np.asarray(np.eye(len(self.columns)) if gains is None else gains, np.float32)
        self.history = np.zeros((n_channels, self.stft.n_fft), np.float32)
        self.incoming = np.zeros((n_channels, self.stft.hop_length), np.float32)
        self.overlap = np.zeros((len(self.gains), n_channels, self.stft.latency), np.float32)
        self.position = 0
        self.h = np.zeros(self.W.shape[1], np.float32)

    def process(self, block):
        """Take a block, shape (n_samples, n_channels), and return (n_outputs, n_samples, n_channels)."""
        outputs = np.empty((len(self.gains), *block.shape), np.float32)
        done = 0
        while done < len(block):
            n = min(self.stft.hop_length - self.position, len(block) - done)
            here = slice(self.position, self.position + n)
            outputs[:, done : done + n] = self.overlap[:, :, here].transpose(0, 2, 1)
            self.incoming[:, here] = block[done : done + n].T
            self.position += n
            done += n
            if self.position == self.stft.hop_length:
                self.hop()
                self.position = 0
        return outputs

    def hop(self):
        """Separate a frame, and overlap-add what comes of it."""
        self.history = np.hstack([self.history[:, self.stft.hop_length :], self.incoming])
        spectrum = fft.rfft(self.history * self.stft.analysis_window)
        separated = self.masks(np.abs(spectrum).sum(axis=0))[:, None] * spectrum
        frames = fft.irfft(separated, self.stft.n_fft)
        self.overlap = np.roll(self.overlap, -self.stft.hop_length, axis=2)
        self.overlap[:, :, -self.stft.hop_length :] = 0
        self.overlap += frames[:, :, -self.stft.latency :] * self.stft.synthesis_window

    def masks(self, v):
        """Return the mask of each output, shape (n_outputs, n_bins)."""
        self.update(v)
        models = np.stack([self.W[:, columns] @ self.h[columns] for columns in self.columns])
        return self.gains @ soft_masks(models, self.mask_power)

    def update(self, v):
        """Update the activations: from nine tenths of the last ones and the rest uniform, relaxed but for the first."""
        if not v.any():
            self.h[:] = 0
            return
        v = v / v.sum()
        n = len(self.h)
        self.h = np.float32(0.9) * self.h / self.h.sum() + np.float32(0.1 / n) if self.h.any() else np.full(n, 1 / n)
        self.h = self.h.astype(np.float32)
        for i in range(self.n_iter):
            self.h *= (self.WT @ (v / (self.W @ self.h + np.float32(1e-30)))) ** np.float32(1.7 if i else 1)
