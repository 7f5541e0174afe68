"""What a connection may take: so many of them, so many bytes a second, and so long to ask, to read, and to be idle."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

__all__ = ["Allowance", "Requests", "WebSockets"]

_MOST_CONNECTIONS = 256
_REQUEST_S = 10.0
_SEND_BUFFER = 2**15
"""So that what is not read is noticed soon, and pictures are not late."""
_BYTES_PER_S, _MOST_BYTES_AT_ONCE = 65_536, 262_144


class Allowance:
    """So much a second, of whatever it counts, and some of it at once.

    Parameters
    ----------
    per_s, at_once : float
    """

    def __init__(self, per_s: float, at_once: float) -> None:
        self._per_s, self._at_once = per_s, at_once
        self._left, self._then_s = at_once, time.monotonic()

    def takes(self, n: float = 1.0) -> bool:
        """Return whether there is enough left, and take that away."""
        now_s = time.monotonic()
        self._left = min(self._at_once, self._left + (now_s - self._then_s) * self._per_s)
        self._then_s = now_s
        if self._left < n:
            return False
        self._left -= n
        return True


class _Bounded(asyncio.Protocol):
    """A connection that is cut when it sends too much, or does not read what it is sent."""

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop
    reading_s: float
    """How long it may read nothing of what waits for it."""
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to count."""
        self._bytes = Allowance(_BYTES_PER_S, _MOST_BYTES_AT_ONCE)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Pass on what was sent, unless it is too much."""
        if self._bytes.takes(len(data)):
            super().data_received(data)
        else:
            self.transport.abort()

    def pause_writing(self) -> None:
        """Wait for it to read, for a moment."""
        super().pause_writing()
        self._patience = self.loop.call_later(self.reading_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on."""
        self._be_patient()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._be_patient()
        super().connection_lost(exc)

    def _be_patient(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class WebSockets(_Bounded, WebSocketsSansIOProtocol):
    """The WebSocket of a page."""

    reading_s = 5.0

    def connection_made(self, transport: Any) -> None:
        """Keep little in buffers."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(_SEND_BUFFER)
        with contextlib.suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)


class Requests(_Bounded, H11Protocol):
    """A connection that asks for files, or becomes a WebSocket; one that asks for nothing is closed."""

    reading_s = 30.0
    _look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Turn it away where there are too many, and expect a request soon."""
        super().connection_made(transport)
        if len(self.connections) > _MOST_CONNECTIONS:
            transport.abort()
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing."""
        self._expect_nothing()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Leave it to the WebSocket."""
        self._expect_nothing()
        super().handle_websocket_upgrade(event)

    def _expect(self) -> None:
        self._look = self.loop.call_later(_REQUEST_S, self._cut_if_idle)

    def _expect_nothing(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def _cut_if_idle(self) -> None:
        """Cut a connection whose request is not complete yet, however it trickles in."""
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()
        else:
            self._expect()
