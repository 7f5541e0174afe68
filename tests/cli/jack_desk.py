"""A peer that plays noise on a real audio server, for tests of commands that need a sound card."""

import numpy as np
import pytest
from command_line import save_desk
from jack_server import ENVIRONMENT, Peer

NOISE = np.random.default_rng(0).uniform(-0.3, 0.3, 60 * 48000).astype(np.float32)


@pytest.fixture
def peer(server, tmp_path, monkeypatch):
    """Run a peer that plays noise for a minute, and work in a folder with a dictionary of voice and fan at 48 kHz."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    save_desk(tmp_path, 48000)
    with Peer.lent(tmp_path) as peer:
        peer.play(NOISE)
        yield peer
