"""What words on a command line stand for."""

import argparse

import pytest
from conftest import random_dictionary

from rtnmf import STFT
from rtnmf.cli import arguments, spelling


def parsed(parse, text):
    """Return what a type of argument makes of a text, or its error."""
    try:
        return parse(text)
    except argparse.ArgumentTypeError as error:
        return str(error)


@pytest.mark.parametrize(
    ("least", "text", "expected"),
    [
        (1, "1", 1),
        (0, "0", 0),
        (0, "20261126", 20261126),
        (1, "0", "0 is not a whole number of 1 or more"),
        (0, "-1", "-1 is not a whole number of 0 or more"),
        (1, "2.5", "2.5 is not a whole number of 1 or more"),
        (1, "\u00b2", "\u00b2 is not a whole number of 1 or more"),
        (1, "9" * 5000, f"{'9' * 20} is not a whole number of 1 or more"),
        (1, "1000000001", "1000000001 is not a whole number of 1 or more"),
    ],
)
def test_whole_numbers_have_a_least(least, text, expected):
    """A whole number from the least to 10^9 is one, in ASCII digits; all else is refused with what is expected."""
    assert parsed(arguments.whole(least), text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2.5", 2.5), ("1e3", 1000.0), *((text, None) for text in ("0", "-1", "nan", "inf", "2e6", "long"))],
)
def test_positive_numbers_are_above_0_and_finite(text, expected):
    """A positive number of a unit is above 0 and at most a million; the unit is in the error."""
    refused = f"{text} is not a positive number of seconds"
    assert parsed(arguments.positive("seconds"), text) == (refused if expected is None else expected)


def test_a_latency_is_milliseconds_or_low():
    """A latency to learn for is a number of milliseconds or the word low."""
    assert [arguments.latency_ms(text) for text in ("3", "low")] == [3.0, "low"]
    assert "not a positive number of milliseconds, nor the word low" in parsed(arguments.latency_ms, "lower")


def test_devices_are_numbers_or_names():
    """Digits are the number of a device, all else is a part of its name."""
    parser = argparse.ArgumentParser()
    arguments.add_device(parser, "--input", "microphone")
    given = [parser.parse_args(["--input", text]).input for text in ("3", "USB 3", "\u00b3")]
    assert given == [3, "USB 3", "\u00b3"]


def test_options_are_called_as_in_the_library():
    """An option is returned by its parameter's name if it was given, and its flag stands in translated messages."""
    parser = argparse.ArgumentParser()
    arguments.add_separation(parser)
    arguments.switch(parser, "--resample", "resample", "convert")
    options = parser.parse_args(["--updates", "7", "--resample"])
    assert arguments.given(options, *arguments.SEPARATION, "resample") == {"n_iter": 7, "resample": True}
    flags = {"n_iter": "--updates", "mask_power": "--power", "experts": "--expert", "resample=True": "--resample"}
    assert options.flags == flags
    said = arguments.translated("no resample rate: pass resample=True, not n_iter=7", options.flags)
    assert said == "no resample rate: pass --resample, not --updates 7"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("n_iter is 0", "--updates is 0"),
        ("n_iter, mask_power: leave\n  one out", "--updates, --power: leave one out"),
        ("pass n_iter=5 instead", "pass --updates 5 instead"),
        ("n_iter.wav: no such file", "n_iter.wav: no such file"),
        ("a/n_iter: no such file", "a/n_iter: no such file"),
        ("source 'n_iter' is named twice", "source 'n_iter' is named twice"),
        ("n_iterations", "n_iterations"),
    ],
)
def test_messages_name_flags_instead_of_parameters(message, expected):
    """A parameter of the library becomes its flag wherever it is a word of its own, and lines become one."""
    assert arguments.translated(message, {"n_iter": "--updates", "mask_power": "--power"}) == expected
    assert arguments.translated(message, {}) == " ".join(message.split())


