"""Sounds taught on the command line of `rtnmf live`, on a real audio server."""

import json
import re
import signal
import subprocess
import time

import numpy as np
import pytest
from bands import mixture
from command_line import assert_refused, run, save_desk
from jack_desk import peer  # noqa: F401
from sounding import eventually, recorded_samples, sounding_processes, speech_at, training_processes
from test_live_command import RTNMF

from rtnmf import Dictionary, load_preset, presets
from rtnmf.audio import files
from rtnmf.cli import microphone_takes, teaching
from rtnmf.dictionary import merged
from rtnmf.learning import joining
from rtnmf.learning.joining import joined

pytestmark = pytest.mark.timeout(120)
PEER = ("--input", "peer", "--output", "peer")


@pytest.fixture(autouse=True)
def _in_a_cache_of_its_own(tmp_path, monkeypatch):
    """Keep what is trained to this test, and see that no process outlives it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield
    assert not training_processes()
    assert not sounding_processes()


@pytest.fixture
def at_once(monkeypatch):
    """Record without a countdown."""
    monkeypatch.setattr(microphone_takes, "_COUNTDOWN_S", 0)


def uses(folder):
    """Return the dictionaries that separated, in their order."""
    return [Dictionary.load(folder / use["file"]) for use in json.loads((folder / "dictionaries.json").read_text())]


def started(*words):
    """Start the command."""
    line = [*RTNMF, "live", *words, *PEER]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)


def read_until(command, word):
    """Return what a command prints until a word comes up."""
    said = ""
    while word not in said.rpartition("\n")[0]:
        said += (line := command.stdout.readline())
        assert line, said + command.stderr.read()
    return said


def test_a_take_is_taught_and_sounds_plain_then_trained(peer, tmp_path):  # noqa: F811
    """After the take its plain dictionary takes over, then the trained one; what was taught is what is heard."""
    peer.play(speech_at(48000, 90))
    command = started("speaker=mic:2", "--freeze", "--record", "take")
    said = read_until(command, "\ntrained")
    eventually(lambda: len(uses(tmp_path / "take")) == 3)
    before = recorded_samples(tmp_path / "take")
    eventually(lambda: recorded_samples(tmp_path / "take") > before + 2 * 48000)
    command.send_signal(signal.SIGINT)
    assert command.communicate(timeout=40)[1] == ""
    countdown = "".join(f"speaker: 2 s from 'peer' in {left} ...\n" for left in (3, 2, 1))
    assert said.startswith(f"{countdown}speaker: recording\n")
    assert re.search(r"live-speaker.wav\n(.*\n)*you hear: speaker; muted: rest", said)
    assert re.search(r"lost \d+ .*training \d+ %   rest: heard 0 s, frozen\n(.*\n)*trained\n", said)
    stand_in, plain, trained = uses(tmp_path / "take")
    assert [stand_in.is_trained, plain.is_trained, trained.is_trained] == [False, False, True]
    assert [(d.sources, d.rest) for d in (plain, trained)] == [(("speaker", "rest"), "rest")] * 2
    np.testing.assert_array_equal(plain.components, trained.components)
    assert plain.learned_from[0] == "live-speaker.wav"
    assert plain.licence == load_preset("rest").licence
    x, speaker, rest = (files.read(tmp_path / "take" / f"{name}.wav")[0] for name in ("input", "speaker", "rest"))
    np.testing.assert_allclose(speaker + rest, x, atol=1e-6)
    end = slice(-2 * 48000, None)
    assert 0.01 < np.mean(rest[end] ** 2) / np.mean(x[end] ** 2) < 0.9


@pytest.mark.usefixtures("at_once")
@pytest.mark.long
def test_nothing_is_heard_before_all_is_taught(peer, tmp_path, capfd):  # noqa: F811
    """During the takes nothing goes out, whatever is to be heard; then it does."""
    line = ["a=mic:1.5", "b=mic:1.5", "--no-rest", "--outputs", "mono-stems", *PEER, "--for", 2, "--record", "take"]
    assert run("live", *line) == 0
    assert "you hear: a, b\n" in capfd.readouterr().out
    heard = np.abs(peer.so_far()[0]) > 0
    began = int(np.argmax(heard))
    assert heard.any()
    samples = [use["sample"] for use in json.loads((tmp_path / "take" / "dictionaries.json").read_text())]
    assert samples[1] > 3 * 48000
    assert began > 3 * 48000
    assert "rest" not in uses(tmp_path / "take")[-1].sources


@pytest.mark.usefixtures("at_once")
@pytest.mark.long
def test_files_presets_and_takes_are_taught_together(peer, tmp_path, capfd):  # noqa: F811
    """A source may have files and takes, and another be a preset; each word of the line may stand anywhere."""
    files.write("me.wav", mixture(2), 48000)
    line = ["live", "voice=me.wav,mic:1", *PEER, "--for", 1, "--record", "take", "typing=keyboard", "--rest"]
    assert run(*line) == 0
    assert "you hear: voice; muted: typing, rest" in capfd.readouterr().out
    plain = uses(tmp_path / "take")[1]
    assert (plain.sources, plain.rest) == (("voice", "typing", "rest"), "rest")
    assert plain.learned_from[:2] == ("me.wav", "live-voice.wav")


def test_what_was_trained_before_sounds_at_once(peer, tmp_path, monkeypatch, capfd):  # noqa: F811
    """Files that were taught before, and presets that were joined before, need no training the second time."""
    monkeypatch.setattr(joining, "N_STEPS", 5)
    files.write("me.wav", mixture(2), 48000)
    joined(teaching.prepared(["voice=me.wav"], rest=None, sample_rate=None).dictionary)
    joined(merged("tabla+hiss"))
    for words in ("voice=me.wav", "tabla+hiss"):
        assert run("live", words, *PEER, "--for", 0.5, "--record", f"{words}-take") == 0
        assert "train" not in capfd.readouterr().out
        (only,) = uses(tmp_path / f"{words}-take")
        assert only.is_trained


@pytest.mark.parametrize("waits_for", ["in 2 ...", "training"])
def test_ctrl_c_ends_takes_and_training(peer, tmp_path, waits_for):  # noqa: F811
    """Ctrl-C ends a take, with no half file, and the training, quickly and with no process left."""
    words = ["voice=mic:5"] if waits_for == "in 2 ..." else ["+".join(presets()[:10])]
    command = started(*words)
    read_until(command, waits_for)
    command.send_signal(signal.SIGINT)
    began = time.monotonic()
    _, err = command.communicate(timeout=40)
    assert time.monotonic() - began < 10
    assert (command.returncode, err) == ((130, "rtnmf: stopped\n") if waits_for == "in 2 ..." else (0, err))
    eventually(lambda: not training_processes())
    assert not list(tmp_path.glob("live-*"))


@pytest.mark.usefixtures("at_once")
def test_silence_teaches_nothing(peer, tmp_path, capfd):  # noqa: F811
    """A take of nothing but silence is refused, and leaves no file."""
    peer.play(np.zeros(1))
    assert_refused(["live", "voice=mic:0.5", *PEER], "gave nothing but silence: is it muted", capfd)
    assert not list(tmp_path.glob("live-*"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("voice=mic", "write mic:10 for ten seconds"),
        ("voice=mic:1 keyboard=keybord", "keyboard=keybord: it is neither a file nor a preset: the presets are"),
        ("voice=mic:1 fan=fan.wav", "fan.wav: no such file"),
        ("voice=mic:1 voice=mic:1", "source 'voice' is named twice"),
        ("voice=mic:1 desk.safetensors", "'desk.safetensors' names no source"),
        ("voice=mic:1 --no-rest", "voice is the only source: add what it is to be separated from"),
        ("voice=desk.safetensors fan=mic:1", "'voice' is given as a dictionary of voice, fan"),
        ("rest=mic:1", "rest is the only source"),
        ("rest=mic:1 voice=mic:1 --rest", "--rest: there is a source rest already"),
        ("a=rest voice=mic:1 --rest", "'a' and 'rest' are each given as what stands for all"),
        ("voice=mic:1 --latency-ms 0.1", "--latency-ms is 0.1, expected"),
        ("voice=mic:1 --solo fan", "'fan'"),
        ("voice=mic:1 --input nothing", "no input device is called 'nothing'"),
        ("voice=mic:1 --record desk.safetensors/take", "desk.safetensors"),
        ("voice=mic:1 --save-rest nowhere/x.safetensors", "there is no such folder"),
        ("desk.safetensors --rest", "--rest: a dictionary has the sources that it has, leave it out"),
        ("desk.safetensors --no-rest", "a dictionary has the sources that it has, leave it out"),
    ],
)
def test_what_cannot_be_taught_is_refused_before_a_take(peer, tmp_path, capfd, line, message):  # noqa: F811
    """A wish that cannot be met is one line on stderr, and no countdown has begun."""
    words = line if "--input" in line else f"{line} --input peer --output peer"
    assert run("live", *words.split()) == 2
    said = capfd.readouterr()
    assert message in said.err
    assert said.out == ""
    assert not list(tmp_path.glob("live-*"))


def test_where_the_folder_is_read_only_takes_are_kept_elsewhere(monkeypatch, tmp_path):
    """Takes go to a temporary folder where the current one cannot be written to."""
    kept = []
    monkeypatch.setattr(teaching.os, "access", lambda *_: False)
    monkeypatch.setattr(microphone_takes, "recorded", lambda recordings, beside, _: kept.append(beside) or recordings)
    save_desk(tmp_path)
    lesson = teaching.prepared(["a=keyboard", "b=rest"], rest=None, sample_rate=None)
    assert lesson.given(None) == lesson.dictionary
    assert kept[0].parent.is_dir()
    kept[0].parent.rmdir()
