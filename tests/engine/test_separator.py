"""The streaming engine."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from conftest import DEMO, random_dictionary
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_engine import PlainSeparator

from rtnmf import STFT, Dictionary, Separator, learn, separate
from rtnmf.measure.benchmark import measured_latency
from rtnmf.measure.evaluation import load_case, si_sdr


def noise(n_samples, n_channels=None, seed=0):
    """Return full-scale white noise."""
    shape = n_samples if n_channels is None else (n_samples, n_channels)
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def in_blocks(separator, x, lengths):
    """Return what comes of a signal in blocks of these lengths, then one with the rest."""
    cuts = np.minimum(np.cumsum(lengths), len(x))
    blocks = [separator.process(block) for block in np.split(x, cuts)]
    return np.concatenate([*blocks, separator.flush()], axis=1)


@pytest.mark.parametrize("length", [0, 1, 17, "hop-1", "hop", "hop+1", 509, "n_fft", "random"])
def test_any_blocks_give_the_same_stems_to_the_bit(dictionary, speech, length):
    """Any blocks give the same stems to the bit."""
    stft, x = dictionary.stft, speech[:12000]
    named = {"hop-1": stft.hop_length - 1, "hop": stft.hop_length, "hop+1": stft.hop_length + 1, "n_fft": stft.n_fft}
    if length == "random":
        lengths = np.random.default_rng(0).integers(0, 1500, 30)
    else:
        n = named.get(length, length)
        lengths = [n] * (len(x) // n if n else 5)
    whole = separate(x, dictionary)
    stems = in_blocks(Separator(dictionary), x, lengths)
    np.testing.assert_array_equal(stems[:, dictionary.stft.latency :], whole)
    assert whole.shape == (2, len(x))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 700), max_size=12), st.sampled_from([None, 32]), st.integers(1, 2))
def test_any_partition_of_any_stream_gives_the_same_to_the_bit(lengths, latency, n_channels):
    """Any partition of any stream gives the same to the bit."""
    stft = STFT(128, 32 if latency is None else 8, latency=latency)
    dictionary, x = random_dictionary(stft), noise(sum(lengths), n_channels)
    stems = in_blocks(Separator(dictionary, n_channels=n_channels), x, lengths)
    np.testing.assert_array_equal(stems[:, stft.latency :], separate(x, dictionary))


@st.composite
def stfts(draw):
    """Any settings that the constructor accepts, small."""
    latency = 2 * draw(st.integers(1, 64))
    n_fft = max(4, latency + 2 * draw(st.integers(0, 64)))
    return STFT(n_fft, draw(st.integers(1, latency // 2)), latency=latency)


@settings(max_examples=60, deadline=None)
@given(stfts(), st.integers(0, 2**32 - 1))
def test_what_is_shared_out_comes_back_late_by_the_latency_for_any_windows(stft, seed):
    """What is shared out and added up again comes back late by the latency, for any windows."""
    x = np.random.default_rng(seed).uniform(-1, 1, (600, 2)).astype(np.float32)
    y = Separator(random_dictionary(stft), n_channels=2, gains=[[1, 1]]).process(x)[0]
    np.testing.assert_allclose(y[stft.latency :], x[: len(x) - stft.latency], atol=2e-6)
    np.testing.assert_allclose(y[: stft.latency], 0, atol=2e-6)


@pytest.mark.parametrize("options", [{}, {"n_iter": 1}, {"mask_power": 2}, {"gains": [[1, 0.5, 0], [0, 0, 2]]}])
@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("trained", [False, True])
def test_stems_are_those_of_the_plain_engine(stft, speech, options, n_channels, trained):
    """Stems are those of the plain engine."""
    dictionary = random_dictionary(stft, ("a", "b", "c"), 5, trained=trained)
    x = np.stack([speech[:16000], noise(16000)], axis=1)[:, :n_channels]
    x[8000:10000] = 0
    plain = PlainSeparator(dictionary, n_channels=n_channels, **options).process(x)
    stems = Separator(dictionary, n_channels=n_channels, **options).process(x)
    np.testing.assert_allclose(stems, plain, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(stfts(), st.integers(1, 9), st.integers(1, 3), st.sampled_from([1, 0.5, 3]), st.booleans())
def test_stems_are_those_of_the_plain_engine_for_any_sizes(stft, n_components, n_channels, mask_power, trained):
    """Stems are those of the plain engine for any window, hop, latency, components and channels."""
    dictionary = random_dictionary(stft, ("a", "b"), n_components, trained=trained)
    x = noise(700, n_channels)
    plain = PlainSeparator(dictionary, n_channels=n_channels, mask_power=mask_power).process(x)
    stems = Separator(dictionary, n_channels=n_channels, mask_power=mask_power).process(x)
    np.testing.assert_allclose(stems, plain, atol=1e-5)


def test_latency_is_the_measured_delay(dictionary):
    """Latency is the measured delay."""
    separator = Separator(dictionary, n_channels=2)
    assert separator.latency == dictionary.stft.latency == measured_latency(separator)


@pytest.mark.parametrize("sound", ["speech", "silence", "noise", "square", "click", "denormal"])
@pytest.mark.parametrize("mask_power", [1, 2])
def test_stems_sum_to_the_input(dictionary, speech, sound, mask_power):
    """Stems sum to the input."""
    sounds = {
        "speech": speech[:16000],
        "silence": np.zeros(5000, np.float32),
        "noise": noise(16000),
        "square": np.sign(noise(16000)),
        "click": np.eye(1, 5000, 2345, dtype=np.float32)[0],
        "denormal": np.full(5000, 1e-42, np.float32),
    }
    stems = separate(sounds[sound], dictionary, mask_power=mask_power)
    np.testing.assert_allclose(stems.sum(axis=0), sounds[sound], atol=1e-6, rtol=0)


def test_voice_and_typing_come_apart():
    """Voice and typing come apart."""
    case = json.loads((DEMO / "cases.json").read_text())["cases"][0]
    mixture, truth, sources = load_case(DEMO, case | {"sample_rate": 16000})
    learned = learn({name: DEMO / f"{name}-train.flac" for name in sources}, 16000)
    before, plain, trained = (
        np.array([si_sdr(true, stem) for true, stem in zip(truth, stems, strict=True)])
        for stems in ([mixture] * 2, separate(mixture, learned.untrained()), separate(mixture, learned))
    )
    assert (plain > before + 7).all()
    assert trained.mean() > plain.mean()


def test_stereo_keeps_the_image(dictionary, speech):
    """Stereo keeps the image."""
    left = speech[:16000]
    stems = separate(np.stack([left, 0.25 * left], axis=1), dictionary)
    np.testing.assert_allclose(stems[:, :, 1], 0.25 * stems[:, :, 0], atol=1e-6)
    both = separate(np.stack([left, left], axis=1), dictionary)
    np.testing.assert_allclose(both[:, :, 0], separate(left, dictionary), atol=1e-5)


def test_shapes_follow_the_block(dictionary):
    """Shapes follow the block."""
    separator = Separator(dictionary)
    assert separator.process(noise(100)).shape == (2, 100)
    assert separator.flush().shape == (2, separator.latency)
    assert separator.process(noise(100, 1)).shape == (2, 100, 1)
    assert separator.flush().shape == (2, separator.latency, 1)
    assert separator.process(noise(0)).shape == (2, 0)
    assert Separator(dictionary, n_channels=3).process(noise(7, 3)).shape == (2, 7, 3)
    assert separate(noise(1), dictionary).shape == (2, 1)
    assert separate(noise(0), dictionary).shape == (2, 0)


def test_flush_and_reset_begin_anew(dictionary, speech):
    """Flush and reset begin anew."""
    separator = Separator(dictionary)
    first = separator.process(speech[:9000])
    separator.flush()
    np.testing.assert_array_equal(separator.process(speech[:9000]), first)
    separator.reset()
    assert not separator.activations.any()
    np.testing.assert_array_equal(separator.process(speech[:9000]), first)


def test_blocks_are_not_changed_and_stems_are_the_callers_own(dictionary):
    """Blocks are not changed and stems are the caller's own."""
    separator, x = Separator(dictionary), 5 * noise(6000)
    kept = x.copy()
    stems = separator.process(x)
    before = stems.copy()
    stems_again = separator.process(x)
    np.testing.assert_array_equal(x, kept)
    np.testing.assert_array_equal(stems, before)
    stems_again[:] = 0
    assert separator.flush().any()


