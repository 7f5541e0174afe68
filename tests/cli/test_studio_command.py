"""`rtnmf studio` and `rtnmf live --web`, on a real audio server."""

import contextlib
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import assert_refused
from jack_desk import peer  # noqa: F401
from web_page import opened

from rtnmf.cli import studio

pytestmark = pytest.mark.timeout(120)
DEVICES = ("--input", "peer", "--output", "peer")


@contextlib.contextmanager
def started(*arguments):
    """Run a command, and give it with the link that it prints; it is interrupted at last, and ends well."""
    line = [sys.executable, "-m", "rtnmf", *arguments, *DEVICES]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as command:
        try:
            said = ""
            while not (link := re.search(r"page: (http://\S+)", said)):
                said = command.stdout.readline()
                assert said, command.stderr.read()
            yield command, link[1]
            command.send_signal(signal.SIGINT)
            assert command.wait(40) == 0
            assert command.stderr.read() == ""
        finally:
            command.kill()


def test_the_studio_begins_with_nothing_but_the_rest(peer, tmp_path):  # noqa: F811
    """Without a dictionary there is the rest alone; what is recorded and saved is in the folder, and is said."""
    with started("studio", "--port", "0", "--folder", "songs", "--no-browser") as (command, url), opened(url) as page:
        state = page.next("state", lambda state: state["sample_rate"])
        assert [source["name"] for source in state["sources"]] == ["rest"]
        page.ask("record", on=True)
        page.next("meters", lambda meters: meters["recorded_s"] > 0.2)
        page.ask("record", on=False)
        names = page.next("state", lambda state: state["recording"]["files"] and not state["recording"]["on"])
        page.ask("save", name="nothing")
        page.next("state", lambda state: state["dictionaries"] == ["nothing"])
        assert "recording to" in command.stdout.readline()
    assert len(names["recording"]["files"]) == 2
    assert (tmp_path / "songs" / "nothing.safetensors").is_file()
    assert Path(names["recording"]["folder"]).parent == Path("songs") / "recordings"


def test_a_page_of_live_sound_may_change_what_it_listens_for(peer):  # noqa: F811
    """With --web the same desk is on a page; another separation takes over, and the command goes on."""
    with started("live", "desk.safetensors", "--web", "0") as (command, url), opened(url) as page:
        page.next("meters", lambda meters: meters["seconds"] > 0.5)
        page.ask("rename", source="fan", to="wind")
        page.next("state", lambda state: [source["name"] for source in state["sources"]] == ["voice", "wind"])
        page.next("meters", lambda meters: meters["seconds"] > 0.5)
        while "wind" not in (line := command.stdout.readline()):
            assert line


def test_what_cannot_be_served_is_said_before_it_sounds(peer, monkeypatch, capsys):  # noqa: F811
    """A port in use, a folder without a page, a lesson from the microphone, and missing packages are errors."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        for line in (("studio", "desk.safetensors", "--port", port), ("live", "desk.safetensors", "--web", port)):
            assert_refused((*line, *DEVICES), f"{line[2]} {port} is in use already: choose another", capsys)
    assert_refused(("live", "desk.safetensors", "--folder", "x"), "--folder: there is no --web", capsys)
    assert_refused(("live", "voice=mic:1", "--web", "0"), "the page teaches from the microphone", capsys)
    monkeypatch.setattr(studio.importlib.util, "find_spec", lambda _: None)
    assert_refused(("studio", *DEVICES), "pip install 'rtnmf[studio]'", capsys)
