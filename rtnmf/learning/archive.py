"""Recordings that are too long for memory, as partitions of a spectrogram that are read whenever they are needed.

A first reading tells how long each recording is, whatever its header says, how loud it is, and where it ends in
frequency. Partitions are runs of its frames, or several short recordings; each frame is the one that it would be in
the whole recording.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtnmf.audio import files
from rtnmf.audio.identity import identity as identity_of
from rtnmf.audio.names import is_url
from rtnmf.checks import few
from rtnmf.dictionary.examples import spread
from rtnmf.frames.stft import STFT
from rtnmf.learning import bandwidth, clips
from rtnmf.learning.clips import title
from rtnmf.learning.hearing import hop_length
from rtnmf.learning.readable import counted, reason, without_lost
from rtnmf.learning.recordings import MOST_FRAMES, Frames, continued, heard
from rtnmf.nmf import passes

__all__ = ["Archive", "Known", "first_reading"]

Array = NDArray[np.float32]

_PARTITION_VALUES = 2**24  # of V: nine minutes at 16 kHz and a window of 2048
_CHUNK = 16  # frames that are transformed at a time: what is larger goes back to the system, to be faulted in again
_BLOCK_LENGTH = 2**16
_FEWEST_HEARD = 256  # frames of a recording that its level is taken from
_SETTLED_S = 0.1  # after which a resampler gives what it gives in the whole recording


Repeatable = NDArray[np.floating] | str | os.PathLike[str]
"""A recording that can be read in parts, again and again."""


class Known(NamedTuple):
    """What has to be known of a recording to give any of its frames."""

    recording: Repeatable
    n_samples: int
    """At the rate that is learned at."""
    level: float
    silence: float
    end: int | None
    """The bin from which on it is continued; see `bandwidth`."""
    can_seek: bool = True
    """Whether a part of it can be read without what is before it."""
    identity: str = ""
    """Of its file when it was read first; see `audio.identity`. Empty where nothing is to be compared."""
    place: int = 0
    """Among the recordings that were given, of which some are left out."""


class Piece(NamedTuple):
    """A run of the frames of a recording."""

    number: int
    first: int
    stop: int


class Archive:
    """The spectrogram of the recordings of a source, in partitions; see `nmf.passes`.

    Its frames are those of `recordings.frames` when nothing is left out: one every `hop_length` samples, divided by
    the level of its recording, without those that are silent. It holds no sound, and can be sent to other processes.

    Parameters
    ----------
    known : sequence of Known
    sample_rate : int
        In Hz.
    stft : STFT
    audible_hz : float
        What is lower counts for nothing.
    """

    def __init__(self, known: Sequence[Known], sample_rate: int, stft: STFT, audible_hz: float) -> None:
        self._known, self._sample_rate, self._stft = tuple(known), sample_rate, stft
        self._hop_length = hop_length(stft)
        self._trend = stft.trend(sample_rate, audible_hz)
        n_frames = [self._n_frames(one.n_samples) for one in known]
        self._partitions = _partitions(
            n_frames, [one.can_seek for one in known], max(1, _PARTITION_VALUES // stft.n_bins)
        )

    def __len__(self) -> int:
        return len(self._partitions)

    @property
    def recordings(self) -> list[Repeatable]:
        """All that it is of, in the order of their numbers."""
        return [one.recording for one in self._known]

    @property
    def places(self) -> list[int]:
        """Where they stand among those that were given."""
        return [one.place for one in self._known]

    @property
    def n_frames(self) -> int:
        """How many frames there are, sounding or not."""
        return sum(piece.stop - piece.first for partition in self._partitions for piece in partition)

    def seconds(self, i: int) -> float:
        """Return how much sound a partition is of."""
        n_frames = sum(piece.stop - piece.first for piece in self._partitions[i])
        return n_frames * self._hop_length / self._sample_rate

    def blocks(self, i: int, lost: dict[int, str]) -> Iterator[Array]:
        """Yield the frames of a partition, shape (n_frames, n_bins), some at a time.

        What cannot be read is left out: `lost` gets the number of the recording, and why.
        """
        for piece in self._partitions[i]:
            try:
                yield from self._sounding(piece)
            except (ValueError, OSError) as error:
                lost[piece.number] = reason(self._known[piece.number].recording, error)

    def sums(self, i: int, W: Array, device: str | None = None) -> passes.Sums:
        """Return what a partition adds to an update of W, as `passes.sums_of`; what cannot be read is named."""
        lost: dict[int, str] = {}
        sums = passes.sums_of(self.blocks(i, lost), W, device)
        n_lost = sum(piece.stop - piece.first for piece in self._partitions[i] if piece.number in lost)
        return sums._replace(lost=tuple(lost.items()), n_lost=n_lost)

    def _n_frames(self, n_samples: int) -> int:
        return (n_samples + self._stft.latency - 1) // self._hop_length

    def _sounding(self, piece: Piece) -> Iterator[Array]:
        """Yield the frames of a piece that sound."""
        known = self._known[piece.number]
        for spectra in self._spectra(known, piece):
            V = np.sum(np.abs(spectra), axis=0)
            V = V[V.sum(axis=1) > known.silence] / np.float32(known.level)
            if known.end is not None:
                bandwidth.continue_above(V, known.end)
            yield V

    def _spectra(self, known: Known, piece: Piece) -> Iterator[NDArray[np.complex64]]:
        """Yield spectra of the frames of a piece, some at a time, shape (n_channels, n_frames, n_bins)."""
        n_fft, hop, n_left = self._stft.n_fft, self._hop_length, piece.stop - piece.first
        start = (piece.first + 1) * hop - n_fft
        x = np.zeros((0, 1), np.float32)
        for block in self._blocks(known, start):
            x = np.concatenate([x, block]) if len(x) else block
            n = min(n_left, max(0, (len(x) - n_fft) // hop + 1))
            for at in range(0, n, _CHUNK):
                part = x[at * hop : (min(at + _CHUNK, n) - 1) * hop + n_fft]
                frames = np.lib.stride_tricks.sliding_window_view(part, n_fft, axis=0)[::hop]
                yield np.stack([self._stft.transform(channel, self._trend) for channel in frames.swapaxes(0, 1)])
            x, n_left = x[n * hop :], n_left - n
            if not n_left:
                return
        raise ValueError(f"{clips.description('a recording', known.recording)} is shorter than when it was read first")

    def _blocks(self, known: Known, start: int) -> Iterator[Array]:
        """Yield a recording from a sample on at the rate that is learned at, with silence before its start and after.

        Parameters
        ----------
        start : int
            Negative where it begins in the silence before the recording.
        """
        n_channels = 1
        blocks = _from(known, max(0, start), self._sample_rate)
        for block in clips.usable(clips.description("a recording", known.recording), blocks):
            n_channels = block.shape[1]
            yield np.pad(block, ((max(0, -start), 0), (0, 0)))
            start = 0
        yield np.zeros((2 * self._stft.n_fft, n_channels), np.float32)


class _Found(NamedTuple):
    """What a first reading finds of a recording."""

    known: Known
    frames: Frames
    notes: list[str]


class _Reading(NamedTuple):
    """A recording to be read first."""

    recording: Repeatable
    title: str
    n_kept: int


def first_reading(
    name: str,
    recordings: Sequence[Repeatable],
    sample_rate: int,
    stft: STFT,
    audible_hz: float,
    each: Callable[[Callable[[_Reading], Any], Sequence[_Reading]], Iterable[Any]],
    *,
    strict: bool = False,
    done: Callable[[int], object] = lambda _: None,
) -> tuple[list[Frames], Archive]:
    """Read all recordings of a source once; return some frames of each, taken evenly, and the archive of all frames.

    Recordings have equal shares of at most about 16384 frames; of more recordings, every so many gives one. Those that
    cannot be read, or are silent or too short, are left out, with a warning that names them.

    Parameters
    ----------
    name : str
    recordings : sequence of arrays and paths
    sample_rate, stft, audible_hz
        As for `Archive`.
    each : callable
        Yields what a function returns for each of some items, in their order; on other processes as well.
    strict : bool
        Raise where a recording is damaged or would be left out.
    done : callable
        Called with the number of recordings that were read.

    Raises
    ------
    ValueError
        If nothing is left.
    """
    recordings = [_anywhere(one) for one in recordings]
    shares = np.diff(np.arange(len(recordings) + 1) * MOST_FRAMES // len(recordings)).tolist()
    readings = [
        _Reading(recording, title(name, i), n)
        for i, (recording, n) in enumerate(zip(recordings, shares, strict=True), 1)
    ]
    trend = stft.trend(sample_rate, audible_hz)
    read = partial(_read, is_continued=bool(name), sample_rate=sample_rate, stft=stft, trend=trend, strict=strict)
    found: list[_Found | str] = []
    for one in each(read, readings):
        found.append(one)
        done(len(found))
    if not any(isinstance(one, _Found) and len(one.frames.spectra[0]) for one in found):  # those with a share are lost
        again = [i for i, one in enumerate(found) if isinstance(one, _Found)][:MOST_FRAMES]
        for i, one in zip(again, each(read, [readings[i]._replace(n_kept=1) for i in again]), strict=True):
            found[i] = one
    reasons = [one if isinstance(one, str) else "" for one in found]
    left: list[Any] = without_lost(name, list(enumerate(found)), reasons, strict)
    damaged = [note for _, one in left for note in one.notes]
    if damaged:
        n_damaged = [one for _, one in left if one.notes]
        warnings.warn(f"{counted(name, 'are odd', n_damaged, recordings)}: {few(damaged)}", stacklevel=5)
    known = [one.known._replace(recording=recordings[i], place=i) for i, one in left]
    kept = [one for _, one in left if len(one.frames.spectra[0])]
    continued(name, [one.frames for one in kept], [one.known.end for one in kept], sample_rate)
    return [one.frames for one in kept], Archive(known, sample_rate, stft, audible_hz)


def _anywhere(recording: Repeatable) -> Repeatable:
    """Return a recording as processes in other folders find it."""
    return recording if isinstance(recording, np.ndarray) or is_url(recording) else Path(recording).absolute()


def _read(
    reading: _Reading, *, is_continued: bool, sample_rate: int, stft: STFT, trend: Array, strict: bool
) -> _Found | str:
    """Return what a first reading of a recording finds, with few of the frames; or why there is nothing."""
    notes: list[str] = []
    n_most = max(_FEWEST_HEARD, reading.n_kept)
    try:
        can_seek, identity = _opened(reading.recording)
        found = heard(reading.title, reading.recording, sample_rate, stft, trend, n_most, strict, notes)
    except (ValueError, OSError) as error:
        return reason(reading.recording, error)
    V, (spectra,) = found.frames
    end = bandwidth.end_of(V.mean(axis=1), sample_rate) if is_continued else None
    known = Known("", found.n_samples, found.level, found.silence, end, can_seek, identity)
    return _Found(known, Frames(_some(V.T, reading.n_kept).T, [_some(spectra, reading.n_kept)]), notes)


def _opened(recording: Repeatable) -> tuple[bool, str]:
    """Return whether a part of a recording can be read without what is before it, and the identity of its file."""
    if isinstance(recording, np.ndarray):
        return True, ""
    with files.opened(recording) as reader:
        return reader.can_seek, identity_of(recording, reader)


def _some(rows: NDArray[Any], most: int) -> NDArray[Any]:
    return rows if len(rows) <= most else rows[spread(len(rows), most)]


def _from(known: Known, start: int, sample_rate: int) -> Iterator[Array]:
    """Yield a recording from a sample on, at a sample rate, in blocks, shape (n_samples, n_channels)."""
    recording = known.recording
    if isinstance(recording, np.ndarray):
        x = np.atleast_2d(recording.T).T
        for at in range(start, len(x), _BLOCK_LENGTH):
            yield x[at : at + _BLOCK_LENGTH].astype(np.float32)
        return
    with files.opened(recording) as reader:
        if known.identity and known.identity != identity_of(recording, reader):
            raise ValueError(f"{reader.name}: has changed since it was read first")
        yield from _resampled(reader, start, sample_rate)


def _resampled(reader: files.AudioReader, start: int, sample_rate: int) -> Iterator[Array]:
    """Yield a file at a sample rate from sample `start` on, which is counted at that rate.

    The resampler begins at a sample of the file that falls on one at the other rate, and early enough to have settled.
    """
    rate = reader.sample_rate
    step = rate // math.gcd(rate, sample_rate)
    early = max(0, start - math.ceil(_SETTLED_S * sample_rate)) if rate != sample_rate else start
    begin = int(early * rate / sample_rate) // step * step
    left = start - begin * sample_rate // rate
    blocks = files.resampled(reader.blocks(_BLOCK_LENGTH, begin), rate, sample_rate, reader.n_channels)
    for block in blocks:
        yield block[left:]
        left = max(0, left - len(block))


def _partitions(n_frames: Sequence[int], can_seek: Sequence[bool], most: int) -> list[list[Piece]]:
    """Cut the frames of all recordings, one after the other, into partitions of at most so many.

    A recording of fewer frames is in one partition, and so is one that is decoded from its beginning whatever part of
    it is asked for: so the time for all is linear in their length.
    """
    partitions: list[list[Piece]] = []
    n_last = most
    for number, (n, is_cut) in enumerate(zip(n_frames, can_seek, strict=True)):
        step = most if is_cut else max(1, n)
        for first in range(0, n, step):
            stop = min(first + step, n)
            if n_last + stop - first > most:
                partitions.append([])
                n_last = 0
            partitions[-1].append(Piece(number, first, stop))
            n_last += stop - first
    return partitions
