"""The terminal: keys and what they do, and what is shown of a separation that sounds."""

import contextlib
import io
import math
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
from rtnmf.control import faders, keys, panel, terminal
from rtnmf.control.desk import Desk
from rtnmf.control.panel import View
from rtnmf.live import Live

DICTIONARY = random_dictionary(STFT(1024, 256), ("voice", "fan"), sample_rate=48000)


@pytest.mark.parametrize(
    ("keys", "chosen"),
    [("2", 1), (["down"], 1), (["up"], 1), ("7", 0), ("x", 0), ("0", 0), ("\u00b2", 0), ("\u0662", 0), ("", 0)],
)
def test_numbers_and_arrows_choose_a_source(keys, chosen):
    """A number of a source chooses it, arrows the next one, round about; other keys, digits of any script, nothing."""
    desk, view = Desk(Live(DICTIONARY)), View()
    for key in keys:
        terminal.key_pressed(desk, key, view)
    assert view.chosen == chosen


def test_keys_change_what_is_heard():
    """Keys solo and mute the chosen source, or undo that, change its gain by 1 dB, and switch the bypass."""
    live = Live(DICTIONARY)
    desk, view = Desk(live), View()
    for typed in ("2s", "1m", "1s", "2s", "b", "1-", "2+"):
        for key in typed:
            terminal.key_pressed(desk, key, view)
    assert (live.soloed, live.muted, live.bypass) == (("voice",), ("voice",), True)
    assert live.gains == {"voice": pytest.approx(10 ** (-1 / 20)), "fan": pytest.approx(10 ** (1 / 20))}
    for _ in range(100):
        terminal.key_pressed(desk, "right", view)
    assert live.gains["fan"] == pytest.approx(10 ** (6 / 20))
    terminal.key_pressed(desk, "left", view)
    assert live.gains["fan"] == pytest.approx(10 ** (5 / 20))
    for key in "0 ":
        terminal.key_pressed(desk, key, view)
    assert (live.gains["fan"], live.bypass) == (1, False)


def test_f_freezes_the_rest_where_it_is_learned():
    """The key stops and resumes learning the rest, which the panel tells; without a rest it says so."""
    live = Live(voice_and_rest())
    for is_frozen in (True, False):
        terminal.key_pressed(Desk(live), "f", View())
        assert live.freeze == is_frozen
    other = Live(DICTIONARY)
    terminal.key_pressed(Desk(other), "f", view := View())
    assert not other.adapts
    assert view.notice.startswith("there is no rest")


@pytest.fixture
def often(monkeypatch):
    """Let lines follow each other sooner."""
    monkeypatch.setattr(terminal, "_LINE_S", 0.4)


def shown(live, shows="", width=200):
    """Return the panel as text, with the second source chosen."""
    view, console = View(), Console(file=io.StringIO(), width=width)
    view.chosen, view.shows = 1, shows
    console.print(panel.drawn(Desk(live), view, width))
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
        eventually(lambda: min(live.stats.levels_db.values()) > -45)
        voice, fan = [" ".join(line.split()) for line in shown(live).splitlines()[2:4]]
        assert re.fullmatch(r"1 ● voice ·+ gain 0\.0 dB to 1\+2 not heard", voice)
        assert re.fullmatch(r"> 2 ● fan █+[▏▎▍▌▋▊▉│]?·*│?·* -\d+\.\d dB gain 0\.0 dB to 3\+4 solo", fan)
        assert re.search(r"load \d+ %   late \d+   lost \d+", shown(live))
        for i in range(4):
            ends = [f"rtnmf:{'voice' if i < 2 else 'fan'}_{i % 2 + 1}", f"peer:spk_{i + 1}"]
            subprocess.run(["jack_disconnect", *ends], env=os.environ | ENVIRONMENT, check=True)
        eventually(lambda: live.stats.warning)
        warning = live.stats.warning
        assert "connect a program or a device" in warning
        assert warning in shown(live)
        terminal.lines(Desk(live), 1)
    said = capsys.readouterr()
    assert said.err == f"note: {warning}\n"
    assert "fan -" in said.out


def at(levels_db, width=80):
    """Return what a bar of a peak, and of a held one, looks like: its signs, and which cells are red."""
    bar = panel._bar(panel._Meter(*levels_db, is_heard=True), width)
    return bar.plain, {i for span in bar.spans if "red" in str(span.style) for i in range(span.start, span.end)}


