"""A running separation in a terminal: a panel of strips with keys to play them, or plain lines without a terminal."""

from __future__ import annotations

import contextlib
import math
import os
import re
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from rtnmf.live import Live, Stats

__all__ = ["key_pressed", "latency_text", "lines", "panel", "show"]

_FRAME_S = 1 / 15
_LINE_S = 2.0
_BAR = 24
_LOWEST_DB = -60.0
_NOTHING_DB = -120.0
_SILENCE = "nothing comes in from {!r}: is it muted? Choose another with --input, see: rtnmf devices"
_GAIN_STEP_DB = 1.0
_LOWEST_GAIN, _HIGHEST_GAIN = 0.001, 10.0  # within the reach of keys
_KEY = re.compile(r"\x1b\[[0-9;]*[A-Za-z~]|\x1bO[A-Z]|.", re.DOTALL)
_ARROWS = {"\x1b[A": "up", "\x1b[B": "down", "\x1bOA": "up", "\x1bOB": "down"}


def show(live: Live, seconds: float | None) -> None:
    """Show a panel and act on keys until q is pressed, the time is over, or the separation is closed."""
    from rich.console import Console
    from rich.live import Live as Screen

    end = math.inf if seconds is None else time.monotonic() + seconds
    chosen = 0
    with _keys() as read_key, Screen(console=Console(), auto_refresh=False) as screen:
        while time.monotonic() < end and not live.wait(0):
            key = read_key(_FRAME_S)
            if key in ("q", "Q", "\x04"):
                return
            chosen = key_pressed(live, key, chosen)
            screen.update(panel(live, chosen), refresh=True)


def lines(live: Live, seconds: float | None) -> None:
    """Print a line every two seconds and when the state changes, and on stderr what goes wrong, once."""
    end = math.inf if seconds is None else time.monotonic() + seconds
    shown, next_s, noted, training = "sounding", time.monotonic() + _LINE_S, "", ""
    while time.monotonic() < end and not live.wait(min(0.1, max(0.0, end - time.monotonic()))):
        stats = live.stats
        state = _state_text(stats)
        trouble = _trouble(live, stats)
        if trouble and trouble != noted:
            print(f"note: {trouble}", file=sys.stderr, flush=True)
            noted = trouble
        if stats.training != training and not stats.training.startswith("training"):
            print(stats.training, flush=True)
        training = stats.training
        if state != shown or time.monotonic() >= next_s:
            if state != shown and state == "sounding":
                print("sounding again", flush=True)
            print(_line(stats) if state == "sounding" else state, flush=True)
            shown, next_s = state, time.monotonic() + _LINE_S


def _line(stats: Stats) -> str:
    levels = "  ".join(f"{name} {_db_text(level)}" for name, level in stats.levels_db.items())
    ends = f"in {_db_text(stats.input_db)}  out {_db_text(stats.output_db)}"
    rest = f"  rest: {stats.rest}" if stats.rest else ""
    training = f"  {stats.training}" if stats.training.startswith("training") else ""
    return f"{stats.seconds:6.1f} s  {levels}  {ends}  {_meters(stats)}{training}{rest}"


def _state_text(stats: Stats) -> str:
    return stats.state if stats.state == "sounding" else f"{stats.state}: {stats.reason}"


def _trouble(live: Live, stats: Stats) -> str:
    """Return what keeps a stream that sounds from being heard or recorded, in one sentence; empty if nothing."""
    if live.recording_failure or stats.state != "sounding":
        return live.recording_failure
    is_silent = stats.seconds > _LINE_S and stats.input_db < _NOTHING_DB
    return stats.warning or (_SILENCE.format(live.facts["input"]) if is_silent else "")


def key_pressed(live: Live, key: str, chosen: int) -> int:
    """Do what a key asks for, with source number `chosen` (from 0), and return the number that is chosen now."""
    n_sources = len(live.sources)
    if key.isascii() and key.isdecimal() and 1 <= int(key) <= n_sources:
        return int(key) - 1
    if key in ("up", "down"):
        return (chosen + (1 if key == "down" else -1)) % n_sources
    source = live.sources[chosen]
    if key == "s":
        live.solo(*_toggled(live.soloed, source))
    elif key == "m":
        live.mute(*_toggled(live.muted, source))
    elif key == "b":
        live.bypass = not live.bypass
    elif key == "f" and live.adapts:
        live.freeze = not live.freeze
    elif key in ("+", "=", "-"):
        step_db = _GAIN_STEP_DB if key != "-" else -_GAIN_STEP_DB
        live.gains = {source: min(_HIGHEST_GAIN, max(_LOWEST_GAIN, live.gains[source]) * 10 ** (step_db / 20))}
    return chosen


