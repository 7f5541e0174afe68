"""Stretches and sums on the command line: the words for them, what is learned, and what a page begins with."""

import re

import numpy as np
import pytest
from command_line import assert_refused, run, save_desk

from rtnmf import Clip, Dictionary, Together, learn
from rtnmf.audio import files
from rtnmf.cli import pages, spelling

QUICK = ("--components", 2, "--iterations", 2, "--steps", 2)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in a folder with 6 s of noise in two files."""
    monkeypatch.chdir(tmp_path)
    for i, name in enumerate(("a.wav", "b.wav")):
        x = np.random.default_rng(i).uniform(-0.4, 0.4, (96_000, 1)).astype(np.float32)
        files.write(name, x, 16000, "FLOAT")
    save_desk(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("word", "stretches"),
    [
        ("x.m4a@12.5-15.5", ((12.5, 15.5),)),
        ("x.m4a@12.5-15.5@20-25", ((12.5, 15.5), (20, 25))),
        ("x.m4a@1:02.5-1:05", ((62.5, 65),)),
        ("x.m4a@59:59-1:00:01.25", ((3599, 3601.25),)),
        ("x.m4a@12.5-", ((12.5, None),)),
        ("x.m4a@-0:03", ((0, 3),)),
    ],
)
def test_stretches_are_seconds_or_minutes_with_open_ends(word, stretches):
    """FILE@START-STOP is a stretch, several are one recording, and a time left out is the start or the end."""
    assert spelling.recording(word) == Clip("x.m4a", *stretches)


def test_files_whose_names_look_like_stretches_and_sums_win(folder):
    """A file of the very name comes first: whole, before stretches, and as a part of a sum."""
    for name in ("take@1-2", "a&b.wav", "me@home.wav"):
        (folder / name).touch()
    for name in ("take@1-2", "a&b.wav", "me@home.wav", "gone@home.wav"):
        assert spelling.recording(name) == name
    assert spelling.recording("take@1-2@3-4") == Clip("take@1-2", (3, 4))
    assert spelling.recording("me@home.wav@3-4") == Clip("me@home.wav", (3, 4))
    assert spelling.recording("a&b.wav&me@home.wav").recordings == ("a&b.wav", "me@home.wav")


def test_commas_and_signs_of_sums_divide_recordings():
    """Commas divide recordings, & the parts of one, and each part may have stretches."""
    words = ["voice=x.wav@1-2@3-4,y.wav,mic:10", "rest=p.wav&q.wav@5-"]
    found = spelling.recordings(words)
    assert found["voice"] == [Clip("x.wav", (1, 2), (3, 4)), "y.wav", "mic:10"]
    assert found["rest"][0].recordings == ("p.wav", Clip("q.wav", (5, None)))
    assert spelling.recordings(["x.wav@1-2"]) == Clip("x.wav", (1, 2))


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("a.wav@5-3", "a.wav: a stretch from 5 s stops at 3 s, expected a later time"),
        ("a.wav@12.5", "'a.wav@12.5': '12.5' is no stretch: write FILE@12.5-15.5"),
        ("a.wav@-", "'a.wav@-': '-' is no stretch"),
        ("a.wav@1-2@", "'a.wav@1-2@': '' is no stretch"),
        ("a.wav@1-2,3-4", "3-4: no such file"),
        ("a.wav@1-2@1:5x-", "'1:5x-' is no stretch"),
        ("a.wav&", "there is no file on one side of a &"),
        ("a.wav&mic:3", "mic:3 cannot sound together with other sounds: record it first"),
        ("a.wav@2-6.5", "a.wav: is 6.00 s long and was asked for a stretch from 2 s to 6.5 s: choose one within it"),
        ("a.wav&b.wav@9-", "b.wav: is 6.00 s long and was asked for a stretch from 9 s to its end"),
        ("a.wav&none.wav", "none.wav: no such file"),
    ],
)
def test_bad_stretches_and_sums_are_one_line(folder, capsys, word, message):
    """What is no stretch, or beyond the end of a file, is refused in one line before anything is learned."""
    assert_refused(["learn", f"voice={word}", "fan=b.wav", "-o", "new.safetensors"], message, capsys)
    assert not (folder / "new.safetensors").exists()


def test_a_dictionary_is_learned_from_stretches_and_sums(folder, capsys):
    """What is learned is what the same values in Python give, and the dictionary tells what it was learned from."""
    line = ("learn", "voice=a.wav@1-2.5@4-", "rest=a.wav&b.wav@0:03-", "-o", "new.safetensors", *QUICK)
    assert run(*line) == 0, capsys.readouterr().err
    given = {"voice": Clip("a.wav", (1, 2.5), (4, None)), "rest": Together("a.wav", Clip("b.wav", (3, None)))}
    learned = Dictionary.load("new.safetensors")
    assert learned.learned_from == ("a.wav@1-2.5@4-", "a.wav&b.wav@3-")
    expected = learn(given, n_components=2, n_iter=2, n_steps=2)
    np.testing.assert_array_equal(learned.mask_components, expected.mask_components)


def test_a_stretch_that_was_learned_blind_is_what_its_page_shows(folder):
    """The page of a blind dictionary shows the samples of the stretch or of the sum that it was learned from."""
    a, b = (files.read(name)[0] for name in ("a.wav", "b.wav"))
    x, facts = pages.shown(Clip("a.wav", (1, 2), (4, 5)), 16000)
    np.testing.assert_array_equal(x, np.concatenate([a[16_000:32_000], a[64_000:80_000]]))
    assert facts == {}
    x, facts = pages.shown(Together("a.wav", "b.wav"), 16000, 2)
    np.testing.assert_array_equal(x, (a + b)[:32_000])
    assert facts == {"Shown": "the first 2 s"}
    assert run("learn", "a.wav@1-2", "-o", "c.safetensors", *QUICK[:4], "--report", "c.html") == 0
    assert "the clip" in (folder / "c.html").read_text(encoding="utf-8")


def test_a_report_begins_where_it_is_asked_to(folder):
    """`--start` moves the beginning of what is shown, and the page says so; the truth begins there too."""
    a, _ = files.read("a.wav")
    x, facts = pages.shown("a.wav", 16000, 2, 1.25)
    np.testing.assert_array_equal(x, a[20_000:52_000])
    assert facts == {"Shown": "2 s from 1.25 s on"}
    assert pages.shown("a.wav", 16000, 30, 4)[1] == {"Shown": "2 s from 4 s on"}
    line = ("report", "a.wav", "desk.safetensors", "--truth", "voice=a.wav", "--seconds", 1, "-o")
    said = []
    for i, start in enumerate(((), ("--start", "0:02"))):
        assert run(*line, f"{i}.html", *start) == 0
        said.append(re.findall(r"1\ss from 2\ss on", (folder / f"{i}.html").read_text(encoding="utf-8")))
    assert [bool(found) for found in said] == [False, True]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("a.wav", "--start", "7"), "a.wav: is 6.00 s long and was asked for a stretch from 7 s to its end"),
        (("a.wav", "desk.safetensors", "--start", "7"), "a.wav: ends before --start, 7 s"),
        (("desk.safetensors", "--start", "1"), "--start: there is no recording to learn from or to show, leave it out"),
    ],
)
def test_a_start_where_nothing_is_heard_is_refused(folder, capsys, words, message):
    """A start behind the end, or without a recording, is refused in one line."""
    assert_refused(["report", *words, "-o", "x.html"], message, capsys)
    assert not (folder / "x.html").exists()


def test_a_start_that_is_no_time_is_refused(capsys):
    """`--start` is a time in seconds, or in minutes and seconds."""
    for word in ("soon", "1:2:3:4", "-"):
        with pytest.raises(SystemExit):
            run("report", "a.wav", f"--start={word}")
        assert "is not a time, expected seconds such as 62.5, or 1:02.5" in capsys.readouterr().err