def test_bars_have_the_scale_of_a_mixer_and_a_red_zone():
    """A bar is empty at -60 dB, full at 6 dB, red above 0 dB; a mark shows the peak that is held, and marks name it."""
    zero = round(100 * faders.position(0))
    for level_db, n_full in ((-60, 0), (-20, 42), (0, zero), (6, 100), (20, 100), (-math.inf, 0)):
        signs, red = at((level_db, -math.inf), 100)
        assert signs.count("█") == pytest.approx(n_full, abs=1)
        assert red == set(range(zero, 100))
    assert at((-30, -6), 100)[0].index("│") == pytest.approx(73, abs=1)
    scale = panel._scale(100).plain
    assert scale.split() == ["-60", "-40", "-30", "-20", "-12", "-6", "0"]
    assert scale.index("-20") == pytest.approx(42, abs=1)


@pytest.mark.timeout(120)
def test_keys_record_and_open_what_there_is_to_read(peer, tmp_path, monkeypatch):
    """Keys record, which is shown with the time, take CLIP signs away, and open what it listens for and all keys."""
    monkeypatch.chdir(tmp_path)
    with Live(DICTIONARY, input="peer", output="peer") as live:
        desk, view = Desk(live), View()

        def pressed(key):
            terminal.key_pressed(desk, key, view)
            console = Console(file=io.StringIO(), width=80)
            console.print(panel.drawn(desk, view, 80))
            assert max(map(len, console.file.getvalue().splitlines())) <= 80
            return re.sub(r" +\n", "\n", console.file.getvalue())

        peer.play(noise(20))
        eventually(lambda: live.stats.levels_db["voice"] > -60)
        assert re.search(r"recording to (take-[\d.-]+)\n", pressed("r"))
        eventually(lambda: "● REC 00:01" in pressed(""))
        assert re.search(r"recorded to take-", pressed("r"))
        assert "REC" not in pressed("s")
        assert {path.name for path in next(tmp_path.glob("take-*")).glob("*.wav")} == {
            "input.wav",
            "voice.wav",
            "fan.wav",
        }
        live.gains = {"voice": 1000}
        eventually(lambda: re.search(r"solo +CLIP\n.*out.*limited\n", pressed(""), re.DOTALL))
        live.gains = {"voice": 0.01}
        eventually(lambda: "CLIP" not in pressed("x"))
        assert "\n  listens for voice (4 components), fan (4 components)\n" in pressed("d")
        assert all(f"  {key} " in pressed("" if i else "?") for i, (key, _) in enumerate(panel.KEYS) if key not in "fl")
        assert pressed("?").splitlines()[-1].startswith("1-9 choose  s solo")


def test_keys_of_a_terminal(monkeypatch):
    """Keys are read from a terminal one by one, arrows as words, without waiting for Enter."""
    master, slave = os.openpty()
    with os.fdopen(slave) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with keys.pressed() as read_key:
            for typed, key in ((b"s", "s"), (b"\x1b[A", "up"), (b"\x1b[B", "down"), (b"\x1bOD", "left")):
                os.write(master, typed)
                assert read_key(5) == key
            os.write(master, b"mm\x1b[C\x1b[5~b")
            assert [read_key(1) for _ in range(5)] == ["m", "m", "right", "", "b"]
            assert read_key(0.01) == ""
    os.close(master)


def test_without_a_terminal_there_are_no_keys(monkeypatch):
    """Without a terminal no key is ever read, and waiting for one takes its time."""
    with Path(os.devnull).open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with keys.pressed() as read_key:
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
        assert re.search(r"^ +f +leave the rest as it is", shown(live, "keys"), re.MULTILINE)
        terminal.lines(Desk(live), 1)
    assert re.search(r"late \d+   lost \d+ .*rest: heard \d s, frozen\n", capsys.readouterr().out)


@pytest.mark.timeout(120)
def test_panel_and_lines_tell_how_the_training_goes(server, on_server, often, tmp_path, monkeypatch, capsys):
    """While a dictionary is trained, the panel and the lines say how far it is; then, once, that it is trained."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with contextlib.closing(Peer(tmp_path)), Live(voice_and_rest(), input="peer", output="peer") as live:
        live.train()
        eventually(training_processes)
        os.kill(training_processes()[0], signal.SIGSTOP)
        assert re.search(r"^training \d+ %", shown(live), re.MULTILINE)
        terminal.lines(Desk(live), 1)
        assert re.search(r"lost \d+ .*training \d+ %   rest: heard 0 s\n", capsys.readouterr().out)
        os.kill(training_processes()[0], signal.SIGCONT)
        threading.Thread(
            target=lambda: (eventually(lambda: live.stats.n_swaps, 40), time.sleep(1), live.close())
        ).start()
        terminal.lines(Desk(live), None)
        assert re.search(r"^trained", shown(live), re.MULTILINE)
    said = capsys.readouterr().out
    assert said.count("trained\n") == 1
    assert said.rpartition("trained\n")[2].count("training") == 0
