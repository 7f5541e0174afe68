"""The picture of a running separation in a terminal: strips as a mixer has them, and what there is to say."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, NamedTuple

from rtnmf.control import faders
from rtnmf.control.meters import Marks

if TYPE_CHECKING:
    from rich.console import Group
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    from rtnmf.control.desk import Desk, Strip
    from rtnmf.control.midi import Midi
    from rtnmf.live import Live, Stats

__all__ = ["KEYS", "View", "drawn", "latency_text", "listening_text", "meters_text"]

KEYS = (
    ("1-9, up, down", "choose a source"),
    ("left, right, - +", "turn it down and up"),
    ("0", "back to 0 dB"),
    ("s", "solo: hear it alone, with the others that are soloed"),
    ("m", "mute"),
    ("space, b", "hear the input as it comes in, and back (bypass)"),
    ("r", "record the input and every source, and stop"),
    ("x", "take the CLIP signs away"),
    ("f", "leave the rest as it is, and go on learning it"),
    ("l", "map what was moved last on the MIDI controller"),
    ("d", "what it listens for"),
    ("?", "these keys"),
    ("q", "quit"),
)
"""Every key, and what it does."""

_SHORT = "1-9 choose  s solo  m mute  - + gain  space bypass  r record  ? keys  q quit"
_BLOCKS = " ▏▎▍▌▋▊▉█"
_WIDEST_BAR, _NARROWEST_BAR = 45, 15
_BESIDE_BAR = 50  # number, level, gain, state and sign
_MOST_RECORDINGS = 4
_FULL_SCALE_DB = -0.01  # the loudest sample of an input of 16 bits is 0.0003 dB below


class View:
    """What is shown of a separation: which source is chosen, from 0, what is open, and meters of both ends.

    Parameters
    ----------
    midi : Midi, optional
        Whose controls keys can map.
    """

    def __init__(self, midi: Midi | None = None) -> None:
        self.midi, self.chosen = midi, 0
        self.maps = False
        """Whether the next key says what a MIDI control is to do."""
        self.shows = ""
        """`keys`, `dictionary`, or nothing of both."""
        self.notice = ""
        """What came of the last key, where that is not seen elsewhere."""
        self._marks = Marks()

    def held_db(self, stats: Stats) -> dict[str, float]:
        """Return the peaks of the input and the output that are held."""
        return self._marks.note({"in": stats.input_peak_db, "out": stats.output_peak_db}, time.monotonic())


class _Meter(NamedTuple):
    """What a bar shows."""

    peak_db: float
    held_db: float
    is_heard: bool


def drawn(desk: Desk, view: View, width: int = 80) -> Group:
    """Return the picture of this moment, for a terminal of so many columns."""
    from rich.console import Group
    from rich.text import Text

    live, stats = desk.live, desk.live.stats
    trouble = desk.trouble(stats)
    return Group(
        _header(live, stats),
        *([Text(trouble, "bold red")] if trouble else []),
        _strips(desk, view, stats, width),
        Text(f"latency {latency_text(stats)}   {meters_text(stats)}"),
        *(Text(text) for text in (stats.training, stats.rest and f"rest: {stats.rest}", view.notice) if text),
        *_open(live, view),
        Text(_SHORT, "bright_black"),
    )


def _header(live: Live, stats: Stats) -> Text:
    from rich.text import Text

    text = Text(f"{live.facts['input']} to {live.facts['output']}   {live.sample_rate / 1000:g} kHz")
    text.append(f"   {_clock(stats.seconds)}")
    if live.recording.is_on:
        text.append(f"   ● REC {_clock(live.recording.seconds)}", "bold red")
    if live.bypass:
        text.append("   BYPASS", "bold yellow")
    return text


def _clock(seconds: float) -> str:
    hours, minutes = divmod(int(seconds) // 60, 60)
    return f"{hours}:{minutes:02}:{int(seconds) % 60:02}" if hours else f"{minutes:02}:{int(seconds) % 60:02}"


def _strips(desk: Desk, view: View, stats: Stats, width: int) -> Table:
    """Return the strips of all sources, and the meters of both ends, below one scale."""
    from rich.table import Table
    from rich.text import Text

    strips = desk.strips(stats)
    has_channels = any(strip.channels for strip in strips)
    beside = _BESIDE_BAR + max(len(strip.source) for strip in strips) + 9 * has_channels
    n_cells = max(_NARROWEST_BAR, min(_WIDEST_BAR, width - beside))
    table = Table.grid(padding=(0, 1))
    table.add_row("", "", _scale(n_cells))
    for i, strip in enumerate(strips):
        table.add_row(*_strip(strip, n_cells, number=i + 1, is_chosen=i == view.chosen))
    held_db = view.held_db(stats)
    for name, peak_db in (("in", stats.input_peak_db), ("out", stats.output_peak_db)):
        sign = _output_sign(desk, stats) if name == "out" else "CLIP" if held_db[name] > _FULL_SCALE_DB else ""
        bar = _bar(_Meter(peak_db, held_db[name], is_heard=True), n_cells)
        level = Text(f"{faders.db_text(peak_db):>8}")
        table.add_row("", name, bar, level, "", "", "", Text(sign, "bold red" if sign == "CLIP" else "yellow"))
    return table


def _strip(strip: Strip, n_cells: int, *, number: int, is_chosen: bool) -> list[Text]:
    """Return the cells of a source: number, name, meter, level, gain, output channels, state and sign."""
    from rich.text import Text

    name_style, style = "bold" if is_chosen else "", "" if strip.is_heard else "bright_black"
    channels = f"to {'+'.join(map(str, strip.channels))}" if strip.channels else ""
    return [
        Text(f"{'>' if is_chosen else ' '} {number} {'●' if strip.sounds else '○'}", name_style),
        Text(strip.source, name_style),
        _bar(_Meter(strip.peak_db, strip.held_db, strip.is_heard), n_cells),
        Text(f"{faders.db_text(strip.peak_db) if strip.is_heard else '':>8}"),
        Text(f"gain {faders.db_text(strip.gain_db):>8}", style),
        Text(channels, style),
        Text(_state(strip), "" if strip.is_heard else "yellow"),
        Text("CLIP" if strip.is_over else "", "bold red"),
    ]


def _state(strip: Strip) -> str:
    if strip.is_muted:
        return "muted"
    if not strip.is_heard:
        return "not heard"
    return "solo" if strip.is_soloed else "on"


def _output_sign(desk: Desk, stats: Stats) -> str:
    if not desk.is_over(stats):
        return ""
    return "limited" if stats.n_limited else "CLIP"


def _scale(n_cells: int) -> Text:
    """Return the scale of all bars: each mark begins in the cell where its level is, if there is room."""
    from rich.text import Text

    text = Text(style="bright_black")
    for mark_db in faders.MARKS_DB:
        cell = int(faders.position(mark_db) * n_cells)
        mark = f"{mark_db:g}"
        if (not text or cell > len(text)) and cell + len(mark) <= n_cells:
            text.append(" " * (cell - len(text)))
            text.append(mark, "red" if mark_db >= 0 else None)
    return text


def _bar(meter: _Meter, n_cells: int) -> Text:
    """Return a bar up to the peak, red above full scale, with a mark at the peak that is held."""
    from rich.text import Text

    length = faders.position(meter.peak_db) * n_cells
    held = math.ceil(faders.position(meter.held_db) * n_cells) - 1
    red_from = faders.position(0) * n_cells
    bar = Text()
    for cell in range(n_cells):
        part = min(1.0, max(0.0, length - cell))
        sign = _BLOCKS[round(part * (len(_BLOCKS) - 1))]
        if sign == " ":
            sign = "│" if cell == held else "·"
        is_red = cell + 0.5 > red_from
        lit = "red" if is_red else "green" if meter.is_heard else "bright_black"
        bar.append(sign, lit if sign != "·" else "dim red" if is_red else "bright_black")
    return bar


def _open(live: Live, view: View) -> list[Table | Padding]:
    """Return what the user has opened: all keys, or what the dictionary holds."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    if view.shows == "dictionary":
        return [Padding(Text(line), (0, 0, 0, 2), expand=False) for line in _dictionary_lines(live)]
    if view.shows != "keys":
        return []
    table = Table.grid(padding=(0, 2))
    for key, text in KEYS:
        if {"f": live.adapts, "l": view.midi}.get(key, True):
            table.add_row(Text(f"  {key}", "bold"), text)
    return [table]


