"""What comes in while a separation sounds, for whoever wants to learn from it without opening the device twice."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rtnmf.live.link.memory import Ring

__all__ = ["Tap"]

Array = NDArray[np.float32]

_PATIENCE_S = 10.0


class Tap:
    """The input of a separation that sounds, block by block, as `Microphone` gives that of a device.

    Thread safety
        `blocks` is used by one thread at a time, other than the one that calls the other methods.

    Parameters
    ----------
    n_channels : int

    Attributes
    ----------
    name : str
        Full name of the device.
    sample_rate : int
        Of the separation, in Hz; 0 before it sounds.
    """

    def __init__(self, n_channels: int) -> None:
        self.name, self.sample_rate = "the microphone", 0
        self._n_channels, self._position = n_channels, 0
        self._changed = threading.Condition()
        self._waiting: deque[Array] = deque()
        self._is_open, self._failure = False, ""

    def open(self, name: str, sample_rate: int) -> None:
        """Say what the input is."""
        self.name, self.sample_rate = name, sample_rate

    def begin(self) -> None:
        """Begin on the ring of another stream."""
        with self._changed:
            if self._position:
                self._fail("was interrupted")
            self._position = 0

    def drain(self, ring: Ring, n_recorded: int) -> None:
        """Take the new ones of the first `n_recorded` samples of the ring's stream, if they are wanted."""
        with self._changed:
            start, self._position = self._position, n_recorded
            if not self._is_open or n_recorded == start:
                return
            if n_recorded - start > ring.length // 2:
                self._fail("came too fast")
                return
            self._waiting.append(ring.read(start, n_recorded, self._n_channels).T)
            self._changed.notify_all()

    def end(self) -> None:
        """Give no more."""
        with self._changed:
            self._fail("gives no more sound")

    def blocks(self, seconds: float) -> Iterator[Array]:
        """Yield what comes in from now on, for `seconds`, in blocks of shape (n_samples, n_channels).

        Raises
        ------
        ValueError
            If it is interrupted.
        """
        with self._changed:
            self._waiting.clear()
            self._is_open, self._failure = True, ""
        left = round(seconds * self.sample_rate)
        try:
            while left > 0:
                block = self._next()[:left]
                left -= len(block)
                yield block
        finally:
            self._is_open = False

    def _next(self) -> Array:
        with self._changed:
            is_there = self._changed.wait_for(lambda: self._waiting or self._failure, _PATIENCE_S)
            if self._failure or not is_there:
                raise ValueError(f"{self.name!r} {self._failure or 'gives no more sound'}: record again")
            return self._waiting.popleft()

    def _fail(self, reason: str) -> None:
        if self._is_open:
            self._failure = reason
            self._changed.notify_all()
