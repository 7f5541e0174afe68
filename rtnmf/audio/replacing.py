"""Files that are replaced whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

from rtnmf.audio.names import printable

__all__ = ["move", "not_written", "remove_remains", "replacing", "why"]

_NAME_BYTES = 8
_REMAINS = re.compile(rf"\.[0-9a-f]{{{2 * _NAME_BYTES}}}\.part")
_REMEDIES = {
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room on the disk",
}


@contextlib.contextmanager
def replacing(
    path: str | os.PathLike[str], *, overwrite: bool = True, private: bool = False
) -> Iterator[io.BufferedRandom]:
    """Give a file to write; when the block ends well it takes the place of `path`, else it is removed.

    It has a name of its own that nobody knows or can lead elsewhere by a link, so that any number of threads and
    processes may write to one path: the last one stays. What is replaced keeps its permissions.

    Parameters
    ----------
    path : path
        A link stays, and what it points to is replaced.
    overwrite : bool
        Whether `path` may be there.
    private : bool
        Whether a new file is for its owner alone.

    Yields
    ------
    binary file
        To be read as well.

    Raises
    ------
    ValueError
        If the folder is missing or not writable, the disk is full, or another OSError ends the block.
    """
    path = _place(path)
    beside = path.with_name(f".{secrets.token_hex(_NAME_BYTES)}.part")
    try:
        before = path.stat() if path.exists() else None
        mode = 0o600 if private or before is not None else 0o666
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
        with _synced(descriptor), io.BufferedRandom(io.FileIO(descriptor, "r+")) as file:
            if before is not None:
                _keep(before, descriptor)
            yield file
        move(beside, path, overwrite=overwrite)
    except OSError as error:
        raise not_written(path, why(error)) from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


@contextlib.contextmanager
def _synced(descriptor: int) -> Iterator[None]:
    """Wait until a file is on the disk once it is closed, or it might be there, and empty, after a power failure."""
    same = os.dup(descriptor)
    try:
        yield
        os.fsync(same)
    finally:
        os.close(same)


def move(beside: Path, path: Path, *, overwrite: bool) -> None:
    """Put a file into its place, in one step.

    Raises
    ------
    ValueError
        If there is something, and it is not to be overwritten.
    OSError
        If it cannot be put there.
    """
    if overwrite:
        beside.replace(path)
        return
    taken = "there is a file of that name by now: choose another"
    try:
        os.link(beside, path)
    except FileExistsError as error:
        raise not_written(path, taken) from error
    except OSError as error:  # a file system that knows no links
        if os.path.lexists(path):
            raise not_written(path, taken) from error
        beside.replace(path)


def remove_remains(folder: Path) -> None:
    """Remove what a process that was killed while `replacing` has left in a folder, where nothing is replaced now."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if _REMAINS.fullmatch(path.name):
                path.unlink()


def _keep(before: os.stat_result, descriptor: int) -> None:
    """Give a file the permissions and, where that is allowed, the owner of another one."""
    if hasattr(os, "fchown"):
        with contextlib.suppress(OSError):
            os.fchown(descriptor, before.st_uid, before.st_gid)
        os.fchmod(descriptor, before.st_mode & 0o777)


def _place(path: str | os.PathLike[str]) -> Path:
    """Return where to write: a link stays, and what it points to is replaced."""
    try:
        place = Path(path).resolve()
        if place.is_symlink():  # which newer versions of Python leave as it is
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        is_free = place.is_file() or not place.exists()
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a name that is too long or holds a NUL
        raise not_written(path, why(error)) from error
    if not is_free:
        raise not_written(place, "there is something of that name that is no file: choose another place")
    return place


def why(error: Exception) -> str:
    """Return what the system says of an error, and the remedy."""
    reason = getattr(error, "strerror", None) or str(error)
    return f"{reason}: {_REMEDIES.get(getattr(error, 'errno', None) or 0, 'choose another place')}"


def not_written(path: str | os.PathLike[str], reason: str) -> ValueError:
    """Return the error that says why a file was not written."""
    return ValueError(f"{printable(path)}: cannot be written ({reason})")
