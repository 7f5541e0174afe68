"""`rtnmf learn`."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import assert_refused, run, sound
from conftest import DEMO

from rtnmf import STFT, Dictionary, pool

QUICK = ("--components", 2, "--iterations", 2)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in a folder with recordings of a voice and a keyboard."""
    monkeypatch.chdir(tmp_path)
    for name in ("voice", "keyboard"):
        (tmp_path / f"{name}.flac").write_bytes((DEMO / f"{name}-train.flac").read_bytes())
    return tmp_path


def test_sources_are_learned_and_trained(folder, capsys):
    """Named recordings become a trained dictionary, which is described, with the next command to type."""
    line = ("learn", "voice=voice.flac,voice.flac", "keys=keyboard.flac", "-o", "d.safetensors")
    assert run(*line, "--iterations", 3, "--steps", 5) == 0
    assert capsys.readouterr().out == (
        "d.safetensors: voice, keys; 64 components, 44100 Hz, latency 46.4 ms\n"
        "next: rtnmf separate MIX d.safetensors -o out/ or: rtnmf live d.safetensors\n"
    )
    learned = Dictionary.load("d.safetensors")
    assert learned.is_trained
    assert learned.learned_from == ("voice.flac", "voice.flac", "keyboard.flac")


def test_one_recording_is_learned_blind(tmp_path):
    """One recording without a name becomes a dictionary in which each component is a source."""
    clip = sound(tmp_path / "clip=1.wav")
    assert run("learn", clip, "-o", tmp_path / "c.safetensors", "--components", 4, "--rate", 8000) == 0
    learned = Dictionary.load(tmp_path / "c.safetensors")
    assert learned.sources == ("component-1", "component-2", "component-3", "component-4")
    assert (learned.sample_rate, learned.stft) == (8000, STFT(512, 128))


@pytest.mark.parametrize(
    ("latency_ms", "stft"),
    [
        (16, STFT(1024, 64, latency=256)),
        (3, STFT(1024, 12, latency=48)),
        (1000, STFT(1024, 256)),
        ("low", STFT(1024, 16, latency=64)),
    ],
)
def test_latency_is_limited_in_ms(tmp_path, latency_ms, stft):
    """`--latency-ms` keeps the window and shortens the synthesis; `low` is a sixteenth of the window."""
    out = tmp_path / "d.safetensors"
    words = ("learn", f"noise={sound(tmp_path / 'n.wav')}", "-o", out, *QUICK, "--no-rest")
    assert run(*words, "--latency-ms", latency_ms) == 0
    assert Dictionary.load(out).stft == stft


def test_seed_description_and_licence_are_passed_on(tmp_path):
    """The same seed gives the same dictionary, another one another; texts are kept."""
    clip, out = sound(tmp_path / "n.wav"), tmp_path / "d.safetensors"
    learned, texts = [], ("--description", "x", "--licence", "CC0")
    for seed in (1, 1, 2):
        assert run("learn", clip, "-o", out, "--overwrite", *QUICK, "--seed", seed, *texts) == 0
        learned.append(Dictionary.load(out))
    assert learned[0] == learned[1]
    assert not np.array_equal(learned[0].components, learned[2].components)
    assert (learned[0].description, learned[0].licence) == ("x", "CC0")


@pytest.mark.parametrize(("flag", "sources"), [("--rest", {"voice", "rest"}), ("--no-rest", {"voice", "rest"})])
def test_one_source_says_what_comes_next(tmp_path, capsys, monkeypatch, flag, sources):
    """After learning one source, with and without the rest, the next command works as it is printed."""
    out = tmp_path / "d.safetensors"
    steps = ["--steps", 2] if flag == "--rest" else []
    settings = ["--components", 2, "--iterations", 2, *steps]
    assert run("learn", f"voice={sound(tmp_path / 'n.wav')}", "-o", out, flag, *settings) == 0
    line = re.search(r"^next: rtnmf (.*?)( or: .*)?$", capsys.readouterr().out, re.MULTILINE)[1]
    monkeypatch.chdir(tmp_path)
    assert run(*line.replace("MIX", "n.wav").split(), "--rest", "pool") == 0
    assert {path.stem for path in (tmp_path / "out").iterdir()} == sources


def test_the_source_rest_is_not_taken_for_the_flag(tmp_path, capsys):
    """Notes name it as it is, and errors name the flag where that is meant."""
    clip, short = sound(tmp_path / "n.wav"), sound(tmp_path / "short.wav", 2500)
    words = ["learn", f"voice={clip}", "-o", tmp_path / "d.safetensors", "--steps", 2, "--iterations", 2]
    assert run(*words, f"rest={short}") == 0
    assert "note: rest has 13 frames" in capsys.readouterr().err
    assert_refused([*words, "all=rest", "--rest", "--overwrite"], "rtnmf: --rest is given, but 'all'", capsys)


def test_backgrounds_of_ones_own_join_the_pool(tmp_path, capsys):
    """--pool adds a folder; without a rest it is refused."""
    (tmp_path / "own").mkdir()
    sound(tmp_path / "own" / "hum.wav")
    clip = sound(tmp_path / "n.wav")
    out = tmp_path / "d.safetensors"
    words = ("learn", f"voice={clip}", "-o", out, "--pool", tmp_path / "own", "--components", 2, "--iterations", 2)
    assert run(*words, "--steps", 2) == 0
    assert Dictionary.load(out).learned_from[-1] == f"{len(pool()) + 1} backgrounds"
    assert_refused([*words, "--overwrite", "--no-rest"], "--pool: there are no backgrounds to learn", capsys)


