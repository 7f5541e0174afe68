"""The places of bundles: all of a plugin are put there or none is, and what is not ours stays."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

from rtnmf.audio.names import printable
from rtnmf.audio.outputs import check_free, made_folder
from rtnmf.audio.replacing import move, not_written, why

__all__ = ["URI", "placing", "writing"]

URI = "urn:rtnmf:plugin"
"""Of the plugin in LV2, which is in all our code and descriptions, of every format."""

_FOLDERS = ("vst3", "lv2")
_DESCRIPTIONS = ("manifest.ttl", "rtnmf.ttl")
_LONGEST_CODE = 2**24  # bytes, among which there is the URI


@contextlib.contextmanager
def placing(places: Mapping[str, Path], *, overwrite: bool) -> Iterator[dict[str, Path]]:
    """Give a path to make each bundle at; when the block ends well they are put in their places, else none is.

    Parameters
    ----------
    places : {format: path}
    overwrite : bool
        Replace bundles that rtnmf has made. Nothing else is ever replaced.

    Yields
    ------
    {format: path}
        In hidden folders beside the places, which are removed in the end.

    Raises
    ------
    ValueError
        If there is something in a place that is not to be replaced, before the block or after it, or a folder or file
        cannot be written.
    """
    for kind, place in places.items():
        _check_place(kind, place, overwrite=overwrite)
    with contextlib.ExitStack() as stack:
        works = {kind: stack.enter_context(_beside(place.parent)) for kind, place in places.items()}
        made = {kind: works[kind] / place.name for kind, place in places.items()}
        yield made
        with contextlib.ExitStack() as undo:
            for kind, place in places.items():
                old = works[kind] / ".old"  # no plugin has such a name
                undo.callback(_put_back, made[kind].lstat(), place, old)
                if overwrite and os.path.lexists(place):
                    _check_place(kind, place, overwrite=True)  # it may be another one by now
                    with writing(place):
                        place.rename(old)
                _put(made[kind], place)
            undo.pop_all()


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise ValueError with the name of a file where the system cannot write it."""
    try:
        yield
    except OSError as error:
        raise not_written(path, why(error)) from error


def _check_place(kind: str, place: Path, *, overwrite: bool) -> None:
    """Raise ValueError if there is something in a place that is not to be replaced."""
    check_free(place, overwrite=overwrite)
    foreign = _foreign(kind, place) if os.path.lexists(place) else None
    if foreign is not None:
        raise ValueError(
            f"{printable(place)}: rtnmf has not made {printable(foreign)}, so it stays:"
            " choose another name, or remove it yourself"
        )


def _foreign(kind: str, place: Path) -> Path | None:
    """Return what is in a place and is not of those things that rtnmf makes for a format, or None."""
    if place.is_symlink() or place.is_dir() != (kind in _FOLDERS):
        return place
    try:
        return next((file for file in _files(place) if not _is_ours(file)), None)
    except OSError:  # it cannot be looked into
        return place


def _files(path: Path) -> Iterator[Path]:
    """Yield a file, or all that are in a folder."""
    if path.is_symlink() or not path.is_dir():
        yield path
        return
    for inner in path.iterdir():
        yield from _files(inner)


def _is_ours(file: Path) -> bool:
    if file.is_symlink() or not file.is_file() or (file.suffix == ".ttl" and file.name not in _DESCRIPTIONS):
        return False
    with file.open("rb") as opened:
        return URI.encode() in opened.read(_LONGEST_CODE)


@contextlib.contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """Give a folder in a folder to work in, which is removed in the end."""
    with made_folder(folder, is_new=False):
        with writing(folder):
            if os.statvfs(folder).f_flag & os.ST_NOEXEC:
                raise not_written(folder, "no code is loaded from a disk that is mounted noexec: choose another place")
            work = Path(tempfile.mkdtemp(dir=folder, prefix=".", suffix=".part"))
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)
            if os.path.lexists(work):
                left = f"{printable(work)}: this has what was replaced and cannot be removed: remove it yourself"
                warnings.warn(left, stacklevel=2)


def _put(made: Path, place: Path) -> None:
    """Move a file or folder to a place where there is nothing."""
    with writing(place):
        try:
            if made.is_dir():
                made.rename(place)  # fails on what is there, but for an empty folder
            else:
                move(made, place, overwrite=False)
        except OSError as error:
            if os.path.lexists(place):
                raise not_written(place, "there is something of that name by now: choose another") from error
            raise


def _put_back(new: os.stat_result, place: Path, old: Path) -> None:
    """Undo what has been done until now for a place: take away what is new, and put back what was there."""
    if os.path.lexists(place) and os.path.samestat(new, place.lstat()):
        place.rename(old.with_name(".new"))
    if os.path.lexists(old) and not os.path.lexists(place):
        old.rename(place)
