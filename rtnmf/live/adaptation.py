"""The process that learns the rest from what comes in, seen from its parent; nothing here waits for it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtnmf.dictionary import Dictionary
from rtnmf.dictionary.parts import check_adaptable
from rtnmf.live.helper import Helper
from rtnmf.live.link.memory import Ring

__all__ = ["Adaptation", "Learned", "is_adaptable"]

Array = NDArray[np.float32]
Message = tuple[Any, ...]

_MOST_WAITING_S = 30
_MOST_STARTS = 2
_LOOK_S = 0.2
_log = logging.getLogger(__name__)


def is_adaptable(dictionary: Dictionary) -> bool:
    """Return whether a dictionary has a rest, and the frames that it takes to learn it from a mixture."""
    try:
        check_adaptable(dictionary)
    except ValueError:
        return False
    return True


class Learned(NamedTuple):
    """What the process says when it has heard or learned something."""

    base: int
    """Which dictionary it learns beside, counted from 1."""
    text: str
    """How it goes, in words."""
    seconds: float = 0.0
    """Of sound that the rest was learned from."""
    n_rounds: int = 0
    dictionary: Dictionary | None = None
    """When there is another one."""


class Adaptation:
    """Learn the rest of a dictionary from a stream, in a process of the lowest priority.

    Sound waits for that process for 30 s at most; what is older is left out. When the process ends by itself, another
    one is started, once.

    Thread safety
        All methods and properties may be used from any thread.

    Parameters
    ----------
    n_channels : int
        Of the stream; the first rows of its ring.
    experts : sequence of str, optional
        Which to ask about voices when frames are chosen, as for `Separator`.

    Attributes
    ----------
    is_frozen : bool
        Nothing is heard and nothing is found while it is set.
    is_held : bool
        What is heard waits while it is set, as a better dictionary to learn beside is about to come.
    """

    def __init__(self, n_channels: int, experts: Sequence[str] | None = None) -> None:
        self.is_frozen = self.is_held = False
        self._n_channels, self._experts, self._position = n_channels, experts, 0
        self._changed = threading.Condition()
        self._waiting: deque[Array] = deque()
        self._n_waiting = self._sample_rate = self._base = self._n_starts = 0
        self._is_new_base = self._is_new_stream = self._is_over = False
        self._dictionary: Dictionary | None = None
        self._found: Dictionary | None = None
        self._said = Learned(0, "")
        self._worker: Helper | None = None

    @property
    def said(self) -> Learned:
        """How it goes."""
        said = self._said
        return said._replace(text=f"{said.text}, frozen") if self.is_frozen and said.text else said

    def learn_beside(self, dictionary: Dictionary) -> None:
        """Learn beside this dictionary from now on, if it `is_adaptable`; what was learned before is dropped."""
        with self._changed:
            self._base += 1
            self._dictionary = dictionary if is_adaptable(dictionary) else None
            self._found, self._is_new_base = None, self._dictionary is not None
            heard = "heard 0 s" if self._is_new_base else ""
            self._said = Learned(self._base, self._said.text if self._is_over else heard)
            self._changed.notify_all()

    def begin(self, sample_rate: int) -> None:
        """Begin on the ring of another stream; starts the process when there is none."""
        with self._changed:
            self._sample_rate, self._is_new_stream = sample_rate, True
            self._waiting.clear()
            self._n_waiting = self._position = 0
            if self._worker is None and not self._is_over:
                self._start()

    def drain(self, ring: Ring, n_recorded: int) -> None:
        """Hear the new ones of the first `n_recorded` samples of the ring's stream."""
        most = min(ring.length // 2, _MOST_WAITING_S * self._sample_rate)
        start = max(self._position, n_recorded - most)
        is_heard = not (self.is_frozen or self._is_over or self._dictionary is None)
        if start > self._position or not is_heard:
            self._is_new_stream = True
        self._position = n_recorded
        if is_heard and n_recorded > start:
            self._hear(ring.read(start, n_recorded, self._n_channels).T)

    def _hear(self, samples: Array) -> None:
        with self._changed:
            self._waiting.append(samples)
            self._n_waiting += len(samples)
            while self._n_waiting > _MOST_WAITING_S * self._sample_rate:
                self._n_waiting -= len(self._waiting.popleft())
                self._is_new_stream = True
            self._changed.notify_all()

    def found(self) -> Dictionary | None:
        """Return the dictionary that was found since this was called last, if any."""
        if self.is_frozen:
            return None
        with self._changed:
            dictionary, self._found = self._found, None
        return dictionary

    def look(self) -> None:
        """Notice when the process has ended, and start another one, once."""
        worker = self._worker
        if worker is None or worker.is_running or self._is_over:
            return
        reason = worker.end()
        with self._changed:
            reason = f"the process that learns it {reason}"
            if self._n_starts == _MOST_STARTS:
                self._give_up(reason)
            else:
                self._said = self._said._replace(text=f"started again, {reason}")
                _log.warning("rest: %s", self._said.text)
                self._start()

    def close(self) -> None:
        """End the process, at once."""
        with self._changed:
            self._is_over = True
        if self._worker is not None:
            self._worker.end()

    def _start(self) -> None:
        self._n_starts += 1
        self._is_new_base, self._is_new_stream = self._dictionary is not None, True
        try:
            self._worker = Helper("rtnmf.live.worker", self._messages, self._keep)
        except OSError as error:  # no memory, no room for another process: the sound goes on
            self._give_up(f"no process could be started ({error})")

    def _give_up(self, reason: str) -> None:
        self._is_over = True
        self._said = self._said._replace(text=f"learned no more, {reason}")
        _log.warning("rest: %s", self._said.text)

    def _messages(self, worker: Helper) -> Iterator[Message]:
        """Yield what a process is to be told until it is ended."""
        while True:
            with self._changed:
                message = self._next()
                if message is None:
                    self._changed.wait(_LOOK_S)
            if worker.has_ended:
                return
            if message is not None:
                yield message

    def _next(self) -> Message | None:
        if self._is_new_base:
            self._is_new_base = False
            return ("learn_beside", self._base, self._dictionary, self._experts)
        if self.is_held or not self._waiting:
            return None
        if self._is_new_stream:
            self._is_new_stream = False
            return ("begin", self._sample_rate)
        samples = self._waiting.popleft()
        self._n_waiting -= len(samples)
        return ("hear", samples)

    def _keep(self, said: Learned) -> None:
        with self._changed:
            if said.base == self._base:
                self._found = said.dictionary or self._found
                self._said = said._replace(dictionary=None)
