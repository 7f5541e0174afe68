"""The page's server on a studio that sounds: what pages are told, and what becomes of what they ask for."""

import json
import re
import threading

import msgspec
import pytest
from web_page import asked, opened, studio  # noqa: F401

from rtnmf.control.web import pulse
from rtnmf.control.web.messages import BANDS, Message
from rtnmf.control.web.server import Server

pytestmark = pytest.mark.timeout(120)
REFERENCE = re.compile(
    r"""(?:href|src)="((?!#|data:|http)[^"]+)"|\bfrom "\./([^"]+)"|^import "\./([^"]+)\"""", re.MULTILINE
)


@pytest.fixture(scope="module")
def url(studio):  # noqa: F811
    """Serve the page to this machine, and return its link."""
    with Server(studio, port=0) as server:
        yield server.url


@pytest.fixture
def page(url):
    """Open a page."""
    with opened(url) as page:
        yield page


def source(state, name):
    """Return a source in a state."""
    return next(source for source in state["sources"] if source["name"] == name)


def test_a_page_is_told_all_that_there_is(page, studio):  # noqa: F811
    """At first comes the state, then meters and columns, each as it is declared, of as many sources and components."""
    state = page.next("state")
    assert page.counts == {"state": 1}
    meters, columns = page.next("meters"), page.next("bytes")
    for message in (state, meters):
        read = msgspec.json.decode(json.dumps(message), type=Message)
        assert json.loads(msgspec.json.encode(read)) == message
    assert tuple(source["name"] for source in state["sources"]) == studio.live.sources
    assert [source["rest"] for source in state["sources"]] == [name == "rest" for name in studio.live.sources]
    assert state["devices"] == "peer to peer"
    assert (state["sample_rate"], len(state["band_hz"])) == (48000, BANDS + 1)
    assert len(meters["peaks_db"]) == len(meters["sounds"]) == len(state["sources"])
    assert len(meters["activations"]) == len(state["components"]) == studio.live.dictionary.n_components
    assert max(meters["activations"]) > 0.2
    assert page.next("meters", lambda meters: meters["input_db"] > -20)["latency_ms"]["algorithm"] > 1
    assert len(columns) % (4 * BANDS) == 0
    assert max(page.next("bytes")[: 2 * BANDS]) > 60


def test_what_a_page_asks_for_is_what_all_pages_see(url, page, studio):  # noqa: F811
    """A fader, solo, mute, bypass, dry/wet and comparing change the mixer, and every page is told so."""
    first, last = studio.live.sources
    with opened(url) as other:
        for name, values, holds in [
            ("gain", {"source": first, "db": -6.0}, lambda state: source(state, first)["db"] == -6.0),
            ("gain", {"source": last, "db": -200}, lambda state: source(state, last)["fader"] == 0),
            ("solo", {"source": first, "on": True}, lambda state: not source(state, last)["heard"]),
            ("mute", {"source": first, "on": True}, lambda state: source(state, first)["mute"]),
            ("wet", {"wet": 0.25}, lambda state: state["wet"] == 0.25),
            ("listen", {"to": last}, lambda state: state["listening"] == last),
            ("listen", {"to": "input"}, lambda state: state["bypass"] and state["listening"] == "input"),
            ("bypass", {"on": False}, lambda state: not state["bypass"]),
        ]:
            page.ask(name, **values)
            assert page.next("state", holds) == other.next("state", holds)
    mixer = studio.live.mixer
    assert (mixer.wet, mixer.soloed, mixer.muted, mixer.gains[last]) == (0.25, (first,), (first,), 0)
    assert mixer.gains[first] == pytest.approx(0.501, abs=1e-3)


def test_what_others_change_is_seen(page, studio):  # noqa: F811
    """A change from elsewhere, such as a terminal, reaches the page."""
    page.next("state")
    studio.live.wet = 0.75
    page.next("state", lambda state: state["wet"] == 0.75)
    studio.live.wet = 1.0


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("mute", {"source": "nobody", "on": True}, "there is no source 'nobody': choose from "),
        ("wet", {"wet": 2}, "this is no command: .*`float` <= 1"),
        ("dance", {}, "this is no command: .*'dance'"),
    ],
)
def test_what_cannot_be_done_is_said_to_who_asked(page, name, values, reason):
    """An error comes back in words."""
    page.ask(name, **values)
    assert re.match(reason, page.next("refused")["reason"])


