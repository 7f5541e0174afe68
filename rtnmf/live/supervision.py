"""The parent's watch over the sounding process: it starts it, follows it, and starts another when that must be."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtnmf.dictionary import Dictionary
from rtnmf.live.adaptation import Adaptation, Learned
from rtnmf.live.devices import listing
from rtnmf.live.link.process import SoundProcess
from rtnmf.live.link.protocol import Layout, Settings
from rtnmf.live.link.telemetry import COUNTERS, Stats, reported
from rtnmf.live.recording import Recording
from rtnmf.live.tap import Tap
from rtnmf.live.training import Training

__all__ = ["Supervision"]

_LOOK_S = 0.02
_RETRY_S = 1.0
_log = logging.getLogger(__name__)

Array = NDArray[np.float32]


class Supervision:
    """Keep a sounding process running from `open` to `close`, whatever happens to it, and record what it hears.

    Thread safety
        All methods and properties may be used from any thread.

    Parameters
    ----------
    settings : Settings
    parameters : structured array, shape ()
        As `Layout.parameters` describes them.
    folder : path, optional
        To record to.
    adapts : bool
        Whether to learn the rest from what comes in.
    tap : Tap, optional
        To give what comes in to.

    Attributes
    ----------
    facts : dict
        What the process said when it opened its stream; empty before.
    closed : threading.Event
        Set when it has ended.
    recording : Recording
    adaptation : Adaptation, optional
    """

    def __init__(
        self,
        settings: Settings,
        parameters: NDArray[Any],
        folder: str | os.PathLike[str] | None,
        *,
        adapts: bool = False,
        tap: Tap | None = None,
    ) -> None:
        self.adaptation = Adaptation(settings.n_channels) if adapts else None
        if self.adaptation is not None:
            self.adaptation.learn_beside(settings.dictionary)
        self._tap = tap
        self._training: Training | None = None
        self._settings, self._parameters = settings, parameters
        self._base = settings.dictionary
        self._folder = folder
        self._lock = threading.Lock()
        self._child: SoundProcess | None = None
        self._before = dict.fromkeys(COUNTERS, 0)
        self._n_restarts = 0
        self._reason = self._swap_failure = ""
        self._is_swap_due = False
        self._closing, self.closed = threading.Event(), threading.Event()
        self.recording = Recording(settings.dictionary.sources, settings.n_channels)
        self.facts: dict[str, Any] = {}
        self._watch = threading.Thread(target=self._supervise, name="rtnmf-live", daemon=True)

    def open(self, make_room: Callable[[], object] | None = None) -> None:
        """Start the sound, and return when it sounds.

        Parameters
        ----------
        make_room : function, optional
            Called when all is ready but the devices, before they are opened.

        Raises
        ------
        ValueError
            If the devices cannot be used, or the folder not be written to.
        """
        if self._closing.is_set() or self._child is not None:
            raise ValueError("this Live has sounded already: make another")
        try:
            if self._folder is not None:
                self.recording.start(self._folder)
            self._settings = self._settings._replace(waits=make_room is not None)
            child = self._started()
            with self._lock:
                self._child = child
                child.send(self._parameters)  # they may have changed meanwhile
            while not child.is_open:
                child.changed.wait(_LOOK_S)
                child.changed.clear()
                failure = child.failure()
                if failure:
                    raise ValueError(failure)
                if make_room is not None and child.message["state"] == "ready":
                    make_room()
                    child.release()
                    make_room = None
            self._opened(child.message)
            self._watch.start()
        except BaseException:
            self.close()
            self.recording.stop()
            raise

    def close(self) -> None:
        """Stop the sound, and finish the recordings; within a second, whatever the device does."""
        is_done = False
        while not is_done:  # a second Ctrl-C must not cost the end of a recording
            with contextlib.suppress(KeyboardInterrupt):
                self._closing.set()
                if self._watch.ident is None:
                    if self._child is not None:
                        self._child.end()
                    self.closed.set()
                self.closed.wait()
                is_done = True

    def send(self, parameters: NDArray[Any]) -> None:
        """Give the process, and those after it, new parameters."""
        with self._lock:
            self._parameters = parameters
            if self._child is not None:
                self._child.send(parameters)

    def check_swap(self, dictionary: Dictionary) -> None:
        """Raise ValueError if a dictionary cannot take over from the one that sounds."""
        child = self._child
        if child is not None and child.facts:
            child.usable(dictionary)

    def swap(self, dictionary: Dictionary, parameters: NDArray[Any]) -> None:
        """Give the process, and those after it, another dictionary, with other parameters.

        It takes over soon, the last one of several; that of a training that goes on is no longer wanted.
        """
        with self._lock:
            self._end_training()
            self._settings, self._base = self._settings._replace(dictionary=dictionary), dictionary
            self._parameters, self._is_swap_due = parameters, True
            if self.adaptation is not None:
                self.adaptation.learn_beside(dictionary)

    def train(self) -> None:
        """Train the dictionary, and let the result take over, unless another one is set before.

        Raises
        ------
        ValueError
            If it does not sound, or no process can be started.
        """
        from rtnmf.learning.joining import joined  # here, as it loads what learning needs

        with self._lock:
            if self._watch.ident is None or self._closing.is_set():
                raise ValueError("a dictionary is trained while it sounds: call train() within the context")
            self._end_training()
            try:
                self._training = Training(joined, self._settings.dictionary)
            except OSError as error:
                raise ValueError(f"no process could be started to train the dictionary ({error})") from error
            if self.adaptation is not None:
                self.adaptation.is_held = True

    def _end_training(self) -> None:
        if self._training is not None:
            self._training.close()
            self._training = None
        if self.adaptation is not None:
            self.adaptation.is_held = False

    @property
    def dictionary(self) -> Dictionary:
        """The dictionary that was set or learned last."""
        return self._settings.dictionary

    @property
    def base(self) -> Dictionary:
        """The dictionary without what was learned of the rest while it sounds."""
        return self._base

    def recent(self, n_samples: int) -> tuple[int, Array, Array]:
        """Return how many samples came so far, and the last of them: of the input and of the stems, aligned."""
        child, n_channels = self._child, self._settings.n_channels
        n_sources = len(self._settings.dictionary.sources)
        end, n = 0, 0
        if child is not None and child.is_open:
            end, latency = child.count("n_recorded"), int(child.facts["latency"])
            n = max(0, min(n_samples, end - latency, child.ring.length // 2 - latency))
        if child is None or not n:
            return end, np.zeros((0, n_channels), np.float32), np.zeros((n_sources, 0, n_channels), np.float32)
        rows = child.ring.read(end - latency - n, end)
        stems = rows[n_channels:, latency:].reshape(n_sources, n_channels, n)
        return end, rows[:n_channels, :n].T, stems.transpose(0, 2, 1)

    def stats(self) -> Stats:
        """Return what is going on now."""
        with self._lock:
            child, facts, before, n_restarts = self._child, self.facts, dict(self._before), self._n_restarts
            training = self._training
            telemetry = None if child is None else child.telemetry()
            if child is not None and telemetry is not None and telemetry["n_swaps"]:
                facts = facts | {"labels": child.dictionary(int(telemetry["n_swaps"])).labels}
        message = {} if child is None else child.message
        rest = Learned(0, "") if self.adaptation is None else self.adaptation.said
        return reported(
            np.zeros((), Layout(self._settings).telemetry) if telemetry is None else telemetry,
            self._settings.dictionary.sources,
            facts,
            before,
            state=self._state(child),
            reason=str(message.get("reason", self._reason)),
            warning=str(message.get("warning", "")) or self._swap_failure,
            error=str(message.get("error", "")),
            training="" if training is None else training.text,
            rest=rest.text,
            rest_s=rest.seconds,
            n_rest_rounds=rest.n_rounds,
            n_restarts=n_restarts,
            n_unrecorded=self.recording.n_missed,
        )

    def _state(self, child: SoundProcess | None) -> str:
        if self._closing.is_set():
            return "closed"
        if child is None:
            return "idle"
        if child.is_open:
            return "sounding"
        return "waiting" if child.message["state"] == "waiting" else "starting"

    def _opened(self, facts: dict[str, Any]) -> None:
        """Keep the facts; whoever named a device, by part of its name or by its number, keeps this very one."""
        self.facts = facts
        if self._tap is not None:
            self._tap.open(facts["input"], facts["sample_rate"])
        named: dict[str, Any] = {
            kind: f"{facts[kind]}, {facts['host']}"
            for kind in ("input", "output")
            if getattr(self._settings, kind) is not None
        }
        with self._lock:
            self._settings = self._settings._replace(keep_trying=True, waits=False, **named)

    def _started(self) -> SoundProcess:
        """Return a new process, with the newest dictionary."""
        with self._lock:
            self._is_swap_due = False
            settings, parameters = self._settings, self._parameters
        return SoundProcess(settings, parameters, listing)

    def _supervise(self) -> None:
        try:
            child, silent_since = self._child, None
            while child is not None:
                was_open, reason = self._follow(child, silent_since)
                if was_open:
                    silent_since = child.heard_s
                child.end()
                self.recording.end()
                self._closing.wait(0 if was_open else _RETRY_S)
                child = self._succeed(child, reason)
        except Exception as error:
            self._reason = f"watching the sound failed ({error!r})"
            _log.exception("watching the sound failed")
            raise
        finally:
            self._closing.set()
            if self._child is not None:
                self._child.end()
            with self._lock:
                if self._training is not None:
                    self._training.close()
            if self.adaptation is not None:
                self.adaptation.close()
            if self._tap is not None:
                self._tap.end()
            self.recording.close()
            self.closed.set()

    def _follow(self, child: SoundProcess, silent_since: float | None) -> tuple[bool, str]:
        """Record what a child does until it fails or all is to end; return whether it ever sounded, and the reason."""
        recordable, was_open = 0, False
        while not self._closing.wait(_LOOK_S):
            message = child.message
            if message["state"] == "open" and not was_open:
                was_open, self._reason = True, ""
                self._began(child, message, 0.0 if silent_since is None else time.monotonic() - silent_since)
            if was_open:
                self.recording.note(child)
                if self._tap is not None:
                    self._tap.drain(child.ring, recordable)
                self._take_trained()
                self._adapt(child, recordable)
                self._swap_when_due(child)
                self.recording.drain(recordable)
                recordable = child.count("n_recorded")  # has long been written when it is read, at the next look
            failure = child.failure()
            if failure:
                return was_open, failure
        return was_open, ""

    def _began(self, child: SoundProcess, facts: dict[str, Any], outage_s: float) -> None:
        """Begin to record and to learn from a stream that was opened, after an outage."""
        self._opened(facts)
        _log.info("%s to %s opened at %d Hz", facts["input"], facts["output"], facts["device_rate"])
        self.recording.begin(child, outage_s)
        if self.adaptation is not None:
            self.adaptation.begin(facts["sample_rate"])
        if self._tap is not None:
            self._tap.begin()

    def _take_trained(self) -> None:
        """Take the dictionary that was trained."""
        with self._lock:
            if self._training is None or self._training.is_over:
                return
            found = self._training.look()
            if found is not None:
                self._base = found.select(*self._settings.dictionary.sources)
                self._settings, self._is_swap_due = self._settings._replace(dictionary=self._base), True
            if self._training.is_over and self.adaptation is not None:
                if found is not None:
                    self.adaptation.learn_beside(self._settings.dictionary)
                self.adaptation.is_held = False

    def _adapt(self, child: SoundProcess, n_heard: int) -> None:
        """Learn from what was heard, and take the dictionary that was found."""
        if self.adaptation is None:
            return
        self.adaptation.look()
        self.adaptation.drain(child.ring, n_heard)
        with self._lock:
            found = self.adaptation.found()
            if found is not None:
                self._settings = self._settings._replace(dictionary=found.select(*self._settings.dictionary.sources))
                self._is_swap_due = True

    def _swap_when_due(self, child: SoundProcess) -> None:
        """Hand over the newest dictionary, unless the one before is still about to take over."""
        if not self._is_swap_due or not child.can_swap():
            return
        with self._lock:
            dictionary, self._is_swap_due = self._settings.dictionary, False
        try:
            child.prepare(child.usable(dictionary))
            with self._lock:
                child.swap(self._parameters)
            self._swap_failure = ""
        except (OSError, ValueError) as error:
            self._swap_failure = f"the dictionary was not replaced ({error})"
            _log.warning(self._swap_failure)

    def _succeed(self, child: SoundProcess, reason: str) -> SoundProcess | None:
        """Start another child in place of one that failed; None when all is to end."""
        self._reason = reason
        while not self._closing.is_set():
            _log.warning("another sound process is started: %s", self._reason)
            try:
                successor = self._started()
            except (OSError, ValueError) as error:  # no memory, no room for another process: that may pass
                self._reason = f"no process could be started ({error})"
                self._closing.wait(_RETRY_S)
                continue
            with self._lock:
                for name in COUNTERS:
                    self._before[name] += child.count(name)
                self._n_restarts += 1
                self._child = successor
                successor.send(self._parameters)  # they may have changed meanwhile
            return successor
        return None
