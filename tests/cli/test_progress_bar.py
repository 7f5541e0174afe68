"""The progress bar."""

import contextlib
import os
import pty

from rtnmf.cli.progress_bar import progress_bar


def test_without_a_terminal_nothing_is_shown(capfd):
    """Where stderr is not a terminal, progress is accepted and nothing is printed."""
    with progress_bar("learning") as progress:
        assert progress("voice", 1, 2) is not False
    assert capfd.readouterr() == ("", "")


def _all_of(master):
    """Read what was written to a terminal that is closed by now: it comes in pieces, and ends with an error."""
    pieces = []
    with os.fdopen(master, "rb", buffering=0) as terminal, contextlib.suppress(OSError):
        while piece := terminal.read(65536):
            pieces.append(piece)
    return b"".join(pieces).decode()


def test_a_terminal_shows_the_stage_as_it_is_called(monkeypatch):
    """On a terminal the bar shows title and stage, and names in brackets are text rather than markup."""
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as stderr:
        monkeypatch.setattr("sys.stderr", stderr)
        monkeypatch.setenv("TERM", "xterm")
        with progress_bar("learning") as progress:
            progress("[red]voice[/red]", 1, 2)
    shown = _all_of(master)
    assert "learning: [red]voice[/red]" in shown
    assert "50%" in shown


def test_the_time_left_is_that_of_the_stage(monkeypatch):
    """A stage that begins after a whole one has a time left of its own, which is not known at once."""
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as stderr:
        monkeypatch.setattr("sys.stderr", stderr)
        monkeypatch.setenv("TERM", "xterm")
        with progress_bar("learning") as progress:
            progress("birds, pass 1 of 2", 10, 10)
            progress("birds, pass 2 of 2", 1, 10)
    shown = _all_of(master)
    assert "10%" in shown
    assert "-:--:--" in shown[shown.index("10%") :]
