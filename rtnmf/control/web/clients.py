"""The pages that look on: what each is sent, newest first where it is slow, and what each may ask for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocketDisconnect

from rtnmf.control.web.commands import done, is_slow
from rtnmf.control.web.limits import Allowance
from rtnmf.control.web.messages import Command, Hidden, Refused, commanded, encoded

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

    from rtnmf.control.studio import Studio

__all__ = ["Clients"]

_MOST_CLIENTS = 32
_MOST_COLUMNS = 16
_MOST_REASONS = 16
_MOST_SLOW = 4
_COMMANDS_PER_S, _COMMANDS_AT_ONCE = 120.0, 240.0
_PATIENCE = 200
"""Messages more than that, one after the other, before a client is dropped."""
_log = logging.getLogger(__name__)

_FULL = f"{_MOST_CLIENTS} pages are open already: close one of them"
_TOO_MANY = "that was too much at once: wait for a moment"
_BUSY = "there is something to be done before that: wait until it is done"


class _Client:
    """One page: what it is to be sent next."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._due = asyncio.Event()
        self._state = self._meters = ""
        self._reasons: deque[str] = deque(maxlen=_MOST_REASONS)
        self._columns: deque[bytes] = deque(maxlen=_MOST_COLUMNS)
        self.is_hidden, self.has_state = False, False
        self.n_slow = 0

    def give(self, state: str, meters: str, columns: bytes) -> None:
        """Put what is new in the place of what was not sent yet; empty is nothing new."""
        if state:
            self._state, self._meters, self.has_state = state, "", True
            self._columns.clear()  # they number the sources of the state before
        if not self.is_hidden:
            self._meters = meters or self._meters
            if columns:
                self._columns.append(columns)
        self._due.set()

    def refuse(self, reason: str) -> None:
        """Say why a command did nothing."""
        self._reasons.append(encoded(Refused(reason)))
        self._due.set()

    async def send(self) -> None:
        """Send what there is, for ever."""
        while True:
            await self._due.wait()
            self._due.clear()
            while message := self._next():
                kind = "text" if isinstance(message, str) else "bytes"
                await self._websocket.send({"type": "websocket.send", kind: message})

    def _next(self) -> str | bytes:
        if self._state:
            message, self._state = self._state, ""
            return message
        if self._reasons:
            return self._reasons.popleft()
        if self._meters:
            message, self._meters = self._meters, ""
            return message
        return self._columns.popleft() if self._columns else b""


class Clients:
    """All pages that look on. All methods but `n_seeing` are for the thread of the event loop.

    Parameters
    ----------
    studio : Studio
    wake : function of no arguments
        Called when a page has come, has changed something, or is seen again.
    """

    def __init__(self, studio: Studio, wake: Callable[[], object]) -> None:
        self._studio, self._wake = studio, wake
        self._clients = set[_Client]()
        self._hands = ThreadPoolExecutor(1, "rtnmf-hands")
        self._works = ThreadPoolExecutor(1, "rtnmf-works")

    @property
    def n_open(self) -> int:
        """How many pages are open."""
        return len(self._clients)

    @property
    def n_seeing(self) -> int:
        """How many of them are not hidden."""
        return sum(not client.is_hidden for client in tuple(self._clients))

    def give(self, state: str, meters: str, columns: bytes, *, is_new: bool) -> None:
        """Let all pages have what is new; the state also where it is not, if they have none yet."""
        for client in self._clients:
            client.give(state if is_new or not client.has_state else "", meters, columns)

    def close(self) -> None:
        """Do nothing more."""
        for executor in (self._hands, self._works):
            executor.shutdown(wait=False, cancel_futures=True)

    async def serve(self, websocket: WebSocket) -> None:
        """Serve a page until it goes."""
        if len(self._clients) >= _MOST_CLIENTS:
            await websocket.send_denial_response(PlainTextResponse(_FULL, 503))
            return
        client = _Client(websocket)
        self._clients.add(client)
        sending: asyncio.Task[None] | None = None
        try:
            await websocket.accept()
            sending = asyncio.create_task(client.send())
            self._wake()
            await self._listen(websocket, client)
        except WebSocketDisconnect:
            pass
        finally:
            self._clients.discard(client)
            if sending is not None:
                sending.cancel()
                with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                    await sending

    async def _listen(self, websocket: WebSocket, client: _Client) -> None:
        """Do what a page asks for, one after the other."""
        allowance, n_refused = Allowance(_COMMANDS_PER_S, _COMMANDS_AT_ONCE), 0
        while n_refused < _PATIENCE:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if not allowance.takes():
                n_refused += 1
                client.refuse(_TOO_MANY)
                continue
            try:
                command = commanded(message.get("text") or message.get("bytes") or b"")
            except ValueError as error:
                n_refused += 1
                client.refuse(f"this is no command: {error}")
                continue
            n_refused = 0
            await self._obey(client, command)
        await websocket.close(1008, "too many messages that are not understood")

    async def _obey(self, client: _Client, command: Command) -> None:
        """Do what is quick at once, and begin what takes its time."""
        if isinstance(command, Hidden):
            client.is_hidden = command.on
            self._wake()
        elif not is_slow(command):
            await self._do(client, self._hands, command)
        elif client.n_slow >= _MOST_SLOW:
            client.refuse(_BUSY)
        else:
            client.n_slow += 1
            work = asyncio.ensure_future(self._do(client, self._works, command))
            work.add_done_callback(lambda _: setattr(client, "n_slow", client.n_slow - 1))

    async def _do(self, client: _Client, executor: ThreadPoolExecutor, command: Command) -> None:
        """Do a command in a thread, and say so where it fails."""
        try:
            await asyncio.get_running_loop().run_in_executor(executor, done, self._studio, command)
        except (ValueError, TypeError, OSError) as error:
            client.refuse(_in_words(error))
        except Exception as error:
            _log.error("a command of a page failed: %s", ascii(error))
            client.refuse("that failed, for a reason that is not known")
        self._wake()


def _in_words(error: Exception) -> str:
    """Return an error of the library as a page shows it."""
    return " ".join(str(error).split())
