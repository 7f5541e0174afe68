"""The rest of the world: a source that is learned from backgrounds."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from conftest import DEMO

from rtnmf import Dictionary, learn, pool, separate
from rtnmf.audio import files
from rtnmf.dictionary.examples import decoded
from rtnmf.learning.backgrounds import own
from rtnmf.measure.metrics import si_sdr

QUICK = {"n_components": 4, "n_iter": 3, "n_steps": 3}


@pytest.fixture(scope="module")
def few():
    """Return four backgrounds that ship."""
    return pool()[::40]


@pytest.fixture(scope="module")
def voice():
    """Return a dictionary of one voice and the pool."""
    return learn({"voice": DEMO / "voice-train.flac"})


def test_one_sound_is_taught_and_the_rest_is_there(voice):
    """The dictionary separates, knows which source is the rest, and says what it was learned from."""
    assert (voice.sources, voice.rest) == (("voice", "rest"), "rest")
    assert voice.is_trained
    assert voice.learned_from == ("voice-train.flac", f"{len(pool())} backgrounds")
    assert set(voice.frames) == {"voice", "rest"}
    assert all(background.licence in voice.licence for background in pool())
    assert voice.frames.n_bytes <= 2**21


def test_a_keyboard_that_nobody_taught_is_taken_from_a_voice(voice):
    """The voice of the demo gains some decibels, without any recording of a keyboard."""
    speech, typing = (files.read(DEMO / f"{name}.flac")[0][:, 0] for name in ("voice", "keyboard"))
    typing = files.resample(typing[:, None], 44100, 16000)[: len(speech), 0]
    speech = speech[: len(typing)]
    mixture = speech + typing * np.sqrt(np.mean(speech**2) / np.mean(typing**2))
    assert voice.sample_rate == 16000
    stem = separate(mixture, voice)[0]
    assert si_sdr(speech, stem) > si_sdr(speech, mixture) + 3


def test_backgrounds_can_be_chosen(few, tmp_path):
    """Those of one's own folder join the pool, or are all there is."""
    (tmp_path / "wind").mkdir()
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "wind" / "gust.wav", rng.uniform(-0.1, 0.1, 16000), 16000)
    of_own = learn({"a": DEMO / "voice-train.flac"}, rest=own(tmp_path), **QUICK)
    of_both = learn({"a": DEMO / "voice-train.flac"}, rest=(*few, *own(tmp_path)), **QUICK)
    assert of_own.learned_from[-1] == "1 backgrounds"
    assert of_both.learned_from[-1] == f"{len(few) + 1} backgrounds"
    assert of_own != of_both


def test_the_rest_is_left_out_or_added_on_request(few):
    """With several sounds it is there only when asked for, with one it is left out only when asked for."""
    clips = {"a": DEMO / "voice-train.flac", "b": DEMO / "keyboard-train.flac"}
    assert learn(clips, 16000, **QUICK).rest == ""
    added = learn(clips, 16000, rest=few, **QUICK)
    assert (added.sources, added.rest) == (("a", "b", "rest"), "rest")
    alone = learn({"a": clips["a"]}, rest=False, n_components=4, n_iter=3)
    assert (alone.sources, alone.rest) == (("a",), "")


def test_recordings_of_the_rest_join_the_backgrounds(few):
    """A source called rest is one like any other, unless backgrounds are asked for: then it gets both."""
    clips = {"a": DEMO / "voice-train.flac", "rest": DEMO / "keyboard-train.flac"}
    assert learn(clips, 16000, **QUICK).rest == ""
    joined = learn(clips, 16000, rest=few, **QUICK)
    assert (joined.sources, joined.rest) == (("a", "rest"), "rest")
    assert joined.learned_from == ("voice-train.flac", "keyboard-train.flac", f"{len(few)} backgrounds")


