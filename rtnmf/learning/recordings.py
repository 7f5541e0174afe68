"""Recordings to learn from: which there are, at which rate, and the frames of them that are learned from."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtnmf.audio import files
from rtnmf.checks import whole_hz
from rtnmf.engine.separator import usable
from rtnmf.frames.stft import STFT
from rtnmf.learning import bandwidth, clips
from rtnmf.learning.clips import Clip, Recording, Together
from rtnmf.learning.hearing import Hearing, hop_length

__all__ = [
    "MOST_FRAMES",
    "Frames",
    "Heard",
    "checked_rate",
    "continued",
    "frames",
    "heard",
    "joined",
    "mixture_frames",
    "pipes_read",
]

Array = NDArray[np.float32]

_SILENCE_DB = -60.0
_CHUNK = 256  # frames that are worked on at a time
_SMALL_SHARE = 0.1  # of the frames of a source, below which a warning says so
_ALIKE = 0.7  # most voices have more in common, most instruments less; see docs/learning.md
MOST_FRAMES = 16384
"""Of a source, three minutes at 44.1 kHz; longer recordings are sampled more sparsely."""


class Frames(NamedTuple):
    """The frames of a source, at a mean level of 1 of those that sound."""

    magnitudes: Array
    """Of the frames that sound, summed over the channels, shape (n_bins, n_frames)."""
    spectra: list[NDArray[np.complex64]]
    """Of each different sound, all frames, each channel's one after the other, shape (n_frames, n_bins)."""


class Heard(NamedTuple):
    """What a first reading of a recording found."""

    frames: Frames
    """Some of its frames, taken evenly."""
    n_samples: int
    """At the rate that is learned at."""
    level: float
    """The mean level of the frames that sound, by which all were divided."""
    silence: float
    """The level below which frames do not sound."""


def pipes_read(
    sources: Mapping[str, Sequence[Recording]], stack: contextlib.ExitStack, strict: bool
) -> dict[str, list[Recording]]:
    """Return the recordings with readers for those that can be opened only once, which the stack will close."""

    def reopenable(recording: Recording) -> Recording:
        if isinstance(recording, Together):
            return Together(*map(reopenable, recording.recordings))  # type: ignore[arg-type]
        if isinstance(recording, Clip):
            return Clip(reopenable(recording.path), *recording.stretches)  # type: ignore[arg-type]
        if isinstance(recording, (str, os.PathLike)) and files.is_pipe(recording):
            return stack.enter_context(files.AudioReader(recording, strict=strict))
        return recording

    return {name: [reopenable(recording) for recording in given] for name, given in sources.items()}


def checked_rate(
    sources: Mapping[str, Sequence[Recording]],
    sample_rate: int | None,
    known_rates: Sequence[int] = (),
    *,
    are_checked: bool = False,
) -> int:
    """Return the rate to learn at, the one given or else the highest of the files, once every file can be read.

    Where there are no files, it is the first of the rates that are known. `are_checked` says that all can be read.

    Raises
    ------
    TypeError, ValueError
        If the rate is missing and a recording is an array, or a file cannot be read.
    """
    recordings = [recording for given in sources.values() for recording in given]
    if sample_rate is None and not recordings and known_rates:
        return known_rates[0]
    rate = _common_rate(recordings, sample_rate)
    for recording in () if are_checked else recordings:
        clips.check_files(recording)
    return rate


def _common_rate(recordings: Sequence[Recording], sample_rate: int | None) -> int:
    if sample_rate is not None:
        return whole_hz(sample_rate)
    parts = [part for recording in recordings for part in clips.parts(recording)]
    if any(isinstance(part, np.ndarray) for part in parts):
        raise ValueError("sample_rate is missing: recordings given as arrays do not tell theirs, pass sample_rate=...")
    rates = set()
    for part in parts:
        with files.opened(part.path if isinstance(part, Clip) else part) as reader:
            rates.add(reader.sample_rate)
    return max(rates)


