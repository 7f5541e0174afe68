"""The desk: what hands can do, what strips show, and the law of faders and meters."""

import math

import pytest
from conftest import random_dictionary

from rtnmf import STFT
from rtnmf.control import faders
from rtnmf.control.desk import Desk
from rtnmf.control.meters import Marks
from rtnmf.live import Live

SOURCES = ("voice", "fan", "drum")


@pytest.fixture
def desk():
    """Return the desk of a separation that does not sound."""
    return Desk(Live(random_dictionary(STFT(1024, 256), SOURCES), input="a", output="b"))


def test_the_scale_is_that_of_iec_60268_18():
    """0 dB is 1/1.15 of the way to 6 dB from nothing, 10 dB below 20 dB take 30/115 of it, and ends stay ends."""
    assert (faders.position(-60), faders.position(6), faders.position(-math.inf), faders.position(40)) == (0, 1, 0, 1)
    whole = 115 - 2.5
    assert faders.position(0) == pytest.approx((100 - 2.5) / whole)
    assert faders.position(-20) - faders.position(-40) == pytest.approx((50 - 15) / whole)
    for level_db in (-59, -50, -33.3, -20, -6, 0, 5.9):
        assert faders.level(faders.position(level_db)) == pytest.approx(level_db)
    assert faders.level(0) == -math.inf


@pytest.mark.parametrize(
    ("level_db", "text"), [(0, "0.0 dB"), (-0.04, "0.0 dB"), (-10, "-10.0 dB"), (3.25, "+3.2 dB"), (-math.inf, "off")]
)
def test_levels_in_words(level_db, text):
    """A level has a sign and a digit behind the point, and none is off."""
    assert faders.db_text(level_db) == text


def test_peaks_are_held_and_marks_stay_until_they_are_reset():
    """A peak is held for 1.5 s, then the level of that moment; what went over 0 dB is marked."""
    marks = Marks()
    assert marks.note({"a": -3.0, "b": 0.1}, 0.0) == {"a": -3.0, "b": 0.1}
    assert marks.note({"a": -9.0, "b": -60.0}, 1.4) == {"a": -3.0, "b": 0.1}
    assert marks.note({"a": -9.0, "b": -60.0}, 1.6) == {"a": -9.0, "b": -60.0}
    assert marks.over == {"b"}
    marks.reset()
    assert marks.over == set()


def test_hands_change_the_mixer(desk):
    """Gain, fader, steps, solo and mute each change what they name, and nothing else."""
    desk.set_gain("voice", -6)
    desk.set_fader("fan", 0)
    desk.step_gain("drum", 1)
    desk.solo("voice", True)
    desk.solo("drum", True)
    desk.solo("voice", False)
    desk.mute("fan", True)
    voice, fan, drum = desk.strips()
    assert voice.gain_db == pytest.approx(-6)
    assert (fan.gain_db, fan.fader, fan.is_muted) == (-math.inf, 0, True)
    assert drum.gain_db == pytest.approx(1)
    assert [strip.is_soloed for strip in (voice, fan, drum)] == [False, False, True]
    assert [strip.is_heard for strip in (voice, fan, drum)] == [False, False, True]
    desk.step_gain("fan", 1)
    assert desk.strips()[1].gain_db == pytest.approx(-59)
    for _ in range(90):
        desk.step_gain("drum", 1)
    assert desk.strips()[2].gain_db == pytest.approx(6)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda desk: desk.set_gain("nothing", 0),
        lambda desk: desk.set_gain("voice", math.nan),
        lambda desk: desk.set_gain("voice", math.inf),
        lambda desk: desk.set_fader("voice", 1.1),
        lambda desk: desk.step_gain("nothing", 1),
        lambda desk: desk.solo("nothing", True),
        lambda desk: desk.mute("nothing", True),
        lambda desk: desk.set_wet(2),
        lambda desk: desk.listen("nothing"),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(desk, wrong):
    """A ValueError says so, and the mixer stays as it was."""
    before = desk.live.mixer
    with pytest.raises(ValueError, match=r"nothing|gain|fader|wet"):
        wrong(desk)
    assert desk.live.mixer == before


def test_comparing_leaves_the_mix_as_it_was(desk):
    """The input, one source after another and the output are heard in turn; solo and mute are then as before."""
    desk.solo("fan", True)
    desk.mute("drum", True)
    before = desk.live.mixer
    for to, heard in [("input", ()), ("voice", ("voice",)), ("drum", ("drum",)), ("output", ("fan",))]:
        desk.listen(to)
        assert desk.listening == to
        assert tuple(strip.source for strip in desk.strips() if strip.is_heard) == heard
    assert desk.live.mixer == before
