"""Controllers of the command line: `rtnmf live --osc --midi`, and `rtnmf osc-layout`."""

import json
import re
import signal
import socket
import subprocess
import sys

import mido
import pytest
from command_line import assert_refused, run, save_desk
from jack_desk import peer  # noqa: F401
from pythonosc.udp_client import SimpleUDPClient
from sounding import eventually, noise

from rtnmf.cli.live import _words
from rtnmf.cli.main import _parser

LIVE = ("live", "desk.safetensors", "--input", "peer", "--output", "peer")


@pytest.fixture
def port():
    """Return a UDP port that is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def started(*arguments):
    """Start a command, and return it when it sounds, or serves its page and is about to."""
    line = [sys.executable, "-m", "rtnmf", *map(str, arguments)]
    command = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not re.search("^latency:|^page:", said := command.stdout.readline()):
        assert said, command.stderr.read()
    return command


def ended(command):
    """End a command as Ctrl-C does, and return what it says then."""
    command.send_signal(signal.SIGINT)
    out, err = command.communicate(timeout=40)
    assert command.returncode == 0, err
    assert all(line.startswith("note: ") for line in err.splitlines())  # a busy machine loses blocks
    return out


class Phone(SimpleUDPClient):
    """A controller that keeps what it was told last, by address."""

    def __init__(self, port):
        super().__init__("127.0.0.1", port)
        self.told = {}

    def hears(self, address, value, ask, within=0.01):
        """Ask for something until an address has a value, or a text that has this in it."""

        def is_told():
            ask()
            self.told.update({message.address: message.params[0] for message in self.get_messages(0.05)})
            told = self.told.get(f"/rtnmf/{address}", "")
            return str(value) in told if isinstance(told, str) else told == pytest.approx(value, abs=within)

        eventually(is_told, 20)


@pytest.mark.timeout(120)
def test_osc_and_midi_steer_what_sounds(peer, port, monkeypatch, tmp_path):  # noqa: F811
    """With --osc and --midi controllers set what the command plays, are told of each other, and it ends in peace."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    backend = mido.Backend("mido.backends.rtmidi/UNIX_JACK")
    with backend.open_output("knobs", virtual=True, client_name="controller") as knobs, Phone(port) as phone:
        command = started(*LIVE, "--osc", port, "--midi", "knobs")
        phone.hears("wet", 0.5, lambda: phone.send_message("/rtnmf/wet", 0.5))
        phone.hears("fan/fader", 0.0, lambda: knobs.send(mido.Message("control_change", control=1, value=0)))
        assert "sounded for " in ended(command)


@pytest.mark.timeout(120)
def test_osc_reaches_the_studio(peer, port, tmp_path):  # noqa: F811
    """In the studio OSC also asks for what only that can do, and is told why it cannot be done."""
    folder = ("--folder", tmp_path / "studio", "--no-browser", "--port", 0)
    peer.play(noise(100))
    with Phone(port) as phone:
        command = started("studio", *LIVE[1:], *folder, "--osc", port)
        phone.hears("error", "there is no take", lambda: phone.send_message("/rtnmf/keep", []))
        phone.hears("error", "there is no preset 'none'", lambda: phone.send_message("/rtnmf/preset", "none"))
        phone.hears("input_level", -8, lambda: phone.send_message("/rtnmf/refresh", []), within=3)
        phone.hears("record", 1, lambda: phone.send_message("/rtnmf/record", 1))
        phone.hears("record", 0, lambda: phone.send_message("/rtnmf/record", 0))
        ended(command)
    assert list((tmp_path / "studio").rglob("fan.wav"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--osc-to 10.0.0.1:9001", "--osc-to: there is no --osc, add it or leave it out"),
        ("--host 0.0.0.0", "--host: there is no --osc and no --web, add one or leave it out"),
        ("--osc --host nowhere.invalid", "cannot listen for OSC at nowhere.invalid"),
        ("--midi nothing", "no MIDI input is called 'nothing': choose one of"),
    ],
)
def test_what_controllers_cannot_have_is_one_line(peer, capfd, line, message):  # noqa: F811
    """A port, a host or an input that cannot be had is one line before any sound, with the remedy."""
    backend = mido.Backend("mido.backends.rtmidi/UNIX_JACK")
    with backend.open_output("knobs", virtual=True, client_name="controller"):
        assert_refused([*LIVE, *line.split()], message, capfd)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--osc desk.safetensors", "desk.safetensors is not a port: write a number, or --osc behind all else"),
        ("--osc 99999 desk.safetensors", "99999 is not a port"),
        ("--osc --osc-to 9001 desk.safetensors", "'9001' is no address to send to: write HOST:PORT"),
    ],
)
def test_what_is_no_port_is_a_usage_error(capsys, line, message):
    """What is no port or place ends the command with an example."""
    with pytest.raises(SystemExit):
        run("live", *line.split())
    assert message in capsys.readouterr().err


def test_a_dictionary_behind_midi_is_found():
    """An option that may have a name does not eat the dictionary."""
    options = _parser([]).parse_args(["live", "--midi", "desk.safetensors"])
    assert _words(options) == ["desk.safetensors"]
    assert options.midi == ""


def test_layout_is_written_and_replaces_nothing(tmp_path, monkeypatch, capsys):
    """The session has a strip for each source; a file that is there stays, unless it is to be replaced."""
    monkeypatch.chdir(tmp_path)
    save_desk(tmp_path)
    line = ("osc-layout", "desk.safetensors", "-o", "desk.json", "--to", "10.0.0.5:9009")
    assert run(*line) == 0
    said = capsys.readouterr().out
    assert said.startswith("desk.json: strips for voice, fan\nnext: ")
    assert said.endswith("rtnmf live desk.safetensors --osc 9009\n")
    session = json.loads((tmp_path / "desk.json").read_text())
    assert [strip["id"] for strip in session["content"]["widgets"][1]["widgets"]] == ["strip_1", "strip_2", "strip_out"]
    assert_refused(line, "desk.json", capsys)
    assert run(*line, "--overwrite") == 0
    assert_refused(["osc-layout", "desk.safetensors", "-o", "desk.txt"], "expected a name that ends in .json", capsys)
