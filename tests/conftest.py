"""Sounds and dictionaries that several tests use."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
from jack_server import ENVIRONMENT, Peer, Server, sweep
from sounding import sounding_processes

from rtnmf import STFT, Dictionary
from rtnmf.audio import files
from rtnmf.learning import joining

DEMO = Path(__file__).parent.parent / "presets" / "demo"
SETTINGS = [STFT(1024, 256), STFT(1024, 32, latency=128)]


def pytest_sessionstart(session):
    """Remove what killed runs have left before several processes start an audio server each."""
    if session.config.getoption("numprocesses", None):
        sweep(thoroughly=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark what sounds, so that it can be run alone."""
    for item in items:
        if {"audio_server", "on_server"} & set(item.fixturenames):
            item.add_marker("sounding")


@pytest.fixture(params=SETTINGS, ids=["symmetric", "low-latency"])
def stft(request):
    """Give both window pairs."""
    return request.param


@pytest.fixture(params=[None, "cpu"], ids=["kernels", "torch"])
def device(request):
    """Compute with the compiled kernels, and with torch on its CPU where it is installed."""
    if request.param:
        pytest.importorskip("torch", reason="torch is not installed: pip install 'rtnmf[gpu]'")
    return request.param


@pytest.fixture(scope="session")
def speech():
    """Return three seconds of real speech at 16 kHz, shape (n_samples,), peak 1."""
    x = files.read(DEMO / "voice.flac")[0][:48000, 0]
    return x / np.abs(x).max()


def random_dictionary(stft, sources=("a", "b"), n_each=4, sample_rate=16000, trained=False):
    """Return a dictionary of spiky random spectra, and of others to tell the sources apart with when it is trained."""
    shape = (stft.n_bins, n_each * len(sources))
    components, *others = np.random.default_rng(0).random((3, *shape)) ** 8 + 1e-6
    more = dict(zip(("update_components", "mask_components"), others, strict=True)) if trained else {}
    return Dictionary(components, tuple(s for s in sources for _ in range(n_each)), stft, sample_rate, **more)


@pytest.fixture(params=[False, True], ids=["plain", "trained"])
def dictionary(stft, request):
    """Return a dictionary of two random sources for each window pair, also trained."""
    return random_dictionary(stft, trained=request.param)


@pytest.fixture(scope="session")
def audio_server():
    """Start an audio server for all tests that leave it as it was."""
    with contextlib.closing(Server()) as server:
        yield server


@pytest.fixture
def server(audio_server):
    """Return the running audio server; another module may have started one of its own meanwhile."""
    audio_server.ensure()
    return audio_server


@pytest.fixture
def on_server(monkeypatch):
    """Point PortAudio at the tests' audio server, and see that no sounding process outlives the test."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    yield
    assert not sounding_processes()


@pytest.fixture
def peer(server, on_server, tmp_path):
    """Run a peer, a microphone and two loudspeakers, on the audio server; it plays nothing yet."""
    with Peer.lent(tmp_path) as peer:
        yield peer


@pytest.fixture
def hardly_joined(monkeypatch, tmp_path_factory):
    """Train what is joined for few steps, and keep it out of the user's cache, where it may be or not."""
    monkeypatch.setattr(joining, "N_STEPS", 20)
    monkeypatch.setattr(joining, "user_cache_path", lambda _: tmp_path_factory.getbasetemp() / "cache")


def noise(n_samples, n_channels=None, seed=0):
    """Return full-scale white noise."""
    shape = n_samples if n_channels is None else (n_samples, n_channels)
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)