def panel(live: Live, chosen: int) -> Table:
    """Return the picture of this moment, with source number `chosen` (from 0) marked."""
    from rich.table import Table
    from rich.text import Text

    stats = live.stats
    strips = Table.grid(padding=(0, 1))
    for i, source in enumerate(live.sources):
        strips.add_row(*_strip(live, source, stats.levels_db[source], number=i + 1, is_chosen=i == chosen))
    trouble = _trouble(live, stats) if stats.state == "sounding" else _state_text(stats)
    bypass = "   BYPASS" if live.bypass else ""
    freeze = "f freeze   " if live.adapts else ""
    rows: list[Table | Text] = [
        Text(f"{live.facts['input']} to {live.facts['output']}, {live.sample_rate} Hz, {stats.seconds:.0f} s"),
        *([Text(trouble, "bold red")] if trouble else []),
        strips,
        Text(f"in {_db_text(stats.input_db)}   out {_db_text(stats.output_db)}{bypass}"),
        Text(f"latency {latency_text(stats)}"),
        Text(_meters(stats)),
        *([Text(stats.training)] if stats.training else []),
        *([Text(f"rest: {stats.rest}")] if stats.rest else []),
        Text(f"1-9 or arrows choose   s solo   m mute   + - gain   b bypass   {freeze}q quit", "bright_black"),
    ]
    outer = Table.grid()
    for row in rows:
        outer.add_row(row)
    return outer


def _strip(live: Live, source: str, level_db: float, *, number: int, is_chosen: bool) -> list[Text]:
    """Return the cells of a source: number, name, meter, level, gain, output channels and state."""
    from rich.text import Text

    is_heard = source in live.mixer.heard and not live.bypass
    name_style, style = "bold" if is_chosen else "", "" if is_heard else "bright_black"
    states = (("solo", source in live.soloed), ("muted", source in live.muted), ("not heard", not is_heard))
    gain_db = 20 * math.log10(abs(live.gains[source])) if live.gains[source] else -math.inf
    return [
        Text(f"{'>' if is_chosen else ' '} {number}", name_style),
        Text(source, name_style),
        Text(_bar(level_db), "green" if is_heard else "bright_black"),
        Text(_db_text(level_db), justify="right"),
        Text(f"gain {gain_db:+.0f} dB", style),
        Text(f"to {'+'.join(map(str, live.routes[source]))}" if source in live.routes else "", style),
        Text(" ".join(word for word, is_on in states if is_on)),
    ]


def latency_text(stats: Stats) -> str:
    """Return the latency in ms and what it is made of."""
    parts = {name: ms for name, ms in stats.latency_ms.items() if ms or name == "algorithm"}
    return f"{sum(parts.values()):.1f} ms ({', '.join(f'{name} {ms:.1f}' for name, ms in parts.items())})"


def _meters(stats: Stats) -> str:
    from rtnmf.live.link.telemetry import shown_texts  # here, as it loads numpy

    return "  ".join(shown_texts(stats))


def _toggled(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(other for other in names if other != name) if name in names else (*names, name)


def _bar(level_db: float) -> str:
    filled = round(_BAR * min(1.0, max(0.0, 1 - level_db / _LOWEST_DB)))
    return "█" * filled + "·" * (_BAR - filled)


def _db_text(level_db: float) -> str:
    return f"{level_db:.0f} dB" if level_db > -120 else "-inf dB"


@contextlib.contextmanager
def _keys() -> Iterator[Any]:
    """Give a function that waits at most some seconds for a key, and returns it, or "" for none."""
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
            self._waiting = _KEY.findall(typed) or ["\x04"]
        key = self._waiting.pop(0) if self._waiting else ""
        return _ARROWS.get(key, key if len(key) == 1 else "")


def _windows_key(seconds: float) -> str:
    import msvcrt

    end = time.monotonic() + seconds
    while not msvcrt.kbhit():  # type: ignore[attr-defined]
        if time.monotonic() > end:
            return ""
        time.sleep(0.01)
    typed: str = msvcrt.getwch()  # type: ignore[attr-defined]
    if typed in ("\x00", "\xe0"):
        return {"H": "up", "P": "down"}.get(msvcrt.getwch(), "")  # type: ignore[attr-defined]
    return typed
