"""What is recorded of a separation: it begins and ends while that sounds, and outlives the sounding process."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from pathlib import Path

from rtnmf.live.link.process import SoundProcess
from rtnmf.live.recorder import Recorder, new_folder
from rtnmf.live.salvage import Salvage

__all__ = ["Recording"]

_log = logging.getLogger(__name__)


class Recording:
    """The recordings of a separation, one at a time.

    Thread safety
        All methods and properties may be used from any thread; those that take a process by one at a time.

    Parameters
    ----------
    sources : sequence of str
    n_channels : int

    """

    def __init__(self, sources: tuple[str, ...], n_channels: int) -> None:
        self._sources, self._n_channels = sources, n_channels
        self._lock = threading.RLock()
        self._recorder: Recorder | None = None
        self._reservation = contextlib.ExitStack()
        self._salvage: Salvage | None = None
        self._child: SoundProcess | None = None
        self._n_noted = self._n_turns = self._n_missed = 0
        self._paths: list[Path] = []
        self._failure = ""

    @property
    def paths(self) -> list[Path]:
        """Of all files so far."""
        with self._lock:
            return self._paths + ([] if self._recorder is None else self._recorder.paths)

    @property
    def folder(self) -> str:
        """Where the recording that goes on is; empty without one."""
        with self._lock:
            return "" if self._recorder is None else str(self._recorder.folder)

    @property
    def failure(self) -> str:
        """Why the last recording stopped by itself; empty when all is well."""
        with self._lock:
            return self._failure if self._recorder is None else self._recorder.failure

    @property
    def n_missed(self) -> int:
        """Samples that came faster than they could be written, in all recordings."""
        with self._lock:
            return self._n_missed + (0 if self._recorder is None else self._recorder.n_missed)

    @property
    def seconds(self) -> float:
        """Duration of the recording that goes on; 0 without one."""
        with self._lock:
            return 0.0 if self._recorder is None else self._recorder.seconds

    @property
    def is_on(self) -> bool:
        """Whether a recording goes on."""
        return self._recorder is not None

    def start(self, folder: str | os.PathLike[str]) -> Path:
        """Begin a recording with what comes in now, and return the folder that was made for it.

        Raises
        ------
        ValueError
            If one goes on already, the folder cannot be written to, or there is no room for a small process.
        """
        with self._lock:
            if self._recorder is not None:
                raise ValueError("a recording goes on already: end it first")
            made, self._reservation = new_folder(folder)
            try:
                self._salvage = Salvage()
            except OSError as error:
                self._reservation.close()
                raise ValueError(f"no process could be started that guards the recording ({error})") from error
            self._recorder = Recorder(made, self._sources, self._n_channels, self._salvage.watch)
            self._failure = ""
            if self._child is not None:
                self._begin(self._child, self._child.count("n_recorded"), 0.0)
            return made

    def stop(self) -> None:
        """End the recording that goes on, with the last sample of which there are stems."""
        with self._lock:
            if self._recorder is not None and self._child is not None:
                self.drain(self._child.count("n_recorded"))
                self._recorder.end(is_flushed=True)
            self._give_up()

    def begin(self, child: SoundProcess, outage_s: float) -> None:
        """Go on with the stream that a process has opened, after an outage."""
        with self._lock:
            self._child, self._n_noted, self._n_turns = child, 0, 0
            if self._recorder is not None:
                self._begin(child, 0, outage_s)

    def drain(self, n_recorded: int) -> None:
        """Write what is new of the first `n_recorded` samples of the stream."""
        with self._lock:
            if self._recorder is not None and self._child is not None:
                self._recorder.drain(self._child.ring, n_recorded)

    def note(self, child: SoundProcess) -> None:
        """Keep which dictionary has taken over, and where, and how much is done for each frame.

        No other dictionary takes over before this was called.
        """
        with self._lock:
            number, sample = child.taken_over()
            n_turns, turns = child.turns(self._n_turns)
            if self._recorder is not None:
                if number > self._n_noted:
                    self._recorder.note_dictionary(child.dictionary(number), sample)
                self._recorder.note_turns(turns)
                if n_turns > self._n_turns + len(turns):
                    _log.warning("updates and experts changed too fast to be recorded: a replay differs")
            self._n_noted, self._n_turns = number, n_turns

    def end(self) -> None:
        """Write what is left of the stream of a process that has ended."""
        with self._lock:
            child, self._child = self._child, None
            self._reservation.close()  # there is something in the folder by now
            if self._recorder is not None and child is not None:
                self.note(child)
                self._recorder.drain(child.ring, child.count("n_recorded"))
                self._recorder.end(is_flushed=child.count("n_flushed") > 0)

    def close(self) -> None:
        """End what guards the recording, to which nothing is written any more."""
        with self._lock:
            if self._salvage is not None:
                self._salvage.end()
                self._salvage = None

    def _begin(self, child: SoundProcess, position: int, outage_s: float) -> None:
        assert self._recorder is not None
        facts, (number, _) = child.facts, child.taken_over()
        self._recorder.begin(facts["sample_rate"], facts["latency"], outage_s, child.experts, position)
        self._recorder.note_dictionary(child.dictionary(number), position, begins_anew=position == 0)
        _, turns = child.turns(0)
        if position and turns:
            self._recorder.note_turns([turns[-1]._replace(sample=position)])
        if position:
            self._n_noted, self._n_turns = number, child.turns(0)[0]

    def _give_up(self) -> None:
        if self._recorder is not None:
            self._paths += self._recorder.paths
            self._n_missed += self._recorder.n_missed
            self._failure = self._recorder.failure
            self._recorder = None
            self._reservation.close()
            self.close()
