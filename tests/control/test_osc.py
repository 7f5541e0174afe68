"""OSC: every address both ways with python-osc as the peer, and a door that nothing comes through but what is known."""

import contextlib
import random
import struct
import time

import pytest
from conftest import random_dictionary
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.udp_client import SimpleUDPClient
from sounding import eventually, noise

from rtnmf import STFT
from rtnmf.control.desk import Desk
from rtnmf.control.osc import Osc, address_part, host_and_port
from rtnmf.live import Live

SOURCES = ("lead voice", "a/b", "ü")
DICTIONARY = random_dictionary(STFT(1024, 256), SOURCES, sample_rate=44100)


class Controller(SimpleUDPClient):
    """A controller that keeps what it was told last, by address, and everything in order."""

    def __init__(self, port):
        super().__init__("127.0.0.1", port)
        self.told, self.heard = {}, []

    def listen(self, seconds=0.01):
        """Take what has come."""
        for message in self.get_messages(seconds):
            value = message.params if message.address.endswith("sources") else message.params[0]
            self.told[message.address.removeprefix("/rtnmf/")] = value
            self.heard.append((message.address, value))
        return self.told

    def hears(self, address, value):
        """Wait until an address has a value."""
        eventually(lambda: self.listen().get(address) == pytest.approx(value, abs=1e-3), 10)

    def ask(self, address, *values):
        """Send a message to an address of ours."""
        self.send_message(f"/rtnmf/{address}", list(values))


@pytest.fixture
def osc():
    """Run OSC for a separation that does not sound."""
    with Osc(Desk(Live(DICTIONARY)), port=0) as osc:
        yield osc


@pytest.fixture
def controller(osc):
    """Return a controller that has said something, and was told everything."""
    with Controller(osc.port) as controller:
        controller.ask("refresh")
        controller.hears("sources", list(SOURCES))
        yield controller


@pytest.mark.parametrize(
    ("address", "values", "told"),
    [
        ("lead%20voice/gain", [-12.0], {"lead%20voice/gain": -12.0, "lead%20voice/fader": 0.6}),
        ("a%2Fb/gain", [-90.0], {"a%2Fb/gain": -120.0, "a%2Fb/fader": 0.0}),
        ("a%2Fb/gain", [-float("inf")], {"a%2Fb/gain": -120.0}),
        ("%C3%BC/fader", [1.0], {"%C3%BC/fader": 1.0, "%C3%BC/gain": 6.0}),
        ("a%2Fb/solo", [1], {"a%2Fb/solo": 1}),
        ("a%2Fb/solo", [], {"a%2Fb/solo": 1}),
        ("%C3%BC/mute", [True], {"%C3%BC/mute": 1}),
        ("%C3%BC/mute", [1.0], {"%C3%BC/mute": 1}),
        ("*/mute", [1], {"lead%20voice/mute": 1, "a%2Fb/mute": 1, "%C3%BC/mute": 1}),
        ("bypass", [1], {"bypass": 1}),
        ("wet", [0.25], {"wet": 0.25}),
    ],
)
def test_each_address_is_obeyed_and_echoed(osc, controller, address, values, told):
    """What a controller sets is set, and told to it; in addresses unusual signs of names stand as % and digits."""
    assert controller.told["error"] == ""
    controller.ask(address, *values)
    for name, value in told.items():
        controller.hears(name, value)
    assert osc.n_dropped == 0


def test_state_goes_to_who_sent_last_and_to_fixed_places():
    """What the terminal or another controller sets is told to the last sender, and to each place of send_to."""
    desk = Desk(Live(DICTIONARY))
    with contextlib.ExitStack() as stack:
        fixed = stack.enter_context(Controller(1))
        fixed._sock.bind(("127.0.0.1", 0))
        osc = stack.enter_context(Osc(desk, port=0, send_to=[fixed._sock.getsockname()]))
        first, last = (stack.enter_context(Controller(osc.port)) for _ in range(2))
        fixed.hears("wet", 1.0)
        first.ask("wet", 0.5)
        first.hears("wet", 0.5)
        last.ask("%C3%BC/mute")
        last.hears("wet", 0.5)
        desk.set_gain("a/b", -6)
        for one in (fixed, last):
            one.hears("a%2Fb/gain", -6.0)
        assert first.listen()["a%2Fb/gain"] == 0
        n_heard = len(last.heard)
        last.listen(0.2)
        assert len(last.heard) == n_heard


