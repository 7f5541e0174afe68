"""`rtnmf info`."""

import pytest
from command_line import assert_refused, run, save_desk
from conftest import random_dictionary

from rtnmf import STFT


def test_facts_are_shown_one_per_line(tmp_path, capsys):
    """Info shows sources, rate, STFT, latency and updates, and leaves out what the dictionary does not know."""
    assert run("info", save_desk(tmp_path)) == 0
    assert capsys.readouterr() == (
        "sources      voice (4), fan (4) components\n"
        "sample rate  16000 Hz\n"
        "STFT         window 1024, hop 256, 513 bins\n"
        "latency      1024 samples, 64.0 ms\n"
        "separation   5 updates per frame, untrained\n"
        "voices       voice\n",
        "",
    )


def test_a_trained_dictionary_says_for_how_many_updates(tmp_path, capsys):
    """Info says for how many updates a trained dictionary was trained."""
    random_dictionary(STFT(1024, 256), trained=True).save(tmp_path / "d")
    assert run("info", tmp_path / "d") == 0
    assert "separation   5 updates per frame, trained for 5 updates\n" in capsys.readouterr().out


@pytest.mark.usefixtures("hardly_joined")
def test_presets_are_described_together(capsys):
    """Presets joined with + are shown as the dictionary that they make."""
    assert run("info", "speech+hiss") == 0
    said = capsys.readouterr().out
    assert "speech (48), hiss (32) components" in said
    assert "39 sets of voices in 27 languages" in said
    assert "learned from" in said


def test_a_folder_is_not_a_dictionary(tmp_path, capsys):
    """A name that is neither a dictionary file nor a preset is one line on stderr."""
    assert_refused(["info", tmp_path], "is neither a dictionary file nor a preset", capsys)
