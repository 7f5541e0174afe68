"""What a recording may be: an array, a file, stretches of a file, or several that sound together.

Sound is read in blocks, and of a file only its stretches: nothing here holds a whole recording.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtnmf.audio import files
from rtnmf.audio.names import name as name_of
from rtnmf.audio.names import printable
from rtnmf.bounds import counted
from rtnmf.checks import check_channels, check_source_name
from rtnmf.kernels.hop import LOUDEST
from rtnmf.nmf.passes import check_wanted

__all__ = [
    "Clip",
    "Recording",
    "Sound",
    "Together",
    "check",
    "check_files",
    "description",
    "listed",
    "opened",
    "parts",
    "short",
    "title",
    "usable",
]

Array = NDArray[np.float32]
Stretch = tuple[float, float | None]
_Path = str | os.PathLike[str] | files.AudioReader

_BLOCK_LENGTH = 2**16


@dataclass(frozen=True, init=False)
class Clip:
    """One or more stretches of an audio file, one after the other.

    Parameters
    ----------
    path : path or AudioReader
    *stretches : (float, float or None)
        Start and stop of each in s; None is the end of the file.

    Raises
    ------
    TypeError, ValueError
        If there is no stretch, or one does not stop after its start.

    Examples
    --------
    >>> Clip("episode.m4a", (12.5, 15.5), (20, None))
    Clip(path='episode.m4a', stretches=((12.5, 15.5), (20, None)))
    """

    path: str | os.PathLike[str] | files.AudioReader
    stretches: tuple[Stretch, ...]

    def __init__(self, path: str | os.PathLike[str] | files.AudioReader, *stretches: Stretch) -> None:
        if not isinstance(path, (str, os.PathLike, files.AudioReader)):
            raise TypeError(f"path is {type(path).__name__}, expected the path of an audio file")
        if not stretches:
            raise ValueError(f"{_name(path)}: has no stretch, expected (start, stop) in s, such as (12.5, 15.5)")
        for stretch in stretches:
            _check_stretch(_name(path), stretch)
        object.__setattr__(self, "path", path)
        object.__setattr__(self, "stretches", stretches)


@dataclass(frozen=True, init=False, eq=False)
class Together:
    """Recordings that sound at the same time: their sum, from the start of each to the end of the longest.

    Levels are those of the recordings. A mono one sounds on all channels of the others.

    Parameters
    ----------
    *recordings : array, path, AudioReader or Clip
        Two or more.

    Raises
    ------
    TypeError, ValueError
        If there are fewer, or one is something else.
    """

    recordings: tuple[NDArray[np.floating] | str | os.PathLike[str] | files.AudioReader | Clip, ...]

    def __init__(self, *recordings: NDArray[np.floating] | str | os.PathLike[str] | files.AudioReader | Clip) -> None:
        if len(recordings) < 2:
            raise ValueError(f"recordings are {len(recordings)}, expected two or more that sound together")
        for i, recording in enumerate(recordings, 1):
            if isinstance(recording, Together):
                raise TypeError(f"recording {i} is itself a Together, expected an array, a path or a Clip")
            check(f"recording {i}", recording)
        readers = [id(path) for path in map(_path, recordings) if isinstance(path, files.AudioReader)]
        if len(set(readers)) < len(readers):
            raise ValueError("recordings hold the same reader twice, which is at one place at a time: give its path")
        object.__setattr__(self, "recordings", recordings)


Recording = NDArray[np.floating] | str | os.PathLike[str] | files.AudioReader | Clip | Together


class Sound(NamedTuple):
    """A recording that is open."""

    blocks: Iterator[Array]
    """Its samples, shape (n_samples, n_channels) each, of any length."""
    n_samples: int
    """Its length where that is known before it is read, else 0."""
    n_channels: int


def _path(part: Any) -> Any:
    return part.path if isinstance(part, Clip) else part


def check(title: str, recording: object) -> None:
    """Check that something may be a recording, without opening a file.

    Raises
    ------
    TypeError, ValueError
        If it is none, or an array of another shape or kind, or not finite.
    """
    if isinstance(recording, np.ndarray):
        _check_array(title, recording)
    elif not isinstance(recording, (str, os.PathLike, files.AudioReader, Clip, Together)):
        raise TypeError(f"{title} is {type(recording).__name__}, expected an array, a path, a Clip or a Together")


def _check_array(title: str, recording: NDArray[Any]) -> None:
    if recording.ndim not in (1, 2) or not np.issubdtype(recording.dtype, np.floating):
        raise ValueError(
            f"{title} is an array of {recording.dtype} of shape {recording.shape},"
            " expected floats, (n_samples,) or (n_samples, n_channels)"
        )
    if recording.ndim == 2:
        try:
            check_channels(recording.shape[1])
        except ValueError as error:
            raise ValueError(f"{title} has shape {recording.shape}: {error}") from error
    for _ in usable(title, (recording[i : i + _BLOCK_LENGTH] for i in range(0, len(recording), _BLOCK_LENGTH))):
        pass


def listed(recordings: Mapping[str, Recording | Sequence[Recording]] | Recording) -> dict[str, list[Recording]]:
    """Return the recordings of each source; those of a blind one stand under the empty name.

    Raises
    ------
    TypeError, ValueError
        If there is none, a source name is not usable, or something is no recording.
    """
    if not isinstance(recordings, Mapping):
        return {"": _listed("", recordings)}
    if not recordings:
        raise ValueError("recordings are empty, expected {source name: recording}")
    for name in recordings:
        check_source_name(name)
    return {name: _listed(name, given) for name, given in recordings.items()}


def _listed(name: str, given: Recording | Sequence[Recording]) -> list[Recording]:
    recordings: list[Any] = list(given) if isinstance(given, (list, tuple)) else [given]
    if not recordings:
        raise ValueError(f"source {name!r} has no recording, expected at least one")
    for i, recording in enumerate(recordings, 1):
        check(title(name, i), recording)
    return recordings


def title(name: str, i: int) -> str:
    """Return what to call a recording that has no name."""
    return f"{name}, recording {i}" if name else "the recording"


def usable(title: str, blocks: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    """Yield blocks of a recording, and raise ValueError at samples that a stream would take for silence."""
    for block in blocks:
        check_wanted()
        if not np.abs(block).max(initial=0) < LOUDEST:  # NaN is not
            raise ValueError(f"{title} holds samples that are NaN or infinite, or above {LOUDEST:g}: full scale is 1")
        yield block


def _check_stretch(name: str, stretch: object) -> None:
    if not (isinstance(stretch, tuple) and len(stretch) == 2):
        raise TypeError(f"{name}: {stretch!r} is not a stretch, expected (start, stop) in s")
    start, stop = stretch
    if not (_is_time(start) and (stop is None or _is_time(stop))):
        raise ValueError(f"{name}: {stretch!r} is not a stretch, expected numbers of seconds from 0 on")
    if stop is not None and stop <= start:
        raise ValueError(f"{name}: a stretch from {start:g} s stops at {stop:g} s, expected a later time")


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf


def parts(recording: Recording) -> tuple[Any, ...]:
    """Return the arrays, paths, readers and clips that a recording is made of."""
    return recording.recordings if isinstance(recording, Together) else (recording,)


def check_files(recording: Recording) -> None:
    """Check that each file of a recording can be opened and reaches as far as its stretches, and the channels of a sum.

    Raises
    ------
    ValueError
        If not: where a file ends too early, with its length and what was asked of it.
    """
    n_channels = []
    for part in parts(recording):
        if isinstance(part, np.ndarray):
            n_channels.append(part.shape[1] if part.ndim > 1 else 1)
            continue
        with files.opened(_path(part)) as reader:
            n_channels.append(reader.n_channels)
            for start, stop in part.stretches if isinstance(part, Clip) else ():
                _check_reaches(reader, start, stop)
    _common_channels(recording, n_channels)


def _common_channels(recording: Recording, n_channels: list[int]) -> int:
    """Return the channels of the sum of all parts."""
    most = max(n_channels)
    for part, n in zip(parts(recording), n_channels, strict=True):
        if n not in (1, most):
            raise ValueError(
                f"{description('an array', part)} has {n} channels and is to sound together with a sound of {most},"
                f" expected 1 or {most}"
            )
    return most


def _check_reaches(reader: files.AudioReader, start: float, stop: float | None) -> None:
    last = round(start * reader.sample_rate) if stop is None else round(stop * reader.sample_rate) - 1
    is_known = reader.n_samples is not None
    if is_known and last < reader.n_samples:  # type: ignore[operator]
        return
    if is_known or next(reader.blocks(1, last), None) is None:
        asked = f"a stretch from {start:g} s to {'its end' if stop is None else f'{stop:g} s'}"
        raise ValueError(
            f"{reader.name}: is {files.duration_s(reader):.2f} s long and was asked for {asked}: choose one within it"
        )


@contextlib.contextmanager
def opened(
    recording: Recording, sample_rate: int, *, strict: bool = False, notes: list[str] | None = None
) -> Iterator[Sound]:
    """Open a recording at a sample rate in Hz; at the end, warn of what was odd in its files, or add it to `notes`.

    Raises
    ------
    ValueError
        If a file cannot be read, or is damaged and `strict`, or sounds of other numbers of channels are to sum up.
    """
    with contextlib.ExitStack() as stack:
        sounds = [_opened(part, sample_rate, strict, stack, notes) for part in parts(recording)]
        if len(sounds) == 1:
            yield sounds[0]
            return
        n_channels = _common_channels(recording, [sound.n_channels for sound in sounds])
        n_samples = max(sound.n_samples for sound in sounds) if all(sound.n_samples for sound in sounds) else 0
        yield Sound(_summed([sound.blocks for sound in sounds], n_channels), n_samples, n_channels)


def _opened(part: Any, sample_rate: int, strict: bool, stack: contextlib.ExitStack, notes: list[str] | None) -> Sound:
    if isinstance(part, np.ndarray):
        x = np.atleast_2d(part.T).T
        starts = range(0, len(x), _BLOCK_LENGTH)
        return Sound((x[i : i + _BLOCK_LENGTH].astype(np.float32) for i in starts), len(x), x.shape[1])
    path, stretches = (part.path, part.stretches) if isinstance(part, Clip) else (part, ((0.0, None),))
    reader = stack.enter_context(files.opened(path, strict=strict))
    stack.callback(_say_notes, reader, notes)
    rate = reader.sample_rate
    bounds = [(round(start * rate), None if stop is None else round(stop * rate)) for start, stop in stretches]
    lengths = [_length(start, reader.n_samples if stop is None else stop) for start, stop in bounds]
    n_samples = sum(lengths) if all(lengths) else 0
    blocks = itertools.chain.from_iterable(
        files.resampled(_stretch(reader, start, stop), rate, sample_rate, reader.n_channels) for start, stop in bounds
    )
    return Sound(counted(reader.name, blocks, reader.n_bytes), round(n_samples * sample_rate / rate), reader.n_channels)


def _say_notes(reader: files.AudioReader, notes: list[str] | None) -> None:
    if notes is None:
        reader.warn(stacklevel=11)  # the caller of learn
    else:
        notes += [f"{reader.name}: {note}" for note in reader.notes]


def _length(start: int, stop: int | None) -> int:
    return 0 if stop is None else stop - start


def _stretch(reader: files.AudioReader, start: int, stop: int | None) -> Iterator[Array]:
    """Yield the samples of a file from start to stop, and decode no further."""
    left = math.inf if stop is None else stop - start
    for block in reader.blocks(_BLOCK_LENGTH, start):
        yield block[: int(min(left, len(block)))]
        left -= len(block)
        if left <= 0:
            return


def _summed(sounds: list[Iterator[Array]], n_channels: int) -> Iterator[Array]:
    """Yield the sum of sounds, in blocks; those that are over are silent."""
    for blocks in itertools.zip_longest(*map(_even, sounds)):
        total = np.zeros((max(len(block) for block in blocks if block is not None), n_channels), np.float32)
        for block in blocks:
            if block is not None:
                total[: len(block)] += block
        yield total


def _even(blocks: Iterator[Array]) -> Iterator[Array]:
    """Yield the same samples in blocks of one length, but for the last one."""
    waiting, n_waiting = list[Array](), 0
    for block in blocks:
        waiting.append(block)
        n_waiting += len(block)
        if n_waiting >= _BLOCK_LENGTH:
            x = np.concatenate(waiting)
            n_whole = n_waiting // _BLOCK_LENGTH * _BLOCK_LENGTH
            yield from np.split(x[:n_whole], n_whole // _BLOCK_LENGTH)
            waiting, n_waiting = [x[n_whole:]], n_waiting - n_whole
    if n_waiting:
        yield np.concatenate(waiting)


def description(title: str, recording: Recording) -> str:
    """Return what to call a recording in a message: the path of its file, or the title of an array."""
    return _described(title, recording, _name)


def short(title: str, recording: Recording) -> str:
    """Return what to call a recording in a file for others: the name of its file, without its folders."""
    return _described(title, recording, _last_name)


def _described(title: str, recording: Recording, named: Callable[[_Path], str]) -> str:
    if isinstance(recording, Together):
        parts = enumerate(recording.recordings, 1)
        return "&".join(_described(f"{title}, part {i}", part, named) for i, part in parts)
    if isinstance(recording, Clip):
        return named(recording.path) + "".join(
            f"@{start:g}-{'' if stop is None else f'{stop:g}'}" for start, stop in recording.stretches
        )
    return title if isinstance(recording, np.ndarray) else named(recording)


def _name(path: _Path) -> str:
    return path.name if isinstance(path, files.AudioReader) else printable(path)


def _last_name(path: _Path) -> str:
    return name_of(path.path if isinstance(path, files.AudioReader) else path)
