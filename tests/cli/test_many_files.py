"""Many files, pipes, and files that were there before, on the command line."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile
from command_line import assert_refused, run, run_process, save_desk, sound

from rtnmf import Dictionary, separate
from rtnmf.audio import files


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in a folder with a dictionary of voice and fan, and m4a, mp3 and wav files of the same noise."""
    monkeypatch.chdir(tmp_path)
    save_desk(tmp_path)
    sound("a.wav")
    for path in ("b.m4a", "c.mp3"):
        subprocess.run(["ffmpeg", "-loglevel", "error", "-i", "a.wav", path], check=True)
    return tmp_path


def expected(path):
    """Return the stems of a file."""
    return separate(files.read(path)[0], Dictionary.load("desk.safetensors"))


def written(folder):
    """Return the names of all files in a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_many_mixes_have_a_folder_each_wherever_the_dictionary_stands(folder, capsys):
    """Mixes of any format are separated in one call into a folder each, and what becomes of the format is said once."""
    assert run("separate", "b.m4a", "desk.safetensors", "-o", "out", "a.wav", "c.mp3") == 0
    said = capsys.readouterr()
    assert said.out.split() == [f"out/{mix}/{name}.wav" for mix in "bac" for name in ("voice", "fan")]
    assert said.err.splitlines() == [
        f"note: .{ending} files are separated into WAV of 24 bits: choose another with --format flac"
        for ending in ("m4a", "mp3")
    ]
    for path in ("a.wav", "b.m4a", "c.mp3"):
        for name, stem in zip(("voice", "fan"), expected(path), strict=True):
            np.testing.assert_allclose(files.read(f"out/{path[0]}/{name}.wav")[0], stem, atol=4e-5)


def test_a_folder_stands_for_the_audio_files_in_it(folder, capsys):
    """A folder is each file in it, other files are noted; one that fails is named in the end with code 2."""
    assert run("separate", ".", "desk.safetensors", "-o", "out", "--format", "flac", "--subtype", "pcm24") == 0
    assert written(folder / "out") == [f"{mix}/{name}.flac" for mix in "abc" for name in ("fan", "voice")]
    assert soundfile.info("out/a/fan.flac").subtype == "PCM_24"
    assert "left out, as not audio by their endings: desk.safetensors\n" in capsys.readouterr().err
    (folder / "b.m4a").write_text("no sound")
    message = "1 of 3 files could not be separated, the first: b.m4a: not an audio file"
    assert_refused(["separate", ".", "desk.safetensors", "-o", "more"], message, capsys)
    assert {path.split("/")[0] for path in written(folder / "more")} == {"a", "c"}


def test_nothing_is_replaced_unless_asked_for(folder, capsys):
    """Training clips beside a mix, and what was written before, stay as they are; --overwrite replaces."""
    for name in ("voice", "fan"):
        sound(f"{name}.wav", 9000)
    before = {path: (folder / path).read_bytes() for path in written(folder)}
    for number in (2, 3):
        assert run("separate", "a.wav", "desk.safetensors", "-o", ".") == 0
        assert capsys.readouterr().out == f"voice-{number}.wav\nfan-{number}.wav\n"
    for number in ("", "-2"):
        assert run("separate", "a.wav", "desk.safetensors") == 0
        assert capsys.readouterr().out == f"a-stems{number}/voice.wav\na-stems{number}/fan.wav\n"
    assert {path: (folder / path).read_bytes() for path in before} == before
    assert run("separate", "a.wav", "desk.safetensors", "-o", ".", "--overwrite") == 0
    assert soundfile.info("fan.wav").frames == 30_000


def test_dictionaries_and_pages_are_not_replaced(folder, capsys):
    """A dictionary or page of a name that was given is refused before any work; one without gets a number."""
    (folder / "x.html").write_text("mine")
    desk = (folder / "desk.safetensors").read_bytes()
    there = "is there already: choose another name, or pass --overwrite"
    for line in (
        "learn a.wav -o desk.safetensors",
        "learn a.wav -o y.safetensors --report x.html",
        "separate a.wav desk.safetensors -o out --report x.html",
        "report a.wav desk.safetensors -o x.html",
        "evaluate . --report x.html",
    ):
        assert_refused(line.split(), there, capsys)
    assert not (folder / "out").exists()
    assert (folder / "x.html").read_text() == "mine"
    assert (folder / "desk.safetensors").read_bytes() == desk
    (folder / "report.html").write_text("mine")
    assert run("report", "desk.safetensors") == 0
    assert capsys.readouterr().err == "report-2.html\n"
    assert (folder / "report.html").read_text() == "mine"
    line = "learn a.wav -o desk.safetensors --components 2 --iterations 2 --overwrite"
    assert run(*line.split()) == 0
    assert (folder / "desk.safetensors").read_bytes() != desk


def test_gains_do_not_eat_the_dictionary(folder, capsys):
    """What follows the gains and is none is a mix or the dictionary, also where a file has an = in its name."""
    (folder / "a.wav").rename("a=1.wav")
    assert run("separate", "--gain", "voice=0", "fan=-20", "desk.safetensors", "a=1.wav", "-o", "out") == 0
    assert run("separate", "a=1.wav", "--gain", "voice=0", "--gain", "fan=-20", "desk.safetensors", "-o", "out") == 0
    assert capsys.readouterr().out == "out/a=1-remix.wav\nout/a=1-remix-2.wav\n"
    stems = expected("a=1.wav")
    for name in ("a=1-remix", "a=1-remix-2"):
        np.testing.assert_allclose(files.read(f"out/{name}.wav")[0], stems[0] + 0.1 * stems[1], atol=4e-5)


def test_a_pipe_goes_in_and_a_stem_comes_out(folder):
    """`-` is the standard input; --stdout writes one stem to the standard output, and nothing else."""
    line = f"cat b.m4a | {sys.executable} -m rtnmf separate - desk.safetensors --stdout fan"
    ended = subprocess.run(["bash", "-c", line], capture_output=True, check=True)
    (folder / "x.wav").write_bytes(ended.stdout)
    np.testing.assert_allclose(files.read("x.wav")[0], expected("b.m4a")[1], atol=2e-7)
    assert ended.stderr == b""
    assert written(folder) == ["a.wav", "b.m4a", "c.mp3", "desk.safetensors", "x.wav"]
    with open("b.m4a", "rb") as pipe:  # noqa: PTH123 - a file may be the standard input too
        assert run_process("separate", "-", "desk.safetensors", stdin=pipe).returncode == 0
    assert {"stdin-stems/fan.wav", "stdin-stems/voice.wav"} < set(written(folder))


def test_damage_is_a_note_and_refused_where_strict(folder, capsys):
    """A file that is cut off is separated and learned from with a note and code 0; --strict refuses it."""
    whole = (folder / "a.wav").read_bytes()
    (folder / "a.wav").write_bytes(whole[: len(whole) // 2])
    for line in ("separate a.wav desk.safetensors -o out", "learn a.wav -o x.safetensors --components 2"):
        assert_refused([*line.split(), "--strict"], "make a new copy of it, or leave out --strict", capsys)
        assert run(*line.split()) == 0
        assert "note: a.wav: is cut off at 0:00.9, 0.9 s are missing\n" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_bad_requests_are_one_line(capsys):
    """What is missing, or would be ignored, is one line."""
    for line, message in {
        "separate a.wav": "there is no dictionary: add a .safetensors file, or presets such as speech+keyboard",
        "separate desk.safetensors": "there is no recording to separate: add an audio file",
        "separate": "there is no dictionary",
        "separate a.wav desk.safetensors speech+keyboard": "expected one: join them, desk.safetensors+speech+keyboard",
        "separate a.wav no.wav desk.safetensors": "no.wav: no such file",
        "separate a.wav b.m4a desk.safetensors --report x.html": "--report: shows one recording, and several are",
        "separate a.wav b.m4a desk.safetensors --stdout fan": "--stdout writes one stem, and there are 2 recordings",
        "separate a.wav desk.safetensors --stdout fan -o out": "--output: nothing is written but one stem, as WAV",
        "separate a.wav desk.safetensors --stdout x": "there is no source 'x': choose from voice, fan",
        "separate a.wav desk.safetensors --format wma": "--format is 'wma', expected one of wav, flac",
        "separate a.wav desk.safetensors --format mp3 --subtype pcm16": "--subtype is 'pcm16', but mp3 files hold",
        "report desk.safetensors a.wav b.m4a": "3 inputs are too many",
        "live --gain voice=1": "expected one dictionary, such as desk.safetensors or speech+keyboard, got 0",
    }.items():
        assert_refused(line.split(), message, capsys)


def test_pipes_of_the_shell_are_mixtures_too(folder):
    """`<(...)` can be given several times; what comes of them goes into the folder that is worked in."""
    line = f"{sys.executable} -m rtnmf separate <(cat a.wav) desk.safetensors <(cat b.m4a) -o out"
    ended = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert ended.stderr == ""
    for stems, path in zip((ended.stdout.split()[:2], ended.stdout.split()[2:]), ("a.wav", "b.m4a"), strict=True):
        for stem, samples in zip(stems, expected(path), strict=True):
            np.testing.assert_allclose(files.read(stem)[0], samples, atol=4e-5)


def test_an_unreadable_dictionary_is_named_in_its_own_words(folder, capsys):
    """What a dictionary file says of its format is not taken for the option --format."""
    made = Dictionary.load("desk.safetensors")
    made.save("new.safetensors")
    content = (folder / "new.safetensors").read_bytes()
    (folder / "new.safetensors").write_bytes(content.replace(b'"format":"4"', b'"format":"9"'))
    assert_refused(["separate", "a.wav", "new.safetensors"], "'format' is '9'", capsys)
