"""Dictionaries for other sample rates and latencies: what is kept, what is lost, and what is refused."""

import numpy as np
import pytest
from conftest import random_dictionary
from hypothesis import given, settings
from hypothesis import strategies as st
from small_dictionaries import SMALL, small, trained

from rtnmf import STFT, Dictionary
from rtnmf.dictionary.rebinning import rebinned
from rtnmf.frames.model import Model

RATES = [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 176400, 192000]
COLUMNS = ("components", "update_components", "mask_components")


@st.composite
def settings_of_an_stft(draw):
    """Draw any legal STFT of up to 8192 samples."""
    latency = 2 * draw(st.integers(1, 4096))
    n_fft = draw(st.one_of(st.just(max(4, latency)), st.integers(max(4, latency) // 2, 4096).map(lambda n: 2 * n)))
    return STFT(n_fft, draw(st.integers(1, latency // 2)), latency=latency)


@settings(max_examples=300, deadline=None)
@given(stft=settings_of_an_stft(), from_rate=st.sampled_from(RATES), to_rate=st.sampled_from(RATES))
def test_any_stft_converts_between_usual_rates(stft, from_rate, to_rate):
    """Any legal STFT gets one of about its duration at any usual rate, or an error that names the n_fft there."""
    made = Dictionary(np.ones((stft.n_bins, 1)), ("a",), stft, from_rate)
    factor = 2.0 ** round(np.log2(to_rate / from_rate))
    try:
        other = made.at_rate(to_rate)
    except ValueError as error:
        assert f"n_fft would be {stft.n_fft * factor:g} at {to_rate} Hz, expected 4 to" in str(error)  # noqa: PT017
        assert stft.n_fft * factor < 4
        return
    assert other.sample_rate == to_rate
    for length in ("n_fft", "hop_length", "latency"):
        assert getattr(other.stft, length) <= max(2, getattr(stft, length) * factor)
        assert getattr(other.stft, length) > getattr(stft, length) * factor - 2
    assert (other.stft.latency == other.stft.n_fft) or stft.latency < stft.n_fft
    np.testing.assert_allclose(other.components.sum(axis=0), 1, rtol=1e-5)


def test_an_odd_latency_is_rounded_down():
    """A latency that would be odd at half the rate, and a hop that would be a fraction, are rounded down."""
    made = random_dictionary(STFT(2048, 33, latency=130), sample_rate=44100).at_rate(22050)
    assert made.stft == STFT(1024, 16, latency=64)


@settings(max_examples=100, deadline=None)
@given(latency_ms=st.floats(0.25, 50), rate=st.sampled_from([16000, 44100, 48000, 96000]))
def test_rate_and_latency_can_be_changed_in_either_order(latency_ms, rate):
    """Half the rate and then a shorter latency is the same as the other way round, to the bit."""
    made = Dictionary(np.ones((1025, 1)), ("a",), STFT(2048, 512), rate)
    one, two = made.at_latency(latency_ms).at_rate(rate // 2), made.at_rate(rate // 2).at_latency(latency_ms)
    assert one == two
    assert one.stft.latency <= latency_ms * rate / 2000


def test_a_column_is_integrated_over_the_new_bins():
    """A new bin holds what the old bins, each taken as constant over its width, have between its edges."""
    columns = np.random.default_rng(0).random((33, 2)).astype(np.float32)
    from_hz, to_hz, n_bins = 125.0, 86.13, 60
    expected = np.zeros((n_bins, 2))
    for new in range(n_bins):
        for old in range(33):
            low, high = (
                max(old * from_hz - from_hz / 2, new * to_hz - to_hz / 2),
                min((old + 0.5) * from_hz, (new + 0.5) * to_hz),
            )
            expected[new] += columns[old] * max(0, high - low) / from_hz
    np.testing.assert_allclose(rebinned(columns, from_hz, to_hz, n_bins), expected, atol=1e-6)


def test_another_rate_keeps_the_frequencies():
    """A spectral line stays at its frequency within 2 Hz at every rate, in a window of about the same duration."""
    peak_hz = 3000.0
    line = np.exp(-0.5 * ((np.arange(1025) * 44100 / 2048 - peak_hz) / 60) ** 2)[:, None]
    made = Dictionary(line, ("a",), STFT(2048, 512), 44100)
    for rate, n_fft in ((48000, 2048), (16000, 1024), (8000, 512), (96000, 4096), (192000, 8192)):
        other = made.at_rate(rate)
        assert (other.stft.n_fft, other.sample_rate) == (n_fft, rate)
        centre_hz = (other.components[:, 0] * np.arange(other.stft.n_bins)).sum() * rate / n_fft
        assert centre_hz == pytest.approx(peak_hz, abs=2)


def test_the_same_rate_is_the_same_dictionary():
    """Where nothing is to be converted, the dictionary itself is returned."""
    made = small()
    assert made.at_rate(8000) is made
    assert made.at_rate(8000, SMALL) is made


def two_lines(labels):
    """Return a dictionary of a component at 1 kHz and one at 7.5 kHz."""
    low, high = np.eye(33, 1, -4), np.eye(33, 1, -30)
    return Dictionary(np.hstack([low, high]), labels, SMALL, 16000)


def test_components_above_the_new_nyquist_frequency_are_left_out():
    """A component of which nothing is left at a lower rate is dropped, one of which a part is left is kept."""
    assert two_lines(("a", "a")).at_rate(8000).n_components == 1
    half = np.eye(33, 1, -4) + 3 * np.eye(33, 1, -30)
    assert Dictionary(half, ("a",), SMALL, 16000).at_rate(8000).n_components == 1


def test_bins_above_the_old_nyquist_frequency_are_empty():
    """A higher rate adds no energy that was not there."""
    assert not two_lines(("a", "a")).at_rate(44100).components[60:].any()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((8000,), ValueError, "b: nothing is left at 8000 Hz: use a higher sample rate"),
        ((100,), ValueError, "n_fft would be 0.5 at 100 Hz, expected 4 to 524288: resample .* nearer to 16000 Hz"),
        ((0,), ValueError, "sample_rate is 0, expected a whole number of Hz"),
        (("8000",), TypeError, "sample_rate is '8000', expected a whole number of Hz"),
        ((8000, 1024), TypeError, "stft is int, expected an STFT"),
    ],
)
def test_a_rate_that_cannot_be_is_refused(arguments, error, message):
    """A rate at which a source or the STFT is gone, and arguments of the wrong kind, are refused in words."""
    with pytest.raises(error, match=message):
        two_lines(("a", "b")).at_rate(*arguments)


def test_a_rate_that_would_take_all_memory_is_refused():
    """The STFT does not grow without bound."""
    made = Dictionary(np.ones((1025, 1)), ("a",), STFT(2048, 512), 1000)
    with pytest.raises(ValueError, match="n_fft would be 16777216 at 10000000 Hz, expected 4 to 524288"):
        made.at_rate(10_000_000)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), rate=st.sampled_from(RATES))
def test_a_trained_dictionary_stays_valid_at_another_rate(data, rate):
    """Trained columns keep one label, one component and the sum 1 each, also where components are left out."""
    seed = data.draw(st.integers(0, 1000))
    columns = np.random.default_rng(seed).random((3, 33, 6)) ** data.draw(st.integers(1, 40)) + 1e-12
    columns[0, :2] += 1e-3  # something is left of each source at any rate
    columns[1:] += 1e-3
    made = Dictionary(
        columns[0], tuple("aabbab"), SMALL, 48000, update_components=columns[1], mask_components=columns[2]
    )
    other = made.at_rate(rate)
    assert other.sources == made.sources
    for name in COLUMNS:
        array = getattr(other, name)
        assert array.shape == (other.stft.n_bins, len(other.labels))
        assert not array.flags.writeable
        np.testing.assert_allclose(array.sum(axis=0), 1, rtol=1e-5)


def test_conversions_keep_training_model_and_texts():
    """A dictionary at another rate and latency is still trained, with its own model and description."""
    made = trained(model=Model(8), description="d", divergences={"a": [(0, 1.0)]})
    other = made.at_rate(16000).at_latency(2)
    assert other.is_trained
    assert (other.model, other.description, other.divergences) == (made.model, "d", made.divergences)


def test_a_shorter_latency_keeps_columns_and_window():
    """At a shorter latency the columns and n_fft are the same, and the hop is a quarter of the latency."""
    made = trained()
    other = made.at_latency(2)
    assert other.stft == STFT(64, 4, latency=16)
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(other, name), getattr(made, name))


@pytest.mark.parametrize("latency_ms", [8, 8.2, 1e308, np.float32(100), float("inf")])
def test_a_latency_that_is_short_enough_stays(latency_ms):
    """A dictionary whose latency is at most the one that is asked for is returned as it is."""
    made = small()
    assert made.at_latency(latency_ms) is made


@pytest.mark.parametrize("latency_ms", [0, -1, 0.2, float("nan"), float("-inf")])
def test_a_latency_below_two_samples_is_refused(latency_ms):
    """A latency that is none, negative, not a number or too short is refused with the shortest one."""
    with pytest.raises(ValueError, match=f"latency_ms is {latency_ms}, expected at least two samples, 0.25 ms"):
        small().at_latency(latency_ms)


@pytest.mark.parametrize("latency_ms", ["3", None, True])
def test_a_latency_that_is_no_number_is_refused(latency_ms):
    """A latency must be a number."""
    with pytest.raises(TypeError, match=f"latency_ms is {latency_ms!r}, expected a number of milliseconds"):
        small().at_latency(latency_ms)


@pytest.mark.parametrize("rate", RATES)
def test_the_shortest_latency_that_is_named_is_accepted(rate):
    """The remedy in the error works at every rate, although it is rounded."""
    made = small(sample_rate=rate)
    with pytest.raises(ValueError, match="at least two samples") as caught:
        made.at_latency(0)
    assert made.at_latency(float(str(caught.value).split()[-2])).stft.latency == 2
