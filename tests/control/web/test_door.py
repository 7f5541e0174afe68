"""The door of the studio: strangers, floods, tricks with paths, and clients that do not read."""

import contextlib
import json
import re
import socket
import time
from urllib.parse import urlsplit

import numpy as np
import pytest
from sounding import PIECE, eventually, found_at, noise
from web_page import asked, opened, origin_of, refusal, studio  # noqa: F401
from websockets.exceptions import ConnectionClosed, InvalidStatus

from rtnmf.control.web import limits
from rtnmf.control.web import server as web_server
from rtnmf.control.web.server import Server

pytestmark = pytest.mark.timeout(120)

HEADERS = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
TRICKS = [
    "/../../etc/passwd", "/page/../server.py", "/page/..%2fserver.py", "/page/%2e%2e/server.py", "/page/server.py",
    "/page", "/page/", "/page//etc/passwd", "/recordings/", "/recordings/input.wav",
    "/recordings/..%2f..%2fetc%2fpasswd", "/recordings/%2fetc%2fpasswd", "/recordings/.", "/recordings/%00", "/%00",
    "//", "/.git/config", "/docs", "/openapi.json", "/ws", "/look.css/", "/LOOK.CSS", "/index.html",
    "/page/index.html%00.js", "/%ff%fe", "/take.wav", "http://evil.example/", "*", "/" + "a" * 9000,
]  # fmt: skip
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: %s\r\nOrigin: http://%s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@pytest.fixture
def server(studio):  # noqa: F811
    """Serve the page to this machine."""
    with Server(studio, port=0) as server:
        yield server


@pytest.fixture
def lent(studio):  # noqa: F811
    """Serve the page to others as well, with a token."""
    with Server(studio, "0.0.0.0", port=0) as server:  # noqa: S104
        server.near = re.sub(r"//.*?:", "//127.0.0.1:", server.url)
        yield server


def address_of(url):
    """Return the host and port of a link."""
    parts = urlsplit(url)
    return parts.hostname, parts.port


def connected(url):
    """Return a bare connection to a server."""
    return socket.create_connection(address_of(url), timeout=20)


def test_every_answer_is_guarded(server):
    """Pages, files, refusals and errors say how they may be used, and nothing of what serves them."""
    for path, status in [("/", 200), ("/look.css", 200), ("/nothing", 404)]:
        answer = asked(server.url, path)
        assert answer[0] == status
        assert HEADERS.items() <= answer[1].items()
        assert "default-src 'none'" in answer[1]["content-security-policy"]
        assert not {"server", "date", "set-cookie"} & {name.lower() for name in answer[1]}
    status, _, body = asked(server.url, "/look.css", "HEAD")
    assert (status, body) == (200, b"")
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND"):
        status, headers, _ = asked(server.url, "/", method)
        assert (status, headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "10.0.0.1", "", "[", "a@localhost/"]
)
def test_a_name_of_elsewhere_is_not_served(server, host):
    """A page elsewhere whose name was pointed at this machine gets nothing."""
    assert asked(server.url, "/", Host=host)[0] in (400, 403)
    assert not host or refusal(server.url, additional_headers={"Host": host}).status_code in (400, 403)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://localhost", "http://localhost:1", "", None])
def test_a_page_of_elsewhere_is_not_served(server, origin):
    """A WebSocket is for the page of this very server, and so is a file that a script asks for."""
    assert refusal(server.url, origin=origin).status_code == 403
    if origin is not None:
        assert asked(server.url, "/look.css", Origin=origin)[0] == 403


def test_this_machine_has_several_names(server):
    """The page may be opened as localhost, too, and over a port that is forwarded."""
    for host in ("localhost", "127.0.0.1:9000", "[::1]:80"):
        assert asked(server.url, "/", Host=host)[0] == 200
        assert asked(server.url, "/", Host=host, Origin=f"http://{host}")[0] == 200


