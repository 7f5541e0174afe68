"""What runs in a process that works beside the sound: it says how far it is, then the result."""

from __future__ import annotations

import os
import pickle
import sys
import threading
import time
from typing import Any

from rtnmf.live.link.child import end_with_parent, in_background

__all__ = ["main"]

_SAY_S = 0.2


def main() -> None:
    """Call the function on standard input with its arguments, and end at once when that is closed."""
    said = in_background()
    end_with_parent()

    def say(what: Any) -> None:
        pickle.dump(what, said)
        said.flush()

    last_s = -_SAY_S

    def progress(_: str, n_done: int, n_steps: int) -> None:
        nonlocal last_s
        if time.monotonic() - last_s >= _SAY_S:
            last_s = time.monotonic()
            say(n_done / n_steps)

    work, arguments = pickle.load(sys.stdin.buffer)  # noqa: S301  # from the parent
    threading.Thread(target=_end_with, args=(sys.stdin.buffer,), daemon=True).start()
    say(work(*arguments, progress=progress))


def _end_with(pipe: Any) -> None:
    """End this process when its parent is gone."""
    pipe.read()
    os._exit(0)
