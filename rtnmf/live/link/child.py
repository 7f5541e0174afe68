"""How this room starts a Python of its own, and what to make of its last words."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, Any, BinaryIO

__all__ = ["apart", "end_with_parent", "environment", "in_background", "last_line", "obituary", "python"]

_LOWEST_PRIORITY = 19
_LOOK_S = 0.5


def python(code: str) -> list[str]:
    """Return the command that runs code in another Python that finds the same modules."""
    return [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"]


def environment() -> dict[str, str]:
    """Return the environment of a process for sound: one thread for arithmetic, and no audio server started."""
    threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    return os.environ | dict.fromkeys(threads, "1") | {"JACK_NO_START_SERVER": "1"}


def apart(*, is_idle: bool = False) -> dict[str, Any]:
    """Return the options of a process that Ctrl-C in the terminal does not reach; on Windows idle, if it is to be."""
    if sys.platform != "win32":
        return {"start_new_session": True}
    priority = subprocess.IDLE_PRIORITY_CLASS if is_idle else 0
    return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | priority}


def last_line(said: bytes) -> str:
    """Return the last line that is not empty of what a process wrote."""
    lines = said.decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it ended without a word")


def obituary(code: int, stderr: IO[bytes]) -> str:
    """Return how a process ended, from its return code and what it wrote."""
    if code < 0:
        return f"was killed by signal {-code}"
    stderr.seek(0)
    return f"ended with code {code}: {last_line(stderr.read())}"


def in_background() -> BinaryIO:
    """Take the lowest priority, and return standard output, to which nothing else is written from now on."""
    if hasattr(os, "nice"):
        os.nice(_LOWEST_PRIORITY)
    said = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is not for the parent
    return said


def end_with_parent(end: Callable[[], object] = lambda: os._exit(0)) -> None:
    """Call a function in a thread once the process that started this one has ended.

    The end of its pipe does not tell where it has forked: then that stays open in the fork.
    """
    threading.Thread(target=_await_end, args=(os.getppid(), end), name="rtnmf-parent", daemon=True).start()


def _await_end(parent: int, end: Callable[[], object]) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    end()
