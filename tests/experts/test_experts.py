"""Experts beside what was taught: what they change, and what they must not."""

import gc
import importlib.util

import numpy as np
import pytest
from conftest import DEMO, noise, random_dictionary
from plain_engine import PlainSeparator

from rtnmf import STFT, Dictionary, Separator, learn, separate
from rtnmf.audio import files
from rtnmf.experts import deepfilternet, rnnoise
from rtnmf.experts.denoiser import FRAME, RATE
from rtnmf.experts.named import NAMES, panel, usual
from rtnmf.measure.metrics import si_sdr

SOURCES = ("voice", "fan")
BOTH = ("voices", "rnnoise")


@pytest.fixture(params=[16000, 44100, 48000])
def taught(request):
    """Return a trained dictionary of a voice and a fan, made of noise, at the usual rates."""
    return random_dictionary(STFT.default(request.param), SOURCES, sample_rate=request.param, trained=True)


def in_blocks(separator, x, length):
    """Return the stems of a signal in blocks of a length, and what is flushed."""
    blocks = [separator.process(x[i : i + length]) for i in range(0, len(x), length)]
    return np.concatenate([*blocks, separator.flush()], axis=1)


def test_any_blocks_give_the_same_to_the_bit(taught, speech):
    """Experts at any rate hear the same whatever the blocks, and begin anew after a flush."""
    x = np.stack([speech[:9000], noise(9000)], axis=1)
    separator = Separator(taught, n_channels=2, experts=BOTH)
    whole = in_blocks(separator, x, len(x))
    assert separator.experts == BOTH
    for length in (len(x), 1000, 37):
        np.testing.assert_array_equal(in_blocks(separator, x, length), whole)


@pytest.mark.parametrize("latency", [None, "low"])
def test_what_experts_say_changes_who_gets_what_but_not_the_sum(speech, latency):
    """With experts, stems are others, and sum to the delayed input, also while a dictionary is replaced."""
    taught = random_dictionary(STFT.default(16000, latency=latency), SOURCES, trained=True)
    x = speech[:16000] + 0.1 * noise(16000)
    separator = Separator(taught, experts=BOTH)
    stems = separator.process(x[:8000])
    separator.dictionary = taught.untrained()
    stems = np.concatenate([stems, separator.process(x[8000:]), separator.flush()], axis=1)
    late = np.concatenate([np.zeros(separator.latency, np.float32), x])
    np.testing.assert_allclose(stems.sum(axis=0), late, atol=1e-6)
    alone = separate(x, taught, experts=())
    assert np.abs(stems[:, separator.latency :][:, :8000] - alone[:, :8000]).max() > 0.01


@pytest.mark.parametrize("mask_power", [1, 2])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_masks_are_made_twice_as_in_the_plain_engine(stft, speech, n_channels, mask_power):
    """Each frame has the first masks for a hop, and those of a hop later from then on, as in plain numpy."""
    dictionary = random_dictionary(stft, ("fan", "voice", "cat"), trained=True)
    x = np.stack([speech[:12000], noise(12000)], axis=1)[:, :n_channels]
    x[5000:8000] = 0
    _, asked = panel(BOTH, dictionary)
    said = asked.process(x)
    advice = said.odds[:, :, :, : stft.n_bins].prod(axis=0), said.speaks[0]
    plain = PlainSeparator(dictionary, n_channels=n_channels, mask_power=mask_power, advice=advice).process(x)
    stems = Separator(dictionary, n_channels=n_channels, mask_power=mask_power, experts=BOTH).process(x)
    np.testing.assert_allclose(stems, plain, atol=1e-5)
    assert said.speaks.tolist() == [[False, True, False]] * 2


def test_without_a_voice_nothing_changes(speech):
    """Where no source is a voice, or all are, no expert is asked, and stems are the same to the bit."""
    x = speech[:8000]
    for names in (("cat", "fan"), ("voice", "speech")):
        dictionary = random_dictionary(STFT(1024, 256), names, trained=True)
        separator = Separator(dictionary)
        assert separator.experts == ()
        np.testing.assert_array_equal(separate(x, dictionary), separate(x, dictionary, experts=()))
    assert Separator(random_dictionary(STFT(1024, 256), SOURCES)).experts == usual()


@pytest.mark.parametrize("length", [64, 1000])
def test_experts_that_rest_say_nothing_and_begin_anew(speech, length):
    """While experts rest, stems are those without them up to rounding; then they are as new, whatever the blocks."""
    dictionary = random_dictionary(STFT(1024, 256), SOURCES, trained=True)
    x = speech[:24000]
    separator = Separator(dictionary, experts=BOTH)
    separator.asks = False
    resting = np.concatenate([separator.process(x[i : i + length]) for i in range(0, 8000, length)], axis=1)
    alone = Separator(dictionary, experts=()).process(x[: resting.shape[1]])
    np.testing.assert_allclose(resting, alone, atol=1e-6)
    separator.asks = True
    asked = separator.process(x[resting.shape[1] :])
    once = Separator(dictionary, experts=BOTH)
    once.asks = False
    once.process(x[: resting.shape[1]])
    once.asks = True
    np.testing.assert_array_equal(asked, once.process(x[resting.shape[1] :]))


