"""Which recordings of an archive can be opened, and what is said of those that are left out."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from rtnmf.audio import files
from rtnmf.audio.names import printable
from rtnmf.audio.replacing import why
from rtnmf.checks import few
from rtnmf.learning import clips
from rtnmf.learning.clips import Recording
from rtnmf.nmf import passes

__all__ = ["Readable", "counted", "readable", "reason", "without_lost"]

_T = TypeVar("_T")


class Readable(NamedTuple):
    """Recordings whose files can be opened."""

    recordings: dict[str, list[Any]]
    """Of each source, paths and arrays."""
    sample_rate: int | None
    """The highest of the files; None if there are arrays."""
    n_channels: int
    """The most."""


def readable(recordings: Mapping[str, Sequence[Recording]], *, strict: bool = False) -> Readable:
    """Return those recordings of each source whose files can be opened; a warning names the others.

    Raises
    ------
    TypeError, ValueError
        If none of a source can be, or one cannot and `strict`, or one is no file or array: others cannot be read in
        parts.
    """
    kept: dict[str, list[Any]] = {}
    forms: list[tuple[int, int]] = []
    for name, given in recordings.items():
        for recording in given:
            _check_repeatable(name, recording)
        found = list(passes.in_order(_form, given))
        kept[name] = without_lost(name, given, [one if isinstance(one, str) else "" for one in found], strict)
        forms += [one for one in found if not isinstance(one, str)]
    rates, n_channels = zip(*forms, strict=True)
    return Readable(kept, max(rates) if min(rates) else None, max(n_channels))


def _check_repeatable(name: str, recording: Recording) -> None:
    is_path = isinstance(recording, (str, os.PathLike)) and not files.is_pipe(recording)
    if not (is_path or isinstance(recording, np.ndarray)):
        raise TypeError(
            f"n_passes are for files and arrays, which can be read in parts, again and again; {name or 'what'} is given"
            f" as {clips.description('a recording', recording)}: leave n_passes out"
        )


def _form(recording: Any) -> tuple[int, int] | str:
    """Return the rate of a recording, 0 of an array, and its number of channels; or why it cannot be opened."""
    if isinstance(recording, np.ndarray):
        return 0, 1 if recording.ndim == 1 else recording.shape[1]
    try:
        with files.opened(recording) as reader:
            return reader.sample_rate, reader.n_channels
    except (ValueError, OSError) as error:
        return reason(recording, error)


def reason(recording: Any, error: ValueError | OSError) -> str:
    """Return why a recording cannot be read: what the system says does not name it."""
    return str(error) if isinstance(error, ValueError) else f"{printable(recording)}: cannot be read ({why(error)})"


def without_lost(name: str, items: Sequence[_T], reasons: Sequence[str], strict: bool) -> list[_T]:
    """Return items that no reason speaks against, with a warning of the others; ValueError if none is left."""
    lost = [reason for reason in reasons if reason]
    kept = [item for item, reason in zip(items, reasons, strict=True) if not reason]
    if lost and (strict or not kept):
        raise ValueError(f"{counted(name, 'cannot be learned from', lost, items)}: {few(lost)}")
    if lost:
        warnings.warn(f"{counted(name, 'are left out', lost, items)}: {few(lost)}", stacklevel=4)
    return kept


def counted(name: str, what: str, some: Sequence[object], items: Sequence[object]) -> str:
    """Return how many recordings of a source something is true of, in words."""
    return f"recordings{f' of {name}' if name else ''} that {what}, {len(some)} of {len(items)}"
