"""WAV files that belong together and are to be equally long, whatever becomes of the process that writes them."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from rtnmf.audio.headers import Wave, chunk_at, wave

__all__ = ["folder_number", "make_equal"]


def make_equal(paths: Sequence[Path]) -> None:
    """Cut WAV files of one sample rate and coding to the length of the shortest of them.

    What a file holds beyond the length by its header, as one does whose writer was killed, is cut off as well. Where
    none has any sound, and one is missing or has no whole header, all are removed.

    Parameters
    ----------
    paths : sequence of paths
        Nothing is done where one is a link, no file, in another folder as well, or of another kind.

    Raises
    ------
    OSError
        If a file can be neither read nor cut.
    """
    if not all(map(_is_own, paths)):
        return
    found = {path: sound for path in paths if (sound := _sound(path)) is not None}
    shortest = min(map(_n_bytes, found.values()), default=0)
    if len(found) < len(paths) and not any(map(_n_bytes, found.values())):
        for path in paths:
            path.unlink(missing_ok=True)
        return
    for path, sound in found.items():
        _cut(path, sound, shortest)


def folder_number(folder: Path) -> tuple[int, int]:
    """Return what tells a folder from any other that may be at its path later."""
    found = folder.stat()
    return found.st_dev, found.st_ino


def _is_own(path: Path) -> bool:
    """Return whether a path is free, or that of a file that is nowhere else, and is WAV as far as it goes."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return True
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        return False
    with _opened(path, os.O_RDONLY) as file:
        return b"RIFF".startswith(file.read(4))


def _sound(path: Path) -> Wave | None:
    try:
        with _opened(path, os.O_RDONLY) as file:
            return wave(file)
    except FileNotFoundError:
        return None


def _n_bytes(sound: Wave) -> int:
    """Return the bytes of sound in whole samples, on all channels."""
    n_bytes = min(sound.stated, sound.there)
    return n_bytes - n_bytes % _bytes_per_sample(sound)


def _bytes_per_sample(sound: Wave) -> int:
    """Return the bytes of one sample on all channels."""
    return int.from_bytes(sound.fmt[12:14], "little") or 1


def _cut(path: Path, sound: Wave, n_bytes: int) -> None:
    """Let a file have so many bytes of sound, and nothing behind them."""
    size = sound.offset + n_bytes
    with _opened(path, os.O_RDWR) as file:
        if n_bytes == sound.stated and size == file.seek(0, io.SEEK_END):
            return
        sizes = {4: size - 8, sound.offset - 4: n_bytes}
        fact, _ = chunk_at(file, b"fact")
        if fact:
            sizes[fact] = n_bytes // _bytes_per_sample(sound)
        for place, value in sizes.items():
            file.seek(place)
            file.write(struct.pack("<I", value))
        file.truncate(size)


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Iterator[io.FileIO]:
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    with io.FileIO(os.open(path, flags), "r+" if flags & os.O_RDWR else "r") as file:
        yield file
