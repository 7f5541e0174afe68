"""The door: who may come in, and what every answer says about itself."""

from __future__ import annotations

import hmac
import ipaddress
import logging
import re
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse, RedirectResponse, Response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Door", "is_loopback"]

_log = logging.getLogger(__name__)

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:;"
    " media-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_RAW_HEADERS = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]

_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?", re.ASCII)
_STRANGE_HOST = "this server is not known by that name: open the link that it printed"
_STRANGE_ORIGIN = "this is not asked for by the page of this server: open the link that it printed"
_NO_TOKEN = "the link is not complete: open the one that was printed, to its end"  # noqa: S105
_METHOD = "only GET and HEAD are understood"


class Door:
    """An application that lets in only what its own page, opened by the printed link, asks for.

    The name in the Host header must be an address or one that the server was given, which no page elsewhere can have
    pointed at this machine; an Origin must be this very server, and a WebSocket has to have one. Where there is a
    token, it is the first part of each path, so that all relative links of the page have it, and no script keeps it.

    Parameters
    ----------
    app : ASGI application
        It sees paths without the token.
    host : str
        The address or name that it listens to.
    token : str
        Empty for none.
    """

    def __init__(self, app: ASGIApp, host: str, token: str) -> None:
        self._app, self._host, self._token = app, host.lower(), token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let it in."""
        first, path = _parted(scope["path"]) if self._token else ("", scope["path"])
        answer = self._answer(scope, first, path)
        scope = {**scope, "path": path, "raw_path": path.encode()}
        try:
            await (answer or self._app)(scope, receive, _with_headers(send))
        except OSError:  # it has gone
            return
        except Exception as error:
            _log.error("an answer failed: %s", ascii(error))  # what strangers write must not reach a terminal as it is
            raise

    def _answer(self, scope: Scope, first: str, path: str) -> Response | None:
        """Return what to answer at the door; None lets in."""
        hosts, origins = (_values(scope, name) for name in (b"host", b"origin"))
        if len(hosts) != 1 or not self._is_own(hosts[0]):
            return PlainTextResponse(_STRANGE_HOST, 403)
        is_socket = scope["type"] == "websocket"
        if (is_socket or origins) and origins != [f"http://{hosts[0]}"]:
            return PlainTextResponse(_STRANGE_ORIGIN, 403)
        if self._token and not hmac.compare_digest(first.encode("utf-8", "replace"), self._token):
            return PlainTextResponse(_NO_TOKEN, 403)
        if not is_socket and scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse(_METHOD, 405, {"allow": "GET, HEAD"})
        return None if path else RedirectResponse(f"{self._token.decode()}/", 308)

    def _is_own(self, host: str) -> bool:
        """Return whether a Host header names this server."""
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found[1] or found[2]
        if is_loopback(self._host):
            return is_loopback(name)
        return name == self._host or name == "localhost" or _is_address(name)


def is_loopback(host: str) -> bool:
    """Return whether a name or address is that of this machine, as itself sees it alone."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _parted(path: str) -> tuple[str, str]:
    """Return the first part of a path, and all after it, from the slash on."""
    first, slash, others = path.removeprefix("/").partition("/")
    return first, slash + others


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1").lower() for key, value in scope["headers"] if key == name]


def _with_headers(send: Send) -> Send:
    """Return a function that sends, and adds the headers of every answer."""

    async def sent(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            kept = [header for header in message.get("headers", []) if header[0] != b"server"]
            message = {**message, "headers": [*kept, *_RAW_HEADERS]}
        await send(message)

    return sent
