"""Partitions of recordings that are too long for memory: the frames are those of the whole recordings."""

import numpy as np
import pytest

from rtnmf import STFT
from rtnmf.audio import files
from rtnmf.learning import archive, recordings
from rtnmf.learning.archive import Archive, Known

STFT_16K = STFT(512, 128)
AUDIBLE_HZ = 20.0


def sound(seconds, rate, n_channels=1, seed=0):
    """Return noise of changing colour and level, with silence in it, shape (n_samples, n_channels)."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(int(seconds * rate), n_channels)).astype(np.float32)
    x[1:] += 0.9 * x[:-1]
    x *= np.repeat(rng.uniform(0.005, 0.1, len(x) // 1000 + 1), 1000)[: len(x), None].astype(np.float32)
    x[rate : 2 * rate] = 0
    return x


def whole(path, n_most=10**6):
    """Return what a single reading of a recording finds, every frame of it."""
    trend = STFT_16K.trend(16000, AUDIBLE_HZ)
    return recordings.heard("x", path, 16000, STFT_16K, trend, n_most)


def known(path, end=None):
    """Return what an archive has to know of a recording."""
    found = whole(path)
    return Known(path, found.n_samples, found.level, found.silence, end)


def rows(parts, i):
    """Return all frames of a partition."""
    lost = {}
    V = np.vstack(list(parts.blocks(i, lost)))
    assert not lost
    return V


@pytest.fixture
def small(monkeypatch):
    """Let partitions have 400 frames at most."""
    monkeypatch.setattr(archive, "_PARTITION_VALUES", 400 * STFT_16K.n_bins)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("rate", "exact"), [(16000, True), (44100, False), (11025, False)])
def test_frames_of_all_partitions_are_those_of_the_recording(tmp_path, rate, exact):
    """Nothing is lost or doubled where partitions meet, also where the recording is resampled."""
    files.write(tmp_path / "x.wav", sound(20, rate, 2), rate)
    found = whole(tmp_path / "x.wav").frames.magnitudes.T
    parts = Archive([known(tmp_path / "x.wav")], 16000, STFT_16K, AUDIBLE_HZ)
    assert len(parts) == 7
    V = np.vstack([rows(parts, i) for i in range(len(parts))])
    assert V.shape == found.shape
    if exact:
        np.testing.assert_array_equal(V, found)
    else:
        assert np.abs(V - found).max() < 2e-4 * found.max()
    np.testing.assert_array_equal(rows(parts, 3), rows(parts, 3))


@pytest.mark.usefixtures("small")
def test_short_recordings_share_a_partition(tmp_path):
    """Recordings that fit are in one partition, each at its own level; arrays are recordings as well."""
    given = [sound(3, 16000, 1, seed) * 10.0**-seed for seed in range(4)]
    parts = Archive([known(x) for x in given], 16000, STFT_16K, AUDIBLE_HZ)
    assert len(parts) == 4
    V = np.vstack([rows(parts, i) for i in range(4)])
    np.testing.assert_array_equal(V, np.vstack([whole(x)[0][0].T for x in given]))
    levels = [rows(parts, i).sum(axis=1).mean() for i in range(4)]
    np.testing.assert_allclose(levels, 1, rtol=1e-4)


def test_partitions_depend_on_lengths_alone():
    """All frames are in one partition each, in order, and none has more than it may."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        lengths = rng.integers(0, 300, rng.integers(1, 40)).tolist()
        pieces = archive._partitions(lengths, [True] * len(lengths), 100)
        assert max(sum(p.stop - p.first for p in part) for part in pieces) <= 100
        frames = [(p.number, i) for part in pieces for p in part for i in range(p.first, p.stop)]
        assert frames == [(number, i) for number, n in enumerate(lengths) for i in range(n)]
        assert len(pieces) <= sum(lengths) // 50 + 2
    whole = archive._partitions([250, 250, 30, 30], [True, False, True, True], 100)
    assert [[p.stop - p.first for p in part] for part in whole] == [[100], [100], [50], [250], [30, 30]]
