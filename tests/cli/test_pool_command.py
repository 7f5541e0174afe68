"""`rtnmf pool`."""

import re

import pytest
from command_line import assert_refused, run, sound

from rtnmf import pool


def test_kinds_are_listed_with_their_sounds(capsys):
    """Each kind is a line with its number of recordings, their seconds and what sounds; the licences are counted."""
    assert run("pool") == 0
    said = capsys.readouterr().out
    assert said.startswith(f"shipped with rtnmf: {len(pool())} recordings, ")
    assert re.search(r"^thunder +3 +16  storm rumble, .*; thunder claps; ", said, re.MULTILINE)
    for kind in {background.kind for background in pool()}:
        assert re.search(rf"^{kind} +\d+ +\d+  \w", said, re.MULTILINE)
    n_mit = sum(background.licence == "MIT" for background in pool())
    assert f"MIT ({n_mit}); of each: rtnmf pool --files" in said


def test_recordings_are_listed_with_their_licences(capsys):
    """With `--files`, each recording is a line with its sound, licence, author and origin."""
    assert run("pool", "--files") == 0
    said = capsys.readouterr().out
    assert re.search(
        r"^water_waterfall_stk.ogg +\d\.\d  waterfall +CC0-1.0 +Leonard Graf; Debian supertux", said, re.MULTILINE
    )
    for background in pool():
        assert re.search(rf"^{background.path.name} .* {re.escape(background.licence)} ", said, re.MULTILINE)


def test_folders_of_ones_own_are_listed_too(tmp_path, capsys):
    """The recordings of a folder are listed after those that ship, subfolders as kinds, without licences."""
    (tmp_path / "fridge").mkdir()
    sound(tmp_path / "fridge" / "hum.wav", 32000)
    sound(tmp_path / "clatter.wav", 16000)
    assert run("pool", tmp_path) == 0
    own = capsys.readouterr().out.split("rtnmf pool --files\n\n")[1]
    assert [line.split() for line in own.splitlines()] == [
        [f"{tmp_path}:", "2", "recordings,", "3", "s"],
        ["kind", "recordings", "s", "sounds"],
        ["clatter", "1", "1", "clatter"],
        ["fridge", "1", "2", "hum"],
    ]


@pytest.mark.parametrize(("name", "message"), [("nothing", "is not a folder"), ("empty", "there are no audio files")])
def test_folders_of_nothing_are_refused(tmp_path, capsys, name, message):
    """A folder that is none, or holds no audio, is one line on stderr."""
    (tmp_path / "empty").mkdir()
    assert_refused(["pool", tmp_path / name], message, capsys)


def test_a_file_that_is_no_audio_is_refused(tmp_path, capsys):
    """A file that only looks like audio by its name is named."""
    (tmp_path / "hum.wav").write_text("no sound")
    assert_refused(["pool", tmp_path], "hum.wav: not an audio file", capsys)
