"""The rest of the world, learned while a mixture sounds: what is kept of it, when it is learned from, how that went."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtnmf import nmf
from rtnmf.checks import check_channels
from rtnmf.dictionary import Dictionary
from rtnmf.dictionary.parts import check_adaptable
from rtnmf.engine.separator import usable
from rtnmf.learning.adapting import FEWEST, finding
from rtnmf.learning.hearing import hearing, hop_length
from rtnmf.progress import Progress

__all__ = ["Listening"]

Array = NDArray[np.float32]

_ROUNDS_S = (3.0, 5.0, 7.0, 10.0, 14.0, 20.0)
"""Seconds of sound after which the rest is learned, while the room stays as it is."""
_KEPT_S = 20.0
_LOOK_S = 5.0  # between two looks at whether the room has changed, and of sound looked at
_CHANGED = 1.25  # times the divergence of what was learned from
_SILENCE = 1e-4  # sum of the magnitudes of a frame, as a fraction of n_fft, below which nothing sounds: -100 dB
_NO_GAIN = "what was heard tells nothing new"
_NOT_ALONE = "what was taught is in nearly all that was heard"


class Listening:
    """Hear a mixture, and learn its rest from the last 20 s of it.

    Learning is due after 3, 5, 7, 10, 14 and 20 s of sound, and again when the room has changed: when the dictionary
    explains the last 5 s worse than those that it was learned from.

    State
        Frames of the last seconds that sounded, and the dictionary learned last.
    Thread safety
        None: all calls come from one thread, or wait for each other.

    Parameters
    ----------
    dictionary : Dictionary
        With a rest, and frames of every source; at the sample rate of the mixture.
    n_channels : int
    seed : int
    experts : sequence of str, optional
        Which to ask about the voices of the dictionary when frames are chosen, as for `Separator`.

    Attributes
    ----------
    dictionary : Dictionary
        The one learned last.
    heard_s : float
        Seconds of sound so far; silence does not count.
    learned_s : float
        Seconds of frames without what was taught that the last round learned from.
    n_rounds : int
        That led to another dictionary.
    reason : str
        Why the last round did not; empty if it did.
    """

    def __init__(
        self, dictionary: Dictionary, *, n_channels: int = 1, seed: int = 0, experts: Sequence[str] | None = None
    ) -> None:
        check_adaptable(dictionary)
        self.dictionary = self._first = dictionary
        self.heard_s = self.learned_s = 0.0
        self.n_rounds, self.reason = 0, ""
        self._seed = seed
        stft, self._rate = dictionary.stft, dictionary.sample_rate
        self._trend = stft.trend(self._rate, dictionary.model.audible_hz)
        self._hop_length = hop_length(stft)
        self._samples = np.zeros((stft.n_fft - self._hop_length, check_channels(n_channels)), np.float32)
        self._hearing = hearing(dictionary, experts)
        self._unasked = np.zeros((0, stft.n_bins), np.float32)
        self._frames: deque[Array] = deque(maxlen=self._n_frames(_KEPT_S))
        self._odds: deque[Array] = deque(maxlen=self._n_frames(_KEPT_S))
        self._due_s = _ROUNDS_S[0]
        self._explained = math.inf

    def hear(self, block: Array) -> None:
        """Take a block of the mixture, shape (n_samples, n_channels), of any length."""
        samples = usable(block)
        V = self._new_frames(samples)
        odds = None
        if self._hearing is not None:  # its word on a frame comes a hop later
            odds = self._hearing.process(samples)
            V = np.concatenate([self._unasked, V])
            odds, V, self._unasked = odds[len(odds) - len(V) + 1 :], V[:-1], V[-1:]
        is_heard = V.sum(axis=1) > _SILENCE * self._first.stft.n_fft
        self._frames.extend(V[is_heard])
        if odds is not None:
            self._odds.extend(odds[is_heard])
        self.heard_s += np.count_nonzero(is_heard) * self._hop_length / self._rate

    def _new_frames(self, samples: Array) -> Array:
        """Return the magnitudes of the frames that end in new samples, shape (n_frames, n_bins)."""
        stft = self._first.stft
        self._samples = np.concatenate([self._samples, samples])
        n_new = max(0, (len(self._samples) - stft.n_fft) // self._hop_length + 1)
        if not n_new:
            return np.zeros((0, stft.n_bins), np.float32)
        frames = np.lib.stride_tricks.sliding_window_view(self._samples, stft.n_fft, axis=0)[:: self._hop_length]
        V: Array = np.sum([np.abs(stft.transform(channel, self._trend)) for channel in frames.swapaxes(0, 1)], axis=0)
        self._samples = self._samples[n_new * self._hop_length :]
        return V

    @property
    def is_due(self) -> bool:
        """Whether it is time to learn: because enough was heard since the last time, or the room has changed."""
        if self.heard_s < self._due_s:
            return False
        if self._due_s in _ROUNDS_S or not self.n_rounds:
            return True
        self._due_s = self.heard_s + _LOOK_S
        return self._divergence() > _CHANGED * self._explained

    def learn(self, progress: Progress | None = None) -> Dictionary | None:
        """Learn the rest, and return the dictionary; None where that is no gain, and `reason` tells why."""
        has_changed = self.n_rounds > 0 and self._due_s not in _ROUNDS_S
        self._due_s = next((due_s for due_s in _ROUNDS_S if due_s > self.heard_s), self.heard_s + _LOOK_S)
        seconds = _LOOK_S if has_changed else _KEPT_S
        V = self._last(self._frames, seconds)
        odds = None if self._hearing is None else self._last(self._odds, seconds)
        found = finding(self._first, self.dictionary, V, odds=odds, seed=self._seed, progress=progress)
        if found.dictionary is None:
            self.reason = _NO_GAIN if found.n_frames >= FEWEST else _NOT_ALONE
            return None
        self.dictionary, self.reason = found.dictionary, ""
        self.n_rounds += 1
        self.learned_s = found.n_frames * self._hop_length / self._rate
        self._explained = self._divergence()
        return self.dictionary

    def _divergence(self) -> float:
        """Return how badly the dictionary explains the last seconds, as a fraction of their level."""
        V, W = self._last(self._frames, _LOOK_S), self.dictionary.components
        model = W @ nmf.activations(V, W, memory=0.0)
        return nmf.kl_divergence(V, model) / max(float(V.sum()), 1e-30)

    def _last(self, kept: deque[Array], seconds: float) -> Array:
        """Return what is kept of the last seconds that sounded, shape (n_bins, n_frames)."""
        return np.array(list(kept)[-self._n_frames(seconds) :], np.float32).T

    def _n_frames(self, seconds: float) -> int:
        return math.ceil(seconds * self._rate / self._hop_length)
