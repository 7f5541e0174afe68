"""How late, how fast, how near the limit."""

import numpy as np
import pytest

from rtnmf import Separator, separate
from rtnmf.measure.benchmark import PARTS, benchmark, measured_latency, stream


def test_streaming_in_blocks_is_separating_at_once(dictionary, speech):
    """Streaming in blocks is separating at once."""
    streamed = stream(Separator(dictionary), speech[:5000], 512)
    np.testing.assert_array_equal(streamed.stems, separate(speech[:5000], dictionary))
    assert streamed.block_seconds.shape == (10,)


def test_latency_is_measured(dictionary):
    """Latency is measured."""
    separator = Separator(dictionary)
    assert measured_latency(separator) == dictionary.stft.latency
    assert not separator.activations.any()


def test_benchmark_measures_blocks_parts_and_the_limit(dictionary):
    """Benchmark measures every block, each part of a hop, and a limit of the updates that they do not undercut."""
    separator = Separator(dictionary, n_iter=3)
    found = benchmark(separator, 100, 0.5)
    assert found.block_seconds.shape == (80,)
    assert (found.block_seconds > 0).all()
    assert found.measured_latency == separator.latency
    assert found.is_same_for_any_blocks
    assert (found.budget_s, found.hop_s) == (100 / 16000, dictionary.stft.hop_length / 16000)
    assert tuple(found.part_s) == PARTS
    assert 0 < found.limit_s < found.part_s["updates"]
    assert found.real_time_factor == pytest.approx(found.block_seconds.sum() / 0.5)
