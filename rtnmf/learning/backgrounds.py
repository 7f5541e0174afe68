"""Backgrounds: recordings of all sorts of sounds, from which is learned what nobody taught.

Those that ship are `presets/pool` in a checkout; a folder of one's own is as good. Nothing here reads sound.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from rtnmf.audio.names import audio_files, is_folder, printable
from rtnmf.dictionary import preset_folder

__all__ = ["Background", "own", "pool", "without_kin"]


class Background(NamedTuple):
    """A recording of a background."""

    path: Path
    """Of the audio file."""
    kind: str
    """What it is like, in a word: machine, rain, crowd, music, ..."""
    sound: str
    """What sounds."""
    source: str
    """Who made it, and where it is from; empty when not known."""
    licence: str
    """As an SPDX identifier; empty when not known."""


def pool() -> tuple[Background, ...]:
    """Return the backgrounds that ship with rtnmf, in the order of their files.

    Each has a licence of its own; `README.md` beside the files says what they ask for.
    """
    folder = _pool_folder()
    return tuple(
        Background(folder / row["file"], row["kind"], row["sound"], f"{row['author']}; {row['origin']}", row["licence"])
        for row in _rows(folder / "manifest.csv")
    )


def own(folder: str | os.PathLike[str]) -> tuple[Background, ...]:
    """Return the backgrounds in a folder and its subfolders, in the order of their paths.

    The kind is the name of the subfolder, or that of the file without its extension where it is in no subfolder. A
    warning names files that are not audio by their extensions. What is hidden is left out.

    Parameters
    ----------
    folder : path

    Raises
    ------
    ValueError
        If it is not a folder, or there is no audio file in it.
    """
    top = Path(folder)
    if not is_folder(top):
        raise ValueError(f"{printable(folder)}: is not a folder, expected one with recordings of backgrounds")
    paths = [Path(path) for path in audio_files(top, subfolders=True)]
    return tuple(
        Background(path, printable(_kind(path.relative_to(top))), printable(path.stem), "", "") for path in paths
    )


def _kind(path: Path) -> str:
    return path.parts[0] if len(path.parts) > 1 else path.stem


def without_kin(backgrounds: Iterable[Background], source_name: str) -> tuple[Background, ...]:
    """Return the backgrounds but those akin to a source, by their kind or by the pool's `kin.csv`.

    For measuring how well a sound is separated that nobody taught: whatever is like it must not be among the
    backgrounds either. A name that is neither a kind nor in the table has no kin.

    Parameters
    ----------
    backgrounds : iterable of Background
    source_name : str
        Such as keyboard, rain or drums.
    """
    kin = [row["kin"].split() for row in _rows(_pool_folder() / "kin.csv") if row["source"] == source_name]
    prefixes = tuple(prefix for prefixes in kin for prefix in prefixes)
    return tuple(b for b in backgrounds if b.kind != source_name and not b.path.name.startswith(prefixes))


def _pool_folder() -> Path:
    return preset_folder() / "pool"


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
