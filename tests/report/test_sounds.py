"""The sounds of a page: formats that every browser plays, at rates that it plays, scaled together."""

import io

import numpy as np
import pytest
import soundfile

from rtnmf.report import sounds
from rtnmf.report.sounds import Sound


def read(data):
    """Return the samples and the rate of an encoded sound."""
    return soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)


def test_small_sounds_are_wav_and_large_ones_mp3(speech, monkeypatch):
    """Sounds that are large together become MP3, as long as they were and where they were; small ones stay exact."""
    sound = Sound(speech[:16000, None], 16000)
    ((kind, data),) = sounds.encode([sound])
    assert kind == "audio/wav"
    np.testing.assert_allclose(read(data)[0], sound.signal, atol=1e-4)
    monkeypatch.setattr("rtnmf.report.sounds._COMPACT_ABOVE", 1000)
    ((kind, data),) = sounds.encode([sound])
    x, rate = read(data)
    assert (kind, rate, x.shape) == ("audio/mpeg", 16000, (16000, 1))
    assert np.sum((x - sound.signal) ** 2) < 0.01 * np.sum(sound.signal**2)
    assert len(data) < 16000


@pytest.mark.parametrize(
    ("rate", "playable"), [(50, 8000), (16000, 16000), (30000, 32000), (44100, 44100), (96000, 48000)]
)
def test_every_rate_becomes_one_that_browsers_play(rate, playable):
    """A sound is resampled to the next higher rate that MP3 and browsers know, and keeps its length in seconds."""
    ((_, data),) = sounds.encode([Sound(np.zeros((rate, 3), np.float32), rate)])
    x, found = read(data)
    assert (found, x.shape) == (playable, (playable, 2))


def test_a_click_is_where_it_is_said_to_be():
    """The click that shows a browser's delay stands alone at its place, at any rate."""
    for rate in (8000, 11025, 48000):
        x = sounds.click(rate).signal[:, 0]
        assert np.flatnonzero(x).tolist() == [round(sounds.CLICK_S * rate)]