@given(
    st.lists(st.text(min_size=1, max_size=20).filter(lambda s: s.isprintable()), unique=True, min_size=2, max_size=4)
)
def test_sources_have_different_addresses_that_osc_allows(names):
    """Each source has an address of its own, without any sign that means something in an OSC address."""
    parts = [address_part(name) for name in names]
    assert len(set(parts)) == len(parts)
    assert all(part.isascii() and not set(part) & set(" #*,/?[]{}") for part in parts)


@pytest.mark.parametrize(
    ("address", "values", "reason"),
    [
        ("drum/gain", [1.0], "there is no source 'drum': choose from lead voice, a/b, ü"),
        ("%C3%BC/gain", [], "got nothing, expected one number"),
        ("%C3%BC/gain", ["loud"], "got 'loud', expected one number"),
        ("%C3%BC/gain", [float("nan")], "got nan, expected one number"),
        ("%C3%BC/gain", [200.0], "gains are"),
        ("%C3%BC/fader", [1.5], "fader is 1.5, expected 0 to 1"),
        ("%C3%BC/pan", [0.5], "there is no such address"),
        ("a/b/gain", [0.5], "there is no such address"),
        ("wet", [2.0], "wet is 2.0, expected 0 to 1"),
        ("preset", ["../secret"], "there is no preset '../secret'"),
        ("preset", ["speech"], "expected lead voice, a/b, ü"),
        ("teach", ["drum"], "sounds are taught in the studio"),
        ("level", [1.0], "there is no such address"),
    ],
)
def test_what_cannot_be_done_is_told(osc, controller, address, values, reason):
    """A message that asks for what there is not changes nothing, is counted, and answered with the reason."""
    before = osc._desk.live.mixer
    controller.ask(address, *values)
    eventually(lambda: controller.listen()["error"].startswith(f"/rtnmf/{address}: "), 10)
    assert reason in controller.told["error"]
    assert (osc.n_dropped, osc._desk.live.mixer) == (1, before)
    controller.ask("wet", 1.0)
    controller.hears("error", "")


def test_the_studio_does_what_takes_its_time(tmp_path):
    """A studio's functions are called with what a message has, one at a time; that of the desk without one says why."""
    done = []
    desk = Desk(Live(DICTIONARY), tmp_path)
    studio = {verb: lambda *values, verb=verb: done.append((verb, *values)) for verb in ("preset", "teach", "keep")}
    with Osc(desk, port=0, studio=studio) as osc, Controller(osc.port) as controller:
        for address, values in (("preset", ["speech"]), ("teach", ["drum"]), ("teach", ["drum", 5]), ("keep", [])):
            n_done = len(done)
            controller.ask(address, *values)
            eventually(lambda n=n_done: len(done) > n and not osc._at_work.locked(), 10)
        controller.ask("record", 1)
        eventually(lambda: "nothing sounds" in controller.listen().get("error", ""), 10)
    assert done == [("preset", "speech"), ("teach", "drum", 10.0), ("teach", "drum", 5.0), ("keep",)]
    assert not list(tmp_path.iterdir())