def test_others_need_the_token_for_everything(lent):
    """Without the token, or with a part of it, there is no page, no file and no WebSocket; with it, there are all."""
    token = urlsplit(lent.url).path.strip("/")
    assert len(token) >= 20
    for path in ("", token[:-1], token + "x", token.swapcase(), "%c3%a4", "%00", token + "/.."):
        for rest in ("/", "/look.css", "/take.wav", "/ws"):
            answer = asked(lent.near, f"/{path}{rest}")
            assert answer[0] in (400, 403, 404)
            assert token.encode() not in answer[2]
        assert refusal(f"{origin_of(lent.near)}/{path}/").status_code in (400, 403, 404)
    assert asked(lent.near, f"/{token}/")[0] == asked(lent.near, f"/{token}/look.css")[0] == 200
    assert asked(lent.near, f"/{token}")[1]["location"] == f"{token}/"
    assert asked(lent.near, f"/{token}/", Host="evil.example")[0] == 403
    with opened(lent.near) as page:
        page.next("state")


@pytest.mark.parametrize("path", TRICKS, ids=range(len(TRICKS)))
def test_no_path_leads_anywhere_else(server, path):
    """Whatever path is asked for, there is nothing but what the page is made of."""
    status, _, body = asked(server.url, path)
    assert status in (400, 403, 404)
    assert len(body) < 100
    assert b"root:" not in body


def test_a_port_that_is_taken_is_an_error(server, studio):  # noqa: F811
    """Where the port is in use, the address is not ours or none at all, one line says so."""
    port = urlsplit(server.url).port
    with pytest.raises(ValueError, match=f"port {port} is in use already: choose another, or 0 for any that is free"):
        Server(studio, port=port)
    for host in ("192.0.2.1", "no such host", "a" * 300):
        with pytest.raises(ValueError, match="host"):
            Server(studio, host, port=0)


def test_where_the_usual_port_is_in_use_any_other_serves(server, studio, monkeypatch):  # noqa: F811
    """Without a port, a second studio gets another one."""
    monkeypatch.setattr(web_server, "PORT", urlsplit(server.url).port)
    with Server(studio) as other:
        assert urlsplit(other.url).port != urlsplit(server.url).port
        assert asked(other.url, "/")[0] == 200


def test_thirty_two_pages_are_served_and_more_are_told_why(server):
    """Of 200 connections 32 are served, the others are refused in words; one that goes makes room."""
    with contextlib.ExitStack() as stack:
        pages = [stack.enter_context(opened(server.url)) for _ in range(32)]
        for page in pages:
            page.ask("hidden", on=True)
        for _ in range(168):
            answer = refusal(server.url)
        assert answer.status_code == 503
        assert b"32 pages are open already" in answer.body
        for page in pages:
            page.next("state")
        pages[0].close()
        eventually(lambda: _comes_in(server.url), 10)


def _comes_in(url):
    with contextlib.suppress(InvalidStatus), opened(url):
        return True
    return False


def test_a_connection_that_asks_for_nothing_is_closed(server, monkeypatch):
    """One that is idle, and one whose request trickles in, are cut; so is one that sends without end."""
    monkeypatch.setattr(limits, "_REQUEST_S", 0.3)
    with connected(server.url) as idle, connected(server.url) as slow, connected(server.url) as endless:
        with contextlib.suppress(OSError):
            for byte in b"GET / HTTP/1.1\r\nX: " + b"a" * 100:
                slow.send(bytes([byte]))
                time.sleep(0.02)
        with contextlib.suppress(OSError):
            endless.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n" + b"a" * 10**7)
        for connection in (idle, slow, endless):
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(65536):
                    pass


def test_a_client_that_does_not_read_is_dropped(server, monkeypatch):
    """It is let go, and meanwhile another one gets all of its meters."""
    monkeypatch.setattr(limits.WebSockets, "reading_s", 0.5)
    with socket.socket() as deaf, opened(server.url) as page:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(address_of(server.url))
        deaf.sendall(HANDSHAKE % ((urlsplit(server.url).netloc.encode(),) * 2))
        eventually(lambda: server._clients.n_open == 2)
        while server._clients.n_open == 2:
            page.next("meters", seconds=1)
        page.next("meters", seconds=1)


