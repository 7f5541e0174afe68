"""A progress bar on a terminal, and nothing where there is none."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from rtnmf.progress import Progress
from rtnmf.screen import console, tell

__all__ = ["progress_bar"]

_SPEED_S = 300  # that the time left is estimated from: a step of hours of audio takes seconds


@contextlib.contextmanager
def progress_bar(title: str, dictionary: str = "") -> Iterator[Progress]:
    """Show a progress bar on the terminal of stderr, if there is one, and give the function that moves it.

    Where a dictionary of that name is trained first, this is said; without a terminal in one line.
    """
    from rich.markup import escape
    from rich.progress import Progress as Bar

    with Bar(
        console=console(stderr=True), transient=True, speed_estimate_period=_SPEED_S, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task(title)

        is_told, last = sys.stderr.isatty(), 0

        def advance(stage: str, done: int, total: int) -> None:
            nonlocal is_told, last
            is_training = bool(dictionary) and stage == "training"
            if is_training and not is_told:
                tell(f"training {dictionary}, once")
                is_told = True
            text = f"training {dictionary}, once" if is_training else f"{title}: {stage}"
            if done < last:  # another stage, whose time left is another one
                bar.reset(task)
            last = done
            bar.update(task, description=escape(text), completed=done, total=total)

        yield advance
