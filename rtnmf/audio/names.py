"""Names of files: as people see them, and as they write several."""

from __future__ import annotations

import os
import re
from pathlib import Path

from rtnmf.checks import is_plain

__all__ = ["printable", "split"]


def printable(path: str | os.PathLike[str]) -> str:
    """Return a path fit to be printed: bytes that are not UTF-8, and characters that move a cursor, are replaced."""
    text = os.fsencode(path).decode("utf-8", "replace")
    return "".join(c if is_plain(c) else "_" for c in text)


def split(text: str, separator: str) -> list[str]:
    """Return the names in a text that has a separator between them.

    A separator that belongs to a name has a backslash before it; it needs none where the name with it is that of a
    file: the longest such name is taken.
    """
    pieces, names = re.split(rf"(?<!\\){re.escape(separator)}", text), []
    while pieces:
        lengths = [n for n in range(len(pieces), 1, -1) if _is_file(separator.join(pieces[:n]))]
        n = lengths[0] if lengths else 1
        name = separator.join(pieces[:n])
        names.append(name if _is_file(name) else name.replace(f"\\{separator}", separator))
        pieces = pieces[n:]
    return names


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        return False
