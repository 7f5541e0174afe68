"""Different sounds under one name: which they are, how often they sound together, and what that gains."""

import numpy as np
import pytest
from conftest import DEMO

from rtnmf import STFT, Together, learn, separate
from rtnmf.audio import files
from rtnmf.learning import mixtures, recordings
from rtnmf.measure.metrics import si_sdr

RATE = 8000
LOWEST_HZ = (60, 150, 400, 900, 1800)
N_SECONDS = 6


def instrument(lowest_hz, seed):
    """Return four notes a second, each of two partials, within an octave."""
    rng, note = np.random.default_rng(seed), np.arange(RATE // 4) / RATE
    pitches = lowest_hz * 2 ** (rng.integers(12, size=4 * N_SECONDS) / 12)
    partials = [np.sin(2 * np.pi * hz * note) + 0.7 * np.sin(4 * np.pi * hz * note + 1) for hz in pitches]
    x = np.concatenate(partials) * np.exp(-3 * np.tile(note, len(pitches)))
    return (0.1 * x / x.std()).astype(np.float32)


def drums(seed):
    """Return bursts of noise."""
    x, t = np.random.default_rng(seed).normal(size=N_SECONDS * RATE), np.arange(N_SECONDS * RATE) / RATE
    return (0.2 * x * np.exp(-12 * (t % 0.3))).astype(np.float32)


def band(seed):
    """Return the instruments of a band."""
    return [instrument(hz, 10 * seed + i) for i, hz in enumerate(LOWEST_HZ)]


@pytest.fixture
def takes():
    """Return two recordings of one voice, which says other words in each."""
    return [files.read(DEMO / f"{name}.flac", RATE)[0][:, 0] for name in ("voice", "voice-train")]


def rest_gained_db(rest, seed=0):
    """Learn drums and the rest of a song, and return the improvement of the rest in another part of it."""
    learned = learn({"drums": drums(1), "rest": rest}, RATE, n_components=16, n_steps=100, seed=seed)
    true = sum(band(2))
    stems = learned.by_source(separate(drums(2) + true, learned))
    return float(si_sdr(true, stems["rest"]) - si_sdr(true, drums(2) + true))


@pytest.mark.parametrize("seed", [0, 1])
def test_the_stems_of_a_song_are_a_rest(monkeypatch, seed):
    """Stems under one name gain more than one at a time, and no less than their sum in one file."""
    gained_db = rest_gained_db(band(1), seed)
    assert gained_db > rest_gained_db(Together(*band(1)), seed)
    monkeypatch.setattr(mixtures, "_JOINS", 1e-12)
    assert gained_db > rest_gained_db(band(1), seed) + 0.2


def frames_of(*signals):
    """Return the frames of signals as those of recordings of one source."""
    return recordings.frames("x", signals, RATE, STFT.default(RATE), audible_hz=20)


def test_recordings_that_are_alike_are_one_sound(takes):
    """Two takes of a voice are one sound, their frames one after the other; instruments are sounds of their own."""
    bass, flute = instrument(60, 0), instrument(900, 0)
    found = frames_of(takes[0], bass, takes[1], flute, instrument(60, 1))
    alone = [frames_of(x).spectra[0] for x in (*takes, bass, instrument(60, 1), flute)]
    expected = [np.vstack(alone[:2]), np.vstack(alone[2:4]), alone[4]]
    assert len(found.spectra) == 3
    for spectra, sound in zip(found.spectra, expected, strict=True):
        np.testing.assert_array_equal(spectra, sound)


def test_recordings_that_are_alike_are_never_mixed_with_each_other(takes, monkeypatch):
    """Two takes of a voice are trained with as one longer take is: no frame is a sum of both."""
    monkeypatch.setattr(mixtures, "_heard", None)
    assert learn({"a": takes, "b": drums(0)}, RATE, n_components=2, n_steps=2).is_trained


def test_sounds_join_each_other_in_three_frames_of_ten():
    """Another sound joins in three frames of ten, and of those a third one; a longer one is heard in proportion."""
    rng = np.random.default_rng(0)
    lengths, n = np.array([100, 200, 500]), 2000
    heard = np.zeros((3, n, mixtures.N_FRAMES), int)
    for i in range(n):
        rows, sounds = mixtures._heard(rng, lengths)
        np.add.at(heard[:, i], (sounds, rows), 1)
    assert heard.max() == 1
    heard = heard.reshape(3, -1)
    n_heard = heard.sum(axis=0)
    np.testing.assert_allclose([(n_heard == n).mean() for n in (0, 1, 2, 3)], [0, 0.7, 0.21, 0.09], atol=0.01)
    np.testing.assert_allclose(heard[:, n_heard == 1].mean(axis=1), [1 / 8, 2 / 8, 5 / 8], atol=0.01)


def test_a_frame_of_a_source_is_the_sum_of_frames_of_its_sounds():
    """Each frame is the sum of frames of the sounds that are heard in it, each sound at a level of its own."""
    sounds = [np.roll(np.eye(1, 3, dtype=np.float32), i) for i in range(3)]
    frames = np.zeros((2, mixtures.N_FRAMES, 3), np.float32)
    mixtures._draw(np.random.default_rng(0), sounds, *frames)
    found = np.hypot(*frames)
    assert set((found != 0).sum(axis=1)) == {1, 2, 3}
    levels = [column[column != 0] for column in found.T]
    for level in levels:
        np.testing.assert_allclose(level, level[0], rtol=1e-5)
    assert len({level[0] for level in levels}) == 3
