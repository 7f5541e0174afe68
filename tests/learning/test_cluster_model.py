"""Passes on clusters that are only simulated: what `scripts/simulate_cluster.py` predicts with."""

import numpy as np
import pytest
from cluster_model import Costs, simulated

from rtnmf.learning.workers import runs

COSTS = Costs(0.0005, 0.001, 0.001, 0.001, 1e8, 100_000)


def passed(n_workers, n_leaves=500, costs=COSTS, shared_bytes=1_000_000):
    """Simulate a pass whose leaves take about a second."""
    return simulated(np.random.default_rng(0).uniform(0.5, 1.5, n_leaves).tolist(), costs, n_workers, shared_bytes)


def test_more_workers_are_as_much_faster_while_there_is_enough_to_read():
    """With many leaves for each, the time falls as workers are added, and is never less than reading takes."""
    alone = passed(1)
    assert alone.seconds == pytest.approx(500, rel=0.05)
    for n in (2, 4, 8, 16):
        assert alone.seconds / n < passed(n).seconds * 1.05 < 1.2 * alone.seconds / n
    assert passed(2000).seconds > 1.4


def test_a_worker_alone_sends_what_was_asked_for():
    """The sum over all goes to the client; with more workers, W and the archive, and at most every sum, travel too."""
    assert passed(1).traffic == COSTS.sum_bytes
    for n in (2, 20):
        sums = passed(n).traffic - (n - 1) * 1_000_000
        assert 200 * COSTS.sum_bytes < sums <= 500 * COSTS.sum_bytes


@pytest.mark.parametrize(
    ("changed", "n_workers", "bound"),
    [
        ({}, 10, "reading"),
        ({}, 1000, "one leaf"),
        ({"scheduler_s": 1}, 100, "scheduler"),
        ({"client_s": 1}, 100, "client"),
        ({"bandwidth": 1e4}, 20, "network"),
    ],
)
def test_what_bounds_is_named(changed, n_workers, bound):
    """Whatever is made slow is what the time is said to be spent on."""
    assert passed(n_workers, costs=COSTS._replace(**changed)).bound == bound


@pytest.mark.parametrize("n", [1, 13, 2**14, 2**14 + 1, 2**15, 2**15 + 1, 700_000])
def test_partitions_are_few_tasks(n):
    """Runs have a power of two of partitions, but the last, and are at most 2**14, and more than half of that."""
    found = runs(n)
    assert [i for run in found for i in run] == list(range(n))
    assert {len(run) for run in found[:-1]} <= {len(found[0])}
    assert len(found[0]).bit_count() == 1
    assert min(n, 2**13) <= len(found) <= 2**14
