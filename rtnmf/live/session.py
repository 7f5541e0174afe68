"""`Live`: the parent's end of the process that sounds. It starts it, watches it, and starts another when it must."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rtnmf.checks import whole_hz
from rtnmf.dictionary import Dictionary
from rtnmf.live.link.process import SoundProcess
from rtnmf.live.link.protocol import Layout, Settings
from rtnmf.live.link.stats import COUNTERS, Stats, reported
from rtnmf.live.recorder import Recorder, new_folder

__all__ = ["Live"]

_LOOK_S = 0.02


class Live:
    """Separate what an input device hears and send it to an output device, while the context lasts.

    Everything that sounds runs in a process of its own. When that is stuck, or ends, another one takes over with
    the same parameters; when devices are missing, it waits for them.

    State
        Gains, solo, mute, bypass, `wet` and `n_iter` may be set at any time, before it sounds too. They take effect
        with the next block, without a click, and survive a restart.
    Latency
        `latency` samples of the separation, exactly; `stats.latency_ms` has what the devices add.
    Thread safety
        All methods and properties may be used from any thread.

    Parameters
    ----------
    dictionary : Dictionary
        What to listen for; converted to the device's sample rate where that differs.
    input, output : str, optional
        A part of a device's name; None is the system's default.
    sample_rate : int, optional
        Of the separation, in Hz; None is what the device prefers (with `resample`, what the dictionary has).
    n_channels : int
        Input channels, and of each output.
    block_length : int
        Samples in a block; 0 leaves that to the device, which costs the least latency.
    latency_ms : float, optional
        At most so much of the separation: the window stays, its synthesis half gets shorter.
    n_iter : int
        Updates of the activations per frame, when there is time.
    mask_power : float
        As for `Separator`.
    outputs : {"mix", "stems"}
        Everything together, or each source on a pair of output channels of its own.
    resample : bool
        Convert between the device's rate and the separation's, which adds latency, instead of refusing.
    allow_feedback : bool
        Take a microphone and loudspeakers that may hear each other.
    record : path, optional
        Folder to write the input and every stem to; `recordings` says what was written.

    Raises
    ------
    TypeError, ValueError
        If a setting is out of its range. On entering the context: if the devices cannot be used.
    """

    def __init__(
        self,
        dictionary: Dictionary,
        *,
        input: str | None = None,  # noqa: A002  # the word that users have for it
        output: str | None = None,
        sample_rate: int | None = None,
        n_channels: int = 1,
        block_length: int = 0,
        latency_ms: float | None = None,
        n_iter: int = 5,
        mask_power: float = 1.0,
        outputs: str = "mix",
        resample: bool = False,
        allow_feedback: bool = False,
        record: str | None = None,
    ) -> None:
        if not isinstance(dictionary, Dictionary):
            raise TypeError(f"dictionary is {type(dictionary).__name__}, expected a Dictionary: load or learn one")
        if outputs not in ("mix", "stems"):
            raise ValueError(f"outputs is {outputs!r}, expected 'mix' or 'stems'")
        self.sources = dictionary.sources
        self._settings = Settings(
            dictionary=dictionary.select(*dictionary.sources),
            input=input,
            output=output,
            sample_rate=None if sample_rate is None else whole_hz(sample_rate),
            n_channels=n_channels,
            block_length=block_length,
            latency_ms=latency_ms,
            mask_power=mask_power,
            as_stems=outputs == "stems",
            resample=resample,
            allow_feedback=allow_feedback,
            is_recorded=record is not None,
            handle=None,
            keep_trying=False,
        )
        _check(self._settings)
        self._lock = threading.RLock()
        self._gains = dict.fromkeys(self.sources, 1.0)
        self._soloed: tuple[str, ...] = ()
        self._muted: tuple[str, ...] = ()
        self._bypass, self._wet, self._n_iter = False, 1.0, 5
        self._child: SoundProcess | None = None
        self._before = dict.fromkeys(COUNTERS, 0)
        self._n_restarts = 0
        self._reason = ""
        self._closing, self._closed = threading.Event(), threading.Event()
        self._recorder = None if record is None else Recorder(new_folder(record), self.sources, n_channels)
        self.n_iter = n_iter
        self.facts: dict[str, Any] = {}
        self._watch = threading.Thread(target=self._supervise, name="rtnmf-live", daemon=True)

    def __enter__(self) -> Self:
        if self._closing.is_set() or self._child is not None:
            raise ValueError("this Live has sounded already: make another")
        try:
            self._child = child = SoundProcess(self._settings, self._parameters())
            while child.message["state"] != "open":
                child.changed.wait(_LOOK_S)
                child.changed.clear()
                failure = child.failure()
                if failure:
                    raise ValueError(failure)
            self.facts = child.message
            self._set()  # what was set meanwhile
            self._settings = self._settings._replace(keep_trying=True)
            self._watch.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the sound, and finish the recordings; within a second, whatever the device does."""
        is_done = False
        while not is_done:  # a second Ctrl-C must not cost the end of a recording
            with contextlib.suppress(KeyboardInterrupt):
                self._closing.set()
                if self._watch.ident is None:
                    if self._child is not None:
                        self._child.end()
                    self._closed.set()
                self._closed.wait()
                is_done = True

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until `close` was called elsewhere, or for so long; return whether it was closed."""
        return self._closed.wait(seconds)

    @property
    def latency(self) -> int:
        """Delay of the separation in samples at `sample_rate`; 0 before it sounds."""
        return int(self.facts.get("latency", 0))

    @property
    def sample_rate(self) -> int:
        """Sample rate of the separation in Hz; 0 before it sounds."""
        return int(self.facts.get("sample_rate", 0))

    @property
    def recordings(self) -> tuple[str, ...]:
        """Paths of the files that were recorded so far."""
        return () if self._recorder is None else tuple(str(path) for path in self._recorder.paths)

    @property
    def recording_failure(self) -> str:
        """Why the recording stopped; empty when all is well."""
        return "" if self._recorder is None else self._recorder.failure

    @property
    def gains(self) -> Mapping[str, float]:
        """Weight of each source in the output; set it to a mapping, sources that are not in it keep theirs."""
        return MappingProxyType(dict(self._gains))

    @gains.setter
    def gains(self, gains: Mapping[str, float]) -> None:
        self._check_sources(gains)
        if not all(np.isfinite(gain) and abs(gain) <= 1000 for gain in gains.values()):
            raise ValueError(f"gains are {dict(gains)}, expected weights such as 0, 0.5 or 1")
        with self._lock:
            self._set(_gains=self._gains | {source: float(gain) for source, gain in gains.items()})

    @property
    def soloed(self) -> tuple[str, ...]:
        """The sources that alone are heard; none means all."""
        return self._soloed

    @property
    def muted(self) -> tuple[str, ...]:
        """The sources that are not heard."""
        return self._muted

    @property
    def heard(self) -> tuple[str, ...]:
        """The sources that neither solo nor mute keeps out, whatever their gains."""
        return tuple(s for s in self.sources if s not in self._muted and (not self._soloed or s in self._soloed))

    def solo(self, *sources: str) -> None:
        """Let only these sources be heard; without any, all."""
        self._check_sources(sources)
        self._set(_soloed=tuple(sources))

    def mute(self, *sources: str) -> None:
        """Let these sources not be heard; without any, all are."""
        self._check_sources(sources)
        self._set(_muted=tuple(sources))

    @property
    def bypass(self) -> bool:
        """Whether the input goes out as it is, as late as it would be separated."""
        return self._bypass

    @bypass.setter
    def bypass(self, bypass: bool) -> None:
        self._set(_bypass=bool(bypass))

    @property
    def wet(self) -> float:
        """Part of the separated sound in the output, from 0 to 1; the rest is the input, as late."""
        return self._wet

    @wet.setter
    def wet(self, wet: float) -> None:
        if not 0 <= wet <= 1:
            raise ValueError(f"wet is {wet}, expected 0 to 1")
        self._set(_wet=float(wet))

    @property
    def n_iter(self) -> int:
        """Updates of the activations per frame, when there is time."""
        return self._n_iter

    @n_iter.setter
    def n_iter(self, n_iter: int) -> None:
        if isinstance(n_iter, bool) or not isinstance(n_iter, (int, np.integer)) or not 1 <= n_iter <= 1000:
            raise ValueError(f"n_iter is {n_iter!r}, expected a whole number from 1 to 1000")
        self._set(_n_iter=int(n_iter))

    @property
    def stats(self) -> Stats:
        """What is going on, now."""
        with self._lock:
            child, facts, before, n_restarts = self._child, self.facts, dict(self._before), self._n_restarts
        telemetry = None if child is None else child.telemetry()
        return reported(
            np.zeros((), Layout(self._settings).telemetry) if telemetry is None else telemetry,
            self.sources,
            facts,
            before,
            state=self._state(child),
            reason=self._reason if child is None else child.message.get("reason", self._reason),
            error="" if child is None else str(child.message.get("error", "")),
            n_restarts=n_restarts,
            n_unrecorded=0 if self._recorder is None else self._recorder.n_missed,
        )

    def _state(self, child: SoundProcess | None) -> str:
        if self._closing.is_set():
            return "closed"
        if child is not None and child.is_open:
            return "sounding"
        return "waiting" if child is not None and child.message["state"] == "waiting" else "starting"

    def _check_sources(self, sources: Iterable[str]) -> None:
        for source in sources:
            if source not in self.sources:
                raise ValueError(f"there is no source {source!r}: choose from {', '.join(self.sources)}")

    def _set(self, **parameters: Any) -> None:
        with self._lock:
            for name, value in parameters.items():
                setattr(self, name, value)
            if self._child is not None:
                self._child.parameters.write(self._parameters())

    def _parameters(self) -> NDArray[Any]:
        """Return what the engine has to know: the weight of each stem, that of the input, the updates."""
        parameters = np.zeros((), Layout(self._settings).parameters)
        wet, heard = 0.0 if self._bypass else self._wet, self.heard
        parameters["weights"][:-1] = [wet * self._gains[source] * (source in heard) for source in self.sources]
        parameters["weights"][-1] = 1 - wet
        parameters["n_iter"] = self._n_iter
        return parameters

    def _supervise(self) -> None:
        try:
            child, silent_since = self._child, None
            while child is not None:
                was_open, reason = self._follow(child, silent_since)
                if was_open:
                    silent_since = child.heard_s
                child.end()
                if was_open and self._recorder is not None:
                    self._recorder.drain(child.ring, child.count("n_recorded"))
                    self._recorder.end(is_flushed=child.count("n_flushed") > 0)
                self._closing.wait(0 if was_open else 1.0)
                child = self._succeed(child, reason)
        except Exception as error:
            self._reason = f"watching the sound failed ({error!r})"
            raise
        finally:
            self._closing.set()
            if self._child is not None:
                self._child.end()
            self._closed.set()

    def _follow(self, child: SoundProcess, silent_since: float | None) -> tuple[bool, str]:
        """Record what a child does until it fails or all is to end; return whether it ever sounded, and the reason."""
        recordable, was_open = 0, False
        while not self._closing.wait(_LOOK_S):
            message = child.message
            if message["state"] == "open" and not was_open:
                was_open, self.facts, self._reason = True, message, ""
                if self._recorder is not None:
                    outage_s = 0.0 if silent_since is None else time.monotonic() - silent_since
                    self._recorder.begin(self.sample_rate, self.latency, outage_s)
            if was_open and self._recorder is not None:
                self._recorder.drain(child.ring, recordable)
                recordable = child.count("n_recorded")  # has long been written when it is read, at the next look
            failure = child.failure()
            if failure:
                return was_open, failure
        return was_open, ""

    def _succeed(self, child: SoundProcess, reason: str) -> SoundProcess | None:
        """Start another child in place of one that failed; None when all is to end."""
        self._reason = reason
        while not self._closing.is_set():
            try:
                successor = SoundProcess(self._settings, self._parameters())
            except (OSError, ValueError) as error:  # no memory, no room for another process: that may pass
                self._reason = f"no process could be started ({error})"
                self._closing.wait(1.0)
                continue
            with self._lock:
                for name in COUNTERS:
                    self._before[name] += child.count(name)
                self._n_restarts += 1
                self._child = successor
                successor.parameters.write(self._parameters())  # they may have changed meanwhile
            return successor
        return None


def _check(settings: Settings) -> None:
    """Raise ValueError if a setting is out of its range."""
    if not 1 <= settings.n_channels <= 64:
        raise ValueError(f"n_channels is {settings.n_channels}, expected 1 to 64")
    if not 0 <= settings.block_length <= 2**16:
        raise ValueError(f"block_length is {settings.block_length}, expected 0 (the device's own) to {2**16} samples")
    if settings.latency_ms is not None and not 1 <= settings.latency_ms <= 10_000:
        raise ValueError(f"latency_ms is {settings.latency_ms}, expected at least 1")
    if not 0 < settings.mask_power < 100:
        raise ValueError(f"mask_power is {settings.mask_power}, expected a positive number")
