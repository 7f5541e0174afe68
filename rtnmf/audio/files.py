"""Audio files: read them, stream through them, write them safely, change their rate.

Nothing here knows about spectra or sources. Files are read and written by libsndfile and resampled by soxr.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import soundfile
import soxr
from numpy.typing import ArrayLike, NDArray

from rtnmf.audio.replacing import not_written, replacing
from rtnmf.checks import check_number, whole_hz

__all__ = [
    "AudioWriter",
    "duration_s",
    "make_folder",
    "open_audio",
    "read",
    "resample",
    "safe_names",
    "stream",
    "write",
]

Array = NDArray[np.float32]

_LONGEST_NAME = 200  # bytes of a file's name, which may have 255 with its number and ending
_UNKNOWN_LENGTH = 2**31 - 2**16  # programs that write to a pipe leave about so many bytes in the header, or more


def read(
    path: str | os.PathLike[str], sample_rate: int | None = None, seconds: float | None = None
) -> tuple[Array, int]:
    """Read an audio file.

    Parameters
    ----------
    path : path
        Anything that libsndfile reads: WAV, FLAC, Ogg, MP3, AIFF and more.
    sample_rate : int, optional
        Rate in Hz to convert to; None keeps the file's own.
    seconds : float, optional
        Read only the beginning, so long.

    Returns
    -------
    array, shape (n_samples, n_channels), float32, and the sample rate in Hz

    Raises
    ------
    ValueError
        If there is no such file, it is not audio, holds no samples, or a sample is not a number.
    """
    wanted = None if sample_rate is None else whole_hz(sample_rate)
    if seconds is not None and not 0 < check_number("seconds", seconds) < math.inf:
        raise ValueError(f"seconds is {seconds}, expected a positive number")
    with open_audio(path) as file:
        try:
            n_samples = -1 if seconds is None else max(1, int(seconds * file.samplerate))
            x = file.read(n_samples, dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            raise ValueError(f"{path}: cannot be read to its end ({_reason(error)}): make a new copy of it") from error
        rate = file.samplerate
    _check_samples(path, x)
    if wanted is None or wanted == rate:
        return x, rate
    return resample(x, rate, wanted), wanted


def open_audio(path: str | os.PathLike[str]) -> soundfile.SoundFile:
    """Open an audio file for reading, with an error that says what is wrong with it.

    Raises
    ------
    ValueError
        If there is no such file, it is not audio, or holds no samples.
    """
    if not _exists(path):
        raise ValueError(f"{path}: no such file")
    if not Path(path).is_file():
        raise ValueError(f"{path}: not a file, expected an audio file")
    if Path(path).stat().st_size == 0:
        raise ValueError(f"{path}: the file is empty, expected audio")
    try:
        file = soundfile.SoundFile(path)
    except (soundfile.SoundFileError, OSError, UnicodeError) as error:
        raise ValueError(
            f"{path}: not an audio file that can be read ({_reason(error)}): convert it to WAV or FLAC"
        ) from error
    if file.frames == 0:
        file.close()
        raise ValueError(f"{path}: the file holds no samples")
    cut = re.search(r"^ ?(?:data|SSND) : (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    if cut and int(cut[2]) < int(cut[1]) < _UNKNOWN_LENGTH:
        file.close()
        raise ValueError(f"{path}: is cut off, {cut[2]} of {cut[1]} bytes of sound are there: make a new copy of it")
    return file


def duration_s(path: str | os.PathLike[str]) -> float:
    """Return the length of an audio file in seconds."""
    with open_audio(path) as file:
        return float(file.frames / file.samplerate)


def stream(file: soundfile.SoundFile, block_length: int) -> Iterator[Array]:
    """Yield the rest of an open file in blocks, shape (n_samples, n_channels), the last one shorter.

    Raises
    ------
    ValueError
        If a sample is not a number, or the file ends before the length that its header gives.
    """
    missing = file.frames - file.tell()
    while missing > 0:
        try:
            block = file.read(min(block_length, missing), dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            raise ValueError(
                f"{file.name}: cannot be read to its end ({_reason(error)}): make a new copy of it"
            ) from error
        if not len(block):
            raise ValueError(f"{file.name}: ends {missing} samples early: make a new copy of it")
        _check_samples(file.name, block)
        missing -= len(block)
        yield block


def write(path: str | os.PathLike[str], x: ArrayLike, sample_rate: int, subtype: str | None = None) -> None:
    """Write a signal to a file, whole or not at all.

    Parameters
    ----------
    path : path
        Its ending gives the format: `.wav`, `.flac`, ...
    x : array, shape (n_samples,) or (n_samples, n_channels)
    sample_rate : int
        In Hz.
    subtype : str, optional
        Coding of the samples in libsndfile's words, such as `PCM_24` or `FLOAT`; None is the format's usual one.
        Whole numbers end at full scale: what is above is cut off, with a warning.

    Raises
    ------
    ValueError
        If the file cannot be written, or a sample is not a number.
    """
    rate = whole_hz(sample_rate)
    given = np.asarray(x)
    if given.ndim not in (1, 2) or not np.issubdtype(given.dtype, np.floating):
        raise ValueError(
            f"x is an array of {given.dtype} of shape {given.shape},"
            " expected floats with full scale 1, (n_samples,) or (n_samples, n_channels)"
        )
    with np.errstate(over="ignore"):  # what is too loud for float32 is reported as infinite
        samples = (given[:, None] if given.ndim == 1 else given).astype(np.float32)
    container = Path(path).suffix[1:].upper()
    if not np.isfinite(samples).all():
        raise ValueError(f"{path}: not written, the signal holds samples that are NaN or infinite")
    with AudioWriter([path], rate, samples.shape[1], container, subtype) as writer:
        writer.write([samples])
    if writer.n_clipped[0]:
        warnings.warn(
            f"{path}: {writer.n_clipped[0]} samples were above full scale and cut off: subtype='FLOAT' keeps them",
            stacklevel=2,
        )


class AudioWriter:
    """Write several files of the same length side by side: none of them is there before all are complete.

    A context manager. Each file is written beside its place and renamed at the end; on an error, and on
    Ctrl-C, what was written is removed and what stood there before stays.

    Parameters
    ----------
    paths : sequence of paths
    sample_rate, n_channels : int
    container, subtype : str
        In libsndfile's words, such as `WAV` and `PCM_16`.

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
    ) -> None:
        self._paths = [Path(path) for path in paths]
        self._clips = subtype is None or subtype.startswith("PCM")
        self.n_clipped = [0] * len(self._paths)
        self._written = 0
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as stack:
            temporary = [stack.enter_context(replacing(path)) for path in self._paths]
            self._files = [
                stack.enter_context(_open_for_writing(path, name, sample_rate, n_channels, container, subtype))
                for path, name in zip(self._paths, temporary, strict=True)
            ]
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.__exit__(*failure)  # type: ignore[arg-type]

    def write(self, signals: Sequence[Array] | Array) -> None:
        """Append a block to each file, shape (n_files, n_samples, n_channels)."""
        for i, (path, file, signal) in enumerate(zip(self._paths, self._files, signals, strict=True)):
            self.n_clipped[i] += int(np.count_nonzero(np.abs(signal) > 1)) if self._clips else 0
            try:
                file.write(signal)
                complete = file.frames == self._written + len(signal)
            except (soundfile.SoundFileError, AssertionError) as error:  # soundfile asserts that all was written
                raise not_written(path, "the disk may be full") from error
            if not complete:
                raise not_written(path, "the disk may be full")
        self._written += len(signals[0])


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
    """
    if from_rate == to_rate:
        return np.array(x, np.float32)
    return np.asarray(soxr.resample(np.asarray(x, np.float32), from_rate, to_rate), np.float32)


def safe_names(names: Sequence[str]) -> list[str]:
    """Return a safe and different file name for each name, whatever it is, without an ending."""
    safe: list[str] = []
    for name in names:
        plain = re.sub(r"[^\w .()-]", "_", name).lstrip(". ")
        wish = plain.encode()[:_LONGEST_NAME].decode(errors="ignore") or "source"
        free = (f"{wish}-{i}" if i > 1 else wish for i in itertools.count(1))
        taken = {other.lower() for other in safe}
        safe.append(next(candidate for candidate in free if candidate.lower() not in taken))
    return safe


def make_folder(folder: str | os.PathLike[str]) -> None:
    """Make a folder, and those that it is in, where they are missing.

    Raises
    ------
    ValueError
        If it cannot be made.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{folder}: cannot make this folder ({error.strerror}): choose another") from error


def _open_for_writing(
    path: Path, temporary: Path, sample_rate: int, n_channels: int, container: str, subtype: str | None
) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(temporary, "w", sample_rate, n_channels, subtype, format=container)
    except (soundfile.SoundFileError, ValueError, TypeError) as error:
        raise not_written(path, f"{_reason(error)}: choose .wav or .flac") from error


def _exists(path: str | os.PathLike[str]) -> bool:
    try:
        return Path(path).exists()
    except OSError:  # the system cannot look it up, such as too long a name
        return False


def _check_samples(path: str | os.PathLike[str], x: Array) -> None:
    if not len(x):
        raise ValueError(f"{path}: the file holds no samples")
    if not np.isfinite(x).all():
        raise ValueError(f"{path}: holds samples that are NaN or infinite: export it anew")


def _reason(error: Exception) -> str:
    return str(getattr(error, "error_string", error)).strip(" .")
