"""The server of the page: it hands out a fixed set of files, and one WebSocket to each page, and lives in threads.

It runs in the process of the user, where nothing it does can make sound stutter.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import ipaddress
import logging
import re
import secrets
import socket
import threading
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any, Self

import uvicorn
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route, Router, WebSocketRoute

from rtnmf.control.web.clients import Clients
from rtnmf.control.web.door import Door, is_loopback
from rtnmf.control.web.limits import Requests, WebSockets
from rtnmf.control.web.messages import MOST_BYTES
from rtnmf.control.web.pulse import Pulse
from rtnmf.control.web.tiles import spectra

if TYPE_CHECKING:
    from starlette.requests import Request

    from rtnmf.control.studio import Studio

__all__ = ["PORT", "Server"]

_log = logging.getLogger(__name__)

PORT = 8765
"""Of the page, where it is free."""

_HOST = "127.0.0.1"

_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
_SOUND = "audio/wav"
_LONGEST_REQUEST = 16_384
_CLOSING_S = 1
_ANYWHERE = ("0.0.0.0", "::")  # noqa: S104


class Server:
    """Serve the page of a studio, while the context lasts.

    State
        `url` is the link to open; for another address than that of this machine itself it holds a token, without
        which nothing is answered; `is_private` says that there is none, as only this machine is served.
    Thread safety
        It runs in threads of its own; its own methods are for one thread.

    Parameters
    ----------
    studio : Studio
    host : str
        The address to listen to: this machine alone, unless another one is given.
    port : int, optional
        0 is any that is free; None is `PORT`, or any where that is in use.
    token : str, optional
        None makes one where it is needed.

    Raises
    ------
    ValueError
        If the address cannot be listened to.
    """

    def __init__(self, studio: Studio, host: str = _HOST, port: int | None = None, token: str | None = None) -> None:
        if token is None:
            token = "" if is_loopback(host) else secrets.token_urlsafe(16)
        self._socket = _listening(host, PORT if port is None else port, or_any=port is None)
        self.url = f"http://{_shown(host)}:{self._socket.getsockname()[1]}/{token + '/' if token else ''}"
        self.is_private = not token
        self._pulse = Pulse(studio, self._tell)
        self._clients = Clients(studio, self._pulse.wake)
        self._server = uvicorn.Server(_config(Door(_answers(studio, self._clients), host, token)))
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),), name="rtnmf-web", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_open = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        self._is_open.wait()
        self._pulse.open(self._clients)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let all pages go, and listen no more; takes a second at most."""
        self._server.should_exit = True
        if self._loop is None:
            self._socket.close()
            return
        self._pulse.close()
        self._thread.join(5 * _CLOSING_S)
        self._clients.close()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(_note)
        self._is_open.set()
        await self._server.serve(sockets=[self._socket])

    def _tell(self, state: str, meters: str, columns: bytes, is_new: bool) -> None:
        """Give all pages what is new, from another thread."""
        give = functools.partial(self._clients.give, state, meters, columns, is_new=is_new)
        with contextlib.suppress(RuntimeError):  # the loop has ended
            if self._loop is not None:
                self._loop.call_soon_threadsafe(give)


def _note(_: asyncio.AbstractEventLoop, failure: dict[str, Any]) -> None:
    """Log what failed in a connection, as strangers must not write to a terminal as they like."""
    _log.error("a connection failed: %s", ascii(failure.get("exception") or failure.get("message")))


def _config(app: Door) -> uvicorn.Config:
    """Return settings that tell nothing, print nothing, and bound what strangers may send."""
    return uvicorn.Config(
        app,
        http=Requests,
        ws=WebSockets,
        ws_max_size=MOST_BYTES,
        ws_per_message_deflate=False,
        h11_max_incomplete_event_size=_LONGEST_REQUEST,
        interface="asgi3",
        lifespan="off",
        log_config=None,
        log_level=logging.CRITICAL + 1,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=_CLOSING_S,
    )


def _answers(studio: Studio, clients: Clients) -> Router:
    """Return the application: each path that there is, and what it answers."""

    def take(request: Request) -> Response:
        try:
            return _part(studio.lesson.wav(), request.headers.get("range", ""))
        except ValueError as error:
            return PlainTextResponse(str(error), 404)

    def recorded(request: Request) -> Response:
        name = request.path_params["name"]
        path = studio.recordings.get(name)
        if path is None:
            return PlainTextResponse("there is no such recording", 404)
        if studio.live.recording.is_on:
            return PlainTextResponse("the recording goes on: end it first", 409)
        return FileResponse(path, media_type=_SOUND, filename=name)

    def components(_: Request) -> Response:
        return Response(spectra(studio.live.dictionary), media_type="application/octet-stream")

    files = [_file(path, file) for path, file in _files().items()]
    sounds = [Route("/take.wav", take), Route("/recordings/{name}", recorded)]
    others = [Route("/components", components), WebSocketRoute("/ws", clients.serve)]
    return Router([*files, *sounds, *others], redirect_slashes=False)


def _part(content: bytes, wanted: str) -> Response:
    """Return the part of a sound that a Range header asks for, as some browsers insist on, or all of it."""
    headers, n_bytes = {"accept-ranges": "bytes"}, len(content)
    found = re.fullmatch(r"bytes=(\d{1,12})-(\d{0,12})", wanted, re.ASCII)
    if found is None or int(found[1]) >= n_bytes:
        return Response(content, headers=headers, media_type=_SOUND)
    start, end = int(found[1]), min(n_bytes, int(found[2] or n_bytes) + 1)
    headers["content-range"] = f"bytes {start}-{end - 1}/{n_bytes}"
    return Response(content[start:end], 206, headers, _SOUND)


def _files() -> dict[str, Traversable]:
    """Return the files that the page is made of, by their paths."""
    page = resources.files("rtnmf.control.web") / "page"
    found = {f"/page/{file.name}": file for file in page.iterdir() if file.name.rpartition(".")[2] in _TYPES}
    return {**found, "/": page / "index.html", "/look.css": resources.files("rtnmf") / "look.css"}


def _file(path: str, file: Traversable) -> Route:
    kind = _TYPES[file.name.rpartition(".")[2]]
    return Route(path, lambda _: Response(file.read_bytes(), media_type=kind))


def _listening(host: str, port: int, *, or_any: bool) -> socket.socket:
    """Return a socket that listens to an address, or to any port where that one is in use.

    Raises
    ------
    ValueError
        If that cannot be.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE and or_any:
            return _listening(host, 0, or_any=False)
        if error.errno == errno.EADDRINUSE:
            raise ValueError(f"port {port} is in use already: choose another, or 0 for any that is free") from error
        raise ValueError(f"host is {host!r}, which cannot be listened to ({error.strerror or error})") from error
    except (OverflowError, UnicodeError) as error:
        raise ValueError(f"host {host!r} and port {port} are no address: {error}") from error


def _shown(host: str) -> str:
    """Return how others name this machine in a link."""
    if host in _ANYWHERE:
        host = _outward()
    with contextlib.suppress(ValueError):
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    return host


def _outward() -> str:
    """Return the address that this machine has towards others; nothing is sent to find it."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])
    return socket.gethostname()
