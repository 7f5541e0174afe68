"""Pages that commands write: the check before any work, the writing, and the page of a dictionary and a clip."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtnmf.cli.progress_bar import progress_bar

if TYPE_CHECKING:
    from rtnmf.audio.files import AudioReader
    from rtnmf.dictionary import Dictionary

__all__ = ["SHOWN_S", "check_page", "shown", "write_page", "write_report"]

SHOWN_S = 30.0
"""Seconds of a recording on a page where no number is given."""


def check_page(path: str | None) -> None:
    """Raise ValueError, before any work, if a page could not be written or would replace something else."""
    if path is not None and Path(path).suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{path!r} is not the name of a page, expected one that ends in .html")
    if path is not None and not Path(path).absolute().parent.is_dir():
        raise ValueError(f"{path}: there is no such folder: make it, or choose another")


def write_page(path: str, page: str) -> None:
    """Write a page, whole or not at all, and print its name on stderr."""
    from rtnmf.audio.replacing import replacing

    with replacing(path) as beside:
        beside.write_text(page, encoding="utf-8")
    print(path, file=sys.stderr)


def shown(clip: str | AudioReader, sample_rate: int, seconds: float = SHOWN_S) -> tuple[Any, dict[str, str]]:
    """Return the beginning of a clip as samples, and what to say of it when there is more."""
    from rtnmf.audio import files

    with files.opened(clip) as reader:
        x, _ = files.read(reader, sample_rate, seconds)
        rest = next(reader.blocks(1, int(seconds * reader.sample_rate)), None)
    return x, {} if rest is None else {"Shown": f"the first {seconds:g} s"}


def write_report(
    path: str,
    title: str,
    dictionary: Dictionary,
    x: Any = None,
    facts: Mapping[str, str] | None = None,
    *,
    axis: Any = "hz",
    **options: Any,
) -> None:
    """Write the page of a dictionary, and of the samples of a clip where there is one; see `report.describe`."""
    from rtnmf import report

    with progress_bar("drawing") as progress:
        described = report.describe(title, dictionary, x, facts=facts, progress=progress, **options)
        page = report.render(described, axis=axis)
    write_page(path, page)
