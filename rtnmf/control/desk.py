"""The desk: all that hands can do with a running separation, and what eyes see of it, in one place.

The terminal, the page, OSC and MIDI read and write a separation through this alone, so that they agree.
"""

from __future__ import annotations

import math
import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rtnmf.control import faders
from rtnmf.control.meters import Marks

if TYPE_CHECKING:
    from rtnmf.engine.mixer import Mixer
    from rtnmf.live import Live, Stats

__all__ = ["INPUT", "OUTPUT", "Desk", "Strip"]

INPUT, OUTPUT = "input", "output"
"""What `Desk.listen` compares, besides the sources."""

_NOTHING_DB = -120.0
_SOUNDS_DB = -50.0
_PATIENCE_S = 2.0
_SILENCE = "nothing comes in from {!r}: is it muted? Choose another with --input, see: rtnmf devices"


class Strip(NamedTuple):
    """A source as a mixer shows it; levels are those that go out, after the fader, in dB of full scale."""

    source: str
    gain_db: float
    """Minus infinity when it is off."""
    fader: float
    """Where the gain stands, from 0 to 1."""
    is_soloed: bool
    is_muted: bool
    is_heard: bool
    """Whether it goes out at all: neither solo, mute nor bypass keeps it back."""
    sounds: bool
    """Whether there is anything of it in the input."""
    peak_db: float
    held_db: float
    is_over: bool
    """Whether it went over full scale since the last reset of the marks."""
    channels: tuple[int, ...]
    """Output channels, from 1, where it has channels of its own."""


