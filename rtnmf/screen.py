"""How words reach a terminal: the only place that prints, and nothing that it prints moves a cursor or hides.

Names of files, sources, devices and cases are the words of strangers. The library never prints; commands and the
display of a running separation do, through this.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rtnmf.words import plain

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["console", "note", "say", "say_json", "say_traceback", "tell"]


def say(*lines: str, flush: bool = False) -> None:
    """Print lines on standard output."""
    _print(lines, sys.stdout, flush=flush)


def say_json(value: Any) -> None:
    """Print a value as JSON, in ASCII; numbers that are not finite are an error."""
    say(*json.dumps(value, indent=1, allow_nan=False).replace("\x7f", r"\u007f").split("\n"))


def note(text: str) -> None:
    """Print a note on standard error: what is odd, or costs quality, but does not stop anything."""
    tell(f"note: {text}")


def tell(*lines: str) -> None:
    """Print lines on standard error."""
    _print(lines, sys.stderr, flush=True)


def say_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an error that nobody expected: a `sys.excepthook`."""
    tell(*"".join(traceback.format_exception(kind, error, trace)).split("\n"))


def console(pipe_width: int | None = None, *, stderr: bool = False) -> Console:
    """Return a console of rich for what is more than lines, such as tables.

    Parameters
    ----------
    pipe_width : int, optional
        How wide it is where it is no terminal.
    stderr : bool
        Whether it prints on standard error.
    """
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class Plain(Console):
        """A console whose text is plain, whatever it is part of; its colours are its own."""

        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
            for segment in super().render(renderable, options):
                if segment.control:
                    yield segment
                else:
                    yield Segment("\n".join(map(plain, segment.text.split("\n"))), segment.style)

    is_terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Plain(stderr=stderr, width=None if is_terminal else pipe_width, markup=False, highlight=False)


def _print(lines: tuple[str, ...], file: Any, *, flush: bool) -> None:
    for line in lines:
        text = plain(line)
        try:
            print(text, file=file, flush=flush)
        except UnicodeEncodeError as error:  # a terminal that knows few letters
            print(text.encode(error.encoding, "replace").decode(error.encoding), file=file, flush=flush)