def test_too_much_at_once_is_refused(page):
    """Commands beyond what hands can do are refused, and the page is still served."""
    for _ in range(400):
        page.ask("reset")
    assert "too much at once" in page.next("refused")["reason"]
    page.next("meters")


def test_a_hidden_page_gets_no_pictures(url, page, studio):  # noqa: F811
    """One that is out of sight is told of changes only, and of all again when it is seen; nothing is drawn for none."""
    page.ask("hidden", on=True)
    drawn = threading.Event()
    with pytest.MonkeyPatch.context() as patch, opened(url) as other:
        other.ask("hidden", on=True)
        page.next("state")
        studio.live.wet = 0.5
        page.next("state", lambda state: state["wet"] == 0.5)
        patch.setattr(pulse, "meters_of", lambda *_: drawn.set())
        counts = dict(page.counts)
        for wet in (0.25, 0.5, 1.0):
            studio.live.wet = wet
            page.next("state", lambda state, wet=wet: state["wet"] == wet)
        assert page.counts == {**counts, "state": counts["state"] + 3}
        assert not drawn.is_set()
    page.ask("hidden", on=False)
    page.next("bytes")


def test_what_was_recorded_may_be_downloaded(url, page, studio):  # noqa: F811
    """When a recording has ended, its files are there by their names alone; before, they are not."""
    page.ask("record", on=True)
    page.next("meters", lambda meters: meters["recorded_s"] > 0.2)
    assert asked(url, f"/recordings/{next(iter(studio.recordings))}")[0] == 409
    page.ask("record", on=False)
    state = page.next("state", lambda state: not state["recording"]["on"] and state["recording"]["files"])
    for name in state["recording"]["files"]:
        status, headers, body = asked(url, f"/recordings/{name}")
        assert (status, headers["content-disposition"]) == (200, f'attachment; filename="{name}"')
        assert body[:4] == b"RIFF"
        assert body == studio.recordings[name].read_bytes()
    assert asked(url, "/recordings/other.wav")[0] == 404


def test_a_take_may_be_heard_in_parts(url, studio):  # noqa: F811
    """Without a take there is none to hear; with one, a browser may ask for all of it or for a part."""
    assert asked(url, "/take.wav")[0] == 404
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(studio.lesson, "wav", lambda: bytes(range(200)))
        for wanted, status, part in [
            ("bytes=0-1", 206, slice(0, 2)),
            ("bytes=150-", 206, slice(150, None)),
            ("bytes=150-900", 206, slice(150, None)),
            ("bytes=200-", 200, slice(None)),
            ("bytes=-5", 200, slice(None)),
            ("bytes=5-3,7-8", 200, slice(None)),
            ("lines=1", 200, slice(None)),
        ]:
            answer = asked(url, "/take.wav", Range=wanted)
            assert (answer[0], answer[2]) == (status, bytes(range(200))[part])
        assert asked(url, "/take.wav", Range="bytes=5-9")[1]["content-range"] == "bytes 5-9/200"


def test_the_page_is_whole_and_light(url):
    """All that the page refers to is served, and is less than 200 kB."""
    left, seen, n_bytes = ["/"], set(), 0
    while left:
        path = left.pop()
        status, headers, body = asked(url, path)
        assert status == 200, path
        assert headers["content-type"].partition(";")[0] in (
            "text/html",
            "text/javascript",
            "text/css",
            "image/svg+xml",
        )
        n_bytes += len(body)
        for page, *modules in REFERENCE.findall(body.decode()):
            found = f"/{page}" if page else f"/page/{''.join(modules)}"
            if found not in seen:
                seen.add(found)
                left.append(found)
    assert n_bytes < 200_000