def test_gains_remix(dictionary, speech):
    """Gains remix."""
    x = speech[:12000]
    stems = separate(x, dictionary)
    remix = separate(x, dictionary, gains=[[1, 0.1], [0, 1], [1, 1]])
    np.testing.assert_allclose(remix[0], stems[0] + 0.1 * stems[1], atol=1e-6)
    np.testing.assert_allclose(remix[1], stems[1], atol=1e-6)
    np.testing.assert_allclose(remix[2], x, atol=1e-6)


def test_gains_change_without_a_click(dictionary):
    """Gains change without a click."""
    separator = Separator(dictionary, gains=[[1, 1]])
    hz = 200
    x = 0.5 * np.sin(2 * np.pi * hz * np.arange(16000) / 16000).astype(np.float32)
    first = separator.process(x[:8000])
    separator.gains = np.zeros((1, 2))
    heard = np.concatenate([first, separator.process(x[8000:])], axis=1)[0]
    steepest = 0.5 * 2 * np.pi * hz / 16000 + 1 / dictionary.stft.latency * np.pi
    assert np.abs(np.diff(heard)).max() < 1.05 * steepest
    assert not heard[8000 + 2 * dictionary.stft.n_fft :].any()


def test_gains_are_copies():
    """Gains are copies."""
    separator = Separator(random_dictionary(STFT(64, 16)))
    separator.gains[:] = 5
    np.testing.assert_array_equal(separator.gains, np.eye(2))


