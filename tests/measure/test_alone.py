"""How one source is separated where nothing else was taught."""

import json
import math
import shutil

import pytest
from conftest import DEMO

from rtnmf import Dictionary, load_preset
from rtnmf.cli.main import main
from rtnmf.measure.alone import evaluate_alone


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """Return the figures of the voice of the demo, at a low sample rate and hardly learned."""
    (found,) = evaluate_alone(demo(tmp_path_factory.mktemp("alone"), sample_rate=11025), "voice", n_steps=60)
    return found


def demo(folder, **changes):
    """Copy the demo into a folder, change its case, and return its path."""
    shutil.copytree(DEMO, folder / "demo")
    path = folder / "demo" / "cases.json"
    (case,) = json.loads(path.read_text())["cases"]
    path.write_text(json.dumps({"cases": [case | changes]}))
    return path.parent


def test_the_voice_of_the_demo_gains_without_its_keyboard(result):
    """All figures are there, and what is learned from the mixture is a gain."""
    assert (result.source, result.id) == ("voice", "demo")
    assert result.pool > 3
    assert result.live > result.pool - 1
    assert result.later > result.later_pool
    assert result.known > result.pool
    assert math.isfinite(result.first)


@pytest.mark.parametrize(
    ("source", "dictionary", "options", "message"),
    [
        ("drums", None, {}, "no case has a source 'drums'"),
        ("voice", "keyboard", {}, "dictionary has the sources keyboard, expected voice and a rest"),
        ("rest", "rest", {"seed": 1}, "seed: nothing is learned with a dictionary"),
    ],
)
def test_what_cannot_be_measured_is_refused(source, dictionary, options, message):
    """A source that no case has, a dictionary without it, and options that would be ignored are errors at once."""
    with pytest.raises(ValueError, match=message):
        evaluate_alone(DEMO, source, dictionary and load_preset(dictionary), **options)


def test_the_command_prints_a_table_or_json(tmp_path, capsys):
    """`evaluate --only` takes a dictionary, too, and names the figures in both forms."""
    folder = demo(tmp_path, seconds=3, sample_rate=8000)
    rest = load_preset("rest")
    voice = load_preset("speech").at_rate(rest.sample_rate, rest.stft).rename({"speech": "voice"})
    both: Dictionary = voice + rest
    both.save(tmp_path / "both.safetensors")
    words = ["evaluate", str(folder), "--only", "voice", "--dictionary", str(tmp_path / "both.safetensors")]
    assert main([*words, "--json"]) == 0
    (case,) = json.loads(capsys.readouterr().out)["cases"]
    assert case["later"] is case["later_pool"] is None  # too little follows the first seconds
    assert case["pool"] == pytest.approx(case["first"], abs=3)
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "mixture known" in out
    assert f"{case['known']:.1f}" in out
    assert main([*words, "--latency-ms", "3"]) == 2
