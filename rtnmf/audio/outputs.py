"""What outputs are and where they go: a format as good as the input's, and names that replace nothing."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import struct
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtnmf.audio.names import printable
from rtnmf.audio.reading import AudioReader
from rtnmf.audio.replacing import why
from rtnmf.audio.sound import SAMPLE_BYTES, container_for

__all__ = [
    "Format",
    "check_free",
    "check_kind",
    "chosen_format",
    "encoded",
    "free_path",
    "free_paths",
    "made_folder",
    "numbered",
    "reserved",
    "wav_header",
]

Array = NDArray[np.float32]

_FORMATS = {  # container, coding and extension; without a coding it is as deep as the input
    "wav": ("WAV", "", ".wav"),
    "flac": ("FLAC", "", ".flac"),
    "aiff": ("AIFF", "", ".aiff"),
    "mp3": ("MP3", "MPEG_LAYER_III", ".mp3"),
    "ogg": ("OGG", "VORBIS", ".ogg"),
    "opus": ("OGG", "OPUS", ".opus"),
}
_SUBTYPES = {"pcm16": "PCM_16", "pcm24": "PCM_24", "pcm32": "PCM_32", "float": "FLOAT", "double": "DOUBLE"}
_UNKNOWN = 2**32 - 1  # bytes of sound in the header of a WAV file that is not yet complete


class Format(NamedTuple):
    """How an output is coded, in libsndfile's words, and the extension of its name."""

    container: str
    subtype: str
    suffix: str


def check_kind(format: str | None, subtype: str | None) -> None:
    """Raise ValueError if a format or a subtype is unknown, or they do not go together; None is always right."""
    if format is not None and format not in _FORMATS:
        raise ValueError(f"format is {format!r}, expected one of {', '.join(_FORMATS)}")
    if subtype is not None and subtype not in _SUBTYPES:
        raise ValueError(f"subtype is {subtype!r}, expected one of {', '.join(_SUBTYPES)}")
    container, coding, _ = _FORMATS[format or "wav"]
    if subtype is not None and (coding or not soundfile.check_format(container, _SUBTYPES[subtype])):
        holds = [name for name, word in _SUBTYPES.items() if not coding and soundfile.check_format(container, word)]
        raise ValueError(
            f"subtype is {subtype!r}, but {format} files hold {' or '.join(holds) or f'{coding} only'}: leave it out"
        )


def chosen_format(mix: AudioReader, format: str | None = None, subtype: str | None = None) -> Format:
    """Return how to write what is made of a recording.

    Parameters
    ----------
    mix : AudioReader
        Without a format, outputs are of its kind where that is lossless, else WAV of 24 bits.
    format : str, optional
        `wav`, `flac`, `aiff`, `mp3`, `ogg` or `opus`; the last three with the highest bit rate.
    subtype : str, optional
        `pcm16`, `pcm24`, `pcm32`, `float` or `double`; None is as deep as the recording, where the format allows.

    Raises
    ------
    ValueError
        If one is unknown, or they do not go together.
    """
    check_kind(format, subtype)
    container, coding, suffix = _FORMATS[format] if format else (mix.container, "", mix.suffix)
    wished = coding or (_SUBTYPES[subtype] if subtype else mix.subtype)
    if not soundfile.check_format(container, wished):
        if subtype:
            raise ValueError(f"subtype is {subtype!r}, which {container} files cannot hold: pass format='wav'")
        wished = "PCM_16" if wished in ("PCM_S8", "PCM_U8") else "PCM_24"
    return Format(container_for(container, wished, (mix.n_samples or 0) * mix.n_channels), wished, suffix)


def encoded(x: Array, sample_rate: int, subtype: str) -> bytes:
    """Return samples, shape (n_samples, n_channels), as a WAV file holds them."""
    buffer = io.BytesIO()
    soundfile.write(buffer, x, sample_rate, subtype, format="RAW")
    return buffer.getvalue()


