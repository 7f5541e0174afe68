"""Columns of the scrolling spectrograms."""

import numpy as np
import pytest
from conftest import noise

from rtnmf import STFT, Dictionary
from rtnmf.control.web.messages import BANDS
from rtnmf.control.web.scope import Scope, band_hz
from rtnmf.control.web.tiles import spectra

RATE = 48000
SILENCE = np.zeros(4 * RATE // 10, np.float32)


def tone(hz, level_db=0.0):
    """Return a sine that is as long as what a scope looks at, and longer."""
    return (10 ** (level_db / 20) * np.sin(2 * np.pi * hz * np.arange(len(SILENCE)) / RATE)).astype(np.float32)


def drawn(stems, weights=(1, 1, 0), end=RATE):
    """Return the columns of two stems, shape (n_columns, 2, 2, BANDS): input and output, levels and owners."""
    stems = np.stack(stems)[:, -Scope(RATE).n_wanted() :, None]
    sent = Scope(RATE).columns(end, stems.sum(axis=0), stems, np.array(weights, np.float32))
    return np.frombuffer(sent, np.uint8).reshape(-1, 2, 2, BANDS)


def band_of(hz):
    """Return the number of the band that holds a frequency."""
    return int(np.searchsorted(band_hz(RATE), hz)) - 1


@pytest.mark.parametrize("hz", [50, 440, 5000, 12000])
@pytest.mark.parametrize("level_db", [0, -30, -60])
def test_a_tone_is_as_bright_as_it_is_loud(hz, level_db):
    """A tone is brightest in its band, on a scale from -90 dB to 0 dB, and the stem that has it owns that band."""
    picture = drawn([SILENCE, tone(hz, level_db)])
    (levels, owners), (out_levels, out_owners) = picture[-1]
    assert abs(int(levels.argmax()) - band_of(hz)) <= 4
    assert levels.max() == pytest.approx(255 * (1 + level_db / 90), abs=4)
    assert owners[levels.argmax()] == 1
    np.testing.assert_array_equal(out_levels, levels)
    np.testing.assert_array_equal(out_owners, owners)


def test_the_output_is_what_the_mixer_makes_of_the_stems():
    """A stem that is turned down is darker in the output, one that is off is gone, and the input stays as it was."""
    low, high = band_of(300), band_of(3000)
    before, after = (drawn([tone(300, -20), tone(3000, -20)], weights)[-1] for weights in ((1, 1, 0), (0.1, 0, 0)))
    np.testing.assert_array_equal(before[0], after[0])
    assert before[1, 0, low] - after[1, 0, low] == pytest.approx(255 * 20 / 90, abs=2)
    assert after[1, 0, high] < 30 < before[1, 0, high]
    assert after[1, 1, high] == 0  # what is left there is of the low tone


def test_in_bypass_the_output_is_the_input():
    """Where only the input goes out, its picture does, with its owners."""
    heard, out = drawn([tone(300, -20), tone(3000, -20)], (0, 0, 1))[-1]
    np.testing.assert_allclose(heard.astype(int), out, atol=1)
    assert (out[1, band_of(300)], out[1, band_of(3000)]) == (0, 1)


def test_silence_is_dark():
    """Without sound all levels are 0, and every band still has an owner that exists."""
    picture = drawn([SILENCE, SILENCE], (0, 0, 0))
    assert picture.shape == (8, 2, 2, BANDS)
    assert not picture[:, :, 0].any()
    assert picture[:, :, 1].max() <= 1


def test_the_picture_does_not_depend_on_when_it_is_asked_for():
    """Columns lie a sixtieth of a second apart, wherever blocks end; after a pause only the newest are drawn."""
    stems = np.stack([noise(RATE, 2), noise(RATE, 2, seed=1)])
    weights = np.array([1, 0.5, 0], np.float32)

    def asked(ends):
        scope = Scope(RATE)
        n = scope.n_wanted()
        parts = [stems[:, end - n : end] for end in ends]
        return [scope.columns(end, part.sum(axis=0), part, weights) for end, part in zip(ends, parts, strict=True)]

    ends = np.sort(np.random.default_rng(0).integers(10_000, RATE, 60))
    whole = b"".join(asked(range(ends[0], ends[-1] + 1, 160)))
    assert b"".join(asked([*ends, ends[-1]])) == whole
    paused = asked([10_000, RATE])[1]
    assert b"".join(asked([10_000, *range(10_160, RATE + 1, 160), RATE])).endswith(paused)
    assert len(paused) == 8 * 4 * BANDS


def test_another_stream_may_begin():
    """After a restart, which counts samples from 0 again, columns go on."""
    scope = Scope(RATE)
    stems = noise(scope.n_wanted(), 1)[None]
    weights = np.ones(2, np.float32)
    assert scope.columns(10 * RATE, stems[0], stems, weights)
    assert scope.columns(RATE, stems[0], stems, weights) == b""
    assert len(scope.columns(RATE + 800, stems[0], stems, weights)) == 4 * BANDS


@pytest.mark.parametrize("rate", [8000, 44100, 48000, 96000])
def test_bands_are_known_for_every_rate(rate):
    """Bands rise from 40 Hz to 16 kHz, or to half the sample rate where that is less."""
    edges = band_hz(rate)
    assert len(edges) == BANDS + 1
    assert edges[0] == 40
    assert edges[-1] == min(16000, rate / 2)
    assert np.diff(edges).min() > 0
    scope = Scope(rate)
    x = noise(scope.n_wanted(), 1)
    picture = np.frombuffer(scope.columns(rate, x, x[None], np.array([1, 0], np.float32)), np.uint8)
    assert picture.reshape(-1, 2, 2, BANDS)[:, :, 0].min() > 50


@pytest.mark.parametrize("rate", [8000, 48000])
def test_a_tile_shows_the_spectrum_of_its_component(rate):
    """A component is brightest where it is loudest, 30 dB less is half as bright, and what is 60 dB less is dark."""
    stft = STFT(1024, 256)
    components = np.full((stft.n_bins, 2), 1e-9)
    components[[40, 200], [0, 0]] = 1, 10 ** (-30 / 20)
    components[100, 1] = 1
    tiles = np.frombuffer(spectra(Dictionary(components, ("a", "b"), stft, rate)), np.uint8).reshape(2, BANDS)
    edges = (np.array(band_hz(rate)) * stft.n_fft / rate).astype(int)
    loud, other, soft = (int(np.searchsorted(edges, k, "right")) - 1 for k in (40, 100, 200))
    assert (tiles[0, loud], tiles[1, other]) == (255, 255)
    assert tiles[0, soft] == pytest.approx(127, abs=1)
    assert np.median(tiles) == 0