def test_samples_that_are_no_numbers_count_as_silence(dictionary):
    """Samples that are no numbers count as silence."""
    x = noise(9000)
    x[1000], x[2000], x[3000], x[3001] = np.nan, np.inf, -np.inf, 3e38
    stems = separate(x, dictionary)
    clean = np.where(np.isfinite(x) & (np.abs(x) < 1e9), x, 0)
    np.testing.assert_array_equal(stems, separate(clean, dictionary))
    assert np.isfinite(stems).all()


@pytest.mark.parametrize("level", [1e-6, 1e6])
def test_level_does_not_change_the_separation(dictionary, speech, level):
    """Level does not change the separation."""
    x = speech[:8000]
    stems = separate(x, dictionary)
    np.testing.assert_allclose(separate(x * np.float32(level), dictionary) / level, stems, atol=1e-4)


def test_float64_input_gives_float32_stems(dictionary):
    """Float64 input gives float32 stems."""
    x = noise(3000).astype(np.float64)
    stems = separate(x, dictionary)
    assert stems.dtype == np.float32
    np.testing.assert_array_equal(stems, separate(x.astype(np.float32), dictionary))


def test_activations_are_those_of_the_last_frame(dictionary, speech):
    """Activations are those of the last frame."""
    separator = Separator(dictionary, n_iter=1)
    separator.process(speech[:9000])
    frames = np.abs(dictionary.stft.forward(speech[:9000]))
    last = 9000 // dictionary.stft.hop_length - 1
    assert separator.activations.shape == (8,)
    assert separator.activations.sum() == pytest.approx(frames[:, last].sum(), rel=1e-5)


def test_both_sets_of_trained_columns_and_the_components_matter(stft, speech):
    """Stems change with the components, with the columns that find activations and with those that make masks."""
    trained, other = (random_dictionary(stft, names, trained=True) for names in (("a", "b"), ("b", "a")))
    stems = separate(speech[:8000], trained)
    for name in ("components", "update_components", "mask_components"):
        changed = replace(trained, **{name: getattr(other, name)[:, ::-1]})
        assert np.abs(separate(speech[:8000], changed) - stems).max() > 0.01


def test_order_of_the_columns_does_not_matter(dictionary, speech):
    """Order of the columns does not matter."""
    order = [0, 4, 1, 5, 2, 6, 3, 7]
    columns = ["components", *["update_components", "mask_components"] * dictionary.is_trained]
    mixed = replace(
        dictionary,
        labels=tuple(dictionary.labels[k] for k in order),
        **{name: getattr(dictionary, name)[:, order] for name in columns},
    )
    np.testing.assert_array_equal(separate(speech[:5000], mixed), separate(speech[:5000], dictionary))


