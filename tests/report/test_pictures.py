"""What the pictures show, and where their ticks are."""

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from rtnmf.report import pictures

RATE = 16000


def tone(hz):
    """Return a quarter of a second of a sine."""
    return np.sin(2 * np.pi * hz / RATE * np.arange(RATE // 4))[:, None].astype(np.float32)


@pytest.fixture
def drawn(monkeypatch):
    """Record each image that is drawn, and the ticks of its frequency axis."""
    found = []
    monkeypatch.setattr("matplotlib.axes.Axes.imshow", lambda _, image, **__: found.append([image]))
    monkeypatch.setattr("matplotlib.axes.Axes.set_yticks", lambda _, *ticks: found[-1].extend(ticks))
    return found


def test_pictures_of_one_page_share_one_scale(drawn):
    """Levels are relative to the peak of the clip: a stem 40 dB below it is 40 dB darker."""
    clip = tone(1000)
    for level in (1, 0.01):
        pictures.spectrogram(level * clip, clip, RATE, 1024)
    assert [image.max() for image, *_ in drawn] == pytest.approx([0, -40], abs=0.1)


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
def test_a_tone_is_brightest_at_its_tick(drawn, axis, tick, hz):
    """On every axis a sine is brightest in the row that the tick of its frequency points at."""
    pictures.spectrogram(tone(hz), tone(hz), RATE, 4096, axis)
    ((image, rows, names),) = drawn
    assert np.argmax(image.max(axis=1)) + 0.5 == pytest.approx(dict(zip(names, rows, strict=True))[tick], abs=1.5)


@pytest.mark.parametrize(
    ("axis", "names"),
    [
        ("hz", ["50", "100", "200", "500", "1k", "2k", "5k"]),
        ("mel", ["500", "1k", "2k", "5k"]),
        ("note", ["C2", "C3", "C4", "C5", "C6", "C7", "C8"]),
    ],
)
def test_ticks_name_what_the_axis_holds(drawn, axis, names):
    """Ticks are the round frequencies, or the octaves, between 40 Hz and the Nyquist frequency."""
    pictures.spectrogram(tone(1000), tone(1000), RATE, 1024, axis)
    assert drawn[0][2] == names


def test_mel_rows_are_even_steps_on_the_mel_scale(drawn):
    """The mel axis is linear below 1 kHz and logarithmic above, 27 mels for a factor of 6.4 (Slaney's formula)."""
    pictures.spectrogram(tone(1000), tone(1000), RATE, 1024, "mel")
    lowest, highest = 40 * 3 / 200, 15 + 27 * np.log(8) / np.log(6.4)
    mels = np.array([7.5, 15, 15 + 27 * np.log(2) / np.log(6.4), 15 + 27 * np.log(5) / np.log(6.4)])
    np.testing.assert_allclose((drawn[0][1] - 0.5) / 199, (mels - lowest) / (highest - lowest), atol=2e-3)


@pytest.mark.parametrize(("axis", "distances"), [("hz", np.log10), ("mel", None), ("note", np.log10)])
def test_spectra_have_the_axis_of_the_spectrograms(axis, distances):
    """A spectrum lies on the same kind of axis: ticks are as far apart as the logarithm or the mel scale says."""
    axes = Figure().add_axes((0, 0, 1, 1))
    pictures._draw_spectrum(axes, np.ones(513, np.float32), RATE, axis)
    ticks = axes.get_xticks()
    pixels = axes.transData.transform([(hz, 0) for hz in ticks])[:, 0]
    expected = [7.5, 15, 15 + 27 * np.log(2) / np.log(6.4), 15 + 27 * np.log(5) / np.log(6.4)]
    scale = expected if distances is None else distances(ticks)
    assert np.corrcoef(pixels, scale)[0, 1] == pytest.approx(1, abs=1e-9)
    assert axes.get_xlabel() == {"hz": "Hz", "mel": "Hz, mel scale", "note": "note"}[axis]


@pytest.mark.parametrize("axis", ["hz", "mel", "note"])
@pytest.mark.parametrize("sample_rate", [50, 192000])
def test_any_sample_rate_has_pictures(axis, sample_rate):
    """Rates far below and above those of music draw a spectrogram and a spectrum without a warning."""
    x = np.ones((400, 1), np.float32)
    assert pictures.spectrogram(x, x, sample_rate, 64, axis).startswith(b"\x89PNG")
    assert pictures.spectrum(np.ones(33, np.float32), sample_rate, axis).startswith(b"\x89PNG")


def test_librosa_is_loaded_for_its_axes_only():
    """Drawing on the axis in Hz loads no librosa, on the others it does."""
    code = (
        "import sys, numpy as np; from rtnmf.report import pictures; found = []\n"
        "for axis in ('hz', 'note'):\n"
        "    pictures.spectrum(np.ones(33), 16000, axis); found.append('librosa' in sys.modules)\n"
        "print(found)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[False, True]\n"
