"""A progress bar on a terminal, and nothing where there is none."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from rtnmf.progress import Progress
from rtnmf.screen import console

__all__ = ["progress_bar"]


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """Show a progress bar on the terminal of stderr, if there is one, and give the function that moves it."""
    from rich.markup import escape
    from rich.progress import Progress as Bar

    with Bar(console=console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(title)

        def advance(stage: str, done: int, total: int) -> None:
            bar.update(task, description=escape(f"{title}: {stage}"), completed=done, total=total)

        yield advance
