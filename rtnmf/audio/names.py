"""Names of files, as people see them."""

from __future__ import annotations

import os

from rtnmf.checks import is_plain

__all__ = ["printable"]


def printable(path: str | os.PathLike[str]) -> str:
    """Return a path fit to be printed: bytes that are not UTF-8, and characters that move a cursor, are replaced."""
    text = os.fsencode(path).decode("utf-8", "replace")
    return "".join(c if is_plain(c) else "_" for c in text)
