"""The streaming engine."""

import json
import pickle
import warnings
from dataclasses import replace

import numpy as np
import pytest
from conftest import DEMO, noise, random_dictionary
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_engine import PlainSeparator

from rtnmf import STFT, Dictionary, Model, Separator, learn, separate
from rtnmf.kernels import hop
from rtnmf.measure.benchmark import measured_latency
from rtnmf.measure.evaluation import load_case, si_sdr


def in_blocks(separator, x, lengths):
    """Return what comes of a signal in blocks of these lengths, then one with the rest."""
    cuts = np.minimum(np.cumsum(lengths), len(x))
    blocks = [separator.process(block) for block in np.split(x, cuts)]
    return np.concatenate([*blocks, separator.flush()], axis=1)


@pytest.mark.parametrize("length", [0, 1, 17, "hop-1", "hop", "hop+1", 509, "n_fft", "random"])
def test_any_blocks_give_the_same_stems_to_the_bit(dictionary, speech, length):
    """`process` in blocks of one length, then `flush`, gives bit for bit what one call gives."""
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
    """However a stream is cut into blocks, its stems are bit-identical, mono and stereo, with either window pair."""
    stft = STFT(128, 32 if latency is None else 8, latency=latency)
    dictionary, x = random_dictionary(stft), noise(sum(lengths), n_channels)
    stems = in_blocks(Separator(dictionary, n_channels=n_channels), x, lengths)
    np.testing.assert_array_equal(stems[:, stft.latency :], separate(x, dictionary))


