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
    from rtnmf.learning.clips import Clip, Together

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


def shown(
    clip: str | AudioReader | Clip | Together, sample_rate: int, seconds: float = SHOWN_S, start_s: float = 0.0
) -> tuple[Any, dict[str, str]]:
    """Return a part of a recording as samples, and what to say of it where that is not all."""
    from rtnmf.audio import files

    if not isinstance(clip, (str, files.AudioReader)):
        return _beginning(clip, sample_rate, seconds)
    with files.opened(clip) as reader:
        x, _ = files.read(reader, sample_rate, seconds, start_s=start_s)
        rest = next(reader.blocks(1, int((start_s + seconds) * reader.sample_rate)), None)
    if start_s:
        return x, {"Shown": f"{len(x) / sample_rate:.3g} s from {start_s:g} s on"}
    return x, {} if rest is None else {"Shown": f"the first {seconds:g} s"}


def _beginning(clip: Clip | Together, sample_rate: int, seconds: float) -> tuple[Any, dict[str, str]]:
    import numpy as np

    from rtnmf.learning import clips

    blocks, n, most = [], 0, int(seconds * sample_rate)
    with clips.opened(clip, sample_rate) as sound:
        for block in sound.blocks:
            blocks.append(block)
            n += len(block)
            if n > most:
                break
    return np.concatenate(blocks)[:most], {"Shown": f"the first {seconds:g} s"} if n > most else {}


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