def test_the_rate_is_that_of_what_was_taught(few):
    """Backgrounds are converted to it, and nothing is said about those that reach less high."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = learn({"a": DEMO / "voice-train.flac"}, rest=few, **QUICK)
    assert made.sample_rate == 16000


@pytest.mark.parametrize(
    ("recordings", "rest", "error", "message"),
    [
        ({"a": np.zeros(9)}, (), ValueError, "rest holds no background"),
        ({"a": np.zeros(9)}, ["x.wav"], TypeError, "rest is .*, expected True, False or backgrounds"),
        ({"a": np.zeros(9)}, "noises", TypeError, "rest is 'noises', expected True, False or backgrounds"),
        (np.zeros(9), True, ValueError, "learned blind has none: name its source"),
    ],
)
def test_a_rest_of_nothing_is_refused(recordings, rest, error, message):
    """What is no background is an error before anything is read."""
    with pytest.raises(error, match=message):
        learn(recordings, 16000, rest=rest)


def test_a_sound_that_was_learned_before_joins_by_its_dictionary(voice):
    """Its components are kept, it is trained against the others with its frames, and its rest is left behind."""
    made = learn({"typing": DEMO / "keyboard-train.flac", "me": voice}, 16000, **QUICK)
    assert made.sources == ("typing", "me")
    assert made.is_trained
    assert made.learned_from == ("keyboard-train.flac", *voice.learned_from)
    of_voice = [label == "voice" for label in voice.labels]
    of_me = [label == "me" for label in made.labels]
    np.testing.assert_array_equal(made.components[:, of_me], voice.components[:, of_voice])
    np.testing.assert_array_equal(made.frames["me"], voice.frames["voice"])


def test_dictionaries_alone_are_trained_against_each_other(voice):
    """Nothing is read; the rate is that of the first, unless another one is asked for."""
    other = voice.select("voice")
    made = learn({"a": voice, "b": other}, n_steps=2)
    assert (made.sample_rate, made.is_trained, made.rest) == (16000, True, "")
    assert learn({"a": voice, "b": other}, 8000, n_steps=2).sample_rate == 8000


def test_a_dictionary_that_cannot_be_trained_with_is_refused(voice):
    """Without frames, or with several sounds, the error says what to do."""
    bare = Dictionary(voice.components, voice.labels, voice.stft, voice.sample_rate)
    with pytest.raises(ValueError, match=r"'a' is given as a dictionary without frames.*learn it again"):
        learn({"a": bare.select("voice"), "b": voice})
    with pytest.raises(ValueError, match=r"'a' is given as a dictionary of voice, rest, expected one source.*\.select"):
        learn({"a": bare, "b": voice})


def test_examples_are_frames_of_the_recording(voice):
    """The frames that travel have the mean spectrum of the recording that was taught."""
    examples = decoded(voice.frames["voice"]).mean(axis=1)
    x = files.read(DEMO / "voice-train.flac")[0]
    mean = np.abs(voice.stft.forward(x[:, 0])).mean(axis=1)
    assert np.minimum(examples / examples.sum(), mean / mean.sum()).sum() > 0.9


def test_a_rest_that_was_learned_before_is_the_rest_again(voice):
    """Given as a dictionary, under whatever name, a rest stays one, with its licence and its frames."""
    before = replace(voice.select("rest"), licence="CC0")
    made = learn({"me": voice, "world": before}, licence="mine", n_steps=2)
    assert (made.sources, made.rest, made.licence) == (("me", "world"), "world", f"mine; {voice.licence}; CC0")
    np.testing.assert_array_equal(made.frames["world"], before.frames["rest"])


@pytest.mark.parametrize("rest", [True, pool()[:1]])
def test_a_second_rest_is_refused(voice, rest):
    """There is one rest at most: two that were learned before, or one beside that of the pool, are an error."""
    before = voice.select("rest")
    with pytest.raises(ValueError, match="'world' is given as one already: leave one of them out"):
        learn({"me": voice, "world": before}, rest=rest)
    with pytest.raises(ValueError, match="'a' and 'b' are each given as what stands for all"):
        learn({"a": before, "b": before})
