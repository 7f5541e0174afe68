"""Recordings on a server: read in parts, like files."""

import contextlib
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from rtnmf import STFT, learn
from rtnmf.audio import files
from rtnmf.audio.names import printable
from rtnmf.cli import spelling
from rtnmf.learning.checkpoint import identities
from rtnmf.offline.many_files import separate_files

SETTINGS = {"stft": STFT(512, 128), "n_components": 3, "rest": False, "sample_rate": 16000}


class Whole(SimpleHTTPRequestHandler):
    """Gives whole files only."""

    def end_headers(self):
        """Say so."""
        if type(self) is Whole:
            self.send_header("Accept-Ranges", "none")
        super().end_headers()

    def log_message(self, *_):
        """Say nothing."""


class InParts(Whole):
    """Gives parts of files, too, as most servers do."""

    fetched = 0

    def do_GET(self):
        """Answer with the part that is asked for."""
        with contextlib.suppress(OSError), open(self.translate_path(self.path), "rb") as file:  # noqa: PTH123
            whole = file.read()
            first, last = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")
            part = whole[int(first) : int(last or len(whole)) + 1]
            InParts.fetched += len(part)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{int(first) + len(part) - 1}/{len(whole)}")
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            self.wfile.write(part)
            return
        self.send_error(404)


@contextlib.contextmanager
def served(folder, handler):
    """Serve a folder on this machine, and give its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=folder)) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@pytest.fixture
def path(tmp_path):
    """Write a recording."""
    x = np.random.default_rng(0).normal(size=60_000).astype(np.float32) * 0.1
    files.write(tmp_path / "x.flac", x, 16000)
    return tmp_path / "x.flac"


def test_a_recording_on_a_server_is_learned_like_a_file(path):
    """In passes and at once, the result is that of the file; its key is not kept, and what is missing is named."""
    with served(path.parent, InParts) as address:
        url = f"{address}/x.flac?key=secret"
        for n_passes in (0, 2):
            here, there = (learn({"x": one}, **SETTINGS, n_passes=n_passes) for one in (path, url))
            assert here == there
            assert there.learned_from == ("x.flac",)
        assert InParts.fetched > 0
        assert learn({"x": url.replace("http", "HTTP")}, **SETTINGS, n_passes=2) == there
        assert spelling.recordings([f"x={url}&more,{url}"]) == {"x": [f"{url}&more", url]}
        assert spelling.recordings([url]) == url
        with pytest.raises(ValueError, match=rf"^{address}/y\.flac: no such file, or its server cannot be reached$"):
            learn({"x": f"{address}/y.flac?key=secret"}, **SETTINGS)


def test_recordings_on_a_server_are_told_apart_by_keys_that_are_not_kept(path):
    """What a checkpoint keeps of a URL does not tell its key, though another key may stand for another recording."""
    with served(path.parent, InParts) as address:
        keys = ("secret", "secret", "other")
        first, again, other = identities({"x": [f"{address}/x.flac?key={key}" for key in keys]})["x"]
    assert first[0] == other[0] == f"{address}/x.flac"
    assert first == again != other
    assert "secret" not in first[1]


@pytest.mark.parametrize(("n_answers", "is_left_out"), [(2, True), (4, False)])
def test_a_server_that_fails_later_is_named_without_the_key(path, n_answers, is_left_out):
    """A recording whose server fails when it is read first is left out, named without its key; in a pass it ends it."""
    answers = []

    class Failing(InParts):
        """Answers some requests only."""

        def do_GET(self):
            """Answer, or fail."""
            answers.append(self.path)
            if len(answers) > n_answers:
                self.send_error(500)
            else:
                super().do_GET()

    with served(path.parent, Failing) as address:
        reason = r"its server failed while it was read \(ClientResponseError\): try again"
        message = rf"1 of 2: {address}/x\.flac: {reason}$"
        if not is_left_out:
            message = rf"1 of 2 recordings could not be read any more, .* {address}/x\.flac: {reason}: bring them back$"
        with pytest.warns(UserWarning, match=message) if is_left_out else pytest.raises(ValueError, match=message):
            learn({"x": [path, f"{address}/x.flac?key=secret"]}, **SETTINGS, n_passes=2)


def test_a_password_with_an_at_sign_is_not_told():
    """All of a URL before the last @ of its server's name is who asks."""
    assert printable("https://me:p@ss@host/a@b.wav?key") == "https://host/a@b.wav"
    assert printable("simplecache::http://me:pass@host/a.wav") == "simplecache::http://host/a.wav"
    assert printable("zip://a.wav::http://me:pass@host/a.zip") == "zip://a.wav::http://host/a.zip"
    with pytest.raises(ValueError, match=r"^http://host/x\.wav: is on a server: separate it alone, or download it"):
        separate_files(["http://me:pass@host/x.wav", "y.wav"], "speech")


def test_what_a_server_cannot_give_is_said(path, monkeypatch):
    """A server without parts of files, a kind of server that is not known, and a missing fsspec are said in words."""
    message = "its server gives no parts of files: download it first"
    with served(path.parent, Whole) as address, pytest.raises(ValueError, match=message):
        learn({"x": f"{address}/x.flac"}, **SETTINGS)
    with pytest.raises(ValueError, match=r"^nonsense://x/y\.flac: cannot be opened \(ValueError\)$"):
        learn({"x": "nonsense://x/y.flac"}, **SETTINGS)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ValueError, match=r"is on a server, which needs fsspec: pip install 'rtnmf\[remote\]'"):
        learn({"x": "https://x/y.flac"}, **SETTINGS)
