"""A running separation in a terminal: a panel of strips with keys to play them, or plain lines without a terminal."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from rtnmf import screen
from rtnmf.control import keys, panel
from rtnmf.control.panel import View

if TYPE_CHECKING:
    from rtnmf.control.desk import Desk
    from rtnmf.control.midi import Midi
    from rtnmf.live import Live, Stats

__all__ = ["key_pressed", "lines", "show"]

_FRAME_S = 1 / 15
_LINE_S = 2.0
_STEP_DB = 1.0
_MAPPED = {"l": "fader", "s": "solo", "m": "mute", "b": "bypass", "r": "record"}
_TURNS = {"+": _STEP_DB, "=": _STEP_DB, "right": _STEP_DB, "-": -_STEP_DB, "left": -_STEP_DB}


def show(desk: Desk, seconds: float | None, midi: Midi | None = None) -> None:
    """Show a panel and act on keys until q is pressed, the time is over, or the separation is closed."""
    from rich.live import Live as Screen

    end = math.inf if seconds is None else time.monotonic() + seconds
    view, console = View(midi), screen.console()
    view.notice = _at_first(desk.live.soloed)
    with keys.pressed() as read_key, Screen(console=console, auto_refresh=False, transient=True) as display:
        while time.monotonic() < end and not desk.is_closed():
            key = read_key(_FRAME_S)
            if key in ("q", "Q", keys.END):
                return
            key_pressed(desk, key, view)
            display.update(panel.drawn(desk, view, console.width), refresh=True)


def _at_first(soloed: tuple[str, ...]) -> str:
    return f"you hear {' and '.join(soloed)} alone: s, or --gain at the start, changes that" if soloed else ""


def key_pressed(desk: Desk, key: str, view: View) -> None:
    """Do what a key asks for, with the source that is chosen."""
    live = desk.live
    if key:
        view.notice = ""
    if key.isascii() and key.isdecimal() and 1 <= int(key) <= len(live.sources):
        view.chosen = int(key) - 1
    elif key in ("up", "down"):
        view.chosen = (view.chosen + (1 if key == "down" else -1)) % len(live.sources)
    elif key == "l" or (key and view.maps):
        _map(desk, key, view)
    elif key in ("?", "d"):
        asked = "keys" if key == "?" else "dictionary"
        view.shows = "" if view.shows == asked else asked
    elif key in (" ", "b"):
        desk.set_bypass(not live.bypass)
    elif key == "x":
        desk.reset_marks()
    elif key == "f":
        view.notice = _freeze(live)
    elif key == "r":
        view.notice = _record(desk)
    else:
        _strip_key_pressed(desk, key, live.sources[min(view.chosen, len(live.sources) - 1)])


def _strip_key_pressed(desk: Desk, key: str, source: str) -> None:
    if key == "s":
        desk.solo(source, source not in desk.live.soloed)
    elif key == "m":
        desk.mute(source, source not in desk.live.muted)
    elif key == "0":
        desk.set_gain(source, 0.0)
    elif key in _TURNS:
        desk.step_gain(source, _TURNS[key])


def _map(desk: Desk, key: str, view: View) -> None:
    """Ask what the MIDI control that was moved last is to do, or let it do what this key says."""
    source = desk.sources[min(view.chosen, len(desk.sources) - 1)]
    if view.midi is None:
        view.notice = "there is no MIDI controller: start with --midi"
        return
    if not view.maps:
        view.notice = f"move a control, then press l: fader of {source}, s: solo, m: mute, b: bypass, r: record"
    elif key in _MAPPED:
        try:
            view.notice = view.midi.learn(_MAPPED[key], source)
        except ValueError as error:
            view.notice = str(error)
    view.maps = not view.maps


def _freeze(live: Live) -> str:
    """Leave the rest as it is, or go on learning it; return why not where there is none."""
    if not live.adapts:
        return "there is no rest that is learned: start with one, such as speech+rest"
    live.freeze = not live.freeze
    return ""


def _record(desk: Desk) -> str:
    """Begin or end a recording, and return where it is, or why there is none."""
    try:
        folder = desk.record(not desk.live.recording.is_on)
    except ValueError as error:
        return str(error)
    return f"recorded to {folder}" if not desk.live.recording.is_on else f"recording to {folder}"


def lines(desk: Desk, seconds: float | None) -> None:
    """Print a line every two seconds and when the state changes, and on stderr what goes wrong, once."""
    end = math.inf if seconds is None else time.monotonic() + seconds
    shown, next_s, noted, training = "sounding", time.monotonic() + _LINE_S, "", ""
    while time.monotonic() < end and not desk.is_closed(min(0.1, max(0.0, end - time.monotonic()))):
        stats = desk.live.stats
        is_sounding = stats.state == "sounding"
        trouble = desk.trouble(stats)
        state = "sounding" if is_sounding else trouble
        if is_sounding and trouble and trouble != noted:
            screen.note(trouble)
            noted = trouble
        if stats.training != training and not stats.training.startswith("training"):
            screen.say(stats.training, flush=True)
        training = stats.training
        if state != shown or time.monotonic() >= next_s:
            if state != shown and is_sounding:
                screen.say("sounding again", flush=True)
            screen.say(_line(stats) if is_sounding else state, flush=True)
            shown, next_s = state, time.monotonic() + _LINE_S


def _line(stats: Stats) -> str:
    levels = "  ".join(f"{name} {_db_text(level)}" for name, level in stats.levels_db.items())
    ends = f"in {_db_text(stats.input_db)}  out {_db_text(stats.output_db)}"
    rest = f"   rest: {stats.rest}" if stats.rest else ""
    training = f"   {stats.training}" if stats.training.startswith("training") else ""
    return f"{stats.seconds:6.1f} s  {levels}  {ends}  {panel.meters_text(stats)}{training}{rest}"


def _db_text(level_db: float) -> str:
    return f"{level_db:.0f} dB" if level_db > -120 else "silent"
