"""`Live`: a separation that sounds, as its user sees it: what it is made with, what can be set, what it reports."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rtnmf.checks import check_whole
from rtnmf.dictionary import Dictionary
from rtnmf.dictionary.parts import check_adaptable
from rtnmf.engine.fitting import fitting
from rtnmf.engine.mixer import Mixer
from rtnmf.frames.masks import MASK_POWER
from rtnmf.frames.model import MOST_UPDATES
from rtnmf.live.adaptation import is_adaptable
from rtnmf.live.asking import asked, check_folder
from rtnmf.live.link.protocol import Layout, routes
from rtnmf.live.link.telemetry import Stats
from rtnmf.live.listeners import Listeners
from rtnmf.live.recording import Recording
from rtnmf.live.supervision import Supervision
from rtnmf.live.tap import Tap
from rtnmf.live.training import check_trainable

__all__ = ["Live"]


class Live:
    """Separate the sound of an input device and send it to an output device, while the context lasts.

    The audio runs in a process of its own, so that nothing which this process does can make it stutter. When that
    process hangs or ends, another one takes over with the same parameters; when devices are missing, it waits for
    them.

    State
        What is heard is the `mixer`, a frozen `Mixer`: set it to another one, or use `gains`, `solo`, `mute`,
        `bypass` and `wet`, which do that. It, `n_iter` and `dictionary` may be set at any time, also before entering
        the context; they take effect with the next block, a dictionary within a moment, without a click, and survive
        a restart.
    Latency
        `latency` samples for the separation, exactly; `stats.latency_ms` adds what the devices need.
    Thread safety
        All methods and properties may be used from any thread.

    Parameters
    ----------
    dictionary : Dictionary
        What to listen for; converted to the device's sample rate where that differs.
    input, output : str or int, optional
        Part of the name of a device; or its number, as an int or in digits: its position, from 0, in
        `devices.listing()` and in the output of `rtnmf devices`. None is the system's default. A restart looks for
        the device that was found first by its full name.
    sample_rate : int, optional
        Of the separation, in Hz; None is the device's preference (with `resample`, the dictionary's rate).
    n_channels : int
        Number of input channels, and of channels of each output.
    block_length : int
        Samples in a block; 0 leaves that to the device, which has the lowest latency.
    latency_ms : float, optional
        Upper limit on the latency of the separation, in ms: the window stays, its synthesis half gets shorter.
    n_iter : int, optional
        Updates of the activations per frame, when there is time; None means those of `dictionary.model`. A trained
        dictionary warns when it is used with another number.
    mask_power : float
        As for `Separator`.
    experts : sequence of str, optional
        As for `Separator`; when time is short, they are left out before anything else is, and asked again later.
    outputs : {"mix", "stems", "mono-stems"}
        All sources together; each source on output channels of its own, a pair of them when `n_channels` is 1; or
        each source on a single channel, for `n_channels=1` only. See `routes`.
    resample : bool
        Convert between the device's rate and the separation's, which adds latency, instead of raising.
    allow_feedback : bool
        Accept a microphone and loudspeakers that may hear each other.
    limit : bool
        Turn an output down for a moment, each by itself, where it would go over full scale: nothing that goes out is
        louder than -0.3 dB. What is recorded is not limited.
    record : path, optional
        Folder to write the input and every stem to, made on entering the context; see `recordings`.
    adapt : bool, optional
        Learn the rest from what comes in, while it sounds, in a process of the lowest priority; see `freeze`. None
        means to do so when the dictionary has a rest, and the frames that this takes.
    tap : bool
        Give what comes in to `tap`, for whoever learns from it.

    Attributes
    ----------
    sources : tuple of str
    experts : tuple of str
        Those that are asked about the voices.
    tap : Tap, optional
        `tap.blocks(seconds)` yields what comes in; None without.

    Raises
    ------
    TypeError, ValueError
        If a setting is out of its range. On entering the context: if the devices cannot be used, or the folder
        cannot be written to.
    """

    def __init__(
        self,
        dictionary: Dictionary,
        *,
        input: str | int | None = None,  # noqa: A002  # the word that users have for it
        output: str | int | None = None,
        sample_rate: int | None = None,
        n_channels: int = 1,
        block_length: int = 0,
        latency_ms: float | None = None,
        n_iter: int | None = None,
        mask_power: float = MASK_POWER,
        experts: Sequence[str] | None = None,
        outputs: str = "mix",
        resample: bool = False,
        allow_feedback: bool = False,
        limit: bool = True,
        record: str | os.PathLike[str] | None = None,
        adapt: bool | None = None,
        tap: bool = False,
    ) -> None:
        self._settings = asked(
            dictionary,
            input=input,
            output=output,
            sample_rate=sample_rate,
            n_channels=n_channels,
            block_length=block_length,
            latency_ms=latency_ms,
            mask_power=mask_power,
            experts=experts,
            outputs=outputs,
            resample=resample,
            allow_feedback=allow_feedback,
            limit=bool(limit),
        )
        check_folder(record)
        self.sources, self.experts = dictionary.sources, self._settings.experts
        adapts = is_adaptable(dictionary) if adapt is None else adapt
        if adapts:
            check_adaptable(dictionary)
        used = dictionary.model.used_updates(n_iter, is_trained=dictionary.is_trained)
        self._wished_n_iter = n_iter
        self._mixer, self._n_iter = Mixer(self.sources), check_whole("n_iter", used, 1, MOST_UPDATES)
        self._lock = threading.Lock()
        self._listeners = Listeners()
        self.tap = Tap(n_channels) if tap else None
        self._supervision = Supervision(self._settings, self._parameters(), record, adapts=adapts, tap=self.tap)

    def __repr__(self) -> str:
        return f"<Live of {', '.join(self.sources)}; {self.stats.state}>"

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, *, instead_of: Live | None = None) -> None:
        """Start to sound, as entering the context does.

        Parameters
        ----------
        instead_of : Live, optional
            Which sounds until this one is ready to open the devices, and is closed then.

        Raises
        ------
        ValueError
            If the devices cannot be used, or the folder cannot be written to; the other one may be closed then.
        """
        self._supervision.open(None if instead_of is None else instead_of.close)

    def close(self) -> None:
        """Stop the sound, and finish the recordings; within a second, whatever the device does."""
        self._supervision.close()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is closed, at most for `seconds`; return True once closed, False on timeout."""
        return self._supervision.closed.wait(seconds)

    @property
    def mixer(self) -> Mixer:
        """What is heard of each source; set it to another `Mixer` of the same sources."""
        return self._mixer

    @mixer.setter
    def mixer(self, mixer: Mixer) -> None:
        if not isinstance(mixer, Mixer) or mixer.sources != self.sources:
            raise ValueError(f"mixer is {mixer!r}, expected a Mixer of the sources {', '.join(self.sources)}")
        self._change(lambda _: mixer)

    @property
    def gains(self) -> Mapping[str, float]:
        """Gain of each source, linear; set it to a mapping, sources that are not in it keep theirs."""
        return self.mixer.gains

    @gains.setter
    def gains(self, gains: Mapping[str, float]) -> None:
        self._change(lambda mixer: replace(mixer, gains={**mixer.gains, **gains}))

    @property
    def soloed(self) -> tuple[str, ...]:
        """If not empty, only these sources are heard."""
        return self.mixer.soloed

    def solo(self, *sources: str) -> None:
        """Let only these sources be heard; without any, all."""
        self._change(lambda mixer: replace(mixer, soloed=sources))

    @property
    def muted(self) -> tuple[str, ...]:
        """The sources that are not heard."""
        return self.mixer.muted

    def mute(self, *sources: str) -> None:
        """Mute these sources and no others."""
        self._change(lambda mixer: replace(mixer, muted=sources))

    @property
    def bypass(self) -> bool:
        """Whether the input goes out unchanged, with the delay of the separation."""
        return self.mixer.bypass

    @bypass.setter
    def bypass(self, bypass: bool) -> None:
        self._change(lambda mixer: replace(mixer, bypass=bypass))

    @property
    def wet(self) -> float:
        """Fraction of separated sound in the output, from 0 to 1; the rest is the input, equally delayed."""
        return self.mixer.wet

    @wet.setter
    def wet(self, wet: float) -> None:
        self._change(lambda mixer: replace(mixer, wet=wet))

    @property
    def n_iter(self) -> int:
        """Updates of the activations per frame, when there is time."""
        return self._n_iter

    @n_iter.setter
    def n_iter(self, n_iter: int) -> None:
        self._wished_n_iter = check_whole("n_iter", n_iter, 1, MOST_UPDATES)
        self._change(lambda mixer: mixer, self._wished_n_iter)

    @property
    def dictionary(self) -> Dictionary:
        """What it listens for, as it was given or learned, its labels grouped by source.

        Set it to another dictionary of the same sample rate, STFT and sources, with other components, trained or not:
        stems are cross-faded to those of the new one. `stats.n_swaps` and `stats.swapped_at` say when that has begun.
        Of several that are set at once the last takes over. `n_iter` becomes that of its model, unless it was given.
        """
        return self._supervision.dictionary

    @dictionary.setter
    def dictionary(self, dictionary: Dictionary) -> None:
        fits = fitting(dictionary, self.dictionary)
        n_iter = fits.model.used_updates(self._wished_n_iter, is_trained=fits.is_trained)
        self._supervision.check_swap(fits)
        with self._lock:
            if n_iter != self._n_iter:
                self._n_iter = n_iter
                self._listeners.note(self._mixer, n_iter)
            self._supervision.swap(fits, self._parameters())
        self._listeners.tell()

    def train(self) -> None:
        """Train the dictionary that sounds, in a process of the lowest priority, and let the result take over.

        `stats.training` says how far it is. What was trained once is found in the cache of the user. Setting
        `dictionary` or closing ends it.

        Raises
        ------
        ValueError
            If the dictionary is trained, has no frames of its recordings or one source only, or does not sound yet.
        """
        check_trainable(self.dictionary)
        self.dictionary.model.used_updates(self._wished_n_iter, is_trained=True)  # warns, where that costs quality
        self._supervision.train()

    @property
    def adapts(self) -> bool:
        """Whether the rest is learned from what comes in, while `freeze` is not set."""
        return self._supervision.adaptation is not None

    @property
    def freeze(self) -> bool:
        """Whether the rest stays as it is; setting it stops and resumes learning it from what comes in.

        Raises
        ------
        ValueError
            If it is set where the rest is not learned at all.
        """
        adaptation = self._supervision.adaptation
        return adaptation is None or adaptation.is_frozen

    @freeze.setter
    def freeze(self, freeze: bool) -> None:
        if self._supervision.adaptation is None:
            raise ValueError(
                f"freeze={freeze} changes nothing, as {', '.join(self.sources)} have no rest that is learned: learn"
                " them with rest=True, and leave adapt out"
            )
        self._supervision.adaptation.is_frozen = bool(freeze)

    def relearn(self) -> None:
        """Forget what was learned of the rest from what came in, and begin again; raises as setting `freeze` does."""
        self.freeze = self.freeze
        self.dictionary = self._supervision.base

    def on_change(self, listener: Callable[[Mixer, int], object]) -> Callable[[], None]:
        """Call a function after each change of `mixer` or `n_iter`, with both; return a function that unsubscribes it.

        Changes come one after the other, in their order, in a thread that made one of them. Setting what is set
        already is no change. An exception of a listener is logged, and goes no further.
        """
        return self._listeners.add(listener)

    @property
    def latency(self) -> int:
        """Delay of the separation in samples at `sample_rate`; 0 before it sounds."""
        return int(self.facts.get("latency", 0))

    @property
    def sample_rate(self) -> int:
        """Sample rate of the separation in Hz; 0 before it sounds."""
        return int(self.facts.get("sample_rate", 0))

    @property
    def facts(self) -> Mapping[str, Any]:
        """What is known of the devices: `input`, `output`, `host` (names), `device_rate` (Hz); empty before."""
        return self._supervision.facts

    @property
    def routes(self) -> dict[str, tuple[int, ...]]:
        """Output channels, from 1, of each source, or of `mix`: `{"voice": (1, 2)}`; empty before it sounds."""
        return routes(self._settings, self.facts["n_outputs"]) if self.facts else {}

    @property
    def recording(self) -> Recording:
        """What is recorded: it can be started and stopped at any time."""
        return self._supervision.recording

    @property
    def recordings(self) -> tuple[str, ...]:
        """Paths of the files that were recorded so far."""
        return tuple(str(path) for path in self._supervision.recording.paths)

    @property
    def recording_failure(self) -> str:
        """Why the recording stopped; empty when all is well."""
        return self._supervision.recording.failure

    def recent(self, n_samples: int) -> tuple[int, NDArray[np.float32], NDArray[np.float32]]:
        """Return how many samples came since the sounding process began, and the last `n_samples` of them at most.

        These are the input, shape (n_samples, n_channels), as old as the stems, and the stems before their gains, shape
        (n_sources, n_samples, n_channels).
        """
        return self._supervision.recent(check_whole("n_samples", n_samples, 0))

    @property
    def stats(self) -> Stats:
        """Levels, counters and state at this moment."""
        return self._supervision.stats()

    def _change(self, changed: Callable[[Mixer], Mixer], n_iter: int | None = None) -> None:
        """Replace the mixer and the updates, and pass that on to the sound and to the listeners."""
        with self._lock:
            before = self._mixer, self._n_iter
            self._mixer = changed(self._mixer)
            self._n_iter = self._n_iter if n_iter is None else n_iter
            if before != (self._mixer, self._n_iter):
                self._supervision.send(self._parameters())
                self._listeners.note(self._mixer, self._n_iter)
        self._listeners.tell()

    def _parameters(self) -> NDArray[Any]:
        """Return what crosses to the sounding process."""
        parameters = np.zeros((), Layout(self._settings).parameters)
        parameters["weights"], parameters["n_iter"] = self._mixer.weights, self._n_iter
        return parameters