def sparse_dictionary(stft, trained=False):
    """Return a dictionary of two sources whose components are single bins, as sparse as can be."""
    components = np.zeros((stft.n_bins, 2), np.float32)
    components[[101, 201], [0, 1]] = 1
    more = {"update_components": components, "mask_components": components[:, ::-1]} if trained else {}
    return Dictionary(components, ("a", "b"), stft, 16000, **more)


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("mask_power", [1, 2])
def test_frames_without_energy_where_components_are_give_no_nan(trained, mask_power):
    """Two clicks cancel in the odd bins, which are all that the components know: such frames are shared equally."""
    stft = STFT(1024, 256)
    x = np.zeros(8192, np.float32)
    x[::512] = 0.5
    dictionary = sparse_dictionary(stft, trained)
    stems = separate(x, dictionary, mask_power=mask_power)
    assert np.isfinite(stems).all()
    np.testing.assert_allclose(stems.sum(axis=0), x, atol=1e-6)
    plain = PlainSeparator(dictionary, mask_power=mask_power).process(x[:, None])[:, stft.latency :, 0]
    np.testing.assert_allclose(stems[:, : plain.shape[1]], plain, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_stems_of_sparse_dictionaries_sum_to_the_input(data):
    """However sparse the columns and the input are, stems are finite and sum to the input."""
    stft = STFT(64, 16)
    n_components = data.draw(st.integers(2, 5))
    columns = np.zeros((3, stft.n_bins, n_components), np.float32)
    for which, k in np.ndindex(3, n_components):
        bins = data.draw(st.lists(st.integers(0, stft.n_bins - 1), min_size=1, max_size=3))
        columns[which, bins, k] = data.draw(st.sampled_from([1, 1e-20, 1e-38]))
    more = {"update_components": columns[1], "mask_components": columns[2]} if data.draw(st.booleans()) else {}
    dictionary = Dictionary(columns[0], ("a", *["b"] * (n_components - 1)), stft, 8000, **more)
    x = np.zeros(400, np.float32)
    x[:: data.draw(st.sampled_from([1, 16, 32, 37, 64]))] = data.draw(st.sampled_from([1e-9, 1, 1e6]))
    stems = separate(x, dictionary, mask_power=data.draw(st.sampled_from([0.5, 1, 3])))
    assert np.isfinite(stems).all()
    np.testing.assert_allclose(stems.sum(axis=0), x, atol=1e-6 * np.abs(x).max())


def test_one_component_and_one_source_return_the_input(speech):
    """A dictionary of a single component, plain or trained, gives the input back."""
    stft = STFT(1024, 256)
    column = np.ones((stft.n_bins, 1))
    for more in ({}, {"update_components": column, "mask_components": column}):
        stems = separate(speech[:8000], Dictionary(column, ("all",), stft, 16000, **more))
        np.testing.assert_allclose(stems[0], speech[:8000], atol=1e-6)


@pytest.mark.parametrize("done", [0, 1, 255, 256, 257])
def test_a_stream_that_is_reset_in_the_middle_of_a_hop_is_as_new(dictionary, speech, done):
    """Wherever in a hop a stream is reset, what follows is what a new separator gives, activations included."""
    separator, new = Separator(dictionary), Separator(dictionary)
    separator.process(speech[20000 : 20000 + 4096 + done])
    separator.reset()
    np.testing.assert_array_equal(separator.process(speech[:3000]), new.process(speech[:3000]))
    np.testing.assert_array_equal(separator.activations, new.activations)


def test_the_model_of_the_dictionary_is_what_is_used(speech):
    """Updates, relaxation, memory, reach and weights of a dictionary each change its stems, as in the plain engine."""
    dictionary = random_dictionary(STFT(512, 128), trained=True)
    x = speech[:6000]
    usual = separate(x, dictionary)
    for model in (
        Model(n_iter=2),
        Model(relaxation=1.2),
        Model(memory=0.2),
        Model(reach=0.1),
        Model(weights=(0.9, 0.3)),
        Model(audible_hz=0),
    ):
        other = replace(dictionary, model=model)
        stems = separate(x, other)
        assert np.abs(stems - usual).max() > 1e-4
        plain = PlainSeparator(other).process(np.append(x, np.zeros(512, np.float32))[:, None])
        np.testing.assert_allclose(stems, plain[:, 512:, 0], atol=1e-5)


def test_other_updates_than_trained_for_are_said():
    """Only a trained dictionary warns, and only when it is used with another number of updates."""
    trained, plain = (random_dictionary(STFT(64, 16), trained=is_trained) for is_trained in (True, False))
    with pytest.warns(UserWarning, match="trained for 5 updates per frame and is used with 3: leave n_iter out"):
        assert Separator(trained, n_iter=3).n_iter == 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Separator(replace(plain, model=Model(n_iter=7))).n_iter == 7
        assert (Separator(trained, n_iter=5).n_iter, Separator(plain, n_iter=3).n_iter) == (5, 3)


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


@pytest.mark.filterwarnings("ignore:the dictionary was trained for 5 updates")
@pytest.mark.parametrize("options", [{}, {"n_iter": 1}, {"mask_power": 2}, {"gains": [[1, 0.5, 0], [0, 0, 2]]}])
@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("trained", [False, True])
def test_stems_are_those_of_the_plain_engine(stft, speech, options, n_channels, trained):
    """The compiled engine agrees with the plain numpy one to 1e-5, for all options and through silence."""
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
    """A click comes out exactly `latency` samples late, and the STFT of the dictionary states the same number."""
    separator = Separator(dictionary, n_channels=2)
    assert separator.latency == dictionary.stft.latency == measured_latency(separator)


@pytest.mark.parametrize("sound", ["speech", "silence", "noise", "square", "click", "denormal"])
@pytest.mark.parametrize("mask_power", [1, 2])
def test_stems_sum_to_the_input(dictionary, speech, sound, mask_power):
    """Stems sum to the input within 1e-6 of full scale, for speech, silence, full scale, clicks and denormals."""
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
    """On real recordings plain components gain 7 dB for either sound, and trained columns gain more."""
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
    """A sound that is four times softer on the right stays so in each stem, and equal sides equal mono."""
    left = speech[:16000]
    stems = separate(np.stack([left, 0.25 * left], axis=1), dictionary)
    np.testing.assert_allclose(stems[:, :, 1], 0.25 * stems[:, :, 0], atol=1e-6)
    both = separate(np.stack([left, left], axis=1), dictionary)
    np.testing.assert_allclose(both[:, :, 0], separate(left, dictionary), atol=1e-5)


def test_shapes_follow_the_block(dictionary):
    """One-dimensional blocks give one-dimensional stems, also when they hold one sample or none."""
    separator = Separator(dictionary)
    assert separator.flush().shape == (2, separator.latency)
    assert separator.process(noise(100)).shape == (2, 100)
    assert separator.flush().shape == (2, separator.latency)
    assert separator.process(noise(100, 1)).shape == (2, 100, 1)
    assert separator.flush().shape == (2, separator.latency, 1)
    assert separator.process(noise(0)).shape == (2, 0)
    assert Separator(dictionary, n_channels=3).process(noise(7, 3)).shape == (2, 7, 3)
    assert separate(noise(1), dictionary).shape == (2, 1)
    assert separate(noise(0), dictionary).shape == (2, 0)


def test_flush_and_reset_begin_anew(dictionary, speech):
    """After `flush` or `reset` a stream gives the same stems as a new separator."""
    separator = Separator(dictionary)
    first = separator.process(speech[:9000])
    separator.flush()
    np.testing.assert_array_equal(separator.process(speech[:9000]), first)
    separator.reset()
    assert not separator.activations.any()
    np.testing.assert_array_equal(separator.process(speech[:9000]), first)


def test_blocks_are_not_changed_and_stems_are_the_callers_own(dictionary):
    """A block keeps its samples, and stems that were returned are never written to again."""
    separator, x = Separator(dictionary), 5 * noise(6000)
    kept = x.copy()
    stems = separator.process(x)
    before = stems.copy()
    stems_again = separator.process(x)
    np.testing.assert_array_equal(x, kept)
    np.testing.assert_array_equal(stems, before)
    stems_again[:] = 0
    assert separator.flush().any()


def test_samples_that_are_no_numbers_count_as_silence(dictionary):
    """NaN, infinite and huge samples give exactly the stems that silence in their place gives."""
    x = noise(9000)
    x[1000], x[2000], x[3000], x[3001] = np.nan, np.inf, -np.inf, 3e38
    stems = separate(x, dictionary)
    clean = np.where(np.isfinite(x) & (np.abs(x) < 1e9), x, 0)
    np.testing.assert_array_equal(stems, separate(clean, dictionary))
    assert np.isfinite(stems).all()


@pytest.mark.parametrize("level", [1e-6, 1e6])
def test_level_does_not_change_the_separation(dictionary, speech, level):
    """The same sound 120 dB louder or softer is separated alike."""
    x = speech[:8000]
    stems = separate(x, dictionary)
    np.testing.assert_allclose(separate(x * np.float32(level), dictionary) / level, stems, atol=1e-4)


def test_float64_input_gives_float32_stems(dictionary):
    """Blocks of float64 give the same float32 stems as blocks of float32."""
    x = noise(3000).astype(np.float64)
    stems = separate(x, dictionary)
    assert stems.dtype == np.float32
    np.testing.assert_array_equal(stems, separate(x.astype(np.float32), dictionary))


@pytest.mark.filterwarnings("ignore:the dictionary was trained for 5 updates")
def test_activations_are_those_of_the_last_frame(dictionary, speech):
    """`activations` sum to the magnitudes of the last complete frame."""
    separator = Separator(dictionary, n_iter=1)
    separator.process(speech[:9000])
    trend = dictionary.stft.trend(16000, dictionary.model.audible_hz)
    frames = np.abs(dictionary.stft.forward(speech[:9000], trend=trend))
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


def test_a_constant_offset_changes_nothing_else(dictionary, speech):
    """An offset three times as loud as the sound comes out in constant shares, and leaves the stems as they are."""
    x = speech[:16000]
    offset = 3 * np.sqrt((x**2).mean())
    clean, stems = separate(x, dictionary), separate(x + offset, dictionary)
    settled = slice(2 * dictionary.stft.n_fft, -2 * dictionary.stft.n_fft)
    np.testing.assert_allclose(stems.sum(axis=0), x + offset, atol=1e-5)
    shares = (stems - clean)[:, settled].mean(axis=1, keepdims=True)
    assert shares.min() > 0.1 * offset
    np.testing.assert_allclose((stems - shares)[:, settled], clean[:, settled], atol=0.02)


def test_what_is_inaudibly_low_goes_to_the_source_that_is_low():
    """A constant goes to the sources as their components have the lowest audible sound, equally where none has any."""
    stft = STFT(1024, 256)
    components = np.zeros((stft.n_bins, 4))
    components[[1, 40, 50, 60], range(4)] = 1
    for columns, expected in (([0, 1, 2, 3], [1, 0]), ([1, 2, 3, 1], [0.5, 0.5])):
        stems = separate(np.full(9000, 0.25), Dictionary(components[:, columns], ("a", "a", "b", "b"), stft, 16000))
        np.testing.assert_allclose(stems[:, 3000:6000].mean(axis=1), 0.25 * np.array(expected), atol=1e-3)


def test_order_of_the_columns_does_not_matter(dictionary, speech):
    """A dictionary whose columns are not grouped by source gives bit-identical stems."""
    order = [0, 4, 1, 5, 2, 6, 3, 7]
    columns = ["components", *["update_components", "mask_components"] * dictionary.is_trained]
    mixed = replace(
        dictionary,
        labels=tuple(dictionary.labels[k] for k in order),
        **{name: getattr(dictionary, name)[:, order] for name in columns},
    )
    np.testing.assert_array_equal(separate(speech[:5000], mixed), separate(speech[:5000], dictionary))


def test_bins_above_the_dictionary_follow_the_broadband_mask():
    """A tone above the dictionary's range is shared as the frame as a whole is."""
    components = np.zeros((513, 2))
    components[100, 0], components[200, 1] = 1, 1
    dictionary = Dictionary(components, ("a", "b"), STFT(1024, 256), 16000)
    rate, t = 48000, np.arange(48000) / 48000
    tones = [amplitude * np.sin(2 * np.pi * hz * t) for amplitude, hz in ((0.3, 1562.5), (0.1, 3125), (0.2, 15000))]
    with pytest.warns(UserWarning, match="converted"):
        stems = separate(sum(tones), dictionary, sample_rate=rate)[:, 10000:20000]
    share = np.array([np.abs(stem @ np.exp(2j * np.pi * 15000 * t[10000:20000])) for stem in stems])
    np.testing.assert_allclose(share / share.sum(), [0.75, 0.25], atol=0.03)


@pytest.mark.parametrize("mask_power", [1, 2])
def test_nothing_denormal_is_left_to_slow_it_down(dictionary, speech, mask_power):
    """No array that a hop reads or writes holds a denormal number while speech fades away into some."""
    x = np.append(speech * np.logspace(0, -45, len(speech), dtype=np.float32), np.zeros(4096, np.float32))
    assert 0 < np.abs(x[x != 0]).min() < np.finfo(np.float32).tiny
    separator = Separator(dictionary, mask_power=mask_power)
    for block in np.split(x, range(0, len(x), 256)):
        stems = separator.process(block)
        for array in [stems, *separator._fading._stream[1:]]:
            values = np.abs(array.view(np.float32))
            assert not ((values > 0) & (values < np.finfo(np.float32).tiny)).any()
    assert not stems.any()


def test_a_pickled_separator_goes_on_where_it_was_and_compiles_nothing(dictionary):
    """A copy gives the same samples to the bit, by the code that is there already."""
    x = noise(4000)
    separator = Separator(dictionary)
    separator.process(x)
    n_compiled = len(hop.process.signatures)
    copied = pickle.loads(pickle.dumps(separator))  # noqa: S301  # our own
    np.testing.assert_array_equal(copied.process(x), separator.process(x))
    assert len(hop.process.signatures) == n_compiled
