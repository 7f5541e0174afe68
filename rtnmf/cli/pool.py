"""`rtnmf pool`: the backgrounds that ship with rtnmf, and those of folders."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rtnmf import screen

if TYPE_CHECKING:
    from rich.table import Table

    from rtnmf.learning.backgrounds import Background

__all__ = ["EXAMPLES", "SUMMARY", "add_arguments", "run"]

SUMMARY = "list the backgrounds from which the rest of the world is learned"
EXAMPLES = """examples:
  rtnmf pool                                            what ships with rtnmf, by kind
  rtnmf pool --files                                    each recording, its author and licence
  rtnmf pool ~/noises                                   with those of a folder of your own"""

_PIPE_WIDTH = 160


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    text = "folders of your own, with recordings of backgrounds; a subfolder is a kind"
    parser.add_argument("folders", nargs="*", metavar="FOLDER", help=text)
    text = "list each recording with its author, origin and licence, instead of the kinds"
    parser.add_argument("--files", action="store_true", help=text)


def run(options: argparse.Namespace) -> None:
    """Print a table of the backgrounds that ship, and one of each folder."""
    from rtnmf.audio import files
    from rtnmf.audio.names import printable
    from rtnmf.learning.backgrounds import own, pool

    groups = [("shipped with rtnmf", pool()), *((printable(folder), own(folder)) for folder in options.folders)]
    console = screen.console(_PIPE_WIDTH)
    for name, backgrounds in groups:
        seconds = [files.duration_s(background.path) for background in backgrounds]
        licences = Counter(background.licence for background in backgrounds if background.licence)
        console.print(f"{name}: {len(backgrounds)} recordings, {sum(seconds):.0f} s", soft_wrap=True)
        console.print((_by_file if options.files else _by_kind)(backgrounds, seconds))
        if licences:
            counts = ", ".join(f"{licence} ({n})" for licence, n in sorted(licences.items()))
            hint = "" if options.files else "; of each: rtnmf pool --files"
            console.print(f"licences: {counts}{hint}\n", soft_wrap=True)


def _by_kind(backgrounds: Sequence[Background], seconds: Sequence[float]) -> Table:
    table = _table("kind", "recordings", "s", "sounds")
    for kind in sorted({background.kind for background in backgrounds}):
        members = [(b.sound, s) for b, s in zip(backgrounds, seconds, strict=True) if b.kind == kind]
        sounds = "; ".join(dict.fromkeys(sound for sound, _ in members))
        table.add_row(kind, str(len(members)), f"{sum(s for _, s in members):.0f}", sounds)
    return table


def _by_file(backgrounds: Sequence[Background], seconds: Sequence[float]) -> Table:
    from rtnmf.audio.names import printable

    table = _table("file", "s", "sound", "licence", "source")
    for b, s in zip(backgrounds, seconds, strict=True):
        table.add_row(printable(b.path.name), f"{s:.1f}", b.sound, b.licence, b.source)
    return table


def _table(*columns: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in columns:
        justify = "right" if column in ("recordings", "s") else "left"
        table.add_column(column, justify=justify, overflow="fold")  # type: ignore[arg-type]
    return table
