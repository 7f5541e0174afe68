"""What tests of the page's server share: a studio that sounds, and pages that look on."""

import contextlib
import http.client
import json
from urllib.parse import urlsplit

import numpy as np
import pytest
from bands import voice_and_rest
from jack_server import ENVIRONMENT, Peer
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from rtnmf.control.studio import Studio
from rtnmf.live import Live

NOISE = np.random.default_rng(0).uniform(-0.3, 0.3, 60 * 48000).astype(np.float32)


@pytest.fixture(scope="module")
def studio(audio_server, tmp_path_factory):
    """Run a studio that listens to a peer, which plays noise for a minute; one for all tests of a module."""
    audio_server.ensure()
    folder = tmp_path_factory.mktemp("studio")
    with pytest.MonkeyPatch.context() as patch, Peer.lent(folder) as peer:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        peer.play(NOISE)
        studio = Studio(_live, voice_and_rest(), "me", folder / "studio")
        studio.peer = peer
        with contextlib.closing(studio):
            studio.open()
            yield studio


def _live(dictionary):
    return Live(dictionary, input="peer", output="peer", tap=True)


class Page:
    """A page that looks on, and counts what it is told."""

    def __init__(self, socket):
        self.socket = socket
        self.counts = {}

    def next(self, kind, holds=bool, seconds=10):
        """Return the next message of a kind that something holds for; columns are `bytes`."""
        while True:
            message = self.socket.recv(timeout=seconds)
            if isinstance(message, str):
                message = json.loads(message)
            found = "bytes" if isinstance(message, bytes) else message["is"]
            self.counts[found] = self.counts.get(found, 0) + 1
            if found == kind and holds(message):
                return message

    def ask(self, kind, **values):
        """Send a command."""
        self.socket.send(json.dumps({"is": kind, **values}))

    def close(self):
        """Go."""
        self.socket.close()


@contextlib.contextmanager
def opened(url, **options):
    """Open a page for a while."""
    options = {"origin": origin_of(url), "compression": None, "max_queue": None, **options}
    with connect(f"ws{url.removeprefix('http')}ws", **options) as socket:
        yield Page(socket)


def refusal(url, **options):
    """Return the answer with which a page is turned away."""
    with pytest.raises(InvalidStatus) as refused, opened(url, **options):
        pass
    return refused.value.response


def origin_of(url):
    """Return the origin of a link."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def asked(url, path, method="GET", **headers):
    """Return status, headers and body of what a server answers; `path` is sent as it is, after that of the link."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    with contextlib.closing(connection):
        connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
