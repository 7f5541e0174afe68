"""The session for Open Stage Control: what its format asks for, and addresses that are obeyed or told."""

import json

from bands import voice_and_rest
from conftest import random_dictionary
from pythonosc.osc_message_builder import OscMessageBuilder
from sounding import eventually

from rtnmf import STFT
from rtnmf.control import faders
from rtnmf.control.desk import Desk
from rtnmf.control.osc import Osc
from rtnmf.control.osc_layout import layout
from rtnmf.live import Live

SOURCES = ("lead voice", "a/b", "ü JS{{send('/x')}} #{1} @{root.id}")
DICTIONARY = random_dictionary(STFT(1024, 256), SOURCES)


def widgets(widget):
    """Yield a widget and all in it."""
    yield widget
    for inner in widget.get("widgets", []):
        yield from widgets(inner)


def test_session_has_the_form_that_open_stage_control_reads():
    """A session is a tree of known widgets below a root, with names of their own, of a version that is new enough."""
    session = json.loads(json.dumps(layout(DICTIONARY, "127.0.0.1:9000")))
    assert {key: session[key] for key in ("type", "createdWith")} == {"type": "session", "createdWith": "rtnmf"}
    assert tuple(map(int, session["version"].split("."))) > (1, 24, 2)  # the last that it converts
    root, *others = widgets(session["content"])
    assert (root["type"], root["id"]) == ("root", "root")
    assert {widget["type"] for widget in others} == {"panel", "fader", "button", "text"}
    assert len({widget["id"] for widget in others}) == len(others)
    assert all(widget["target"] == "127.0.0.1:9000" for widget in others)
    for widget in others:
        if widget["type"] == "fader" and "range" in widget:
            places = [float(key.rstrip("%")) for key in list(widget["range"])[1:-1]]
            assert [key for key in widget["range"] if "%" not in key] == ["min", "max"]
            assert places == sorted(places)
            assert list(widget["range"].values()) == sorted(widget["range"].values())
            assert widget["range"]["max"] == faders.HIGHEST_DB


def test_names_of_sources_are_shown_and_never_run():
    """Each source has a strip in its order; what would be run as a script stands there as text."""
    texts = [w["default"] for w in widgets(layout(DICTIONARY, "localhost:9000")["content"]) if w["type"] == "text"]
    assert texts[1:3] == ["lead voice", "a/b"]
    assert all("{" not in text and "}" not in text for text in texts)
    named = [w for w in widgets(layout(voice_and_rest(), "localhost:9000")["content"]) if w["id"].startswith("strip_")]
    assert [strip.get("colorWidget") for strip in named] == ["#e69f00", "#8a919c", None]


def test_every_address_of_a_session_is_obeyed_or_told(tmp_path):
    """What a widget sends is obeyed, and each address that it listens to is told."""
    with Osc(Desk(Live(DICTIONARY), tmp_path), port=0) as osc:
        told = osc._state(osc._desk.live.stats)
        addressed = [w for w in widgets(layout(DICTIONARY, "localhost:9000")["content"]) if "address" in w]
        assert len(addressed) == 1 + 4 * len(SOURCES) + 4
        for widget in addressed:
            assert widget["address"] in told
            if not widget.get("bypass"):
                message = OscMessageBuilder(widget["address"])
                message.add_arg(widget["on"] if widget["type"] == "button" else float(widget["default"]))
                osc._take(message.build().dgram, ("127.0.0.1", 1))
        eventually(lambda: osc.n_dropped == 1)  # the recording, as nothing sounds
        assert osc._desk.live.bypass
        assert len(osc._desk.live.soloed) == len(osc._desk.live.muted) == len(SOURCES)


def test_a_session_asks_for_the_state_when_it_is_opened():
    """The root sends for the whole state when it is created, as what it starts with is not what is set."""
    assert layout(DICTIONARY, "h:1")["content"]["onCreate"] == 'send("h:1", "/rtnmf/refresh")'
