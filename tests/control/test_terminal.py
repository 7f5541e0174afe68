"""The terminal: keys, and what they do."""

import os
import sys
from pathlib import Path

import pytest

from rtnmf.control import terminal


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
