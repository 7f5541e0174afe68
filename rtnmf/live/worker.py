"""What runs in the process that learns the rest while it sounds: it hears, learns and says so until its input ends."""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import numpy as np
import soxr
from numpy.typing import NDArray

from rtnmf.dictionary import Dictionary
from rtnmf.learning.listening import Listening
from rtnmf.live.adaptation import Learned
from rtnmf.live.link.child import end_with_parent, in_background
from rtnmf.progress import Progress

__all__ = ["Worker", "main", "unhurried"]

Array = NDArray[np.float32]

_SHARE = 0.5  # of a core, once something was learned


def main() -> None:
    """Do what the messages on standard input ask for."""
    said = in_background()
    end_with_parent()

    def say(learned: Learned) -> None:
        pickle.dump(learned, said)
        said.flush()

    worker = Worker(say)
    while (message := _message(sys.stdin.buffer)) is not None:
        getattr(worker, message[0])(*message[1:])


def _message(pipe: BinaryIO) -> tuple[Any, ...] | None:
    try:
        message: tuple[Any, ...] = pickle.load(pipe)  # noqa: S301  # from the parent
    except EOFError:
        return None
    return message


def unhurried() -> Progress:
    """Return what lets a training pause after each step, so that it takes half a core in the mean."""
    began, used = time.monotonic(), time.process_time()

    def pause(*_: object) -> None:
        time.sleep(max(0.0, began + (time.process_time() - used) / _SHARE - time.monotonic()))

    return pause


class Worker:
    """Bring a stream to the rate of a dictionary, and learn its rest.

    Parameters
    ----------
    say : function
        Called with what was learned, and after each second of sound.
    """

    def __init__(self, say: Callable[[Learned], None]) -> None:
        self._say = say
        self._base = self._sample_rate = 0
        self._dictionary: Dictionary | None = None
        self._experts: Sequence[str] | None = None
        self._listening: Listening | None = None
        self._resampling: soxr.ResampleStream | None = None
        self._second = -1

    def learn_beside(self, base: int, dictionary: Dictionary, experts: Sequence[str] | None = None) -> None:
        """Learn beside a dictionary, number `base`, asking experts by these names, and forget what was heard."""
        self._base, self._dictionary, self._experts = base, dictionary, experts
        self._listening, self._second = None, -1

    def begin(self, sample_rate: int) -> None:
        """Begin with another stream, at a sample rate in Hz."""
        self._sample_rate, self._resampling = sample_rate, None

    def hear(self, samples: Array) -> None:
        """Take the next samples of the stream, shape (n_samples, n_channels), and learn when it is time to."""
        assert self._dictionary is not None
        n_channels, rate = samples.shape[1], self._dictionary.sample_rate
        if self._listening is None:
            self._listening = Listening(self._dictionary, n_channels=n_channels, experts=self._experts)
        if self._resampling is None:
            self._resampling = soxr.ResampleStream(self._sample_rate, rate, n_channels, dtype="float32")
        self._listening.hear(self._resampling.resample_chunk(np.ascontiguousarray(samples)))
        if self._listening.is_due:
            self._say(self._report(self._listening, "learning"))
            dictionary = self._listening.learn(unhurried() if self._listening.n_rounds else None)
            self._say(self._report(self._listening)._replace(dictionary=dictionary))
        elif int(self._listening.heard_s) != self._second:
            self._second = int(self._listening.heard_s)
            self._say(self._report(self._listening))

    def _report(self, listening: Listening, doing: str = "") -> Learned:
        n_rounds, learned_s = listening.n_rounds, listening.learned_s
        rounds = f"{n_rounds} round{'s' if n_rounds > 1 else ''}"
        texts = [f"learned from {learned_s:.0f} s, {rounds}" if n_rounds else f"heard {listening.heard_s:.0f} s"]
        texts += [text for text in (doing, listening.reason if not doing else "") if text]
        return Learned(self._base, ", ".join(texts), learned_s, n_rounds)
