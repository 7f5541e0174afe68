"""Which sources of a dictionary are voices."""

import pytest
from small_dictionaries import small

NAMES = ("voice", "fan", "Speech 2", "invoice")


def four(**changes):
    """Return a dictionary of four sources, a component each."""
    return small(labels=NAMES, **changes)


def test_names_tell_where_nothing_else_does():
    """A source named like a voice is one, unless it is the rest; a word that only contains one is not."""
    assert four().voices == ("voice", "Speech 2")
    assert four(rest="voice").voices == ("Speech 2",)


def test_what_is_given_counts():
    """Voices that are given are the only ones, in the order of the sources."""
    assert four(voices=["invoice", "fan"]).voices == ("fan", "invoice")
    assert four(voices=()).voices == ()


def test_they_stay_voices_whatever_is_done_with_them():
    """Selecting, renaming, grouping and merging keep who is a voice."""
    named = four(voices=("fan", "voice"))
    assert named.select("invoice", "fan").voices == ("fan",)
    assert named.rename({"fan": "me"}).voices == ("voice", "me")
    assert named.regroup({"we": ["fan", "voice"], "all else": ["Speech 2", "invoice"]}).voices == ("we",)
    assert named.regroup({"x": ["fan", "invoice"]}).voices == ("voice",)
    assert named.select("fan").merge(named.select("invoice").rename({"invoice": "x"})).voices == ("fan",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"voices": ("cat",)}, "there is no source 'cat'"),
        ({"voices": "voice"}, "expected a sequence of strings"),
        ({"voices": ("voice",), "rest": "voice"}, "stands for all that was not taught"),
    ],
)
def test_what_cannot_be_a_voice_is_refused(changes, message):
    """An unknown source, a text instead of a sequence, and the rest are errors."""
    with pytest.raises((TypeError, ValueError), match=message):
        four(**changes)


def test_what_is_named_like_a_voice_becomes_one():
    """A source that gets the name of a voice, or a group that does, is a voice from then on, but not the rest."""
    blind = small(labels=("component-1", "component-2", "component-3", "component-4"))
    assert blind.voices == ()
    assert blind.rename({"component-1": "my voice"}).voices == ("my voice",)
    assert blind.regroup({"voice": ["component-1", "component-3"]}).voices == ("voice",)
    assert small(rest="a").rename({"a": "speech"}).voices == ()
    assert small(rest="a").regroup({"voices": ["a", "b"]}).voices == ()
