"""The terminal: keys and what they do, and what is shown of a separation that sounds."""

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from bands import mixture, voice_and_rest
from conftest import random_dictionary
from jack_server import ENVIRONMENT, Peer
from rich.console import Console
from sounding import eventually, noise, training_processes

from rtnmf import STFT
from rtnmf.control import terminal
from rtnmf.live import Live

DICTIONARY = random_dictionary(STFT(1024, 256), ("voice", "fan"), sample_rate=48000)


@pytest.mark.parametrize(
    ("keys", "chosen"),
    [("2", 1), (["down"], 1), (["up"], 1), ("7", 0), ("x", 0), ("0", 0), ("\u00b2", 0), ("\u0662", 0), ("", 0)],
)
def test_numbers_and_arrows_choose_a_source(keys, chosen):
    """A number of a source chooses it, arrows the next one, round about; other keys, digits of any script, nothing."""
    now = 0
    for key in keys:
        now = terminal.key_pressed(Live(DICTIONARY), key, now)
    assert now == chosen


def test_letters_and_signs_change_the_mixer():
    """Keys solo and mute the chosen source, or undo that, change its gain by 1 dB, and switch the bypass."""
    live = Live(DICTIONARY)
    for key, chosen in (("s", 1), ("m", 0), ("s", 0), ("s", 1), ("b", 0), ("-", 0), ("+", 1)):
        terminal.key_pressed(live, key, chosen)
    assert (live.soloed, live.muted, live.bypass) == (("voice",), ("voice",), True)
    assert live.gains == {"voice": pytest.approx(10 ** (-1 / 20)), "fan": pytest.approx(10 ** (1 / 20))}
    for _ in range(100):
        terminal.key_pressed(live, "+", 0)
    assert live.gains["voice"] == 10


def test_f_freezes_the_rest_where_it_is_learned():
    """The key stops and resumes learning the rest, which the panel tells; without a rest it does nothing."""
    live = Live(voice_and_rest())
    for is_frozen in (True, False):
        terminal.key_pressed(live, "f", 0)
        assert live.freeze == is_frozen
    other = Live(DICTIONARY)
    terminal.key_pressed(other, "f", 0)
    assert not other.adapts


@pytest.fixture
def often(monkeypatch):
    """Let lines follow each other sooner."""
    monkeypatch.setattr(terminal, "_LINE_S", 0.4)


def shown(live):
    """Return the panel as text."""
    console = Console(file=io.StringIO(), width=200)
    console.print(terminal.panel(live, 1))
    return console.file.getvalue()


@pytest.mark.timeout(120)
def test_panel_and_lines_say_where_sound_goes_and_that_nothing_is_connected(server, on_server, often, tmp_path, capsys):
    """Each source has its state and output channels; that nothing is connected is said, by lines once, on stderr."""
    with (
        contextlib.closing(Peer(tmp_path, n_loudspeakers=4)) as peer,
        Live(DICTIONARY, input="peer", output="peer", outputs="stems") as live,
    ):
        live.solo("fan")
        peer.play(noise(20))
        eventually(lambda: live.stats.levels_db["fan"] > -60)
        strips = [line.split() for line in shown(live).splitlines()[1:3]]
        assert [strip[:2] for strip in strips] == [["1", "voice"], [">", "2"]]
        assert [" ".join(strip[-5:]) for strip in strips] == ["dB to 1+2 not heard", "+0 dB to 3+4 solo"]
        assert re.search(r"load \d+ %  updates \d+  late \d+  lost \d+", shown(live))
        for i in range(4):
            ends = [f"rtnmf:{'voice' if i < 2 else 'fan'}_{i % 2 + 1}", f"peer:spk_{i + 1}"]
            subprocess.run(["jack_disconnect", *ends], env=os.environ | ENVIRONMENT, check=True)
        eventually(lambda: live.stats.warning)
        warning = live.stats.warning
        assert "connect a program or a device" in warning
        assert warning in shown(live)
        terminal.lines(live, 1)
    said = capsys.readouterr()
    assert said.err == f"note: {warning}\n"
    assert "fan -" in said.out


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
    """Without a terminal no key is ever read, and waiting for one takes its time."""
    with Path(os.devnull).open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with terminal._keys() as read_key:
            assert read_key(0.01) == ""


@pytest.mark.timeout(120)
def test_panel_and_lines_tell_how_the_rest_is_learned(server, on_server, often, tmp_path, capsys):
    """Where a rest is learned, the panel and the lines say from how much, and that it is frozen."""
    with (
        contextlib.closing(Peer(tmp_path)) as peer,
        Live(voice_and_rest(), input="peer", output="peer") as live,
    ):
        peer.play(mixture(3))
        eventually(lambda: "rest: heard 1 s" in shown(live))
        live.freeze = True
        assert "s, frozen" in shown(live)
        assert "f freeze" in shown(live)
        terminal.lines(live, 1)
    assert re.search(r"late \d+  lost \d+ .*rest: heard \d s, frozen\n", capsys.readouterr().out)


@pytest.mark.timeout(120)
def test_panel_and_lines_tell_how_the_training_goes(server, on_server, often, tmp_path, monkeypatch, capsys):
    """While a dictionary is trained, the panel and the lines say how far it is; then, once, that it is trained."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with contextlib.closing(Peer(tmp_path)), Live(voice_and_rest(), input="peer", output="peer") as live:
        live.train()
        eventually(training_processes)
        os.kill(training_processes()[0], signal.SIGSTOP)
        assert re.search(r"^training \d+ %", shown(live), re.MULTILINE)
        terminal.lines(live, 1)
        assert re.search(r"lost \d+ .*training \d+ %  rest: heard 0 s\n", capsys.readouterr().out)
        os.kill(training_processes()[0], signal.SIGCONT)
        threading.Thread(
            target=lambda: (eventually(lambda: live.stats.n_swaps, 40), time.sleep(1), live.close())
        ).start()
        terminal.lines(live, None)
        assert re.search(r"^trained", shown(live), re.MULTILINE)
    said = capsys.readouterr().out
    assert said.count("trained\n") == 1
    assert said.rpartition("trained\n")[2].count("training") == 0
