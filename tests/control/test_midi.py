"""MIDI: what controls do by the map, learning it, its file, and a real port where JACK has MIDI."""

import json

import mido
import pytest
import rtmidi
from conftest import random_dictionary
from rich.console import Console
from sounding import eventually

from rtnmf import STFT
from rtnmf.control import midi as module
from rtnmf.control import panel, terminal
from rtnmf.control.desk import Desk
from rtnmf.control.midi import DEFAULT, Action, Control, Midi, read_map, write_map
from rtnmf.live import Live

DICTIONARY = random_dictionary(STFT(1024, 256), ("voice", "fan"), sample_rate=48000)


@pytest.fixture
def midi(tmp_path, monkeypatch):
    """Return MIDI whose port is not opened, for a separation that does not sound, with a map of its own."""
    monkeypatch.setattr(module, "_inputs", lambda _: ["Midi Through", "nanoKONTROL2 SLIDER/KNOB"])
    return Midi(Desk(Live(DICTIONARY), tmp_path / "takes"), path=tmp_path / "config" / "midi.json")


def moved(control, value, channel=0):
    """Return the message of a fader or knob."""
    return mido.Message("control_change", channel=channel, control=control, value=value)


def pressed(note, velocity=100):
    """Return the message of a key or pad."""
    return mido.Message("note_on", note=note, velocity=velocity)


def test_controls_do_what_the_map_says(midi):
    """By default the first faders are those of the strips, buttons solo and mute; letting go of them does nothing."""
    live = midi._desk.live
    assert midi.port.startswith("nanoKONTROL2")
    for message in (moved(0, 0), moved(1, 127), moved(32, 127), moved(32, 0), moved(49, 127), moved(49, 0)):
        midi.hear(message)
    assert live.gains == {"voice": 0, "fan": pytest.approx(10 ** (6 / 20))}
    assert (live.soloed, live.muted) == (("voice",), ("fan",))
    midi.hear(moved(32, 127))
    assert live.soloed == ()
    before = live.mixer
    for message in (moved(99, 5), moved(0, 64, channel=3), mido.Message("clock"), mido.Message("pitchwheel", pitch=9)):
        midi.hear(message)
    assert (live.mixer, midi.n_refused) == (before, 0)
    midi.hear(moved(7, 64))
    assert (live.mixer, midi.n_refused) == (before, 1)


def test_a_control_learns_what_it_is_for_and_that_is_kept(midi):
    """What was moved last learns to do something, instead of what did it before, and the next session knows it."""
    with pytest.raises(ValueError, match="move a fader, or press a button"):
        midi.learn("fader", "fan")
    midi.hear(moved(20, 64, channel=9))
    assert midi.learn("fader", "fan") == "control 20 on channel 10: fader of fan"
    for note, does in ((36, "bypass"), (37, "record"), (38, "wet")):
        midi.hear(pressed(note))
        midi.learn(does)
    with pytest.raises(ValueError, match="there is no fader of 'drum': choose from voice, fan"):
        midi.learn("fader", "drum")
    again = Midi(midi._desk, path=midi.path)
    live = again._desk.live
    for message in (moved(20, 0, channel=9), moved(1, 127), pressed(36), pressed(36, 0), pressed(38, 0)):
        again.hear(message)
    assert (live.gains["fan"], live.bypass, live.wet) == (0, True, 0)
    for _ in range(2):
        again.hear(pressed(37))
    assert not live.recording.is_on
    assert again.actions == {c: a for c, a in DEFAULT.items() if a != Action("fader", 2)} | {
        Control("control", 10, 20): Action("fader", 2),
        Control("note", 1, 36): Action("bypass"),
        Control("note", 1, 37): Action("record"),
        Control("note", 1, 38): Action("wet"),
    }


def test_keys_of_the_terminal_map_a_control(midi):
    """L asks what the control that was moved last is to do, and the next key says it, for the source that is chosen."""
    desk, view = midi._desk, panel.View(midi)
    midi.hear(moved(21, 1))
    for key in ("2", "l"):
        terminal.key_pressed(desk, key, view)
    assert view.notice.startswith("move a control, then press l: fader of fan, s: solo")
    terminal.key_pressed(desk, "s", view)
    assert view.notice == "control 21 on channel 1: solo of fan"
    assert desk.live.soloed == ()
    terminal.key_pressed(desk, "s", view)
    assert desk.live.soloed == ("fan",)
    view.shows = "keys"
    console = Console(width=100)
    with console.capture() as said:
        for table in panel._open(desk.live, view):
            console.print(table)
    assert "map what was moved last" in said.get()
    terminal.key_pressed(desk, "l", without := panel.View())
    assert without.notice == "there is no MIDI controller: start with --midi"


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "{}", "[1]", "[{}]", '[{"control": 1, "note": 2, "channel": 1, "does": "bypass"}]',
        '[{"control": 128, "channel": 1, "does": "bypass"}]', '[{"control": 1, "channel": 0, "does": "bypass"}]',
        '[{"control": 1, "channel": 1, "does": "fader"}]', '[{"control": 1, "channel": 1, "does": "quit"}]',
        '[{"control": true, "channel": 1, "does": "bypass"}]', '[{"control": 1, "channel": 1, "does": ["wet"]}]',
        '[{"control": 1, "channel": 1, "does": "wet", "more": 1}]', "[" * 100_000, "\0",
    ],
)  # fmt: skip
def test_a_damaged_map_is_an_error_that_names_the_file(tmp_path, text):
    """A file that is no map is an error with its name and the remedy; a map that was written is read as it was."""
    path = tmp_path / "midi.json"
    path.write_text(text)
    if text != "{}":
        with pytest.raises(ValueError, match=r"midi\.json is no map of MIDI controls .*: mend it, or remove it"):
            read_map(path)
    write_map(path, DEFAULT)
    assert read_map(path) == DEFAULT
    assert len(json.loads(path.read_text())) == 24


def test_a_port_that_is_not_there_is_an_error_that_lists_those_that_are(midi, monkeypatch):
    """An unknown name is refused with the names that there are; where there is none, with what to do."""
    with pytest.raises(ValueError, match="no MIDI input is called 'Launch': choose one of: Midi Through, nanoKONTROL2"):
        Midi(midi._desk, "Launch")
    monkeypatch.setattr(module, "_inputs", lambda _: [])
    with pytest.raises(ValueError, match="there is no MIDI input: plug a controller in"):
        Midi(midi._desk)


@pytest.mark.timeout(120)
@pytest.mark.skipif(rtmidi.API_UNIX_JACK not in rtmidi.get_compiled_api(), reason="this rtmidi has no MIDI of JACK")
def test_a_controller_on_a_real_port_moves_a_fader(server, on_server, tmp_path):
    """What a controller sends through the sound server arrives, is done, and ends with the port."""
    backend = mido.Backend("mido.backends.rtmidi/UNIX_JACK")
    live = Live(DICTIONARY)
    with backend.open_output("knobs", virtual=True, client_name="controller") as controller:
        midi = Midi(Desk(live), "knobs", tmp_path / "midi.json")
        with midi:
            eventually(lambda: controller.send(moved(1, 0)) or live.gains["fan"] == 0, 10)
            controller.send(moved(48, 127))
            eventually(lambda: live.muted == ("voice",), 10)
        assert midi._input is None
