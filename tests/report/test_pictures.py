"""What the pictures and curves show, and where their ticks are."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from rtnmf import look
from rtnmf.report import charts, pictures, scales

RATE = 16000


def tone(hz):
    """Return a quarter of a second of a sine."""
    return np.sin(2 * np.pi * hz / RATE * np.arange(RATE // 4))[:, None].astype(np.float32)


def image(x, axis="hz", n_fft=1024):
    """Return the magnitudes of a signal on an axis."""
    return pictures.image(x, scales.frequencies(axis, RATE), RATE, n_fft)


def colours(png):
    """Return the colours of a picture, shape (n_rows, n_columns, 3), the lowest row first."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))[::-1]


def test_pictures_of_one_page_share_one_scale():
    """Levels are relative to the peak of the clip: a stem 40 dB below it is in the middle of a scale of 80 dB."""
    clip = image(tone(1000))
    ramp = colours(pictures.ramp())[:, 0].astype(int)
    for level, place in ((1, 1), (0.01, 0.5)):
        brightest = colours(pictures.levels(level * clip, float(clip.max()))).reshape(-1, 3).astype(int)
        brightest = brightest[brightest.sum(axis=1).argmax()]
        assert np.abs(ramp - brightest).sum(axis=1).argmin() / (len(ramp) - 1) == pytest.approx(place, abs=0.02)


def test_each_bin_has_the_colour_of_its_loudest_source():
    """Of two tones each has the hue of its source where it is; where there is nothing, it is dark."""
    stems = [image(tone(500)), image(tone(4000))]
    picture = colours(pictures.owners(stems, sum(stems), ["source-2", "source-rest"])).astype(float)
    for stem, hue in zip(stems, ("source-2", "source-rest"), strict=True):
        found = picture[stem.max(axis=1).argmax(), stem.shape[1] // 2]
        assert np.corrcoef(found, look.hues()[hue])[0, 1] > 0.99
    assert picture[sum(stems).max(axis=1).argmin()].max() < 70


@pytest.mark.parametrize(
    ("axis", "tick", "hz"),
    [
        ("hz", "200", 200),
        ("hz", "5k", 5000),
        ("mel", "500", 500),
        ("mel", "5k", 5000),
        ("note", "C4", 440 * 2 ** (-9 / 12)),
        ("note", "C7", 440 * 2 ** (27 / 12)),
    ],
)
def test_a_tone_is_brightest_at_its_tick(axis, tick, hz):
    """On every axis a sine is brightest in the row that the tick of its frequency points at."""
    rows = image(tone(hz), axis, 4096).max(axis=1)
    places = {name: at for at, name, _ in scales.frequencies(axis, RATE).ticks}
    assert (np.argmax(rows) + 0.5) / len(rows) == pytest.approx(places[tick], abs=0.0075)


def test_no_tone_falls_between_two_rows():
    """Where a row is wider than a bin, it shows the loudest of its bins."""
    scale = scales.frequencies("hz", RATE)
    for k in range(300, 512):
        magnitudes = np.zeros(513)
        magnitudes[k] = 1
        assert scales.on_rows(magnitudes, scale, RATE).max() > 0.9


@pytest.mark.parametrize(
    ("axis", "names"),
    [
        ("hz", ["50", "100", "200", "500", "1k", "2k", "5k"]),
        ("mel", ["500", "1k", "2k", "5k"]),
        ("note", ["C2", "C3", "C4", "C5", "C6", "C7", "C8"]),
    ],
)
def test_ticks_name_what_the_axis_holds(axis, names):
    """Ticks are the round frequencies, or the octaves, between 40 Hz and the Nyquist frequency."""
    assert [tick.text for tick in scales.frequencies(axis, RATE).ticks] == names


def test_mel_rows_are_even_steps_on_the_mel_scale():
    """The mel axis is linear below 1 kHz and logarithmic above, 27 mels for a factor of 6.4 (Slaney's formula)."""
    ticks = scales.frequencies("mel", RATE).ticks
    lowest, highest = 40 * 3 / 200, 15 + 27 * np.log(8) / np.log(6.4)
    mels = np.array([7.5, 15, 15 + 27 * np.log(2) / np.log(6.4), 15 + 27 * np.log(5) / np.log(6.4)])
    np.testing.assert_allclose([tick.at for tick in ticks], (mels - lowest) / (highest - lowest), atol=3e-3)


@pytest.mark.parametrize(
    ("duration_s", "texts"),
    [
        (12, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"]),
        (30, ["0", "5", "10", "15", "20", "25", "30"]),
        (0.3, ["0", "0.05", "0.1", "0.15", "0.2", "0.25", "0.3"]),
        (1e-4, ["0"]),
    ],
)
def test_times_are_round_and_at_most_thirteen(duration_s, texts):
    """The time axis has round seconds from 0 on, each where it is."""
    ticks = scales.times(duration_s)
    assert [tick.text for tick in ticks] == texts
    assert [tick.at for tick in ticks] == pytest.approx([float(text) / duration_s for text in texts])


@pytest.mark.parametrize("axis", ["hz", "mel", "note"])
@pytest.mark.parametrize("sample_rate", [50, 192000])
def test_any_sample_rate_has_pictures(axis, sample_rate):
    """Rates far below and above those of music have a spectrogram and a spectrum, without a warning."""
    scale = scales.frequencies(axis, sample_rate)
    magnitudes = pictures.image(np.ones((400, 1), np.float32), scale, sample_rate, 64)
    assert pictures.levels(magnitudes, 1.0).startswith(b"\x89PNG")
    assert charts.spectrum(np.ones(33, np.float32), scale, sample_rate).startswith("M0,100.0L")


def test_curves_have_their_peaks_where_they_are():
    """The peak of a spectrum is at its frequency and that of activations at its time, both at the top."""
    scale, magnitudes = scales.frequencies("hz", RATE), np.full(513, 1e-6, np.float32)
    magnitudes[64] = 1  # 1 kHz
    h = np.zeros(1000, np.float32)
    h[250] = 3
    place = {tick.text: tick.at for tick in scale.ticks}["1k"]
    assert peak(charts.spectrum(magnitudes, scale, RATE)) == pytest.approx((1000 * place, 0), abs=6)
    assert peak(charts.activations(h)) == pytest.approx((250, 0), abs=5)


def peak(path):
    """Return the point of a path that is nearest to the top."""
    return min((tuple(map(float, point.split(","))) for point in path.strip("MZ").split("L")), key=lambda p: p[1])


def test_librosa_is_loaded_for_its_axes_only():
    """Drawing on the axis in Hz loads no librosa, on the others it does."""
    code = (
        "import sys; from rtnmf.report import scales; found = []\n"
        "for axis in ('hz', 'note'):\n"
        "    scales.frequencies(axis, 16000); found.append('librosa' in sys.modules)\n"
        "print(found)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[False, True]\n"