@pytest.mark.parametrize(
    ("words", "experts"),
    [
        ([], None),
        (["--no-expert"], ()),
        (["--expert", "rnnoise", "--expert", "deepfilternet"], ["rnnoise", "deepfilternet"]),
    ],
)
def test_experts_are_named_one_by_one_or_refused(words, experts):
    """`--expert` may be repeated, `--no-expert` asks none, and without either the library chooses."""
    parser = argparse.ArgumentParser()
    arguments.add_experts(parser)
    assert parser.parse_args(words).experts == experts


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--expert", "me"], "argument --expert: there is no expert 'me': choose from "),
        (["--expert", "rnnoise", "--no-expert"], "not allowed with argument --expert"),
    ],
)
def test_experts_that_make_no_sense_are_refused_at_once(words, message, capsys):
    """An unknown expert is refused before any work, and so is one beside `--no-expert`."""
    parser = argparse.ArgumentParser()
    arguments.add_experts(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(words)
    assert message in capsys.readouterr().err


def test_recordings_are_named_listed_or_one_to_learn_blind(tmp_path, monkeypatch):
    """NAME=FILE,FILE names recordings; a word without a name, or that is a file, is one to learn blind."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a=b.wav").touch()
    (tmp_path / "one,two.wav").touch()
    words = ["voice=me.wav,me2.wav", "fan=one,two.wav", "desk=mic:10"]
    expected = {"voice": ["me.wav", "me2.wav"], "fan": ["one,two.wav"], "desk": ["mic:10"]}
    assert spelling.recordings(words) == expected
    assert spelling.recordings(["clip.wav"]) == "clip.wav"
    assert spelling.recordings(["a=b.wav"]) == "a=b.wav"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["voice", "fan=x.wav"], "'voice' names no source"),
        (["=x.wav", "fan=x.wav"], "'=x.wav' names no source"),
        (["voice=", "fan=x.wav"], "'voice=' names no source"),
        (["voice=a.wav", "voice=b.wav"], "source 'voice' is named twice: write voice=FILE,FILE"),
    ],
)
def test_recordings_without_a_name_of_their_own_are_refused(words, message):
    """A recording without a name, a name without a recording, and a name given twice are refused."""
    with pytest.raises(ValueError, match=message):
        spelling.recordings(words)


def test_seconds_of_the_microphone(tmp_path, monkeypatch):
    """`mic:SECONDS` is a time, a file of that name is a file, and `mic` without a time is refused."""
    monkeypatch.chdir(tmp_path)
    assert [spelling.microphone_s(word) for word in ("mic:2.5", "mike.wav", "voice.wav")] == [2.5, None, None]
    for word in ("mic", "mic:", "mic:0", "mic:ten", "mic:\u00b2", "mic:99999"):
        with pytest.raises(ValueError, match="write mic:10 for ten seconds"):
            spelling.microphone_s(word)
    (tmp_path / "mic:2.5").touch()
    assert spelling.microphone_s("mic:2.5") is None


def test_gains_become_linear():
    """Gains in dB become linear ones, of the sources that are mentioned; a name may hold an equals sign."""
    gains = arguments.gains(["voice=20", "a=b=-inf"], ("voice", "fan", "a=b"))
    assert gains == {"voice": pytest.approx(10), "a=b": 0}
    assert arguments.gains([], ("voice",)) == {}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["kazoo=3"], "'kazoo=3' names no source: write NAME=DB with one of voice, fan"),
        (["voice"], "'voice' names no source: write NAME=DB"),
        (["voice=1", "voice=2"], "source 'voice' has two gains"),
        (["voice=inf"], "'voice=inf' is not in dB"),
        (["voice=61"], "'voice=61' is not in dB, at most 60"),
        (["voice=nan"], "'voice=nan' is not in dB"),
        (["voice=loud"], "'voice=loud' is not in dB"),
    ],
)
def test_gains_of_no_source_or_no_number_are_refused(words, message):
    """A gain must be that of a source, be the only one of it, and be a number of dB of at most 60."""
    with pytest.raises(ValueError, match=message):
        arguments.gains(words, ("voice", "fan"))


def test_one_source_is_nothing_to_separate():
    """A dictionary of one source is refused where something is to be separated."""
    arguments.check_sources("desk", random_dictionary(STFT(256, 64), ("voice", "fan")))
    with pytest.raises(ValueError, match="desk has one source only: add what it is to be separated from"):
        arguments.check_sources("desk", random_dictionary(STFT(256, 64), ("voice",)))


def test_a_word_may_be_longer_than_the_name_of_any_file():
    """Many recordings of one source are a long word, which is no path that the system could look up."""
    names = [f"take-{i}.wav" for i in range(500)]
    assert spelling.recordings([f"voice={','.join(names)}"]) == {"voice": names}
    assert arguments.not_gains(["n" * 300]) == ["n" * 300]