class Desk:
    """Steer a separation, and read its strips.

    Thread safety
        All methods may be called from any thread.

    Parameters
    ----------
    live : Live
        The separation, which is kept as an attribute.
    folder : path
        Where `record` makes a folder for each recording, named after the time.

    Attributes
    ----------
    is_turning : bool
        Whether another separation is about to take over, so that the end of this one is not the end.
    changing : lock
        To hold while it becomes another one, and while a recording begins or ends.
    ended : str
        Why nothing sounds any more, and what to do; empty while something does.
    """

    def __init__(self, live: Live, folder: str | os.PathLike[str] = ".") -> None:
        self.live = live
        self._folder, self._recorded = Path(folder), ""
        self._marks = Marks()
        self._n_over = 0
        self._before: Mixer | None = None
        self.changing = threading.RLock()
        self.is_turning, self.ended = False, ""

    def turn_to(self, live: Live) -> None:
        """Steer another separation from now on."""
        self.live, self._before, self._n_over, self.ended = live, None, 0, ""

    def is_closed(self, seconds: float = 0.0) -> bool:
        """Wait for some seconds at most; return whether the sound has ended, and no other separation takes over."""
        live = self.live
        if not live.wait(seconds):
            return False
        if self.is_turning or live is not self.live:  # in this order, as it turns before that is over
            time.sleep(seconds)
            return False
        return True

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources of the separation, in their order."""
        return self.live.sources

    def set_gain(self, source: str, gain_db: float) -> None:
        """Set the gain of a source in dB; minus infinity, and all below the scale, is off.

        Raises
        ------
        ValueError
            If there is no such source, or the gain is not a number or out of range.
        """
        gain = 0.0 if gain_db < faders.LOWEST_DB else 10 ** (min(gain_db, 1000.0) / 20)
        self.live.gains = {source: math.nan if math.isnan(gain_db) else gain}

    def set_fader(self, source: str, position: float) -> None:
        """Set the gain of a source by the place of its fader, from 0 to 1; raises as `set_gain` does."""
        if not 0 <= position <= 1:  # NaN is not
            raise ValueError(f"fader is {position}, expected 0 to 1")
        self.set_gain(source, faders.level(position))

    def step_gain(self, source: str, step_db: float) -> None:
        """Turn a source up or down by some dB, on the scale; from off, it begins at the lower end."""
        now_db = max(faders.LOWEST_DB, faders.gain_db(self._gain(source)))
        highest_db = max(faders.HIGHEST_DB, now_db)
        self.set_gain(source, min(highest_db, now_db + step_db))

    def solo(self, source: str, on: bool) -> None:
        """Let this source be among those that are heard alone, or no longer."""
        self.live.solo(*_with(self.live.soloed, source, on))

    def mute(self, source: str, on: bool) -> None:
        """Mute a source, or let it be heard again."""
        self.live.mute(*_with(self.live.muted, source, on))

    def set_bypass(self, on: bool) -> None:
        """Let the input out unchanged, or what was separated."""
        self.live.bypass = on

    def set_wet(self, wet: float) -> None:
        """Set the fraction of separated sound in the output, from 0 to 1."""
        self.live.wet = wet

    @property
    def listening(self) -> str:
        """What is heard: `INPUT` in bypass, a source that is heard alone by `listen`, else `OUTPUT`."""
        mixer = self.live.mixer
        if mixer.bypass:
            return INPUT
        return mixer.soloed[0] if self._before is not None and len(mixer.soloed) == 1 else OUTPUT

    def listen(self, to: str) -> None:
        """Compare: hear the `INPUT`, one source alone, or the `OUTPUT` as it was mixed before.

        Raises
        ------
        ValueError
            If there is no such source.
        """
        mixer, before = self.live.mixer, self._before
        if to not in (INPUT, OUTPUT):
            self.live.mixer = replace(mixer, bypass=False, soloed=(to,), muted=())
            self._before = before or mixer
            return
        if before is not None:
            mixer = replace(mixer, soloed=before.soloed, muted=before.muted)
            self._before = None
        self.live.mixer = replace(mixer, bypass=to == INPUT)

    def record(self, on: bool) -> str:
        """Begin or end a recording of the input and every stem, and return the folder that it is in.

        Raises
        ------
        ValueError
            If that folder cannot be made or written to.
        """
        with self.changing:
            recording = self.live.recording
            if not on:
                recording.stop()
            elif self.live.stats.state in ("idle", "closed"):
                raise ValueError("nothing sounds, so that nothing can be recorded")
            elif not recording.is_on:
                self._recorded = str(recording.start(self._folder / time.strftime("take-%Y-%m-%d-%H.%M.%S")))
            return self._recorded

    def reset_marks(self) -> None:
        """Take away the marks of what went over full scale."""
        self._marks.reset()
        self._n_over = self.live.stats.n_over

    def strips(self, stats: Stats | None = None) -> list[Strip]:
        """Return the strips of all sources as they are now, or as they were when `stats` were read."""
        live, mixer = self.live, self.live.mixer
        stats = live.stats if stats is None else stats
        heard = () if mixer.bypass else mixer.heard
        gains_db = {source: faders.gain_db(mixer.gains[source] * mixer.wet) for source in live.sources}
        peaks_db = {s: stats.peaks_db[s] + gains_db[s] if s in heard else -math.inf for s in live.sources}
        held_db = self._marks.note(peaks_db, time.monotonic())
        over, routes = self._marks.over, live.routes
        return [
            Strip(
                source=source,
                gain_db=faders.gain_db(mixer.gains[source]),
                fader=faders.position(faders.gain_db(mixer.gains[source])),
                is_soloed=source in mixer.soloed,
                is_muted=source in mixer.muted,
                is_heard=source in heard,
                sounds=stats.levels_db[source] > _SOUNDS_DB,
                peak_db=peaks_db[source],
                held_db=held_db[source],
                is_over=source in over,
                channels=routes.get(source, ()),
            )
            for source in live.sources
        ]

    def is_over(self, stats: Stats) -> bool:
        """Return whether the output went over full scale since the last reset of the marks."""
        return stats.n_over > self._n_over

    def trouble(self, stats: Stats) -> str:
        """Return what keeps the sound from being heard or recorded, in one sentence; empty if nothing."""
        if stats.state == "closed":
            return "" if self.is_turning else self.ended or stats.state
        if stats.state != "sounding":
            return f"{stats.state}: {stats.reason}" if stats.reason else stats.state
        if self.live.recording_failure:
            return self.live.recording_failure
        is_silent = stats.seconds > _PATIENCE_S and stats.input_db < _NOTHING_DB
        return stats.warning or (_SILENCE.format(self.live.facts["input"]) if is_silent else "")

    def _gain(self, source: str) -> float:
        if source not in self.live.sources:
            raise ValueError(f"there is no source {source!r}: choose from {', '.join(self.live.sources)}")
        return self.live.gains[source]


def _with(names: tuple[str, ...], name: str, on: bool) -> tuple[str, ...]:
    """Return the names with one more, or without it."""
    others = tuple(other for other in names if other != name)
    return (*others, name) if on else others
