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
    path = Path(path).resolve()  # a link stays, and what it points to is replaced
    if path.exists() and not path.is_file():
        raise not_written(path, "there is something of that name that is no file: choose another place")
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


def not_written(path: str | os.PathLike[str], reason: str) -> ValueError:
    """Return the error that says why a file was not written."""
    return ValueError(f"{printable(path)}: cannot be written ({reason})")
