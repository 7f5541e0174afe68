"""Numbers at their limits: each is checked in the type in which it is used, and none ends in NaN or a traceback."""

import json

import numpy as np
import pytest
import soundfile
from conftest import noise

from rtnmf import STFT, Dictionary, Mixer, Model, Separator, files, learn, nmf, report
from rtnmf.measure.evaluation import evaluate, load_case

HUGE = 10**400
SMALL = STFT(64, 16)


def made(**parts):
    """Return a dictionary of two sources."""
    return Dictionary(np.random.default_rng(0).random((33, 2)) + 0.1, ("a", "b"), SMALL, 8000, **parts)


REFUSED = {
    "power": (lambda: Separator(made(), mask_power=1e39), r"mask_power is 1e\+39, expected a positive number"),
    "power of 0": (lambda: Separator(made(), mask_power=1e-46), "mask_power is 1e-46, expected a positive number"),
    "long power": (lambda: Separator(made(), mask_power=HUGE), "mask_power is inf, expected a positive number"),
    "gains": (lambda: Separator(made(), gains=[[3e38, 1]]), r"gains reach 3e\+38, .* at most 1000"),
    "a gain": (lambda: Mixer(("a", "b"), {"b": 3e38}), r"gains are b=3e\+38, expected numbers .* at most 1000"),
    "relaxation": (lambda: Model(relaxation=2 - 1e-9), "relaxation is 1.999999999, expected from 1 to below 2"),
    "memory": (lambda: Model(memory=1 - 1e-9), "memory is 0.999999999, expected from 0 to below 1"),
    "weight": (lambda: Model(weights=(1, 1e-50)), "weights are .*, expected two positive numbers"),
    "clip": (lambda: report.describe("x", made(), np.full(100, 1e38)), r"clip holds samples .* or beyond 1e\+09"),
    "iteration": (lambda: made(divergences={"a": [(HUGE, 0.5)]}), "divergences are .*, expected {source:"),
    "divergence": (lambda: made(divergences={"a": [(0, HUGE)]}), "divergences of 'a' are not finite"),
    "updates": (lambda: Separator(made(), n_iter=10**30), "n_iter is 1000000000000000000000000000000, expected 1 to"),
    "activations": (lambda: nmf.activations(np.ones((3, 1)), np.ones((3, 1)), n_iter=HUGE), "n_iter is inf, expected"),
    "iterations": (lambda: learn({"a": noise(8000)}, 8000, n_iter=HUGE), "n_iter is inf, expected 1 to 1000000"),
    "components": (lambda: nmf.fit(np.ones((3, 1)), 10**30), "n_components is 1000000000000000000000000000000, expect"),
    "rate": (lambda: made().at_rate(HUGE), "sample_rate is inf, expected a whole number of Hz"),
    "window": (lambda: STFT(HUGE), "samples of a window would be inf"),
    "resampling": (lambda: files.resample(np.tile([3e38, -3e38], 99), 8000, 16000), "x cannot be resampled"),
    "another dictionary": (lambda: made().merge(3), "one of the dictionaries to merge is int, expected a Dictionary"),
}


@pytest.mark.parametrize(("use", "message"), REFUSED.values(), ids=REFUSED)
def test_numbers_beyond_what_is_computed_with_are_refused(use, message):
    """What is out of range, or only in range before it is rounded to single precision, is an error in one line."""
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        use()
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("latency_ms", [float("inf"), np.float16("inf"), np.float64("inf"), HUGE])
def test_a_latency_without_limit_is_that_of_the_window(latency_ms):
    """Any number of milliseconds that is longer than the window changes nothing."""
    assert made().at_latency(latency_ms) == made()


def test_the_largest_gains_and_sounds_give_finite_numbers():
    """Gains at their limits, of the loudest samples that are not silence, do not overflow."""
    x = np.full(500, 9e8, np.float32) * np.sign(noise(500))
    assert np.isfinite(Separator(made(), gains=[[1000, -1000], [1000, 1000]]).process(x)).all()


def test_a_writer_refuses_what_is_not_finite(tmp_path):
    """A block with NaN is an error that names the file, and no file appears."""
    message = r"x.wav: cannot be written \(the signal holds samples that are NaN"
    with pytest.raises(ValueError, match=message), files.AudioWriter([tmp_path / "x.wav"], 8000, 1, "WAV") as writer:
        writer.write(np.full((1, 3, 1), np.nan, np.float32))
    assert not list(tmp_path.iterdir())


STEM = {"name": "a", "path": "x.wav", "start": 0, "gain": 1}
CASE = {"id": "one", "sample_rate": 8000, "channels": 1, "seconds": 0.1, "stems": [STEM, STEM | {"name": "b"}]}


def of_case(folder, **changes):
    """Write a case, with some entries replaced, into a folder, and evaluate it."""
    (folder / "cases.json").write_text(json.dumps({"cases": [CASE | changes]}))
    soundfile.write(folder / "x.wav", noise(1600), 8000)
    return evaluate(folder, made())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stems": [STEM | {"gain": HUGE}]}, "case 1, stem 1: gain is 1000.*, expected a number"),
        ({"stems": [STEM | {"gain": -HUGE}]}, "case 1, stem 1: gain is -1000.*, expected a number"),
        ({"stems": [STEM | {"gain": [-3e38]}]}, r"case 1, stem 1: gain is \[-3e\+38\], expected a number"),
        ({"seconds": 9e6}, r"case 1: the number of values would be 1.44e\+11 \(stems 2 \* seconds 9e\+06"),
        ({"seconds": 2000}, "seconds is 2000, but the longest stem has 0.2 s: make it shorter"),
        ({"channels": 10**6}, "case 1: channels is 1000000, expected 1 to 64"),
        ({"id": "\ud800"}, r"case 1: id is '\\ud800', expected a text"),
        ({"condition": "a\udfff"}, r"case 1: condition is 'a\\udfff', expected a text"),
    ],
)
def test_cases_beyond_all_measure_are_refused(tmp_path, changes, message):
    """Sizes, gains and texts that could not be used are an error before, or right after, the stems are read."""
    with pytest.raises(ValueError, match=message):
        of_case(tmp_path, **changes)


def test_stems_that_are_too_loud_count_as_silence(tmp_path):
    """What is next to the largest number becomes neither infinite nor NaN beside a stem that sounds."""
    soundfile.write(tmp_path / "x.wav", noise(1600), 8000)
    soundfile.write(tmp_path / "loud.wav", np.tile([3e38, -3e38], 800).astype(np.float32), 8000, "FLOAT")
    loud = CASE | {"stems": [STEM, STEM | {"name": "b", "path": "loud.wav"}]}
    mixture, stems, _ = load_case(tmp_path, loud)
    np.testing.assert_array_equal(mixture, stems[0])
    assert not stems[1].any()
    with pytest.raises(ValueError, match="the mixture of the stems is silent"):
        load_case(tmp_path, CASE | {"stems": [loud["stems"][1]]})


def test_a_page_can_be_written_whatever_a_file_is_called():
    """Bytes of a name that are not UTF-8 are replaced, so that the page is not lost after all the work."""
    page = report.render(report.describe("caf\udce9.wav", made()))
    assert "<title>caf?.wav" in page
    page.encode()
