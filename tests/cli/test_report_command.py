"""`rtnmf report`; what is on a page is tested with `rtnmf.report`."""

import html
import json
import re

import pytest
from command_line import assert_refused, run, save_desk

from rtnmf.audio import files
from rtnmf.cli import report as command
from rtnmf.dictionary import preset_folder

QUICK = ("--components", 2, "--window", 2048, "--iterations", 5, "--seconds", 1)


@pytest.fixture
def folder(tmp_path, speech, monkeypatch):
    """Work in a folder with a clip, the beginning of it, and a dictionary of voice and fan."""
    monkeypatch.chdir(tmp_path)
    files.write("clip.wav", speech[:20000], 16000)
    files.write("short.wav", speech[:10000], 16000)
    save_desk(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("clip.wav", *QUICK), "component-2"),
        (("clip.wav", "desk.safetensors", "--truth", "voice=clip.wav"), "SI-SDR"),
        (("desk.safetensors",), "fan 4"),
    ],
)
def test_pages_of_clips_mixes_and_dictionaries(folder, capsys, arguments, shown):
    """A clip, a mix with a dictionary and a dictionary each have a page, which is named on stderr."""
    assert run("report", *arguments, "-o", "out.html") == 0
    assert capsys.readouterr().err.splitlines()[-1] == "out.html"
    assert shown in (folder / "out.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "is_dictionary"), [("x.safetensors", True), ("speech+keyboard", True), ("no.wav", False), ("clip", False)]
)
def test_a_name_without_an_ending_is_a_preset_unless_it_is_a_file(folder, name, is_dictionary):
    """A single input is a dictionary if it ends in .safetensors, or is neither a file nor has an ending."""
    (folder / "clip").touch()
    assert command._is_dictionary(name) == is_dictionary


def test_only_the_beginning_of_a_long_clip_is_shown(folder):
    """`--seconds` shortens what is shown, and the page says so; a clip that is shorter is shown whole."""
    for seconds, is_cut in ((1, True), (2, False)):
        assert run("report", "clip.wav", *QUICK, "--seconds", seconds, "-o", "out.html", "--overwrite") == 0
        assert ("the first 1\u00a0s" in (folder / "out.html").read_text(encoding="utf-8")) == is_cut


def test_seed_and_axis_change_the_page(folder):
    """`--seed` changes what is learned from a clip, `--axis` how pictures are drawn."""
    clip, dictionary = ("clip.wav", *QUICK), ("desk.safetensors",)
    pages = set()
    for arguments in (clip, clip, (*clip, "--seed", 1), dictionary, (*dictionary, "--axis", "note")):
        assert run("report", *arguments, "-o", "out.html", "--overwrite") == 0
        pages.add(re.sub(r"[\d.]+\ss\b", "", (folder / "out.html").read_text(encoding="utf-8")))  # but for the time
    assert len(pages) == 4


def test_a_page_of_twenty_seconds_is_small(tmp_path):
    """A page of twenty seconds and three components is under 6 MB."""
    clip = preset_folder() / "clips" / "inst_piano.flac"
    line = ["report", clip, "--rate", 22050, "--window", 8192, "--hop", 512, "--iterations", 10, "--seconds", 20]
    assert run(*line, "-o", tmp_path / "page.html") == 0
    assert 500_000 < (tmp_path / "page.html").stat().st_size < 6_000_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.wav", "b", "c"), "3 inputs are too many"),
        (("none",), "'none' is neither a dictionary file nor a preset"),
        (("clip.wav", "speech+keyboard", "--truth", "kazoo=clip.wav"), "'kazoo=clip.wav' is not a true stem"),
        (("clip.wav", "speech+keyboard", "--truth", "speech=short.wav"), "expected a stem of it"),
        (("clip.wav", "--truth", "a=clip.wav"), "--truth: needs a mix and a dictionary"),
        (("clip.wav", "speech+keyboard", "--components", "3"), "--components: nothing is learned with a dictionary"),
        (("clip.wav", "speech+keyboard", "--seed", "3"), "--seed: nothing is learned with a dictionary"),
        (("clip.wav", "speech+keyboard", "--window", "512"), "--window: nothing is learned with a dictionary"),
        (("speech", "--seconds", "3"), "--seconds: there is no recording to learn from or to show"),
        (("clip.wav", "-o", "clip.wav"), "'clip.wav' is not the name of a page"),
        (("clip.wav", "-o", "no/x.html"), "no/x.html: there is no such folder"),
        (("nope.wav",), "nope.wav: no such file"),
        (("clip.wav", "--window", "1001"), "--window is 1001, expected an even number"),
        (("clip.wav", "--window", "64", "--hop", "50"), "change latency or --hop"),
        (("clip.wav", "--hop", "100"), "--hop 100 needs a --window"),
    ],
)
@pytest.mark.usefixtures("folder", "hardly_joined")
def test_bad_requests_are_one_line(tmp_path, capsys, arguments, message):
    """What cannot be shown, or would be ignored, is one line and no page."""
    assert_refused(["report", *arguments], message, capsys)
    assert not (tmp_path / "report.html").exists()


def data(page, name):
    """Return what a page was told of itself."""
    return html.unescape(re.search(rf'data-{name}="([^"]*)"', page.read_text(encoding="utf-8"))[1])


def test_commands_of_a_page_name_the_files_as_they_were_typed(folder):
    """A page knows the recording, where it begins in it, and the dictionary, for the commands that it gives."""
    assert run("report", "clip.wav", "desk.safetensors", "--start", "0:00.5", "-o", "out.html") == 0
    found = [data(folder / "out.html", name) for name in ("recording", "start", "dictionary", "learn")]
    assert found == ["clip.wav", "0.5", "desk.safetensors", "[]"]


def test_the_command_of_a_blind_page_learns_its_dictionary(folder):
    """The command that a blind page gives makes the very dictionary that the page shows."""
    assert run("report", "clip.wav", *QUICK, "--seed", 3, "-o", "blind.html") == 0
    words = json.loads(data(folder / "blind.html", "learn"))
    assert run(*words[1:]) == 0
    assert run("report", data(folder / "blind.html", "dictionary"), "-o", "again.html") == 0
    spectra = [
        re.findall(r'aria-label="spectrum of [^"]*"><path class="area" d="([^"]*)"', (folder / name).read_text("utf-8"))
        for name in ("blind.html", "again.html")
    ]
    assert len(spectra[0]) == 2
    assert spectra[0] == spectra[1]
