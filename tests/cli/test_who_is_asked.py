"""What is said of the experts that are asked about voices."""

import pytest
from command_line import run, save_desk, sound
from conftest import random_dictionary

from rtnmf import STFT
from rtnmf.audio import files
from rtnmf.cli import voices
from rtnmf.experts import rnnoise


def of(*sources):
    """Return a small dictionary of sources."""
    return random_dictionary(STFT(512, 128), sources, 1)


@pytest.mark.parametrize(
    ("sources", "wished", "said"),
    [
        (("voice", "fan"), None, "voice: with the experts voices and rnnoise"),
        (("voice", "fan"), ("rnnoise",), "voice: with the expert rnnoise"),
        (
            ("voice", "speaker 2", "fan"),
            ("rnnoise", "deepfilternet"),
            "voice, speaker 2: with the experts rnnoise and d",
        ),
        (("voice", "fan"), (), ""),
        (("drums", "fan"), None, ""),
        (("voice",), None, ""),
        (
            ("drums", "fan"),
            ("rnnoise",),
            "--expert: no expert is asked, as no voice is among drums, fan: rtnmf learn --voice",
        ),
        (("voice", "speaker"), ("rnnoise",), "--expert: no expert is asked, as all of voice, speaker are voices"),
    ],
)
def test_it_says_who_is_asked_about_whom(sources, wished, said):
    """A line has the voices and the experts, or why a wish is in vain; there is none where there is nothing to ask."""
    found = voices.asked(of(*sources), wished)
    assert found.startswith(said)
    assert bool(found) == bool(said)


def test_it_says_how_to_get_an_expert(monkeypatch):
    """Where one of the usual experts is not installed and others were not named, there is the line to type."""
    monkeypatch.setattr(rnnoise, "_path", lambda: None)
    hint = "voice: with the expert voices; rnnoise would help, too: pip install 'rtnmf[expert]'"
    assert voices.asked(of("voice", "fan"), None) == hint
    assert voices.asked(of("voice", "fan"), ("voices",)) == "voice: with the expert voices"
    assert not voices.asked(of("drums", "fan"), None)


def test_separate_obeys(tmp_path, capsys):
    """With --no-expert stems are those of the dictionary alone; an expert that has nothing to say is a note."""
    mix, desk = sound(tmp_path / "mix.wav", subtype="FLOAT"), save_desk(tmp_path)
    stems = {}
    for flag in ("--no-expert", "--expert=rnnoise"):
        assert run("separate", mix, desk, "-o", tmp_path / flag, flag) == 0
        stems[flag] = files.read(tmp_path / flag / "voice.wav")[0]
    assert abs(stems["--no-expert"] - stems["--expert=rnnoise"]).max() > 1e-3
    random_dictionary(STFT(1024, 256), ("drums", "fan")).save(desk)
    assert capsys.readouterr().err == ""
    assert run("separate", mix, desk, "-o", tmp_path / "out", "--expert", "rnnoise") == 0
    assert capsys.readouterr().err.startswith("note: --expert: no expert is asked")
