"""How this room starts a Python of its own, and what to make of its last words."""

from __future__ import annotations

import os
import sys
from typing import IO

__all__ = ["environment", "last_line", "obituary", "python"]


def python(code: str) -> list[str]:
    """Return the command that runs code in another Python that finds the same modules."""
    return [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"]


def environment() -> dict[str, str]:
    """Return the environment of a process for sound: one thread for arithmetic, and no audio server started."""
    threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    return os.environ | dict.fromkeys(threads, "1") | {"JACK_NO_START_SERVER": "1"}


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
