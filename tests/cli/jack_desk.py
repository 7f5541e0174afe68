"""A real audio server with a peer that plays noise, for tests of commands that need a sound card."""

import contextlib

import numpy as np
import pytest
from command_line import save_desk
from jack_server import ENVIRONMENT, Peer, Server


@pytest.fixture(scope="module")
def server():
    """Run an audio server."""
    with contextlib.closing(Server()) as server:
        yield server


@pytest.fixture
def peer(server, tmp_path, monkeypatch):
    """Run a peer that plays noise for a minute, and work in a folder with a dictionary of voice and fan at 48 kHz."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    save_desk(tmp_path, 48000)
    with contextlib.closing(Peer(tmp_path)) as peer:
        peer.play(np.random.default_rng(0).uniform(-0.3, 0.3, 60 * 48000))
        yield peer