def _dictionary_lines(live: Live) -> list[str]:
    """Return what it listens for, in a few lines."""
    dictionary = live.dictionary
    counts = [f"{source} ({dictionary.labels.count(source)} components)" for source in dictionary.sources]
    recordings = dictionary.learned_from
    from_text = ", ".join(recordings) if len(recordings) <= _MOST_RECORDINGS else f"{len(recordings)} recordings"
    lines = [
        f"listens for {', '.join(counts)}",
        dictionary.description,
        f"learned at {dictionary.sample_rate / 1000:g} kHz{f' from {from_text}' if recordings else ''};"
        f" {'trained' if dictionary.is_trained else 'not trained'}",
        listening_text(live),
    ]
    return [line for line in lines if line]


def listening_text(live: Live) -> str:
    """Return which experts are asked about which sources, in words; empty if none is."""
    if not live.experts:
        return ""
    names = " and ".join(live.experts)
    return f"{', '.join(live.dictionary.voices)}: with the expert{'s' * (len(live.experts) > 1)} {names}"


def latency_text(stats: Stats) -> str:
    """Return the latency in ms and what it is made of."""
    parts = {name: ms for name, ms in stats.latency_ms.items() if ms or name == "algorithm"}
    return f"{sum(parts.values()):.1f} ms ({', '.join(f'{name} {ms:.1f}' for name, ms in parts.items())})"


def meters_text(stats: Stats) -> str:
    """Return load, and what was late, lost or went wrong, in words."""
    from rtnmf.live.link.telemetry import shown_texts  # here, as it loads numpy

    return "   ".join(shown_texts(stats))
