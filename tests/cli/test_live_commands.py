"""The commands that need a sound card, on a real audio server."""

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import random_dictionary
from jack_server import ENVIRONMENT, Peer, Server

from rtnmf import STFT, Dictionary
from rtnmf.audio import files
from rtnmf.cli.main import main
from rtnmf.control import terminal

pytestmark = pytest.mark.timeout(60)
RTNMF = [sys.executable, "-m", "rtnmf"]


@pytest.fixture(scope="module")
def server():
    """Run an audio server."""
    with contextlib.closing(Server()) as server:
        yield server


@pytest.fixture
def peer(server, tmp_path, monkeypatch):
    """Run a peer that plays noise for a minute, and work beside a dictionary of voice and fan."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    random_dictionary(STFT(1024, 256), ("voice", "fan"), sample_rate=48000).save("desk.safetensors")
    with contextlib.closing(Peer(tmp_path)) as peer:
        peer.play(np.random.default_rng(0).uniform(-0.3, 0.3, 60 * 48000))
        yield peer


def started(*arguments):
    """Start the command, and return it when it sounds."""
    command = subprocess.Popen([*RTNMF, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while "latency:" not in (line := command.stdout.readline()):
        assert line, command.stderr.read()
    return command


def test_live_says_what_is_heard_and_ends_by_itself(peer, capfd):
    """The first source is heard and the others are not, and it says so; levels and counters are lines of text."""
    ended = main(["live", "desk.safetensors", "--input", "peer", "--output", "peer", "--for", "2.5"])
    said = capfd.readouterr()
    assert (ended, said.err) == (0, "")
    assert "peer to peer, 48000 Hz\nyou hear: voice; muted: fan" in said.out
    assert "latency: 21.3 ms = 1024 samples" in said.out
    assert re.search(r"\d s  voice -\d+ dB  fan -\d+ dB  in -\d+ dB  out -\d+ dB  load \d+ %", said.out)
    assert re.search(r"sounded for 2\.\d s; latency .*algorithm 21\.3\)", said.out)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_ends_within_a_second_with_the_recordings_closed(peer, tmp_path, number):
    """Ctrl-C, kill and a closed terminal end it within a second, with recordings of all that was heard."""
    command = started("live", "desk.safetensors", "--input", "peer", "--output", "peer", "--record", "take")
    time.sleep(1)
    began = time.monotonic()
    command.send_signal(number)
    out, err = command.communicate(timeout=10)
    took_s = time.monotonic() - began
    assert (command.returncode, err) == (0, "")
    assert took_s < 1
    assert out.endswith("take/input.wav\ntake/voice.wav\ntake/fan.wav\n")
    x, voice, fan = (files.read(tmp_path / "take" / f"{name}.wav")[0] for name in ("input", "voice", "fan"))
    assert len(x) == len(voice) == len(fan) > 40_000
    np.testing.assert_allclose(voice + fan, x, atol=1e-6)


def test_second_ctrl_c_costs_no_recording(peer, tmp_path):
    """A second Ctrl-C, while the first is being obeyed, costs nothing of the recordings."""
    command = started("live", "desk.safetensors", "--input", "peer", "--output", "peer", "--record", "take")
    time.sleep(0.5)
    for _ in range(3):
        command.send_signal(signal.SIGINT)
        time.sleep(0.02)
    command.communicate(timeout=10)
    x, voice, fan = (files.read(tmp_path / "take" / f"{name}.wav")[0] for name in ("input", "voice", "fan"))
    np.testing.assert_allclose(voice + fan, x, atol=1e-6)  # the flushed end included


def test_closed_terminal_ends_it(peer, tmp_path):
    """A terminal that is closed ends it; there are keys and bars in it until then."""
    arguments = [*RTNMF, "live", "desk.safetensors", "--input", "peer", "--output", "peer", "--record", "take"]
    number, terminal_end = pty.fork()
    if number == 0:
        os.environ["TERM"] = "xterm"
        os.execv(arguments[0], arguments)  # noqa: S606  # in a terminal of its own
    seen = read_until(terminal_end, "quit")
    os.write(terminal_end, b"2")
    os.write(terminal_end, b"s")
    seen += read_until(terminal_end, "solo", count=3)
    assert "█" in seen
    os.close(terminal_end)
    began = time.monotonic()
    _, status = os.waitpid(number, 0)
    assert time.monotonic() - began < 1.5
    assert os.waitstatus_to_exitcode(status) in (0, 2)
    assert len({len(files.read(tmp_path / "take" / f"{name}.wav")[0]) for name in ("input", "voice", "fan")}) == 1


def read_until(terminal_end, word, count=1, seconds=20):
    """Return what a terminal shows until a word has come up so often."""
    seen, end = "", time.monotonic() + seconds
    while seen.count(word) < count:
        assert time.monotonic() < end, seen
        if select.select([terminal_end], [], [], 0.2)[0]:
            seen += os.read(terminal_end, 65536).decode(errors="replace")
    return seen


def test_learning_from_the_microphone(peer, tmp_path, capfd):
    """Sources are recorded after a countdown, kept as files, learned, and the live command is offered."""
    line = ["learn", "voice=mic:1.5", "fan=mic:1", "-o", "new.safetensors", "--input", "peer", "--components", "4"]
    assert main(line) == 0
    said = capfd.readouterr()
    for text in ("voice: 1.5 s from 'peer' in 3 ...", "in 1 ...", "fan: recording", "or: rtnmf live new.safetensors"):
        assert text in said.out
    assert said.err == ""
    assert Dictionary.load("new.safetensors").labels == ("voice",) * 4 + ("fan",) * 4
    assert len(files.read("new-voice.wav")[0]) == 72_000
    assert main([*line[:1], "voice=mic:1,new-voice.wav", "fan=new-fan.wav", *line[3:]]) == 0
    assert (tmp_path / "new-voice-2.wav").exists()


def test_clipped_quiet_and_silent_recordings(peer, capfd):
    """A clipped recording and a nearly silent one are warned of, and silence is refused."""
    for level, message in ((1.5, "samples are clipped: turn the input down"), (1e-4, "is nearly silent")):
        peer.play(np.random.default_rng(0).uniform(-level, level, 20 * 48000))
        assert main(["learn", "mic:1", "-o", "x.safetensors", "--input", "peer", "--components", "2"]) == 0
        assert message in capfd.readouterr().err
    peer.play(np.zeros(1))
    assert main(["learn", "mic:1", "-o", "x.safetensors", "--input", "peer"]) == 2
    assert "gave nothing but silence: is it muted" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("live speech", "one source only"),
        ("live desk.safetensors --solo drum", "there is no source 'drum'"),
        ("live desk.safetensors --gain drum=0", "names no source"),
        ("live desk.safetensors --input nothing", "no input device is called 'nothing': choose one of: "),
        ("live desk.safetensors --rate 44100", "refuses 44100 Hz, it prefers 48000 Hz"),
        ("live desk.safetensors --input peer --channels 2", "'peer' has 1 input channels, 2 were asked for"),
        ("live desk.safetensors --latency-ms 0.1", "expected at least 1"),
        ("learn a=mic b=mic:3 -o x.safetensors", "write mic:10 for ten seconds"),
        ("learn a=mic:1 b=mic:3 -o x.safetensors --input nothing", "no input device is called"),
        ("learn a=mic:1 b=mic:3 -o nowhere/x.safetensors", "there is no such folder"),
    ],
)
def test_what_cannot_be_done_is_one_line(peer, capfd, line, message):
    """What cannot be done is one line on stderr, and exit code 2."""
    assert main(line.split()) == 2
    said = capfd.readouterr().err
    assert said.startswith("rtnmf: ")
    assert said.count("\n") == 1
    assert message in said


def test_devices_are_listed_by_name(peer, capfd):
    """Devices are listed by name, with their channels and rates."""
    assert main(["devices"]) == 0
    said = capfd.readouterr().out
    assert re.search(r"peer +JACK Audio Connection Kit +1 +2 +48000 +48000", said)
    assert re.search(r"system +JACK Audio Connection Kit +in out +2 +2", said)


def test_doctor_says_what_is_there(peer, capfd):
    """Doctor says what is there."""
    assert main(["doctor"]) == 0
    said = capfd.readouterr().out
    assert "ok   PortAudio: is installed" in said
    assert "ok   microphone: default 'system'; all: system, peer" in said
    assert "JACK running" in said


def test_doctor_says_what_is_missing_and_what_mends_it(monkeypatch, tmp_path, capfd):
    """Doctor says what is missing, with the command that mends it."""
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nowhere")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert main(["doctor"]) == 2
    said = capfd.readouterr()
    assert "MISS microphone: no input device was found\n     -> " in said.out
    assert "note sound server: neither PipeWire, PulseAudio nor JACK is running" in said.out
    assert said.err == "rtnmf: nothing can sound yet, missing: microphone, output\n"
    (tmp_path / "pipewire-0").touch()
    assert main(["doctor"]) == 2
    assert "sudo apt-get install pipewire-alsa" in capfd.readouterr().out
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["doctor"]) == 2
    said = capfd.readouterr()
    assert "MISS PortAudio" in said.out
    assert "-> on Debian and Ubuntu with: sudo apt-get install libportaudio2" in said.out


class Desk:
    """What the keys of the display work on."""

    def __init__(self):
        self.sources, self.gains = ("voice", "fan"), {"voice": 1.0, "fan": 0.0}
        self.soloed = self.muted = ()
        self.bypass = False

    def solo(self, *sources):
        """Take note."""
        self.soloed = sources

    def mute(self, *sources):
        """Take note."""
        self.muted = sources


def test_keys():
    """Keys choose a source, solo and mute it, change its gain, and bypass."""
    desk = Desk()
    assert [terminal.key_pressed(desk, key, 0) for key in ("2", "down", "up", "7", "x")] == [1, 1, 1, 0, 0]
    terminal.key_pressed(desk, "s", 1)
    terminal.key_pressed(desk, "m", 0)
    assert (desk.soloed, desk.muted) == (("fan",), ("voice",))
    terminal.key_pressed(desk, "s", 0)
    terminal.key_pressed(desk, "s", 1)
    assert desk.soloed == ("voice",)
    terminal.key_pressed(desk, "-", 0)
    assert desk.gains == {"voice": pytest.approx(10 ** (-1 / 20))}
    terminal.key_pressed(desk, "b", 0)
    assert desk.bypass


def test_keys_of_a_terminal(monkeypatch):
    """Keys are read from a terminal one by one, arrows as words, without waiting for Enter."""
    master, slave = os.openpty()
    with os.fdopen(slave) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with terminal._keys() as read_key:
            for typed, key in ((b"s", "s"), (b"\x1b[A", "up"), (b"\x1b[B", "down")):
                os.write(master, typed)
                assert read_key(5) == key
            os.write(master, b"mm\x1b[C\x1b[5~b")
            assert [read_key(1) for _ in range(5)] == ["m", "m", "", "", "b"]
            assert read_key(0.01) == ""
    os.close(master)


def test_without_a_terminal_there_are_no_keys(monkeypatch):
    """Without a terminal there are no keys."""
    with Path(os.devnull).open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with terminal._keys() as read_key:
            assert read_key(0.01) == ""