@pytest.mark.parametrize("expert", NAMES)
def test_an_expert_helps(expert):
    """A voice that was taught gains from each expert, next to typing."""
    clips = {name: files.read(DEMO / f"{name}-train.flac")[0] for name in ("voice", "keyboard")}
    voice, rate = files.read(DEMO / "voice.flac")
    keyboard, _ = files.read(DEMO / "keyboard.flac")
    n = min(len(voice), len(keyboard), 4 * rate)
    voice, mixture = voice[:n], voice[:n] + keyboard[:n]
    dictionary = learn(clips, rate, n_steps=20)
    plain, asked = (separate(mixture, dictionary, experts=names)[0] for names in ((), (expert,)))
    assert si_sdr(voice[:, 0], asked[:, 0]) > si_sdr(voice[:, 0], plain[:, 0])


@pytest.mark.parametrize("network", [rnnoise.RNNoise, deepfilternet.DeepFilterNet])
def test_the_delay_of_a_denoiser_is_what_it_says(speech, network):
    """Speech comes out of a denoiser as late as it states, to a sample, the same after a reset."""
    x = np.repeat(speech[8000:40000], 3)[: 90 * FRAME] * np.float32(0.5)
    denoiser = network()
    frames = x.reshape(-1, FRAME)
    y = np.concatenate([denoiser.denoise(frame) for frame in frames])
    found = max(range(denoiser.delay - 480, denoiser.delay + 480), key=lambda d: float(y[d:] @ x[: len(y) - d]))
    assert abs(found - denoiser.delay) <= 1
    denoiser.reset()
    np.testing.assert_array_equal(np.concatenate([denoiser.denoise(frame) for frame in frames]), y)
    assert RATE == 48000


@pytest.mark.parametrize("sound", ["silence", "full scale", "quiet"])
def test_odds_are_finite_whatever_is_heard(sound):
    """Silence, full scale and next to nothing give finite odds; silence gives 1, which says nothing."""
    _, asked = panel(NAMES, random_dictionary(STFT.default(44100), SOURCES, sample_rate=44100))
    x = {"silence": 0, "full scale": 1, "quiet": 1e-9}[sound] * noise(8000, 1)
    odds = asked.process(x).odds
    assert np.isfinite(odds).all()
    assert odds.min() > 0
    if sound == "silence":
        np.testing.assert_array_equal(odds, 1)


def test_who_is_later_than_the_separation_is_not_asked_without_a_wish():
    """At a latency shorter than the delay of a denoiser it is not among the usual experts, but may be named."""
    low = random_dictionary(STFT.default(48000, latency="low"), SOURCES, sample_rate=48000)
    assert Separator(low).experts == ("voices",)
    assert Separator(low, experts=("rnnoise",)).experts == ("rnnoise",)
    assert usual(0.02) == ("voices", "rnnoise")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("oracle",), "there is no expert 'oracle': choose from voices, rnnoise, deepfilternet"),
        (("rnnoise", "rnnoise"), "expected each once"),
        ("rnnoise", "expected a sequence of names"),
    ],
)
def test_experts_that_there_are_not_are_refused(names, message):
    """An unknown name, one given twice, or a text instead of a sequence is an error."""
    with pytest.raises((TypeError, ValueError), match=message):
        Separator(random_dictionary(STFT(1024, 256), SOURCES), experts=names)


def test_what_is_not_installed_is_said_with_its_remedy(monkeypatch):
    """Without the package of an expert, asking for it is an error with the remedy, and it is not among the usual."""
    rnnoise._library.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    for name, extra in (("rnnoise", "expert"), ("deepfilternet", "deepfilternet")):
        with pytest.raises(ValueError, match=rf"is not installed: pip install 'rtnmf\[{extra}\]'"):
            Separator(random_dictionary(STFT(1024, 256), SOURCES), experts=(name,))
    assert usual() == ("voices",)


def test_a_dictionary_may_be_of_one_voice_and_the_rest(speech):
    """Presets that are voices and the rest ask experts as well."""
    dictionary = Dictionary.load(DEMO.parent / "speech.safetensors")
    assert dictionary.voices == ("speech",)
    assert Separator(dictionary).experts == ()
    assert Separator(dictionary + Dictionary.load(DEMO.parent / "rest.safetensors")).experts == usual()


@pytest.mark.parametrize("expert", NAMES)
def test_experts_leave_nothing_to_collect(expert):
    """A stream with an expert makes no cycles of references: live, where nothing collects them, memory would grow."""
    separator = Separator(random_dictionary(STFT(1024, 256), SOURCES), experts=(expert,))
    x = noise(8000)
    separator.process(x)
    gc.collect()
    gc.disable()
    try:
        separator.process(x)
        assert gc.collect() == 0
    finally:
        gc.enable()
