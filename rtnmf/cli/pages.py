"""Files that commands write: the checks before any work, the writing of pages, and the page of a dictionary."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtnmf import screen
from rtnmf.audio.names import is_folder
from rtnmf.cli.progress_bar import progress_bar

if TYPE_CHECKING:
    from rtnmf.audio.files import AudioReader
    from rtnmf.dictionary import Dictionary
    from rtnmf.learning.clips import Clip, Together

__all__ = [
    "SHOWN_S",
    "check_dictionary",
    "check_output",
    "check_page",
    "mix",
    "shown",
    "typed",
    "write_page",
    "write_report",
    "written",
]

SHOWN_S = 30.0
"""Seconds of a recording on a page where no number is given."""


def check_page(path: str | None, *, overwrite: bool = False) -> None:
    """Raise ValueError, before any work, if a page could not be written or would replace something else."""
    if path is None:
        return
    if Path(path).suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{path!r} is not the name of a page, expected one that ends in .html")
    _check_place(path, overwrite=overwrite)


def _check_place(path: str, *, overwrite: bool) -> None:
    """Raise ValueError, before any work, if there is no folder for a file, or something of its name."""
    from rtnmf.audio.outputs import check_free

    if not is_folder(Path(path).absolute().parent):
        raise ValueError(f"{path}: there is no such folder: make it, or choose another")
    check_free(path, overwrite=overwrite)


def check_dictionary(path: str, *, overwrite: bool, flag: str = "--output") -> None:
    """Raise ValueError, before any work, if a dictionary could not be written or would replace something else."""
    check_output(path, ".safetensors", overwrite=overwrite, flag=flag)


def check_output(path: str, suffix: str, *, overwrite: bool, flag: str = "--output") -> None:
    """Raise ValueError, before any work, if a file of a kind could not be written or would replace something else."""
    if Path(path).suffix != suffix:
        raise ValueError(f"{flag} is {path!r}, expected a name that ends in {suffix}")
    _check_place(path, overwrite=overwrite)


def written(path: str, write: Callable[..., None], *, overwrite: bool) -> str:
    """Call `write(place, overwrite=overwrite)`, and return the place.

    It is `path`, or `path` with a number where something took that name since it was checked, with a note: what may
    have taken long to make is not lost.
    """
    from rtnmf.audio.outputs import free_path

    place = path
    while True:
        try:
            write(place, overwrite=overwrite)
        except ValueError:
            if overwrite or not os.path.lexists(place):
                raise
            place = str(free_path(path))
            continue
        if place != path:
            screen.note(f"{path} is there by now, and was not replaced: written as {place}")
        return place


def write_page(path: str, page: str, *, overwrite: bool = False) -> None:
    """Write a page, whole or not at all, and print its name on stderr."""
    from rtnmf.audio.replacing import replacing

    def write(place: str, *, overwrite: bool) -> None:
        with replacing(place, overwrite=overwrite) as file:
            file.write(page.encode())

    screen.tell(written(path, write, overwrite=overwrite))


def mix(
    path: str | AudioReader,
    name: str,
    seconds: float = SHOWN_S,
    start_s: float = 0.0,
    *,
    rest: str | None = None,
    strict: bool = False,
) -> tuple[Dictionary, Any, dict[str, str]]:
    """Return the dictionary that separates a mixture, as `separate` does, and what `shown` gives of this."""
    from rtnmf.audio import files
    from rtnmf.learning.joining import load
    from rtnmf.offline.separation import heard

    with files.opened(path, strict=strict) as reader, progress_bar("learning", name) as progress:
        dictionary = load(name, reader.sample_rate, progress=progress)
        if dictionary.rest and rest != "pool":
            dictionary = heard(dictionary, reader, progress)
        return dictionary, *shown(reader, dictionary.sample_rate, seconds, start_s)


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


def typed(path: str) -> str | None:
    """Return the name of a recording as a command is given it again; a pipe cannot be read twice."""
    from rtnmf.audio.reading import is_pipe

    return None if is_pipe(path) else path


def write_report(
    path: str,
    title: str,
    dictionary: Dictionary,
    x: Any = None,
    facts: Mapping[str, str] | None = None,
    *,
    axis: Any = "hz",
    overwrite: bool = False,
    origin: Mapping[str, Any] | None = None,
    **options: Any,
) -> None:
    """Write the page of a dictionary, and of the samples of a clip where there is one; see `report.describe`.

    `origin` has the fields of a `report.Origin`.
    """
    from rtnmf import report

    with progress_bar("drawing") as progress:
        options["origin"] = report.Origin(**(origin or {}))
        described = report.describe(title, dictionary, x, facts=facts, progress=progress, **options)
        page = report.render(described, axis=axis)
    write_page(path, page, overwrite=overwrite)