def test_another_rate_is_converted_with_a_warning():
    """Another rate is converted with a warning."""
    dictionary = random_dictionary(STFT(1024, 256))
    with pytest.warns(UserWarning, match="learned at 16000 Hz and is converted to 44100 Hz"):
        separator = Separator(dictionary, sample_rate=44100)
    assert (separator.sample_rate, separator.latency) == (44100, 2048)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Separator(dictionary, sample_rate=16000).sample_rate == 16000


def test_bins_above_the_dictionary_follow_the_broadband_mask():
    """Bins above the dictionary follow the broadband mask."""
    components = np.zeros((513, 2))
    components[100, 0], components[200, 1] = 1, 1
    dictionary = Dictionary(components, ("a", "b"), STFT(1024, 256), 16000)
    rate, t = 48000, np.arange(48000) / 48000
    tones = [amplitude * np.sin(2 * np.pi * hz * t) for amplitude, hz in ((0.3, 1562.5), (0.1, 3125), (0.2, 15000))]
    with pytest.warns(UserWarning, match="converted"):
        stems = separate(sum(tones), dictionary, sample_rate=rate)[:, 10000:20000]
    share = np.array([np.abs(stem @ np.exp(2j * np.pi * 15000 * t[10000:20000])) for stem in stems])
    np.testing.assert_allclose(share / share.sum(), [0.75, 0.25], atol=0.03)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_channels": 0}, ValueError, "n_channels is 0"),
        ({"n_channels": 441000}, ValueError, "pass x.T if yours is the other way round"),
        ({"n_iter": 2.5}, TypeError, "n_iter is 2.5, expected a whole number"),
        ({"sample_rate": 0}, ValueError, "sample_rate is 0"),
        ({"n_iter": 0}, ValueError, "n_iter is 0"),
        ({"mask_power": 0}, ValueError, "mask_power is 0"),
        ({"mask_power": float("nan")}, ValueError, "mask_power is nan"),
        ({"gains": [1, 1]}, ValueError, r"gains have shape \(2,\), expected \(n_outputs, 2\)"),
        ({"gains": [[1, 1, 1]]}, ValueError, "gains have shape"),
        ({"gains": [[1, np.inf]]}, ValueError, "non-finite"),
    ],
)
def test_bad_settings_are_refused(options, error, message):
    """Bad settings are refused."""
    with pytest.raises(error, match=message):
        Separator(random_dictionary(STFT(64, 16)), **options)


def test_bad_blocks_and_gains_are_refused():
    """Bad blocks and gains are refused."""
    separator = Separator(random_dictionary(STFT(64, 16)))
    with pytest.raises(ValueError, match="block has 2 channels, separator was made for 1: pass n_channels=2"):
        separator.process(noise(5, 2))
    with pytest.raises(ValueError, match=r"block has shape \(1, 5, 1\)"):
        separator.process(noise(5).reshape(1, 5, 1))
    with pytest.raises(TypeError, match="type int64, expected floats"):
        separator.process(np.ones(5, int))
    with pytest.raises(ValueError, match=r"gains have shape \(1, 2\), expected \(2, 2\): make a new Separator"):
        separator.gains = [[1, 1]]
    separator = Separator(random_dictionary(STFT(64, 16)), gains=[[1, 0], [0, 1]])
    with pytest.raises(ValueError, match=r"gains have shape \(4, 2\), expected \(2, 2\)"):
        separator.gains = np.ones((4, 2))
    with pytest.raises(TypeError, match="dictionary is str"):
        Separator("speech")


@pytest.mark.parametrize("mask_power", [1, 2])
def test_nothing_denormal_is_left_to_slow_it_down(dictionary, speech, mask_power):
    """No array that a hop reads or writes holds a denormal number while speech fades away into some."""
    x = np.append(speech * np.logspace(0, -45, len(speech), dtype=np.float32), np.zeros(4096, np.float32))
    assert 0 < np.abs(x[x != 0]).min() < np.finfo(np.float32).tiny
    separator = Separator(dictionary, mask_power=mask_power)
    for block in np.split(x, range(0, len(x), 256)):
        stems = separator.process(block)
        for array in [stems, *separator._stream[1:]]:
            values = np.abs(array.view(np.float32))
            assert not ((values > 0) & (values < np.finfo(np.float32).tiny)).any()
    assert not stems.any()
