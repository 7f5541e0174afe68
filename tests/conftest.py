"""Sounds and dictionaries that several tests use."""

from pathlib import Path

import numpy as np
import pytest

from rtnmf import STFT, Dictionary, files

DEMO = Path(__file__).parent.parent / "presets" / "demo"
SETTINGS = [STFT(1024, 256), STFT(1024, 32, latency=128)]


@pytest.fixture(params=SETTINGS, ids=["symmetric", "low-latency"])
def stft(request):
    """Give both window pairs."""
    return request.param


@pytest.fixture(scope="session")
def speech():
    """Return three seconds of real speech at 16 kHz, shape (n_samples,), peak 1."""
    x = files.read(DEMO / "voice.flac")[0][:48000, 0]
    return x / np.abs(x).max()


def random_dictionary(stft, sources=("a", "b"), n_each=4, sample_rate=16000):
    """Return a dictionary of spiky random spectra."""
    components = np.random.default_rng(0).random((stft.n_bins, n_each * len(sources))) ** 8 + 1e-6
    return Dictionary(components, tuple(s for s in sources for _ in range(n_each)), stft, sample_rate)


@pytest.fixture
def dictionary(stft):
    """Return a dictionary of two random sources for each window pair."""
    return random_dictionary(stft)
