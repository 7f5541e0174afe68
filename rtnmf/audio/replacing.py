"""Files that are replaced whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from rtnmf.audio.names import printable

__all__ = ["not_written", "replacing"]


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], *, overwrite: bool = True) -> Iterator[Path]:
    """Give the name of a file to write; when the block ends well it takes the place of `path`, else it is removed.

    Without `overwrite`, `path` must not be there.

    Raises
    ------
    ValueError
        If the folder is missing or not writable, the disk is full, or another OSError ends the block.
    """
    path = _place(path)
    beside = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        beside.touch(exist_ok=False)
        yield beside
        if not overwrite and path.exists():
            raise not_written(path, "there is a file of that name by now: choose another")
        beside.replace(path)
    except OSError as error:
        raise not_written(path, f"{error.strerror or error}: choose another place") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def _place(path: str | os.PathLike[str]) -> Path:
    """Return where to write: a link stays, and what it points to is replaced."""
    try:
        place = Path(path).resolve()
        is_free = place.is_file() or not place.exists()
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a name that is too long or holds a NUL
        raise not_written(path, f"{getattr(error, 'strerror', None) or error}: choose another place") from error
    if not is_free:
        raise not_written(place, "there is something of that name that is no file: choose another place")
    return place


def not_written(path: str | os.PathLike[str], reason: str) -> ValueError:
    """Return the error that says why a file was not written."""
    return ValueError(f"{printable(path)}: cannot be written ({reason})")
