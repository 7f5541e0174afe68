"""Audio files: read them whole, write them safely, change their rate.

Nothing here knows about spectra or sources. Reading is done by `reading`, writing by libsndfile, resampling by soxr.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import soundfile
import soxr
from numpy.typing import ArrayLike, NDArray

from rtnmf.audio.names import printable, shortened
from rtnmf.audio.output import Output
from rtnmf.audio.reading import AudioReader, is_pipe, opened
from rtnmf.audio.replacing import not_written, replacing
from rtnmf.audio.sndfile import reason as _reason
from rtnmf.audio.tags import NONE, Tags, put
from rtnmf.bounds import check_product, check_ratio, most_values
from rtnmf.checks import check_channels, check_number, whole_hz

__all__ = [
    "AudioReader",
    "AudioWriter",
    "duration_s",
    "is_pipe",
    "opened",
    "printable",
    "read",
    "resample",
    "resampled",
    "safe_names",
    "write",
    "write_new",
]

Array = NDArray[np.float32]

_BLOCK_LENGTH = 2**16
_MOST_RESAMPLED = 2**22  # samples that become of a block at a time
_LOSSY = {"MP3", "OGG"}


def read(
    path: str | os.PathLike[str] | AudioReader,
    sample_rate: int | None = None,
    seconds: float | None = None,
    *,
    start_s: float = 0.0,
    strict: bool = False,
) -> tuple[Array, int]:
    """Read an audio file, or the first audio track of a video.

    What was odd or lost in it is a warning each. What is missing within it is silence where the file tells how long it
    was, and so are samples that are not numbers.

    Parameters
    ----------
    path : path or AudioReader
        Anything that libsndfile reads (WAV, FLAC, AIFF and more); with the extra `media` also MP3, Ogg, m4a, mp4,
        webm and what else FFmpeg reads. Its content decides, not its name. It may be a pipe, and `-` is the standard
        input.
    sample_rate : int, optional
        Rate in Hz to convert to; None keeps the file's own.
    seconds : float, optional
        Read at most this many seconds; None reads to the end.
    start_s : float
        Where to begin, in s.
    strict : bool
        Raise where something is damaged.

    Returns
    -------
    array, shape (n_samples, n_channels), float32, and the sample rate in Hz

    Raises
    ------
    ValueError
        If there is no such file, it is not audio, holds no samples, its decoder is not installed, it ends before
        `start_s`, or it is damaged and `strict`.
    """
    wanted = None if sample_rate is None else whole_hz(sample_rate)
    if seconds is not None and not 0 < check_number("seconds", seconds) < math.inf:
        raise ValueError(f"seconds is {seconds}, expected a positive number")
    if not 0 <= check_number("start_s", start_s) < math.inf:
        raise ValueError(f"start_s is {start_s}, expected at least 0")
    with opened(path, strict=strict) as reader:
        rate = reader.sample_rate
        if wanted is not None:
            check_ratio(reader.name, rate, wanted)
        start = round(start_s * rate)
        x = _joined(reader, start, None if seconds is None else max(1, int(seconds * rate)))
        if not len(x):
            raise ValueError(f"{reader.name}: ends before start_s, {start_s:g} s")
        reader.warn(stacklevel=3)
    if wanted is None or wanted == rate:
        return x, rate
    what, remedy = f"{reader.name}: the number of values", "read fewer seconds of it, or at a lower sample rate"
    check_product(what, most_values(reader.n_bytes), remedy, n_values=x.size, sample_rate=wanted / rate)
    return resample(x, rate, wanted), wanted


def _joined(reader: AudioReader, start: int, most: int | None) -> Array:
    """Read into one array that grows with what was read, whatever the header says."""
    x, n = np.empty((0, reader.n_channels), np.float32), 0
    for block in reader.blocks(_BLOCK_LENGTH, start):
        kept = block if most is None else block[: most - n]
        if n + len(kept) > len(x):
            x.resize((max(n + len(kept), 2 * len(x)), reader.n_channels), refcheck=False)
        x[n : n + len(kept)] = kept
        n += len(kept)
        if n == most:
            break
    x.resize((n, reader.n_channels), refcheck=False)
    return x


def duration_s(path: str | os.PathLike[str] | AudioReader) -> float:
    """Return the length of an audio file in seconds; where its header cannot be trusted it is decoded to its end."""
    with opened(path) as reader:
        if reader.n_samples is not None:
            return reader.n_samples / reader.sample_rate
        return sum(map(len, reader.blocks(_BLOCK_LENGTH))) / reader.sample_rate


def write(
    path: str | os.PathLike[str],
    x: ArrayLike,
    sample_rate: int,
    subtype: str | None = None,
    *,
    overwrite: bool = True,
    private: bool = False,
) -> None:
    """Write a signal to a file, whole or not at all.

    Parameters
    ----------
    path : path
        Its extension gives the format: `.wav`, `.flac`, ...
    x : array of floats, shape (n_samples,) or (n_samples, n_channels)
        Full scale is 1.
    sample_rate : int
        In Hz.
    subtype : str, optional
        Coding of the samples in libsndfile's words, such as `PCM_24` or `FLOAT`; None is the format's usual one.
        Whole numbers end at full scale: what is above is cut off, with a warning.
    overwrite, private : bool
        As for `AudioWriter`.

    Raises
    ------
    ValueError
        If the file cannot be written, or `x` is not floats of that shape, all finite.
    """
    rate = whole_hz(sample_rate)
    samples = _signal(np.asarray(x), printable(path))
    container = Path(path).suffix[1:].upper()
    form = (rate, samples.shape[1], container, subtype)
    with AudioWriter([path], *form, overwrite=overwrite, private=private) as writer:
        writer.write([samples])
    if writer.n_clipped[0]:
        warnings.warn(
            f"{printable(path)}: samples above full scale were cut off ({writer.n_clipped[0]}):"
            " subtype='FLOAT' keeps them",
            stacklevel=2,
        )


def write_new(path: str | os.PathLike[str], x: ArrayLike, sample_rate: int, subtype: str | None = None) -> Path:
    """Write a recording to a file that replaces no other and that only its owner may read, and return its path.

    It is `path`, or the first of `NAME-2`, `NAME-3`, ... that is free. The parameters and errors are those of `write`.
    """
    given = Path(path)
    for number in itertools.count(1):
        wish = given if number == 1 else given.with_name(f"{given.stem}-{number}{given.suffix}")
        if os.path.lexists(wish):
            continue
        try:
            write(wish, x, sample_rate, subtype, overwrite=False, private=True)
        except ValueError:
            if os.path.lexists(wish):  # somebody was faster
                continue
            raise
        return wish
    raise AssertionError


def _signal(x: NDArray[Any], name: str) -> Array:
    """Return a signal as it is written, shape (n_samples, n_channels)."""
    if not np.issubdtype(x.dtype, np.floating):
        raise ValueError(
            f"{name}: not written, x is an array of {x.dtype}, expected floats with full scale at 1:"
            " divide whole numbers by theirs, such as 32768"
        )
    if x.ndim not in (1, 2):
        raise ValueError(
            f"{name}: not written, x has shape {x.shape}, expected (n_samples,) or (n_samples, n_channels)"
        )
    with np.errstate(over="ignore", invalid="ignore"):  # a number too large for float32 is reported as infinite
        samples = np.asarray(x[:, None] if x.ndim == 1 else x, np.float32)
    try:
        check_channels(samples.shape[1])
    except ValueError as error:
        raise ValueError(f"{name}: not written, x has shape {x.shape}: {error}") from error
    if not np.isfinite(samples).all():
        raise ValueError(f"{name}: not written, the signal holds samples that are NaN or infinite")
    return samples


class AudioWriter:
    """Write several files of the same length side by side; no file appears until all are complete.

    A context manager. Each file is written beside its place and renamed at the end; on an error, and on
    Ctrl-C, what was written is removed and what stood there before stays.

    Parameters
    ----------
    paths : sequence of paths
    sample_rate, n_channels : int
    container, subtype : str
        In libsndfile's words, such as `WAV` and `PCM_16`. What compresses with loss does so as little as it can.
    overwrite : bool
        Whether files that are there may be replaced.
    private : bool
        Whether new files are for their owner alone, as recordings are.
    tags : Tags
        What each file says of itself.

    Attributes
    ----------
    n_clipped : list of int
        For each file, the samples that did not fit into whole numbers and were cut off at full scale.

    Raises
    ------
    ValueError
        If a file cannot be written: no such folder, no permission, no space, an unknown format.
    """

    def __init__(
        self,
        paths: Sequence[str | os.PathLike[str]],
        sample_rate: int,
        n_channels: int,
        container: str,
        subtype: str | None = None,
        *,
        overwrite: bool = True,
        private: bool = False,
        tags: Tags = NONE,
    ) -> None:
        self._paths = [Path(path) for path in paths]
        self._clips = subtype is None or subtype.startswith("PCM")
        self.n_clipped = [0] * len(self._paths)
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as stack:
            self._outputs = [
                stack.enter_context(
                    Output(path, stack.enter_context(replacing(path, overwrite=overwrite, private=private)))
                )
                for path in self._paths
            ]
            self._files = [
                stack.enter_context(_open_for_writing(output, sample_rate, n_channels, container, subtype))
                for output in self._outputs
            ]
            for file in self._files:
                put(file, tags)
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.__exit__(*failure)  # type: ignore[arg-type]

    def write(self, signals: Sequence[Array] | Array) -> None:
        """Append a block to each file, shape (n_files, n_samples, n_channels).

        Raises
        ------
        ValueError
            If a file cannot be written, or a sample is not finite.
        """
        files = zip(self._paths, self._outputs, self._files, signals, strict=True)
        for i, (path, output, file, signal) in enumerate(files):
            if not np.isfinite(signal).all():
                raise not_written(path, "the signal holds samples that are NaN or infinite")
            self.n_clipped[i] += int(np.count_nonzero(np.abs(signal) > 1)) if self._clips else 0
            try:
                file.write(signal)
            except (soundfile.SoundFileError, AssertionError) as error:  # soundfile asserts that all was written
                output.check()
                raise not_written(path, _reason(error)) from error
            output.check()


def resample(x: NDArray[np.floating], from_rate: int, to_rate: int) -> Array:
    """Convert to another sample rate with soxr at its high quality.

    Parameters
    ----------
    x : array, shape (n_samples,) or (n_samples, n_channels)
    from_rate, to_rate : int
        In Hz.

    Returns
    -------
    array, shape (about n_samples * to_rate / from_rate,) or (..., n_channels), float32

    Raises
    ------
    ValueError
        If one rate is more than 256 times the other, or what comes out is not finite.
    """
    if from_rate == to_rate:
        return np.array(x, np.float32)
    check_ratio("x", from_rate, to_rate)
    y = np.asarray(soxr.resample(np.asarray(x, np.float32), from_rate, to_rate), np.float32)
    if not np.isfinite(y).all():
        raise ValueError("x cannot be resampled, its samples are not finite or next to the largest number: scale it")
    return y


def resampled(blocks: Iterable[Array], from_rate: int, to_rate: int, n_channels: int) -> Iterator[Array]:
    """Yield blocks at another sample rate: in all, the samples that `resample` gives of the whole.

    Parameters
    ----------
    blocks : iterable of arrays, shape (n_samples, n_channels)
    from_rate, to_rate : int
        In Hz.
    n_channels : int

    Yields
    ------
    array, shape (n_samples, n_channels), float32
        Of any length.

    Raises
    ------
    ValueError
        If one rate is more than 256 times the other.
    """
    if from_rate == to_rate:
        yield from blocks
        return
    check_ratio("the sound", from_rate, to_rate)
    length = max(1, _MOST_RESAMPLED * from_rate // to_rate)
    stream = soxr.ResampleStream(from_rate, to_rate, n_channels, dtype="float32")
    for block in blocks:
        for start in range(0, len(block), length):
            yield stream.resample_chunk(block[start : start + length])
    yield stream.resample_chunk(np.zeros((0, n_channels), np.float32), last=True)


def safe_names(names: Sequence[str]) -> list[str]:
    """Return a unique, filesystem-safe stem for each name, without extension."""
    safe: list[str] = []
    taken: dict[str, int] = {}  # and the number that was tried last
    for name in names:
        plain = re.sub(r"[^\w .()-]", "_", name).lstrip(". ")
        wish = shortened(plain) or "source"
        first = taken.get(wish.lower(), 0) + 1
        numbered = ((i, f"{wish}-{i}" if i > 1 else wish) for i in itertools.count(first))
        number, free = next((i, candidate) for i, candidate in numbered if candidate.lower() not in taken)
        taken |= {wish.lower(): number, free.lower(): taken.get(free.lower(), 1)}
        safe.append(free)
    return safe


def _open_for_writing(
    output: Output, sample_rate: int, n_channels: int, container: str, subtype: str | None
) -> soundfile.SoundFile:
    best = {"compression_level": 0.0} if container in _LOSSY else {}
    try:
        return soundfile.SoundFile(output, "w", sample_rate, n_channels, subtype, format=container, **best)
    except (soundfile.SoundFileError, ValueError, TypeError) as error:
        output.check()
        raise not_written(output.path, f"{_reason(error)}: choose .wav or .flac") from error
