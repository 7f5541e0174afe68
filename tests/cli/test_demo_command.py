"""`rtnmf demo`."""

import re

import numpy as np
from command_line import assert_refused, run, sound

from rtnmf import Dictionary
from rtnmf.audio import files


def test_demo_learns_streams_and_measures(tmp_path, monkeypatch, capsys):
    """The demo writes mixture, stems that sum to it and the dictionary, replaces nothing, and prints its figures."""
    monkeypatch.setattr("rtnmf.learning.learn.N_STEPS", 20)  # of which the demo has more, that take longer
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "voice.wav").write_text("mine")
    folder = tmp_path / "demo-2"
    assert run("demo", tmp_path / "demo", "--block", 441) == 0
    out = capsys.readouterr().out
    assert "latency      2048 samples" in out
    assert "through it: 2048;" in out
    assert "441 samples at a time" in out
    gains = re.findall(r"SI-SDR +\w+: (-?[\d.]+) dB in the mixture, (-?[\d.]+) dB in its stem", out)
    assert all(float(after) > float(before) + 5 for before, after in gains)
    assert len(gains) == 2
    for name in ("mixture.wav", "voice.wav", "keyboard.wav", "demo.safetensors"):
        assert f"written      {folder}/{name}" in out
    stems = [files.read(folder / f"{name}.wav")[0] for name in ("voice", "keyboard", "mixture")]
    np.testing.assert_allclose(stems[0] + stems[1], stems[2], atol=1e-4)
    assert Dictionary.load(folder / "demo.safetensors").is_trained


def test_a_folder_that_cannot_be_made_is_refused_first(tmp_path, capsys):
    """A folder that cannot be made is refused before anything is learned."""
    assert_refused(["demo", sound(tmp_path / "mix.wav") / "x"], "x: cannot make this folder", capsys)
