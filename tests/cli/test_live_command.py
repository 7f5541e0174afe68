"""`rtnmf live`, on a real audio server."""

import argparse
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from bands import mixture, voice_and_rest
from command_line import assert_refused, run, save_desk
from jack_desk import peer  # noqa: F401
from sounding import eventually, recorded_samples

from rtnmf import Dictionary
from rtnmf.audio import files
from rtnmf.cli import live as command

pytestmark = pytest.mark.timeout(120)

RTNMF = [sys.executable, "-m", "rtnmf"]
LIVE = ("live", "desk.safetensors", "--input", "peer", "--output", "peer")


def started(*arguments):
    """Start the command, and return it when it sounds."""
    command = subprocess.Popen([*RTNMF, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while "latency:" not in (line := command.stdout.readline()):
        assert line, command.stderr.read()
    return command


def recorded(folder):
    """Return the recordings of the input and of the stems."""
    return [files.read(folder / f"{name}.wav")[0] for name in ("input", "voice", "fan")]


def test_it_says_what_is_heard_and_ends_by_itself(peer, capfd):  # noqa: F811
    """What is heard, levels, meters and in the end the recordings are lines of text."""
    ended = run(*LIVE, "--for", 2.5, "--record", "take")
    said = capfd.readouterr()
    assert (ended, said.err) == (0, "")
    assert "peer to peer, 48000 Hz\noutput channels: mix 1-2\nyou hear: voice; muted: fan" in said.out
    assert said.out.startswith("voice: with the experts voices and rnnoise\npeer to peer")
    assert "latency: 21.3 ms = 1024 samples" in said.out
    assert re.search(r"\d s  voice -\d+ dB  fan -\d+ dB  in -\d+ dB  out -\d+ dB  load \d+ %", said.out)
    assert re.search(r"sounded for 2\.\d s; latency .*algorithm 21\.3\)", said.out)
    assert re.search(r"\nload \d+ %, late \d+, lost \d+", said.out)
    assert said.out.endswith("take/input.wav\ntake/voice.wav\ntake/fan.wav\n")


def test_mono_stems_and_devices_by_number(peer, tmp_path, capfd):  # noqa: F811
    """Devices may be given by their numbers in `rtnmf devices`, and each stem goes to a channel of its own."""
    assert run("devices") == 0
    number = re.search(r"^ *(\d+) +peer ", capfd.readouterr().out, re.MULTILINE)[1]
    save_desk(tmp_path, 44100)
    options = ("--outputs", "mono-stems", "--latency-ms", 3, "--for", 0.5)
    assert run("live", "desk.safetensors", "--input", number, "--output", number, *options) == 0
    said = capfd.readouterr()
    assert (
        "voice: with the expert voices\npeer to peer, 48000 Hz\noutput channels: voice 1, fan 2\nyou hear: voice, fan\n"
        in said.out
    )
    assert "note: desk.safetensors was learned at 44100 Hz and is converted to 48000 Hz\n" in said.err
    assert "note: desk.safetensors was learned for 23 ms and is used at 3.0 ms: that costs about 1.1 dB" in said.err


def test_the_rest_that_was_learned_is_kept(peer, capfd):  # noqa: F811
    """With --save-rest the dictionary is written in the end; where nothing was learned, a note says that it is not."""
    voice_and_rest().save("me.safetensors")
    peer.play(np.tile(mixture(20), 3))
    live = ("live", "me.safetensors", "--input", "peer", "--output", "peer", "--save-rest", "here.safetensors")
    assert run(*live, "--freeze", "--for", 1) == 0
    said = capfd.readouterr()
    assert "rest: heard 0 s, frozen" in said.out
    assert "note: here.safetensors was not written, as nothing was learned of the rest\n" in said.err
    command = started(*live)
    while "rest: learned from" not in (line := command.stdout.readline()):
        assert line, command.stderr.read()
    command.send_signal(signal.SIGINT)
    out, err = command.communicate(timeout=40)
    assert command.returncode == 0, err
    assert re.search(r"here.safetensors: the rest was learned from \d s, \d round", out)
    assert Dictionary.load("here.safetensors").n_components > voice_and_rest().n_components


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_ends_with_the_recordings_closed(peer, tmp_path, number):  # noqa: F811
    """Ctrl-C, kill and a closed terminal end it, with recordings of all that was heard."""
    command = started(*LIVE, "--record", "take")
    eventually(lambda: recorded_samples(tmp_path / "take") > 24_000)
    command.send_signal(number)
    out, err = command.communicate(timeout=40)
    assert (command.returncode, err) == (0, "")
    assert out.endswith("take/input.wav\ntake/voice.wav\ntake/fan.wav\n")
    x, voice, fan = recorded(tmp_path / "take")
    assert len(x) == len(voice) == len(fan) > 24_000
    np.testing.assert_allclose(voice + fan, x, atol=1e-6)


def test_second_ctrl_c_costs_no_recording(peer, tmp_path):  # noqa: F811
    """A second Ctrl-C, while the first is being obeyed, costs nothing of the recordings, the flushed end included."""
    command = started(*LIVE, "--record", "take")
    eventually(lambda: recorded_samples(tmp_path / "take") > 12_000)
    for _ in range(3):
        command.send_signal(signal.SIGINT)
        time.sleep(0.02)
    command.communicate(timeout=40)
    x, voice, fan = recorded(tmp_path / "take")
    np.testing.assert_allclose(voice + fan, x, atol=1e-6)


def test_a_closed_terminal_ends_it(peer, tmp_path):  # noqa: F811
    """A terminal has keys and meters, and closing it ends the command with whole recordings."""
    arguments = [*RTNMF, *LIVE, "--record", "take"]
    number, terminal_end = pty.fork()
    if number == 0:
        os.environ["TERM"] = "xterm"
        os.execv(arguments[0], arguments)  # noqa: S606  # in a terminal of its own
    seen = read_until(terminal_end, "quit")
    os.write(terminal_end, b"2")
    os.write(terminal_end, b"s")
    seen += read_until(terminal_end, "solo", count=3)
    os.write(terminal_end, b"?")
    seen += read_until(terminal_end, "take the CLIP signs away")
    os.write(terminal_end, b"d")
    seen += read_until(terminal_end, "listens for voice (4 components), fan (4 components)")
    assert "█" in seen
    assert "● REC 00:0" in seen
    os.close(terminal_end)
    _, status = os.waitpid(number, 0)
    assert os.waitstatus_to_exitcode(status) in (0, 2)
    assert len({len(x) for x in recorded(tmp_path / "take")}) == 1


def read_until(terminal_end, word, count=1, seconds=40):
    """Return what a terminal shows until a word has come up often enough."""
    seen, end = "", time.monotonic() + seconds
    while seen.count(word) < count:
        assert time.monotonic() < end, seen
        if select.select([terminal_end], [], [], 0.2)[0]:
            seen += os.read(terminal_end, 65536).decode(errors="replace")
    return seen


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("live speech", "speech has one source only"),
        ("live desk.safetensors --solo drum", "'drum'"),
        ("live desk.safetensors --gain drum=0", "names no source"),
        ("live desk.safetensors --input nothing", "no input device is called 'nothing': choose one of: "),
        ("live desk.safetensors --rate 44100", "it prefers 48000 Hz: leave --rate out, or pass --resample to convert"),
        (
            "live desk.safetensors --input peer --channels 2",
            "2 were asked for: pass --channels 1, or",
        ),
        ("live desk.safetensors --latency-ms 0.1", "--latency-ms is 0.1, expected"),
        ("live desk.safetensors --block 100000", "--block is 100000, expected"),
        (
            "live desk.safetensors --save-rest x.wav",
            "--save-rest is 'x.wav', expected a name that ends in .safetensors",
        ),
        (
            "live desk.safetensors --save-rest x.safetensors",
            "--save-rest: desk.safetensors has no rest that is learned",
        ),
        ("live desk.safetensors --overwrite", "--overwrite: there is no --save-rest, leave it out"),
        ("live desk.safetensors --freeze", "--freeze changes nothing, as voice, fan have no rest that is learned"),
        ("live desk.safetensors --outputs mono-stems --channels 2", "outputs is 'mono-stems' with --channels 2"),
    ],
)
def test_what_cannot_be_done_is_one_line(peer, capfd, line, message):  # noqa: F811
    """What cannot be done is one line on stderr that names a device, a source or a flag, and exit code 2."""
    assert_refused(line.split(), message, capfd)