def test_a_preset_or_a_dictionary_takes_the_place_of_recordings(tmp_path):
    """NAME=PRESET and NAME=FILE.safetensors are learned with, without any recording of them."""
    out = tmp_path / "d.safetensors"
    clip = sound(tmp_path / "n.wav")
    settings = ("--components", 2, "--iterations", 2, "--steps", 2)
    assert run("learn", f"a={clip}", "typing=keyboard", "-o", out, *settings) == 0
    assert Dictionary.load(out).sources == ("a", "typing")
    again = tmp_path / "e.safetensors"
    Dictionary.load(out).select("typing").save(tmp_path / "k.safetensors")
    assert run("learn", f"b={clip}", f"k={tmp_path / 'k.safetensors'}", "-o", again, *settings) == 0
    assert Dictionary.load(again).sources == ("b", "k")


def test_bad_requests_are_one_line(tmp_path, capsys, monkeypatch):
    """What cannot be learned is one line that names a file, a source or a flag, and no dictionary is written."""
    monkeypatch.chdir(tmp_path)
    sound("mix.wav")
    soundfile.write("silent.wav", np.zeros(5000), 8000)
    soundfile.write("short.wav", np.ones(1), 8000)
    Path("text.wav").write_text("no sound")
    trained = "but the training needs two sources to tell apart: leave it out, or give another"
    requests = {
        "voice fan=x.wav": "'voice' names no source",
        "voice=mix.wav voice=mix.wav": "source 'voice' is named twice",
        "voice=silent.wav": "silent.wav is silent: record it again",
        "voice=short.wav": "short.wav has 1 sample, expected at least 512",
        "voice=text.wav": "text.wav: not an audio file",
        "voice=mix.wav --latency-ms 0.1": "--latency-ms is 0.1, expected at least two samples, 0.125 ms",
        "voice=mix.wav --window 4095": "--window is 4095, expected an even number",
        "voice=mix.wav --window 2048 --latency-ms 3": "the latency is that of the window, leave",
        "mix.wav --voice a": "learned blind have no names yet",
        "voice=mix.wav --voice rest": "rest is given as a voice, but stands for all that was not taught",
        "voice=mix.wav --voice cat": "there is no source 'cat': choose from voice, rest",
        "voice=mix.wav --no-rest --steps 5": f"--steps is 5, {trained}",
        "mix.wav --steps 5": f"--steps is 5, {trained}",
        "a=mic b=mic:3": "write mic:10 for ten seconds",
        "a=mix.wav --input USB": "--input: no recording is mic:SECONDS, leave it out",
        "mix.wav --channels 2": "--channels: no recording is mic:SECONDS, leave it out",
    }
    for line, message in requests.items():
        assert_refused(["learn", *line.split(), "-o", "o.safetensors"], message, capsys)
    outputs = {
        "no/d.safetensors": "no/d.safetensors: there is no such folder",
        "mix.wav": "--output is 'mix.wav', expected a name that ends in .safetensors",
    }
    for output, message in outputs.items():
        assert_refused(["learn", "voice=mix.wav", "-o", output], message, capsys)
    assert_refused(["learn", "mix.wav", "-o", "o.safetensors", "--report", "x.txt"], "not the name of a page", capsys)
    assert not list(tmp_path.glob("*.safetensors"))


def test_report_shows_what_was_learned_and_the_clip(tmp_path, capsys):
    """`--report` writes a page: of the clip too where one was learned blind, of the dictionary alone otherwise."""
    clip, out, page = sound(tmp_path / "n.wav"), tmp_path / "d.safetensors", tmp_path / "d.html"
    for words, is_shown in (([clip], True), ([f"noise={clip}", "--no-rest"], False)):
        assert run("learn", *words, "-o", out, *QUICK, "--report", page, "--overwrite") == 0
        assert capsys.readouterr().err == f"{page}\n"
        assert ("that nobody taught" in page.read_text(encoding="utf-8")) == is_shown


def test_the_learning_script_learns(tmp_path, monkeypatch, capsys):
    """`scripts/learn.py`, the commented example in Python, learns a dictionary of the files that it is given."""
    clips = [sound(tmp_path / f"{name}.wav") for name in ("voice", "fan")]
    output = tmp_path / "d.safetensors"
    monkeypatch.setattr("rtnmf.learning.learn.N_STEPS", 5)
    monkeypatch.setattr("sys.argv", ["learn.py", *map(str, clips), str(output)])
    runpy.run_path(str(Path(__file__).parent.parent.parent / "scripts" / "learn.py"))
    assert capsys.readouterr().out == f"{output}: voice, fan, 64 components\n"
    learned = Dictionary.load(output)
    assert learned.sources == ("voice", "fan")
    assert learned.is_trained


def test_another_window_is_learned_with(folder):
    """`--window` sets the window, a hop of a quarter of it, and the latency, which is that of the window."""
    assert run("learn", "voice=voice.flac", "-o", "d.safetensors", "--no-rest", *QUICK, "--window", 4096) == 0
    assert Dictionary.load("d.safetensors").stft == STFT(4096, 1024)


def test_a_source_is_said_to_be_a_voice(folder):
    """`--voice` names the sources that are people who speak, where their names do not."""
    words = ("learn", "me=voice.flac", "keys=keyboard.flac", "-o", "d.safetensors", "--steps", 0, *QUICK)
    assert run(*words, "--voice", "me") == 0
    assert Dictionary.load("d.safetensors").voices == ("me",)
