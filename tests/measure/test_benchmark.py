"""How late, how fast, how near the limit."""

import numpy as np
import pytest

from rtnmf import Separator, separate
from rtnmf.measure.benchmark import PARTS, benchmark, measured_latency, stream


def test_streaming_in_blocks_is_separating_at_once(dictionary, speech):
    """A stream in blocks gives the stems of `separate` to the bit, and a time for each block."""
    streamed = stream(Separator(dictionary), speech[:5000], 512)
    np.testing.assert_array_equal(streamed.stems, separate(speech[:5000], dictionary))
    assert streamed.block_seconds.shape == (10,)


def test_one_channel_streams_with_or_without_an_axis_for_it(dictionary, speech):
    """A signal of shape (n_samples,) gives the stems of the same signal of shape (n_samples, 1), in its own shape."""
    separator = Separator(dictionary)
    flat, column = (stream(separator, x, 300).stems for x in (speech[:2000], speech[:2000, None]))
    assert (flat.shape, column.shape) == ((2, 2000), (2, 2000, 1))
    np.testing.assert_array_equal(flat, column[:, :, 0])


def test_a_stream_of_nothing_has_no_blocks(dictionary):
    """No samples give stems of no samples."""
    streamed = stream(Separator(dictionary), np.zeros(0, np.float32), 512)
    assert streamed.stems.shape == (2, 0)
    assert streamed.block_seconds.shape == (0,)


@pytest.mark.parametrize(
    ("x", "block_length", "error", "message"),
    [
        (np.zeros(5), 0, ValueError, "block_length is 0, expected at least 1"),
        (np.zeros(5), 2.5, TypeError, "block_length is 2.5, expected a whole number"),
        (np.zeros(5, int), 5, TypeError, "samples of type int64, expected floats"),
        (np.zeros(5, complex), 5, TypeError, "samples of type complex128, expected floats"),
    ],
)
def test_what_cannot_be_streamed_is_refused(dictionary, x, block_length, error, message):
    """Impossible blocks, and signals that are not floats, are refused in words."""
    with pytest.raises(error, match=message):
        stream(Separator(dictionary), x, block_length)


@pytest.mark.parametrize("duration_s", [0, -1, float("nan"), float("inf")])
def test_a_benchmark_takes_some_time(dictionary, duration_s):
    """A duration that is not positive and finite is refused before anything is measured."""
    with pytest.raises(ValueError, match=r"duration_s is .*, expected a positive number of seconds"):
        benchmark(Separator(dictionary), 512, duration_s)


def test_latency_is_measured(dictionary):
    """A click comes out as late as the separator says, which is reset afterwards."""
    separator = Separator(dictionary)
    assert measured_latency(separator) == dictionary.stft.latency
    assert not separator.activations.any()


def test_benchmark_measures_blocks_parts_and_the_limit(dictionary):
    """Every block and each part of a hop has a time, and the updates do not undercut their limit."""
    separator = Separator(dictionary)
    found = benchmark(separator, 100, 0.5)
    assert found.block_seconds.shape == (80,)
    assert (found.block_seconds > 0).all()
    assert found.measured_latency == separator.latency
    assert found.is_same_for_any_blocks
    assert (found.budget_s, found.hop_s) == (100 / 16000, dictionary.stft.hop_length / 16000)
    assert tuple(found.part_s) == PARTS
    assert 0 < found.limit_s < found.part_s["updates"]
    assert found.real_time_factor == pytest.approx(found.block_seconds.sum() / 0.5)