@pytest.mark.parametrize(
    ("faults", "notes"),
    [
        ({}, []),
        ({"n_errors": 2, "error": "division by zero"}, ["2 blocks failed, the first with: division by zero"]),
        ({"n_lost": 3}, ["3 blocks were lost: larger blocks (--block)"]),
        ({"n_lost": 3, "n_restarts": 1}, []),
        ({"n_unrecorded": 5}, ["5 samples came too fast to be recorded"]),
    ],
)
def test_what_went_wrong_is_noted_in_the_end(faults, notes):
    """Blocks that failed or were lost, and samples not recorded, each have a note; a restart explains lost ones."""
    counts = {"n_errors": 0, "n_lost": 0, "n_restarts": 0, "n_unrecorded": 0, "error": ""}
    live = SimpleNamespace(stats=SimpleNamespace(**counts | faults))
    said = command._notes_on_faults(live)
    assert len(said) == len(notes)
    assert all(note in text for note, text in zip(notes, said, strict=True))


@pytest.mark.parametrize(
    ("words", "heard"),
    [
        ("--gain voice=-6 desk.safetensors", ("voice", "fan")),
        ("--solo fan desk.safetensors", ("fan",)),
        ("desk.safetensors --solo voice fan", ("voice", "fan")),
    ],
)
def test_gains_and_sources_to_hear_do_not_eat_the_dictionary(words, heard):
    """The dictionary is found behind gains and names of sources."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    options = parser.parse_args(words.split())
    assert command._words(options) == ["desk.safetensors"]
    assert command._mixer(options, ("voice", "fan")).heard == heard


@pytest.mark.parametrize(
    ("facts", "is_noted"),
    [
        ({"host": "ALSA", "input": "Built-in", "output": "Built-in"}, True),
        ({"host": "ALSA", "input": "USB", "output": "default"}, True),
        ({"host": "ALSA", "input": "USB", "output": "Headphones"}, False),
        ({"host": "JACK Audio Connection Kit", "input": "peer", "output": "peer"}, False),
    ],
)
def test_headphones_are_advised_where_sound_may_feed_back(facts, is_noted):
    """One device for both ends, or the default output, may feed back; on JACK nothing is known of it."""
    assert command._note_on_feedback(SimpleNamespace(facts=facts)).startswith("use headphones") == is_noted


@pytest.mark.parametrize(
    ("line", "soloed", "gains"),
    [
        ("", ("voice",), (1, 1)),
        ("--solo fan", ("fan",), (1, 1)),
        ("--gain fan=-20", (), (1, pytest.approx(0.1))),
        ("--solo fan --gain fan=-inf", ("fan",), (1, 0)),
        ("--outputs mix", ("voice",), (1, 1)),
        ("--outputs stems", (), (1, 1)),
        ("--outputs mono-stems", (), (1, 1)),
    ],
)
def test_the_first_source_is_heard_unless_something_else_is_asked_for(line, soloed, gains):
    """Without --solo, --gain or stems the first source is heard alone."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    mixer = command._mixer(parser.parse_args(["d", *line.split()]), ("voice", "fan"))
    assert (mixer.soloed, tuple(mixer.gains.values())) == (soloed, gains)