def frames(
    name: str,
    recordings: Sequence[Recording],
    sample_rate: int,
    stft: STFT,
    audible_hz: float,
    *,
    strict: bool = False,
    is_told: bool = False,
) -> Frames:
    """Return the frames of a source that are learned from, at most about 16384 of each channel, taken evenly.

    Each recording is brought to the same level; its silent frames, below -60 dB of its loudest one, are left out of
    the magnitudes. Recordings that are alike count as one sound, and what is lower than `audible_hz`
    for nothing, as in a stream. Recordings that end at a lower frequency than the spectrum, as those made at a
    lower rate do, are continued above; where all of a source do, a warning says so. Where `is_told`, another one does
    where fewer than a tenth of the frames are taken.

    Raises
    ------
    ValueError
        If a recording is too short, silent, or cannot be read, or a file is damaged and `strict`.
    """
    n_most = max(1, MOST_FRAMES // len(recordings))
    trend = stft.trend(sample_rate, audible_hz)
    read = partial(heard, sample_rate=sample_rate, stft=stft, trend=trend, n_most=n_most, strict=strict)
    found = [read(clips.title(name, i), one) for i, one in enumerate(recordings, 1)]
    parts = [one.frames for one in found]
    if is_told:
        _warn_of_share(name, recordings, [one.n_samples / hop_length(stft) for one in found], n_most)
    if name:
        ends = [bandwidth.end_of(part.magnitudes.mean(axis=1), sample_rate) for part in parts]
        continued(name, parts, ends, sample_rate)
    return joined(parts)


def _warn_of_share(name: str, recordings: Sequence[Recording], n_frames: Sequence[float], n_most: int) -> None:
    share = sum(min(n, n_most) for n in n_frames) / sum(n_frames)
    if share < _SMALL_SHARE:
        all_are_whole = all(isinstance(one, (str, os.PathLike, np.ndarray)) for one in recordings)
        remedy = ": n_passes=2 learns from all of them" if all_are_whole else ""
        what = name or "the recording"
        warnings.warn(f"{what}: {100 * share:.1g} % of the frames are learned from, taken evenly{remedy}", stacklevel=4)


def joined(parts: Sequence[Frames]) -> Frames:
    """Return the frames of all recordings of a source; those of recordings that are alike are one sound."""
    if len(parts) == 1:
        return parts[0]
    sounds = [np.vstack([parts[i].spectra[0] for i in sound]) for sound in _sounds(parts)]
    return Frames(np.hstack([part.magnitudes for part in parts]), sounds)


def continued(name: str, parts: Sequence[Frames], ends: Sequence[int | None], sample_rate: int) -> None:
    """Continue recordings of a source above their ends, with a warning where they all end; see `bandwidth`."""
    for (magnitudes, (spectra,)), end in zip(parts, ends, strict=True):
        if end is not None:
            bandwidth.continue_above(magnitudes.T, end)
            bandwidth.continue_above(spectra, end)
    found = [end for end in ends if end is not None]
    if len(found) == len(parts):
        bandwidth.warn(name, max(found), sample_rate, len(parts[0].magnitudes))


def mixture_frames(
    recording: Recording,
    sample_rate: int,
    stft: STFT,
    audible_hz: float,
    hearing: Hearing | None = None,
    *,
    strict: bool = False,
) -> tuple[Array, Array | None]:
    """Return the frames of a recording, silent ones too, at most about 16384 of them, taken evenly.

    Returns
    -------
    magnitudes : array, shape (n_bins, n_frames)
        Summed over the channels; none where it is shorter than a frame. What is not finite is silence, as in a stream.
    odds : array, shape (n_bins, n_frames), or None
        What experts say of the voices in each bin, where they are asked: in the frame of theirs that is nearest.

    Raises
    ------
    ValueError
        If it cannot be read, or is damaged and `strict`.
    """
    with clips.opened(recording, sample_rate, strict=strict) as sound:
        trend = stft.trend(sample_rate, audible_hz)
        blocks = map(usable, sound.blocks)
        store = _Store(stft, trend, sound.n_channels, sound.n_samples, MOST_FRAMES, hearing)
        _fill(store, blocks, stft, sound.n_channels)
    magnitudes = np.ascontiguousarray(np.abs(store.spectra()).sum(axis=0).T)
    return magnitudes, None if hearing is None else store.odds()


def _sounds(parts: Sequence[Frames]) -> list[list[int]]:
    """Return which recordings are one sound: each joins the sound that it is most like, if it is alike.

    Likeness is how much of two mean spectra overlaps, where each sums to 1.
    """
    sounds: list[list[int]] = []
    sums: list[Array] = []  # of the mean spectra of each
    for i, (V, _) in enumerate(parts):
        mean = V.sum(axis=1) / V.sum()
        likeness = [np.minimum(mean, total / len(sound)).sum() for sound, total in zip(sounds, sums, strict=True)]
        if likeness and max(likeness) >= _ALIKE:
            best = int(np.argmax(likeness))
            sounds[best].append(i)
            sums[best] = sums[best] + mean
        else:
            sounds.append([i])
            sums.append(mean)
    return sounds


def heard(
    name: str,
    recording: Recording,
    sample_rate: int,
    stft: STFT,
    trend: Array,
    n_most: int,
    strict: bool = False,
    notes: list[str] | None = None,
) -> Heard:
    """Read a recording once, and return what was found.

    The parameters and errors are those of `frames`; `notes` are as for `clips.opened`.
    """
    with clips.opened(recording, sample_rate, strict=strict, notes=notes) as sound:
        blocks = clips.usable(clips.description(name, recording), sound.blocks)
        kept, n_samples = _thinned(blocks, sound.n_samples, sound.n_channels, stft, trend, n_most)
    if n_samples < stft.n_fft:
        raise ValueError(
            f"{clips.description(name, recording)} has {n_samples} sample{'s' * (n_samples != 1)},"
            f" expected at least {stft.n_fft}"
            f" ({1000 * stft.n_fft / sample_rate:.0f} ms): record a few seconds"
        )
    levels = np.concatenate([V.sum(axis=0) for V in _magnitudes(kept)])
    silence = max(levels.max() * 10 ** (_SILENCE_DB / 20), 1e-6)
    sounding = levels > silence
    if not sounding.any():
        raise ValueError(f"{clips.description(name, recording)} is silent: record it again, louder")
    level = levels[sounding].mean()
    rows, done = np.empty((int(np.count_nonzero(sounding)), stft.n_bins), np.float32), 0
    for V, is_heard in zip(_magnitudes(kept), np.split(sounding, range(_CHUNK, len(sounding), _CHUNK)), strict=True):
        n_heard = int(np.count_nonzero(is_heard))
        rows[done : done + n_heard] = V.T[is_heard] / level
        done += n_heard
    kept *= np.float32(len(kept) / level)
    return Heard(Frames(rows.T, [kept.reshape(-1, stft.n_bins)]), n_samples, float(level), float(silence))


def _magnitudes(spectra: NDArray[np.complex64]) -> Iterator[Array]:
    """Yield the magnitudes of frames, summed over the channels, some at a time, shape (n_bins, n_frames)."""
    for start in range(0, spectra.shape[1], _CHUNK):
        yield np.sum([np.abs(channel.T) for channel in spectra[:, start : start + _CHUNK]], axis=0)


def _thinned(
    blocks: Iterator[Array], n_stated: int, n_channels: int, stft: STFT, trend: Array, n_most: int
) -> tuple[NDArray[np.complex64], int]:
    """Return spectra of frames of a stream, shape (n_channels, n_frames, n_bins), and the length of the stream.

    A stream of known length gives about `n_most` frames at the most, taken evenly. Where `n_stated` is 0, every second
    frame is dropped whenever there are more, so that at least half as many are left.
    """
    store = _Store(stft, trend, n_channels, n_stated, n_most)
    n_samples = _fill(store, blocks, stft, n_channels)
    return store.spectra(), n_samples


def _fill(store: _Store, blocks: Iterator[Array], stft: STFT, n_channels: int) -> int:
    """Append a stream, and the silence in which its last frames end; return its length."""
    n_samples = 0
    for block in blocks:
        store.add(block)
        n_samples += len(block)
    if n_samples:
        store.add(np.zeros((stft.latency - 1, n_channels), np.float32))
    return n_samples


class _Store:
    """Spectra of the frames of a stream, and what experts say of them.

    When it is full, every second one is dropped, and the hop is doubled.
    """

    def __init__(
        self, stft: STFT, trend: Array, n_channels: int, n_stated: int, n_most: int, hearing: Hearing | None = None
    ) -> None:
        self._trend, self._stft = trend, stft
        self._hop_length = max(hop_length(stft), n_stated // n_most)
        self._most = max(2, (n_stated + stft.latency - 1) // self._hop_length if n_stated else n_most)
        self._spectra = np.empty((n_channels, self._most, stft.n_bins), np.complex64)
        self._hearing = hearing
        self._odds = np.ones((self._most if hearing else 0, stft.n_bins), np.float32)
        self._n_frames = self._n_odds = self._n_asked = 0
        self._last = np.zeros((stft.n_fft, n_channels), np.float32)
        self._n_samples = 0

    def add(self, block: Array) -> None:
        """Append samples, shape (n_samples, n_channels), and keep the frames that end in them."""
        x = np.concatenate([self._last, block])
        frames = np.lib.stride_tricks.sliding_window_view(x, self._stft.n_fft, axis=0)
        began, self._n_samples = self._n_samples, self._n_samples + len(block)
        while (end := (self._n_frames + 1) * self._hop_length) <= self._n_samples:
            if self._n_frames == self._most:
                self._halve()
                continue
            n_new = min(_CHUNK, self._most - self._n_frames, (self._n_samples - end) // self._hop_length + 1)
            new = slice(self._n_frames, self._n_frames + n_new)
            for spectra, channel in zip(self._spectra, frames.swapaxes(0, 1), strict=True):
                spectra[new] = self._stft.transform(channel[end - began :: self._hop_length][:n_new], self._trend)
            self._n_frames += n_new
        self._last = x[len(x) - self._stft.n_fft :].copy()
        if self._hearing is not None:
            self._ask(self._hearing, block)

    def _ask(self, hearing: Hearing, block: Array) -> None:
        """Keep the odds of those frames of the experts that end next to where one that is kept does."""
        for odds in hearing.process(block):
            end = self._n_asked * hearing.hop_length  # of the frame before the hop
            self._n_asked += 1
            if end + hearing.hop_length / 2 >= (self._n_odds + 1) * self._hop_length:
                self._odds[self._n_odds] = odds
                self._n_odds += 1

    def _halve(self) -> None:
        n_left = self._n_frames // 2
        for start in range(0, n_left, _CHUNK):
            stop = min(start + _CHUNK, n_left)
            self._spectra[:, start:stop] = self._spectra[:, 2 * start + 1 : 2 * stop : 2]
        n_said = self._n_odds // 2
        self._odds[:n_said] = self._odds[1 : 2 * n_said : 2]
        self._odds[n_said:] = 1
        self._n_frames, self._n_odds, self._hop_length = n_left, n_said, 2 * self._hop_length

    def odds(self) -> Array:
        """Return the odds of the frames, shape (n_bins, n_frames): 1 for the last ones, which were not heard out."""
        return self._odds[: self._n_frames].T

    def spectra(self) -> NDArray[np.complex64]:
        """Return what is kept, shape (n_channels, n_frames, n_bins), contiguous, in the memory of the store."""
        rows, n = self._spectra.reshape(-1, self._stft.n_bins), self._n_frames
        for c in range(1, len(self._spectra)):
            for start in range(0, n, _CHUNK):
                stop = min(start + _CHUNK, n)
                rows[c * n + start : c * n + stop] = self._spectra[c, start:stop]
        return rows[: len(self._spectra) * n].reshape(len(self._spectra), n, self._stft.n_bins)
