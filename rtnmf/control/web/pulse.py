"""The pulse of the pages: what is new is looked up and written once for all of them, thirty times a second."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rtnmf.control.web.messages import encoded
from rtnmf.control.web.scope import Scope
from rtnmf.control.web.state import Shelves, meters_of, state_of
from rtnmf.dictionary import presets

if TYPE_CHECKING:
    from rtnmf.control.studio import Studio
    from rtnmf.control.web.clients import Clients

__all__ = ["Pulse"]

_PERIOD_S = 1 / 30
_SHELVES_S = 1.0
_FAILURES = 30
"""One after the other, before that is said."""
_log = logging.getLogger(__name__)


class Pulse:
    """A thread that looks at the studio while pages look on, and rests while none does.

    Parameters
    ----------
    studio : Studio
    tell : function of (state, meters, columns, is_new)
        Called with what pages are to be sent, already encoded.
    """

    def __init__(self, studio: Studio, tell: Callable[[str, str, bytes, bool], object]) -> None:
        self._studio, self._tell = studio, tell
        self._woken = threading.Event()
        self._closing = False
        self._state, self._n_failures = "", 0
        self._scope = Scope(1)
        self._shelves, self._looked_s = Shelves([], []), -math.inf
        self._thread = threading.Thread(target=self._run, name="rtnmf-pulse", daemon=True)

    def open(self, clients: Clients) -> None:
        """Begin."""
        self._clients = clients
        self._thread.start()

    def wake(self) -> None:
        """Look at once: something has changed, or someone has come."""
        self._woken.set()

    def close(self) -> None:
        """End."""
        self._closing = True
        self._woken.set()
        self._thread.join(5)

    def _run(self) -> None:
        due_s = time.monotonic()
        while not self._closing:
            if not self._clients.n_open:
                self._woken.wait()
            was_woken = self._woken.wait(max(0.0, due_s - time.monotonic()))
            self._woken.clear()
            if was_woken and time.monotonic() < due_s:
                self._look(is_beat=False)
                continue
            due_s = max(due_s + _PERIOD_S, time.monotonic())
            self._look(is_beat=True)

    def _look(self, *, is_beat: bool) -> None:
        """Tell what is new, and go on whatever happens: a dictionary may be replaced between two looks at it."""
        try:
            self._told(is_beat=is_beat)
            self._n_failures = 0
        except Exception as error:
            self._n_failures += 1
            if self._n_failures == _FAILURES:
                _log.warning("pages are not told what is new: %s", ascii(error))

    def _told(self, *, is_beat: bool) -> None:
        stats = self._studio.live.stats
        strips = self._studio.desk.strips(stats)
        state = encoded(state_of(self._studio, strips, stats, self._on_shelves(is_old=not is_beat)))
        is_new, self._state = state != self._state, state
        meters, columns = "", b""
        if is_beat and self._clients.n_seeing:
            meters, columns = encoded(meters_of(self._studio, strips, stats)), self._columns()
        self._tell(state, meters, columns, is_new)

    def _on_shelves(self, *, is_old: bool) -> Shelves:
        """Return what can be loaded, as it was a second ago at most: to look it up takes time."""
        now_s = time.monotonic()
        if is_old or now_s > self._looked_s + _SHELVES_S:
            self._shelves, self._looked_s = Shelves(self._studio.shelf.names, list(presets())), now_s
        return self._shelves

    def _columns(self) -> bytes:
        """Return the columns of the spectrograms that are due."""
        live = self._studio.live
        if not live.sample_rate:
            return b""
        if live.sample_rate != self._scope.sample_rate:
            self._scope = Scope(live.sample_rate)
        end, x, stems = live.recent(self._scope.n_wanted())
        return self._scope.columns(end, x, stems, live.mixer.weights)
