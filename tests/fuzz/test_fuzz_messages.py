"""What comes over the network: commands of pages, and packets of OSC, to a desk and a studio that do not sound."""

import contextlib
import functools
import json
import logging
import typing

import msgspec
import numpy as np
import pytest
from conftest import random_dictionary
from guards import ODD_NUMBERS, ODD_TEXTS, FindingError, check_words, fuzz, long, mutated, odd, of_corpus, replay, tried
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from rtnmf import STFT
from rtnmf.control.desk import Desk
from rtnmf.control.osc import Osc, address_part
from rtnmf.control.osc_packets import messages, packed
from rtnmf.control.studio import Studio
from rtnmf.control.web import messages as web
from rtnmf.control.web.commands import done
from rtnmf.control.web.state import Shelves, meters_of, state_of
from rtnmf.live import Live

SOURCES = ("voice", "a/b", "ü", "<script>")
DICTIONARY = random_dictionary(STFT(256, 64), SOURCES, sample_rate=8000)
COMMANDS = typing.get_args(web.Command)
DONE = (web.Gain, web.Solo, web.Mute, web.Bypass, web.Wet, web.Listen, web.Reset, web.Drop, web.Freeze, web.Relearn,
        web.Record, web.Teach, web.Keep, web.Save)  # others open devices  # fmt: skip
VALUES = {
    "db": (-6.0, -200, 60, 61), "wet": (0.5, 0, 1, 2), "on": (True, False), "source": SOURCES,
    "to": (*SOURCES, "output"), "name": ("x", "../x", *SOURCES), "seconds": (10.0, 0),
    "kind": ("preset", "dictionary", "x"), "preset": ("speech",), "components": ([0, 1], [10**9], list(range(2000))),
}  # fmt: skip
VERBS = (
    "gain",
    "fader",
    "solo",
    "mute",
    "bypass",
    "wet",
    "reset",
    "sources",
    "refresh",
    "record",
    "preset",
    "teach",
    "x",
)


def command_of(rng):
    """Return a message of a page, as bytes, mostly with values that could be."""
    kind = odd(rng, COMMANDS)
    given = {"is": kind.__struct_config__.tag}
    for field in msgspec.structs.fields(kind):
        usual = rng.random() < 0.8
        given[field.name] = odd(rng, VALUES[field.name] if usual else odd(rng, (ODD_TEXTS, ODD_NUMBERS)))
    if rng.random() < 0.1:
        given[odd(rng, ODD_TEXTS)] = odd(rng, ODD_NUMBERS)
    text = json.dumps(given).encode()
    return mutated(rng, text) if rng.random() < 0.3 else text


def attempt_commands(studio, rng, folder):
    """Do what some messages ask for."""
    for _ in range(20):
        text = command_of(rng)
        (folder / "command.json").write_bytes(text)
        use_command(studio, text)
    tried("what pages are told", told, studio)


def told(studio):
    """Write what pages are told: no number in it that JSON has no word for."""
    stats = studio.live.stats
    strips = studio.desk.strips(stats)
    shelves = Shelves(list(studio.shelf.names), [])
    for message in (state_of(studio, strips, stats, shelves), meters_of(studio, strips, stats)):
        json.loads(web.encoded(message), parse_constant=_refuse)


def _refuse(name):
    raise FindingError(f"{name} in a message")


def use_command(studio, text):
    """Read a message, and do what it asks for where that opens no device."""
    command = tried("a command", web.commanded, text)
    if command is None:
        return
    if tried("a command again", web.commanded, msgspec.json.encode(command)) != command:
        raise FindingError("a command is not what was read")
    if isinstance(command, DONE):
        tried("what a command asks for", done, studio, command)
    if not np.isfinite(list(studio.live.mixer.gains.values())).all():
        raise FindingError("gains are not finite")


def packet_of(rng):
    """Return a packet, or a bundle of some."""
    if rng.random() < 0.2:
        bundle = OscBundleBuilder(0)
        for _ in range(rng.integers(0, 5)):
            bundle.add_content(message_of(rng))
        data = bundle.build().dgram
    else:
        data = message_of(rng).dgram
    if rng.random() < 0.4:
        data = mutated(rng, data)
        data += bytes(-len(data) % 4) if rng.random() < 0.7 else b""
    return data


def message_of(rng):
    """Return a message to some address, with some values."""
    source = odd(rng, (*map(address_part, SOURCES), "*", "%", "%2", "no one", "\x1b[2J"))
    verb = odd(rng, VERBS)
    address = f"/rtnmf/{source}/{verb}" if rng.random() < 0.5 else f"/rtnmf/{verb}"
    builder = OscMessageBuilder(address if rng.random() < 0.95 else odd(rng, ("/", "//", "/rtnmf/", "/" * 300, "/x")))
    for _ in range(rng.integers(0, 3)):
        with contextlib.suppress(Exception):  # what python-osc itself does not write
            builder.add_arg(odd(rng, odd(rng, (ODD_TEXTS, ODD_NUMBERS, (1, 0.5, -12.0)))))
    try:
        return builder.build()
    except Exception:  # the same
        return OscMessageBuilder("/rtnmf/bypass").build()


def attempt_packets(osc, rng, folder):
    """Do what some packets ask for, and tell what has changed."""
    for _ in range(20):
        packet = packet_of(rng)
        (folder / "packet.bin").write_bytes(packet)
        use_packet(osc, packet)
    state = tried("what is told", lambda: osc._state(osc._desk.live.stats))
    for address, value in state.items():
        tried("a packet to be sent", packed, address, value)


def use_packet(osc, packet):
    """Read a packet, and do what it asks for."""
    tried("a packet", lambda: list(messages(packet)))
    tried("what a packet asks for", osc._take, packet, ("127.0.0.1", 9))
    with osc._at_work:  # what takes its time is over
        check_words("what controllers are told", osc._error)


@pytest.fixture
def studio(tmp_path):
    """Return a studio that does not sound."""
    with contextlib.closing(Studio(functools.partial(Live, tap=True), DICTIONARY, "x", tmp_path / "studio")) as studio:
        yield studio


@pytest.fixture
def osc():
    """Return what answers controllers, which is asked here and not through its socket."""
    osc = Osc(Desk(Live(DICTIONARY)), port=0)
    osc._obey_master("reset", [])
    yield osc
    osc.close()


@pytest.fixture(autouse=True)
def _nothing_is_logged(caplog):
    """Fail where something failed that was not expected to."""
    yield
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_commands_are_done_or_refused(studio, tmp_path):
    """Some messages of a page are done, or are refused in words."""
    fuzz(functools.partial(attempt_commands, studio), tmp_path, n=100)


def test_packets_are_obeyed_or_dropped(osc, tmp_path):
    """Some packets of OSC are obeyed, or dropped."""
    fuzz(functools.partial(attempt_packets, osc), tmp_path, n=100)


@of_corpus("commands")
def test_commands_that_were_findings_are_done_or_refused(studio, tmp_path, path):
    """What broke something does so no more."""
    replay(lambda _, copy: use_command(studio, copy.read_bytes()), path, tmp_path / "replay")


@of_corpus("packets")
def test_packets_that_were_findings_are_obeyed_or_dropped(osc, tmp_path, path):
    """So with packets."""
    replay(lambda _, copy: use_packet(osc, copy.read_bytes()), path, tmp_path / "replay")


@long
def test_messages_are_obeyed_or_refused_for_long(studio, osc, tmp_path):
    """So are many of both kinds."""

    def attempt(rng, folder):
        attempt_commands(studio, rng, folder)
        attempt_packets(osc, rng, folder)

    fuzz(attempt, tmp_path / "attempts")
