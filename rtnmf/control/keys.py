"""Keys that are pressed in a terminal, one by one and without waiting for Enter."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Callable, Iterator

__all__ = ["END", "pressed"]

END = "\x04"
"""What is read when the terminal is closed."""

_KEY = re.compile(r"\x1b\[[0-9;]*[A-Za-z~]|\x1bO[A-Z]|.", re.DOTALL)
_ARROWS = {"A": "up", "B": "down", "C": "right", "D": "left"}
_WINDOWS_ARROWS = {"H": "up", "P": "down", "M": "right", "K": "left"}


@contextlib.contextmanager
def pressed() -> Iterator[Callable[[float], str]]:
    """Give a function that waits at most some seconds for a key, and returns it, or "" for none.

    Arrows are `up`, `down`, `left` and `right`. Without a terminal there are no keys.
    """
    if not sys.stdin.isatty():
        yield _no_key
    elif os.name == "nt":
        yield _windows_key
    else:
        import termios
        import tty

        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        try:
            tty.setcbreak(descriptor)
            yield _UnixKeys().next
        finally:
            with contextlib.suppress(termios.error):  # the terminal may be gone
                termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _no_key(seconds: float) -> str:
    time.sleep(seconds)
    return ""


class _UnixKeys:
    """Return the keys pressed in a terminal one by one, however many come at once."""

    def __init__(self) -> None:
        self._waiting: list[str] = []

    def next(self, seconds: float) -> str:
        import select

        if not self._waiting and select.select([sys.stdin], [], [], seconds)[0]:
            typed = os.read(sys.stdin.fileno(), 256).decode(errors="replace")
            self._waiting = _KEY.findall(typed) or [END]
        key = self._waiting.pop(0) if self._waiting else ""
        return key if len(key) == 1 else _ARROWS.get(key[2:], "")


def _windows_key(seconds: float) -> str:
    import msvcrt

    end = time.monotonic() + seconds
    while not msvcrt.kbhit():  # type: ignore[attr-defined]
        if time.monotonic() > end:
            return ""
        time.sleep(0.01)
    typed: str = msvcrt.getwch()  # type: ignore[attr-defined]
    if typed in ("\x00", "\xe0"):
        return _WINDOWS_ARROWS.get(msvcrt.getwch(), "")  # type: ignore[attr-defined]
    return typed
