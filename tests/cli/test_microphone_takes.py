"""Takes from the microphone for `rtnmf learn`, on a real audio server; the ends of a take on arrays."""

import numpy as np
import pytest
from command_line import assert_refused, run
from jack_desk import peer  # noqa: F401

from rtnmf import Dictionary
from rtnmf.audio import files
from rtnmf.cli import microphone_takes
from rtnmf.learning import takes

pytestmark = pytest.mark.timeout(120)


def noise(seconds, level=0.3, rate=48000):
    """Return white noise, shape (n_samples,)."""
    return np.random.default_rng(0).uniform(-level, level, round(seconds * rate)).astype(np.float32)


@pytest.fixture
def at_once(monkeypatch):
    """Record without a countdown."""
    monkeypatch.setattr(microphone_takes, "_COUNTDOWN_S", 0)


def test_a_take_is_recorded_kept_and_learned(peer, tmp_path, capfd):  # noqa: F811
    """A take comes after a countdown and is kept as a file; the dictionary is learned from all recordings."""
    files.write("fan.wav", noise(1), 48000)
    options = ["-o", "new.safetensors", "--input", "peer", "--components", 4, "--steps", 0]
    assert run("learn", "voice=mic:1.5", "fan=fan.wav", *options) == 0
    said = capfd.readouterr()
    countdown = "".join(f"voice: 1.5 s from 'peer' in {left} ...\n" for left in (3, 2, 1))
    assert said.out.startswith(f"{countdown}voice: recording\nnew-voice.wav\nvoice: mean level -15 dB, peak -10 dB\n")
    assert said.err == ""
    assert Dictionary.load("new.safetensors").labels == ("voice",) * 4 + ("fan",) * 4
    assert len(files.read("new-voice.wav")[0]) == 72_000


@pytest.mark.usefixtures("at_once")
def test_each_mention_is_a_take_and_replaces_no_file(peer, tmp_path, capfd):  # noqa: F811
    """`mic:1,mic:2` are two takes of their own, beside files that are given, and no file is replaced."""
    (tmp_path / "new-voice.wav").write_text("mine")
    files.write("fan.wav", noise(1), 48000)
    options = ["-o", "new.safetensors", "--input", "peer", "--components", 2, "--steps", 0]
    assert run("learn", "voice=mic:0.5,mic:1", "fan=fan.wav", *options) == 0
    assert (tmp_path / "new-voice.wav").read_text() == "mine"
    assert [len(files.read(f"new-voice-{i}.wav")[0]) for i in (2, 3)] == [24_000, 48_000]
    learned = Dictionary.load("new.safetensors")
    assert learned.learned_from == ("new-voice-2.wav", "new-voice-3.wav", "fan.wav")


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("level", "message"), [(1.5, "samples are clipped: turn the input down"), (1e-4, "is nearly silent: turn the")]
)
def test_clipped_and_quiet_takes_are_noted(peer, capfd, level, message):  # noqa: F811
    """A clipped take and a nearly silent one are learned from, with a note of what to do."""
    peer.play(noise(20, level))
    line = ("learn", "mic:0.5", "-o", "x.safetensors", "--input", "peer", "--components", 2)
    assert run(*line) == 0
    assert message in capfd.readouterr().err


@pytest.mark.usefixtures("at_once")
def test_silence_is_refused(peer, tmp_path, capfd):  # noqa: F811
    """A take of nothing but silence is refused, and leaves no file: there is nothing to learn from."""
    peer.play(np.zeros(1))
    line = ["learn", "mic:0.5", "-o", "x.safetensors", "--input", "peer"]
    assert_refused(line, "gave nothing but silence: is it muted", capfd)
    assert not list(tmp_path.glob("*.wav"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("a=mic b=mic:3 -o x.safetensors", "write mic:10 for ten seconds"),
        ("a=mic:1 b=mic:3 -o x.safetensors --input nothing", "no input device is called"),
        ("a=mic:1 b=mic:3 -o x.safetensors --input 99", "99"),
        ("a=mic:1 b=mic:3 -o nowhere/x.safetensors", "there is no such folder"),
    ],
)
def test_what_cannot_be_recorded_is_refused_first(peer, tmp_path, capfd, words, message):  # noqa: F811
    """A wish that cannot be met is refused before the first countdown."""
    assert_refused(["learn", *words.split()], message, capfd)
    assert not list(tmp_path.glob("*.wav"))


@pytest.mark.parametrize("n_channels", [1, 2])
def test_silent_ends_are_cut_off_but_for_a_margin(n_channels):
    """All but 0.1 s of what is 40 dB below the loudest moment is cut off at both ends, in no middle."""
    quiet = noise(0.8, 1e-4)
    x = np.concatenate([quiet, noise(0.5), quiet, noise(0.5), quiet])[:, None] * np.ones(n_channels, np.float32)
    kept = takes.trimmed(x, 48000)
    assert kept.shape[1] == n_channels
    assert len(kept) / 48000 == pytest.approx(1.8 + 0.2, abs=0.1)
    begin = int(np.argmax((x == kept[0]).all(axis=1)))
    np.testing.assert_array_equal(kept, x[begin : begin + len(kept)])


@pytest.mark.parametrize(
    "x",
    [np.zeros(48000), np.full(48000, 1e-12), noise(1), noise(0.01), np.ones(1)],
    ids=["silence", "constant", "noise", "short", "one sample"],
)
def test_a_take_without_silent_ends_stays_as_it_is(x):
    """Silence throughout, sound throughout and a take shorter than a frame are not cut."""
    x = np.asarray(x, np.float32)[:, None]
    np.testing.assert_array_equal(takes.trimmed(x, 48000), x)


def test_a_click_is_never_cut_to_less_than_a_window():
    """Of a click in silence enough is kept to learn from: more than the longest window."""
    for position in (0, 24_000, 47_999):
        x = np.zeros((48_000, 1), np.float32)
        x[position] = 1
        kept = takes.trimmed(x, 48000)
        assert kept.any()
        assert 4096 <= len(kept) < 24_000


def test_what_was_cut_off_is_said(capsys):
    """The seconds that were cut off are printed, and nothing where nothing was cut off."""
    x = np.concatenate([np.zeros(48_000, np.float32), noise(1)])[:, None]
    assert len(microphone_takes._without_silence("voice", x, 48000)) < 60_000
    assert capsys.readouterr().out == "voice: 0.9 s of silence cut off\n"
    assert len(microphone_takes._without_silence("voice", x[48_000:], 48000)) == 48_000
    assert capsys.readouterr().out == ""
