"""Whoever wants to know of changes: each is told of every one, in their order, without any lock being held."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

__all__ = ["Listeners"]

_log = logging.getLogger(__name__)


class Listeners:
    """Functions that are called with every change.

    Thread safety
        All methods may be called from any thread, also by a listener. One thread at a time calls the listeners: a
        change made meanwhile is passed on by that thread, after the one before.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[Callable[..., object]] = []
        self._changes: deque[tuple[Any, ...]] = deque()
        self._is_telling = False

    def add(self, listener: Callable[..., object]) -> Callable[[], None]:
        """Call a function with every change from now on; return a function that unsubscribes it."""
        with self._lock:
            self._listeners.append(listener)

        def remove() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return remove

    def note(self, *change: Any) -> None:
        """Keep a change for the next `tell`."""
        with self._lock:
            self._changes.append(change)

    def tell(self) -> None:
        """Call the listeners with the changes that were noted, unless another thread does so now."""
        while True:
            with self._lock:
                if self._is_telling or not self._changes:
                    return
                self._is_telling = True
                change, listeners = self._changes.popleft(), tuple(self._listeners)
            try:
                for listener in listeners:
                    _call(listener, change)
            finally:
                with self._lock:
                    self._is_telling = False


def _call(listener: Callable[..., object], change: tuple[Any, ...]) -> None:
    try:
        listener(*change)
    except Exception:
        _log.exception("%r failed", listener)
