"""The streaming engine once more, in plain numpy: slow, and easy to check against the papers.

The tests hold the compiled engine to it, `bench_stream.py` measures both.
"""

import numpy as np
from numpy import fft

from rtnmf.frames.masks import MASK_POWER, agreed_masks, soft_masks

__all__ = ["PlainSeparator"]


class PlainSeparator:
    """Separate a stream as `rtnmf.Separator` does.

    What experts say is `advice`: odds, shape (n_hops, 2, n_bins), for the frame that ends with each hop and for the one
    before, and for which sources they are, shape (n_sources,).
    """

    def __init__(self, dictionary, *, n_channels=1, n_iter=None, mask_power=MASK_POWER, gains=None, advice=None):
        self.advice, self.n_hops, self.last = advice, 0, None
        dictionary = dictionary.select(*dictionary.sources)
        self.stft, self.model, self.mask_power = dictionary.stft, dictionary.model, mask_power
        self.n_iter = n_iter or self.model.n_iter
        self.memory, self.weights = zip(*self.model.explanations(is_trained=dictionary.is_trained), strict=True)
        self.W = [np.ascontiguousarray(dictionary.components)]
        self.M = [self.W[0]]
        if dictionary.is_trained:
            self.W.append(np.ascontiguousarray(dictionary.update_components))
            self.M.append(np.ascontiguousarray(dictionary.mask_components))
        self.WT = [np.ascontiguousarray(W.T) for W in self.W]
        self.columns = [[k for k, label in enumerate(dictionary.labels) if label == s] for s in dictionary.sources]
        self.gains = np.asarray(np.eye(len(self.columns)) if gains is None else gains, np.float32)
        self.history = np.zeros((n_channels, self.stft.n_fft), np.float32)
        self.incoming = np.zeros((n_channels, self.stft.hop_length), np.float32)
        self.overlap = np.zeros((len(self.gains), n_channels, self.stft.latency), np.float32)
        self.position = 0
        self.trend = self.stft.trend(dictionary.sample_rate, self.model.audible_hz)
        bins = np.arange(self.stft.n_bins) * dictionary.sample_rate / self.stft.n_fft / max(self.model.audible_hz, 1e-9)
        lowest = self.W[0][(bins >= 1) & (np.concatenate([[0], bins[:-1]]) < 3)]
        levels = np.array([lowest[:, columns].sum(axis=0).mean() for columns in self.columns]) + 1e-9
        self.low_shares = levels / levels.sum()
        self.h = [np.zeros(W.shape[1], np.float32) for W in self.W]

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
        windowed = self.history * self.stft.analysis_window
        low = (windowed @ self.trend.T) @ self.trend
        spectrum = fft.rfft(windowed - low)
        masks = self.masks(np.abs(spectrum).sum(axis=0))
        hop_length = self.stft.hop_length
        self.overlap = np.roll(self.overlap, -hop_length, axis=2)
        self.overlap[:, :, -hop_length:] = 0
        if self.advice is None:
            self.overlap += self.stems(masks, spectrum, low)
            return
        odds, speaks = self.advice[0][self.n_hops], self.advice[1]
        advised = [np.where(speaks[:, None], odds[age] ** self.mask_power, 1) for age in (0, 1)]
        if self.last is not None:
            before, *frame = self.last
            late = before * advised[1]
            self.overlap[:, :, :-hop_length] += self.stems(late / late.sum(axis=0), *frame)[:, :, hop_length:]
        now = masks * advised[0]
        self.overlap[:, :, :hop_length] += self.stems(now / now.sum(axis=0), spectrum, low)[:, :, :hop_length]
        self.last, self.n_hops = (masks, spectrum, low), self.n_hops + 1

    def stems(self, masks, spectrum, low):
        """Return what a frame adds to what goes out, shape (n_outputs, n_channels, latency)."""
        frames = fft.irfft(masks[:, None] * spectrum, self.stft.n_fft)
        frames += (self.gains @ self.low_shares)[:, None, None] * low
        return frames[:, :, -self.stft.latency :] * self.stft.synthesis_window

    def masks(self, v):
        """Return the mask of each output, shape (n_outputs, n_bins)."""
        total = v.sum()
        if not total:
            self.h = [np.zeros_like(h) for h in self.h]
            return self.gains @ soft_masks(np.zeros((len(self.columns), len(v)), np.float32))
        self.h = [self.updated(i, v / total) for i in range(len(self.W))]
        models = [self.models(M, h) for M, h in zip(self.M, self.h, strict=True)]
        masks = [soft_masks(spectra, reach=self.model.reach) for spectra in models]
        return self.gains @ agreed_masks(masks, self.weights, self.mask_power)

    def models(self, M, h):
        """Return the modelled magnitudes of the sources, shape (n_sources, n_bins)."""
        return np.stack([M[:, columns] @ h[columns] for columns in self.columns])

    def updated(self, i, v):
        """Return activations: a part of the last ones and the rest uniform, updated, all but first relaxed."""
        h, n = self.h[i], len(self.h[i])
        memory = self.memory[i] if h.any() else 0
        h = (memory * h / (h.sum() or 1) + (1 - memory) / n).astype(np.float32)
        for update in range(self.n_iter):
            h *= (self.WT[i] @ (v / (self.W[i] @ h + np.float32(1e-30)))) ** np.float32(
                self.model.relaxation if update else 1
            )
        return h
