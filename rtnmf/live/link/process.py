"""The sounding process seen from its parent: what it says, what it shares, whether it is well, and how it ends."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import pickle
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from rtnmf.dictionary import Dictionary
from rtnmf.live.link.child import apart, environment, obituary, python
from rtnmf.live.link.device import Device
from rtnmf.live.link.memory import share, take_room
from rtnmf.live.link.plans import most_bytes
from rtnmf.live.link.protocol import Layout, Settings, Turn
from rtnmf.live.link.telemetry import N_TURNS

__all__ = ["SoundProcess"]

_PATIENCE_S = {"starting": 60.0, "warming": 120.0, "ready": 60.0, "opening": 10.0, "waiting": 10.0, "open": 10.0}
_BLOCK_PATIENCE_S = 1.0
_CLOSING_S = 0.6
_SILENT_S = 2.0
_CHECK_S = 10.0
_log = logging.getLogger(__name__)


class SoundProcess:
    """A process that opens the devices and separates, from its start to its end.

    Parameters
    ----------
    settings : Settings
    parameters : structured array, shape ()
        As `Layout.parameters` describes them; `send` sets others.
    list_devices : function
        Returns the devices as they are now.

    Attributes
    ----------
    ring : Ring
        Samples to record.
    facts : dict
        What it said when it opened its stream; empty before.
    message : dict
        What it said last: its `state`, the facts about its stream, a `reason`, a `warning`, an `error`.
    changed : threading.Event
        Set with each message.
    heard_s : float
        When it showed last that it is alive, by `time.monotonic`.
    """

    def __init__(self, settings: Settings, parameters: NDArray[Any], list_devices: Callable[[], list[Device]]) -> None:
        self._layout, self._settings = Layout(settings), settings
        memory, handle, self._descriptors = share(self._layout.size, self._layout.n_taken)
        self._parameters, self._telemetry, self.ring, self._plans = self._layout.views(memory)
        self._parameters.write(parameters)
        self._n_swaps = 0
        self._dictionaries: dict[int, Dictionary] = {}
        self.facts: dict[str, Any] = {}
        self.message: dict[str, Any] = {"state": "starting"}
        self.changed = threading.Event()
        self.heard_s = time.monotonic()
        self._list_devices = list_devices
        self._n_blocks = 0
        self._gone = ""
        self._next_check_s = _SILENT_S
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the process
        try:
            self._process = subprocess.Popen(
                python("from rtnmf.live.host.main import main; main()"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                env=environment(),
                pass_fds=self._descriptors,
                **apart(),
            )
        except OSError:
            self._stderr.close()
            self._close_descriptors()
            raise
        self._has_settings = threading.Event()
        self._talk = threading.Thread(target=self._talking, args=(settings._replace(handle=handle),), daemon=True)
        self._talk.start()

    @property
    def experts(self) -> tuple[str, ...]:
        """Names of those that it asks."""
        return self._settings.experts

    @property
    def is_open(self) -> bool:
        """Whether it has opened its stream."""
        return bool(self.message["state"] == "open")

    def release(self) -> None:
        """Let it open the devices, if it was to wait for that."""
        with contextlib.suppress(OSError):  # it has ended, which is seen elsewhere
            self._process.stdin.write(b"\n")  # type: ignore[union-attr]
            self._process.stdin.flush()  # type: ignore[union-attr]

    def send(self, parameters: NDArray[Any]) -> None:
        """Set other parameters; they take effect with the next block."""
        parameters = parameters.copy()
        parameters["n_swaps"] = self._n_swaps
        self._parameters.write(parameters)

    def taken_over(self) -> tuple[int, int]:
        """Return how many times a dictionary was replaced, and the sample of the stream since which it is."""
        state = self.telemetry()
        return (0, 0) if state is None else (int(state["n_swaps"]), int(state["swapped_at"]))

    def turns(self, n_seen: int) -> tuple[int, list[Turn]]:
        """Return how often updates per frame or the asking of experts have changed, and these changes.

        Without the first `n_seen` changes, and without those that came too fast to be kept.
        """
        state = self.telemetry()
        if state is None:
            return 0, []
        n_turns = int(state["n_turns"])
        kept = [state[name].tolist() for name in ("turned_at", "turned_to", "turned_asks")]
        places = [turn % N_TURNS for turn in range(max(n_seen, n_turns - N_TURNS), n_turns)]
        return n_turns, [Turn(*(cells[place] for cells in kept)) for place in places]

    def dictionary(self, number: int) -> Dictionary:
        """Return what it separates with after so many swaps, as it is used there; only the last two are known.

        Once it is open, there is number 0.
        """
        if number == 0 and 0 not in self._dictionaries:
            self._dictionaries[0] = self._settings.dictionary_at(self.facts["sample_rate"])
        return self._dictionaries[number]

    def usable(self, dictionary: Dictionary) -> Dictionary:
        """Return a dictionary as it is used at the sample rate of the stream that is open.

        Raises
        ------
        ValueError
            If it cannot be, or is too large to replace another one.
        """
        converted = self._settings._replace(dictionary=dictionary).dictionary_at(self.facts["sample_rate"])
        n_most = self._layout.most_components(converted.stft.n_bins)
        if converted.n_components > n_most:
            raise ValueError(
                f"dictionary has {converted.n_components} components, at most {n_most} can take over while it sounds:"
                " make another Live"
            )
        return converted

    def can_swap(self) -> bool:
        """Return whether the last swap is over, so that there is room for another dictionary."""
        return self.is_open and self.telemetry() is not None and self.count("n_faded") == self._n_swaps

    def prepare(self, dictionary: Dictionary) -> None:
        """Put a dictionary that is `usable` where `swap` lets it be found; if `can_swap`.

        Raises
        ------
        OSError
            If there is no room for it.
        """
        from rtnmf.dictionary.planning import planned  # here, as it loads numba

        number = self._n_swaps + 1
        place = self._layout.plans[number % 2]
        for descriptor in self._descriptors:
            take_room(descriptor, place.start, most_bytes(dictionary.n_components, dictionary.stft.n_bins))
        self._plans[number % 2].write(planned(dictionary, self._settings.mask_power))
        self._dictionaries = {n: d for n, d in self._dictionaries.items() if n == number - 1} | {number: dictionary}

    def swap(self, parameters: NDArray[Any]) -> None:
        """Let the dictionary that was prepared take over with the next block, with other parameters."""
        self._n_swaps += 1
        self.send(parameters)

    def telemetry(self) -> NDArray[Any] | None:
        """Return the cells that the callbacks write, None before the first."""
        return self._telemetry.read()

    def count(self, name: str) -> int:
        """Return one of the counters of the telemetry."""
        state = self.telemetry()
        return 0 if state is None else int(state[name])

    def failure(self) -> str:
        """Return why the process failed; empty while all is well."""
        if self._process.poll() is not None:
            self._talk.join(_CLOSING_S)
            reason = self.message.get("reason")
            return str(reason or f"the sound process {obituary(self._process.returncode, self._stderr)}")
        state = self.telemetry()
        patience_s = _PATIENCE_S.get(self.message["state"], 0.0)
        if state is not None:
            patience_s = max(_BLOCK_PATIENCE_S, 4 * float(state["block_s"]))
            self._look_after_silence(float(state["silent_s"]))
            if state["n_blocks"] != self._n_blocks:
                self._n_blocks, self.heard_s = int(state["n_blocks"]), time.monotonic()
        if time.monotonic() - self.heard_s > patience_s:
            return str(self.message.get("reason") or "the sound process was stuck: is the sound server running?")
        return self._gone

    def end(self) -> None:
        """Let it close its stream, and kill it when it does not in time."""
        try:
            if self._has_settings.is_set():
                with contextlib.suppress(OSError):
                    self._process.stdin.close()  # type: ignore[union-attr]
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(_CLOSING_S)
        finally:
            self._process.kill()
            self._process.wait()
            self._talk.join()
            for pipe in (self._process.stdin, self._process.stdout, self._stderr):
                with contextlib.suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]
            self._close_descriptors()

    def _close_descriptors(self) -> None:
        descriptors, self._descriptors = self._descriptors, ()
        for descriptor in descriptors:
            os.close(descriptor)

    def _talking(self, settings: Settings) -> None:
        with contextlib.suppress(OSError, ValueError):
            pickle.dump(settings, self._process.stdin)  # type: ignore[arg-type]
            self._process.stdin.flush()  # type: ignore[union-attr]
            self._has_settings.set()
            for line in self._process.stdout:  # type: ignore[union-attr]
                message = json.loads(line)
                self.facts = message if message["state"] == "open" else self.facts
                self.message, self.heard_s = message, time.monotonic()
                self.changed.set()

    def _look_after_silence(self, silent_s: float) -> None:
        """Find out whether a device that has gone perfectly silent is still there, where PortAudio does not tell."""
        if silent_s < _SILENT_S:
            self._next_check_s = _SILENT_S
        elif silent_s > self._next_check_s and "JACK" in self.message.get("host", ""):
            self._next_check_s = silent_s + min(silent_s, _CHECK_S)
            threading.Thread(target=self._look_for_devices, args=(self.message,), daemon=True).start()

    def _look_for_devices(self, facts: dict[str, Any]) -> None:
        try:
            names = [device.name for device in self._list_devices()]
        except ValueError as error:  # the sound goes on, whatever becomes of this
            _log.warning("could not look whether the devices are still there: %s", error)
            return
        missing = [facts[kind] for kind in ("input", "output") if facts[kind] not in names]
        self._gone = f"{missing[0]!r} is gone" if missing else ""
