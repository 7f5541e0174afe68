"""Dictionaries that are joined by name, and trained to be told apart."""

import warnings

import numpy as np
import pytest
from conftest import DEMO
from platformdirs import user_cache_path

from rtnmf import Dictionary, learn, load, load_preset
from rtnmf.learning import joining


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Return the folder of an empty cache."""
    monkeypatch.setattr(joining, "user_cache_path", lambda name: tmp_path / name)
    return tmp_path / "rtnmf" / "joined"


@pytest.fixture
def small(tmp_path, monkeypatch, cache):
    """Write two small dictionaries with frames into the current folder; the training has few steps."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(joining, "N_STEPS", 3)
    settings = {"rest": False, "n_components": 3, "n_iter": 2}
    for name in ("voice", "keyboard"):
        learn({name: DEMO / f"{name}-train.flac"}, 16000, **settings).save(f"{name}.safetensors")


NAME = "voice.safetensors+keyboard.safetensors"


def test_joined_dictionaries_are_trained_once(small, cache):
    """The first time trains, and keeps that; the second finds it."""
    stages = []
    first = load(NAME, progress=lambda stage, *_: stages.append(stage))
    assert first.is_trained
    assert stages == ["training"] * 3
    assert len(list(cache.iterdir())) == 1
    assert load(NAME, progress=lambda *_: pytest.fail("trained again")) == first


def test_what_is_kept_depends_on_all_that_is_joined(small, cache):
    """Another dictionary of the same name, another rate and another order are trained apart."""
    first = load(NAME)
    Dictionary.load("voice.safetensors").rename({"voice": "me"}).save("voice.safetensors")
    with pytest.warns(UserWarning, match="is converted to 8000 Hz"):
        others = [load(NAME), load(NAME, 8000), load("keyboard.safetensors+voice.safetensors")]
    assert len({first, *others}) == len(list(cache.iterdir())) == 4


def test_a_damaged_cache_and_one_that_cannot_be_written_do_no_harm(small, cache, monkeypatch):
    """The dictionary is trained again, and the same; so it is where no home folder is known."""
    first = load(NAME)
    (kept,) = cache.iterdir()
    kept.write_bytes(b"no dictionary")
    assert load(NAME) == first
    assert Dictionary.load(kept) == first
    kept.unlink()
    cache.rmdir()
    cache.write_text("in the way")
    assert load(NAME) == first
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    monkeypatch.setattr(joining, "user_cache_path", user_cache_path)
    assert load(NAME) == first


def test_another_dictionary_in_the_cache_is_not_taken(small, cache):
    """A file of other sources, or of an untrained dictionary, is replaced."""
    first = load(NAME)
    (kept,) = cache.iterdir()
    for other in (load("keyboard.safetensors+voice.safetensors"), first.rename({"voice": "me"}), first.untrained()):
        other.save(kept)
        assert load(NAME) == first
        assert Dictionary.load(kept) == first


def test_the_cache_does_not_grow_for_ever(small, cache, monkeypatch):
    """The oldest are dropped."""
    monkeypatch.setattr(joining, "_MOST_KEPT", 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each conversion is said
        for rate in (8000, 11025, 12000, 22050):
            load(NAME, rate)
    assert len(list(cache.iterdir())) == 2


def test_dictionaries_without_frames_are_merged_and_that_is_said(small, cache):
    """Nothing can be trained from columns alone."""
    voice = Dictionary.load("voice.safetensors")
    Dictionary(voice.components, voice.labels, voice.stft, 16000).save("voice.safetensors")
    with pytest.warns(UserWarning, match="there are no frames of voice: .* is not trained to be told apart"):
        assert not load(NAME).is_trained
    assert not cache.exists()


def test_a_single_dictionary_is_loaded_as_it_is(small, cache):
    """Also one of several sources that was left untrained on purpose."""
    both = learn(
        {name: DEMO / f"{name}-train.flac" for name in ("voice", "keyboard")},
        16000,
        n_components=2,
        n_iter=2,
        n_steps=0,
    )
    both.save("both.safetensors")
    assert load("both.safetensors") == both
    assert load("speech") == load_preset("speech")
    assert not cache.exists()


def test_presets_are_trained_against_each_other(cache, monkeypatch):
    """Two presets get columns that tell them apart, each keeps its components, and a rest stays one."""
    monkeypatch.setattr(joining, "N_STEPS", 2)
    made = load("speech+rest")
    assert (made.sources, made.rest, made.is_trained) == (("speech", "rest"), "rest", True)
    of_speech = np.array(made.labels) == "speech"
    np.testing.assert_array_equal(made.components[:, of_speech], load_preset("speech").components)