def test_a_client_that_sends_too_much_is_dropped(server):
    """A message that is too long ends a page, and so do many that are short, whatever they are."""
    with opened(server.url) as page:
        page.ask("save", name="x" * 20_000)
        with pytest.raises(ConnectionClosed) as closed:
            page.next("refused")
        assert closed.value.rcvd.code == 1009
    with opened(server.url) as page, contextlib.suppress(ConnectionClosed):
        for i in range(20_000):
            page.socket.ping(b"%0125d" % i)
        pytest.fail("20,000 pings were taken")


def asked_by_a_stranger(rng):
    """Return bytes that no browser would send, as a request."""
    host = b"Host: localhost\r\n"
    return [
        rng.bytes(int(rng.integers(1, 2000))),
        b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 20_000,
        b"GET /" + rng.bytes(20).replace(b"\n", b"") + b" HTTP/1.1\r\n" + host + b"\r\n",
        b"GET /\x1b[2J HTTP/1.1\r\n" + host + b"\r\n",
        b"GET / HTTP/1.1\r\n" + host + b"Host: evil.example\r\n\r\n",
        b"POST /ws HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /../../../etc/passwd HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + host + b"Content-Length: -1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        HANDSHAKE % (b"localhost", b"localhost") + rng.bytes(200),
        HANDSHAKE.replace(b"13", b"99") % (b"localhost", b"localhost"),
        HANDSHAKE % (b"localhost", b"localhost\x1b[31m"),
    ][rng.integers(12)]


def test_a_flood_of_hostile_requests_does_nothing(server, capfd):
    """Of 400 requests that are none, each is answered with a refusal or not at all, and nothing is printed."""
    rng = np.random.default_rng(0)
    for _ in range(400):
        with connected(server.url) as stranger, contextlib.suppress(ConnectionError):
            stranger.sendall(asked_by_a_stranger(rng))
            stranger.shutdown(socket.SHUT_WR)
            answer = stranger.recv(65536)
            assert re.match(rb"HTTP/1.1 (4\d\d|101) |$", answer)
            assert b"root:" not in answer
    with opened(server.url) as page:
        page.next("meters")
    assert capfd.readouterr() == ("", "")


def hostile(rng):
    """Return a message that no page would send."""
    commands = [{"is": "gain", "source": "voice", "db": -3}, {"is": "load", "name": "../../x", "kind": "dictionary"}]
    text = json.dumps(commands[rng.integers(2)]).encode()
    kind = rng.integers(5)
    if kind == 0:
        return rng.bytes(int(rng.integers(300)))
    if kind == 1:
        return text[: rng.integers(len(text))].decode()
    if kind == 2:
        return json.dumps(
            {"is": "save", "name": ["/etc/passwd", "..", "a/b", "\x1b]0;x\x07", "a" * 5000][rng.integers(5)]}
        )
    if kind == 3:
        return '{"is":' * int(rng.integers(1, 2000))
    return text.decode().replace("voice", "<script>").replace("-3", "1e99")


def test_a_flood_of_hostile_messages_does_nothing(server, studio, capfd):  # noqa: F811
    """Of 10,000 malformed and hostile messages none is obeyed or printed, floods are dropped, and the sound goes on."""
    rng, n_sent, n_dropped = np.random.default_rng(0), 0, 0
    before, mixer = studio.live.stats, studio.live.mixer
    x = noise(3)
    studio.live.bypass = True
    studio.peer.play(x)
    with opened(server.url) as page:
        while n_sent < 10_000:
            with contextlib.suppress(ConnectionClosed), opened(server.url) as bad:
                for _ in range(600):
                    n_sent += 1
                    bad.socket.send(hostile(rng))
                bad.socket.send("x" * 20_000)
                while True:
                    bad.socket.recv(timeout=10)
            n_dropped += 1
            page.next("meters", seconds=2)
        assert n_dropped >= 10_000 / 600
        found_at(studio.peer.heard()[0], x[PIECE])
        studio.live.mixer = mixer
        page.ask("mute", source=studio.live.sources[0], on=True)
        page.next("state", lambda state: state["sources"][0]["mute"])
    after = studio.live.stats
    assert (after.n_errors, after.n_restarts) == (before.n_errors, before.n_restarts)
    assert capfd.readouterr() == ("", "")