def hostile_packets():
    """Return packets of all kinds that a door must not let through."""
    chance = random.Random(0)  # noqa: S311
    good = OscMessageBuilder("/rtnmf/wet")
    good.add_arg(0.5)
    good = good.build().dgram
    other = b"/rtnmf/sex\0\0" + good[12:]
    bundle = b"#bundle\0" + struct.pack(">Q", 1)
    nested = good
    for _ in range(20):
        nested = bundle + struct.pack(">i", len(nested)) + nested
    return [
        b"", b"/", b"\0" * 64, b"/rtnmf/wet", b"#bundle\0", b"#bundle\0" + b"\xff" * 8,
        good[:-1], good + b"\0", good[:-4], nested, b"/" + b"x" * 9000, b"/" + b"*" * 4000 + b"\0" * 3,
        *(bundle + struct.pack(">i", size) + good for size in (-4, -2**31, 0, 2**31 - 1, len(good) + 4)),
        *(b"/rtnmf/wet\0\0" + tags for tags in (b",[\0\0", b",[[[", b",zzz", b",f\0\0", b",s\0\0\xff\xff\xff\xff")),
        b"/rtnmf/\xff\xfe/gain\0\0\0,f\0\0\0\0\0\0", b"/rtnmf/%00%2e%2e/gain\0\0\0,f\0\0\0\0\0\0",
        *(bytes(chance.randrange(256) for _ in range(chance.randrange(0, 120) // 4 * 4)) for _ in range(200)),
        *(bytes(b ^ (chance.random() < 0.05) << chance.randrange(8) for b in other) for _ in range(200)),
    ]  # fmt: skip


def test_hostile_packets_change_nothing(osc, controller, caplog, recwarn):
    """10,000 malformed, oversized and hostile packets change nothing and are counted; then all goes on as before."""
    packets = hostile_packets()
    before = osc._desk.live.mixer
    for i in range(10_000):
        packet = packets[i % len(packets)]
        osc._take(packet, controller._sock.getsockname())
        if i < len(packets):
            with contextlib.suppress(OSError):  # longer than a datagram may be
                controller._sock.sendto(packet, ("127.0.0.1", osc.port))
    assert osc.n_dropped >= 10_000
    assert osc._desk.live.mixer == before
    controller.ask("wet", 0.75)
    controller.hears("wet", 0.75)
    assert not caplog.records
    assert not recwarn.list


def test_bundles_are_obeyed_in_their_order(osc, controller):
    """Messages in a bundle, also within another one, are obeyed one after the other, whatever its time."""
    inner, outer = (OscBundleBuilder(when) for when in (IMMEDIATELY, time.time() + 1000))
    for bundle, wet in ((inner, 0.25), (outer, 0.5)):
        message = OscMessageBuilder("/rtnmf/wet")
        message.add_arg(wet)
        bundle.add_content(message.build())
    outer.add_content(inner.build())
    controller.send(outer.build())
    controller.hears("wet", 0.25)
    assert osc.n_dropped == 0


def test_echoes_are_bounded_however_fast_a_fader_moves(osc, controller):
    """A flood of messages is answered at most 30 times a second, and the last value that is set is told."""
    controller.listen()
    began, n_heard = time.monotonic(), len(controller.heard)
    for i in range(2000):
        controller.ask("wet", i / 2000)
    eventually(lambda: controller.ask("*/mute", 1) or controller.listen()["%C3%BC/mute"] == 1, 10)
    controller.hears("wet", osc._desk.live.wet)
    wets = [value for address, value in controller.heard[n_heard:] if address == "/rtnmf/wet"]
    assert 1 <= len(wets) <= 30 * (time.monotonic() - began) + 2


@pytest.mark.timeout(120)
def test_a_fader_of_a_controller_is_heard_and_levels_are_told(peer):
    """While it sounds levels are told, and a fader at its lower end silences what the loudspeakers play."""
    dictionary = random_dictionary(STFT(1024, 256), sample_rate=48000)
    with (
        Live(dictionary, input="peer", output="peer") as live,
        Osc(Desk(live), port=0) as osc,
        Controller(osc.port) as controller,
    ):
        peer.play(noise(60))
        controller.ask("refresh")
        eventually(lambda: controller.listen().get("a/level", -120) > -40 and controller.told["level"] > -40)
        assert controller.told["trouble"] == ""
        controller.ask("*/fader", 0.0)
        controller.hears("a/gain", -120.0)
        eventually(lambda: controller.listen()["a/level"] == -120)
        assert peer.so_far().any()
        peer.play(noise(0.2))
        assert not peer.heard().any()


@pytest.mark.parametrize("text", ["", "9001", "host:", ":9001", "host:0", "host:70000", "host:1e3"])
def test_places_to_send_to_are_host_and_port(text):
    """Anything but HOST:PORT is refused with an example."""
    with pytest.raises(ValueError, match="write HOST:PORT"):
        host_and_port(text)
    assert host_and_port("[::1]:9001") == ("::1", 9001)


def test_a_port_that_is_taken_and_a_host_that_is_unknown_are_refused(osc):
    """A port that another program has, and a host that nobody knows, are errors with a remedy."""
    desk = Desk(Live(DICTIONARY))
    with pytest.raises(ValueError, match="choose another port"):
        Osc(desk, port=osc.port)
    with pytest.raises(ValueError, match=r"cannot listen for OSC at nowhere\.invalid"):
        Osc(desk, "nowhere.invalid", 0)
    with pytest.raises(ValueError, match=r"cannot send OSC to nowhere\.invalid:1"):
        Osc(desk, port=0, send_to=[("nowhere.invalid", 1)])