def wav_header(sample_rate: int, n_channels: int, subtype: str, n_samples: int | None) -> bytes:
    """Return the beginning of a WAV file; of one whose length is not known where `n_samples` is None."""
    frame = SAMPLE_BYTES[subtype] * n_channels
    n_bytes = _UNKNOWN if n_samples is None else min(n_samples * frame, _UNKNOWN)
    tag = 1 if subtype.startswith("PCM") else 3
    fmt = struct.pack("<HHIIHH", tag, n_channels, sample_rate, sample_rate * frame, frame, 8 * SAMPLE_BYTES[subtype])
    head = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", n_bytes)
    return b"RIFF" + struct.pack("<I", min(len(head) + n_bytes, _UNKNOWN)) + head


def check_free(path: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Raise ValueError if there is something of this name, which is not to be replaced."""
    if not overwrite and os.path.lexists(path):
        raise ValueError(f"{printable(path)}: is there already: choose another name, or pass overwrite=True")


def free_path(path: str | os.PathLike[str]) -> Path:
    """Return a path if there is nothing of this name, else the first such of `NAME-2`, `NAME-3`, ... ."""
    return free_paths(Path(path).parent, {"": Path(path).stem}, Path(path).suffix)[""]


def free_paths(folder: Path, names: Mapping[str, str], suffix: str, *, overwrite: bool = False) -> dict[str, Path]:
    """Return a path in a folder for each name; all get the same number where one of them is taken."""
    for number in _numbers():
        paths = {key: folder / f"{name}{number}{suffix}" for key, name in names.items()}
        if overwrite or not any(os.path.lexists(path) for path in paths.values()):
            return paths
    raise AssertionError


@contextlib.contextmanager
def made_folder(wish: Path, *, is_new: bool) -> Iterator[Path]:
    """Give a folder, made where it is missing; on an error it is removed again if nothing is in it.

    Parameters
    ----------
    wish : path
    is_new : bool
        Give `wish-2`, `wish-3`, ... where there is something in it, or it is not a folder.

    Raises
    ------
    ValueError
        If it cannot be made.
    """
    made = [path for path in wish.parents if not path.exists()]
    with contextlib.ExitStack() as stack:
        try:
            if is_new:
                folder, was_made, reservation = reserved(wish)
                stack.enter_context(reservation)
            else:
                folder, was_made = wish, _is_made(wish)
        except OSError as error:
            raise ValueError(f"{printable(wish)}: cannot make this folder ({why(error)})") from error
        try:
            yield folder
        except BaseException:
            for path in ([folder] if was_made else []) + made:
                with contextlib.suppress(OSError):
                    path.rmdir()
            raise


def reserved(wish: Path, mode: int = 0o777) -> tuple[Path, bool, contextlib.ExitStack]:
    """Choose a folder with nothing in it that nobody else has chosen: a path, or the same with a number behind it.

    Parameters
    ----------
    wish : path
    mode : int
        Permissions of a folder that is made.

    Returns
    -------
    the path, whether the folder was made, and what is to be closed when there is something in it
        Until then, and as long as this process lives, nobody else is given this folder, where the file system knows
        locks.

    Raises
    ------
    OSError
        If none can be made.
    """
    for folder in numbered(wish):
        if os.path.lexists(folder) and not folder.is_dir():
            continue
        was_made = _is_made(folder, mode)
        with contextlib.ExitStack() as reservation:
            if _is_locked(folder, reservation) and not any(folder.iterdir()):
                return folder, was_made, reservation.pop_all()
    raise AssertionError


def _is_made(folder: Path, mode: int = 0o777) -> bool:
    """Make a folder where it is missing, and return whether it was."""
    try:
        folder.mkdir(mode, parents=True)
    except FileExistsError:
        if not folder.is_dir():
            raise
        return False
    return True


def _is_locked(folder: Path, stack: contextlib.ExitStack) -> bool:
    """Lock a folder until a stack is closed, and return whether nobody else had; where there are no locks, nobody has.

    A lock leaves nothing behind, whatever becomes of this process.
    """
    if sys.platform == "win32":
        return True
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    stack.callback(os.close, descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return not isinstance(error, BlockingIOError)
    return True


def numbered(wish: Path) -> Iterator[Path]:
    """Yield a path, and then the same with `-2`, `-3`, ... behind it."""
    return (wish.with_name(f"{wish.name}{number}") for number in _numbers())


def _numbers() -> Iterator[str]:
    return (f"-{i}" if i > 1 else "" for i in itertools.count(1))
