"""Recordings that are too long for memory, as partitions of a spectrogram that are read whenever they are needed.

A first reading tells how long each recording is, whatever its header says, how loud it is, and where it ends in
frequency. Partitions are runs of its frames, or several short recordings; each frame is the one that it would be in
the whole recording.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from rtnmf.audio import files
from rtnmf.checks import few
from rtnmf.dictionary.examples import spread
from rtnmf.frames.stft import STFT
from rtnmf.learning import bandwidth, clips
from rtnmf.learning.clips import Recording
from rtnmf.learning.hearing import hop_length
from rtnmf.learning.recordings import MOST_FRAMES, Frames, Heard, heard, title
from rtnmf.nmf import passes

__all__ = ["Archive", "Known", "first_reading", "readable"]

Array = NDArray[np.float32]
_T = TypeVar("_T")

_PARTITION_VALUES = 2**24  # of V: 64 MiB, nine minutes at 16 kHz and a window of 2048
_CHUNK = 256  # frames that are transformed at a time
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
        self._partitions = _partitions(
            [self._n_frames(one.n_samples) for one in known], max(1, _PARTITION_VALUES // stft.n_bins)
        )

    def __len__(self) -> int:
        return len(self._partitions)

    def __getitem__(self, i: int) -> Array:
        """Return the frames of a partition as rows, shape (n_frames, n_bins); ValueError if one cannot be read."""
        return np.vstack([self._none(), *map(self._rows, self._partitions[i])])

    def sums(self, i: int, W: Array) -> passes.Sums:
        """Return what a partition adds to an update of W; what cannot be read is left out, and named."""
        rows, lost = [self._none()], list[str]()
        for piece in self._partitions[i]:
            try:
                rows.append(self._rows(piece))
            except (ValueError, OSError) as error:
                lost.append(str(error))
        return passes.sums_of(np.vstack(rows), W)._replace(lost=tuple(lost))

    def _none(self) -> Array:
        return np.zeros((0, self._stft.n_bins), np.float32)

    def _n_frames(self, n_samples: int) -> int:
        return (n_samples + self._stft.latency - 1) // self._hop_length

    def _rows(self, piece: Piece) -> Array:
        """Return the frames of a piece that sound, shape (n_frames, n_bins)."""
        known = self._known[piece.number]
        parts = []
        for spectra in self._spectra(known, piece):
            V = np.sum(np.abs(spectra), axis=0)
            V = V[V.sum(axis=1) > known.silence] / np.float32(known.level)
            if known.end is not None:
                bandwidth.continue_above(V, known.end)
            parts.append(V)
        return np.vstack(parts)

    def _spectra(self, known: Known, piece: Piece) -> Iterator[NDArray[np.complex64]]:
        """Yield spectra of the frames of a piece, some at a time, shape (n_channels, n_frames, n_bins)."""
        n_fft, hop = self._stft.n_fft, self._hop_length
        x = self._samples(known, (piece.first + 1) * hop - n_fft, piece.stop * hop)
        frames = np.lib.stride_tricks.sliding_window_view(x, n_fft, axis=0)[::hop].swapaxes(0, 1)
        for start in range(0, piece.stop - piece.first, _CHUNK):
            chunk = frames[:, start : start + _CHUNK]
            yield np.stack([self._stft.transform(channel, self._trend) for channel in chunk])

    def _samples(self, known: Known, start: int, stop: int) -> Array:
        """Return samples of a recording at the rate that is learned at, silent before its start and after its end."""
        recording, first = known.recording, max(0, start)
        if isinstance(recording, np.ndarray):
            x = np.atleast_2d(recording.T).T[first:stop].astype(np.float32)
        else:
            with files.opened(recording) as reader:
                x = _resampled(reader, first, stop, self._sample_rate)
        return np.pad(x, ((first - start, stop - first - len(x)), (0, 0)))


def readable(recordings: Mapping[str, Sequence[Recording]]) -> dict[str, list[Any]]:
    """Return those recordings of each source whose files can be opened; a warning names the others.

    Raises
    ------
    TypeError, ValueError
        If none of a source can be, or one is no file or array: others cannot be read in parts.
    """
    kept: dict[str, list[Any]] = {}
    for name, given in recordings.items():
        repeatable = [_repeatable(name, recording) for recording in given]
        kept[name] = _without_lost(name, repeatable, [_why_not(recording) for recording in repeatable])
    return kept


def _repeatable(name: str, recording: Recording) -> Repeatable:
    if isinstance(recording, np.ndarray):
        return recording
    if isinstance(recording, (str, os.PathLike)) and not files.is_pipe(recording):
        return recording
    raise TypeError(
        f"n_passes are for files and arrays, which can be read in parts, again and again; {name or 'what'} is given as"
        f" {clips.description('a recording', recording)}: leave n_passes out"
    )


def _why_not(recording: Repeatable) -> str:
    try:
        clips.check_files(recording)
    except (ValueError, OSError) as error:
        return str(error)
    return ""


def _without_lost(name: str, items: Sequence[_T], reasons: Sequence[str]) -> list[_T]:
    """Return items that no reason speaks against, with a warning of the others; ValueError if none is left."""
    lost = [reason for reason in reasons if reason]
    kept = [item for item, reason in zip(items, reasons, strict=True) if not reason]
    of = f" of {name}" if name else ""
    if not kept:
        raise ValueError(f"none of the {len(items)} recordings{of} can be learned from: {few(lost)}")
    if lost:
        warnings.warn(f"{len(lost)} of {len(items)} recordings{of} are left out: {few(lost)}", stacklevel=6)
    return kept


def first_reading(
    name: str,
    recordings: Sequence[Repeatable],
    sample_rate: int,
    stft: STFT,
    audible_hz: float,
    each: Callable[[Callable[[int], Any], Sequence[int]], Iterable[Any]],
) -> tuple[list[Frames], Archive]:
    """Read all recordings of a source once; return some frames of each, taken evenly, and the archive of all frames.

    Recordings that cannot be read, or are silent or too short, are left out, with a warning that names them.

    Parameters
    ----------
    name : str
    recordings : sequence of arrays and paths
    sample_rate, stft, audible_hz
        As for `Archive`.
    each : callable
        Yields what a function returns for each of some items, in their order; on other processes as well.

    Raises
    ------
    ValueError
        If nothing is left.
    """
    trend = stft.trend(sample_rate, audible_hz)
    read = partial(_heard, list(recordings), name, sample_rate, stft, trend, max(1, MOST_FRAMES // len(recordings)))
    found = list(each(read, range(len(recordings))))
    reasons = [one if isinstance(one, str) else "" for one in found]
    pairs = _without_lost(name, list(zip(recordings, found, strict=True)), reasons)
    known = [_known(recording, heard, sample_rate if name else None) for recording, heard in pairs]
    return [heard.frames for _, heard in pairs], Archive(known, sample_rate, stft, audible_hz)


def _heard(
    recordings: list[Repeatable], name: str, sample_rate: int, stft: STFT, trend: Array, n_kept: int, i: int
) -> Heard | str:
    """Return what a first reading of a recording finds, with few of the frames; or why there is nothing."""
    try:
        found = heard(title(name, i + 1), recordings[i], sample_rate, stft, trend, max(_FEWEST_HEARD, n_kept))
    except (ValueError, OSError) as error:
        return str(error)
    magnitudes, (spectra,) = found.frames
    V, S = magnitudes[:, spread(magnitudes.shape[1], n_kept)], spectra[spread(len(spectra), n_kept)]
    return found._replace(frames=Frames(V, [S]))


def _known(recording: Repeatable, found: Heard, sample_rate: int | None) -> Known:
    """Return what the archive has to know of a recording, which is continued above its end if there is a rate."""
    mean = found.frames.magnitudes.mean(axis=1)
    end = None if sample_rate is None else bandwidth.end_of(mean, sample_rate)
    return Known(recording, found.n_samples, found.level, found.silence, end)


def _resampled(reader: files.AudioReader, start: int, stop: int, sample_rate: int) -> Array:
    """Return samples `start` to `stop` of a file at a sample rate, at which they are counted, or as many as there are.

    The resampler begins at a sample of the file that falls on one at the other rate, and early enough to have settled.
    """
    rate = reader.sample_rate
    step = rate // math.gcd(rate, sample_rate)
    early = max(0, start - math.ceil(_SETTLED_S * sample_rate)) if rate != sample_rate else start
    begin = int(early * rate / sample_rate) // step * step
    skipped = start - begin * sample_rate // rate
    blocks = files.resampled(reader.blocks(_BLOCK_LENGTH, begin), rate, sample_rate, reader.n_channels)
    taken, left = [np.zeros((0, reader.n_channels), np.float32)], stop - start + skipped
    for block in blocks:
        taken.append(block[:left])
        left -= len(taken[-1])
        if not left:
            break
    return np.concatenate(taken)[skipped:]


def _partitions(n_frames: Sequence[int], most: int) -> list[list[Piece]]:
    """Cut the frames of all recordings, one after the other, into partitions of at most so many.

    A recording of fewer frames is in one partition; so what is read of a file is seldom read twice.
    """
    partitions: list[list[Piece]] = []
    n_last = most
    for number, n in enumerate(n_frames):
        for first in range(0, n, most):
            stop = min(first + most, n)
            if n_last + stop - first > most:
                partitions.append([])
                n_last = 0
            partitions[-1].append(Piece(number, first, stop))
            n_last += stop - first
    return partitions
