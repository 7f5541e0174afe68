"""The clock: lost blocks, and how much work there is time for."""

import numpy as np
import pytest

from rtnmf.live.host.pacing import Cost, Deadline, LostBlocks

BLOCK_S = 0.01


def lost(times):
    """Return how many blocks are counted as lost when blocks come at these times."""
    blocks = LostBlocks()
    for time in times:
        blocks.update(time, BLOCK_S)
    return blocks.count


def test_steady_blocks_lose_nothing():
    """Blocks that come in time, with jitter and with a slow drift of the clocks, lose nothing."""
    rng = np.random.default_rng(0)
    times = np.arange(6000) * BLOCK_S * 1.0002 + rng.uniform(0, 0.008, 6000)
    assert lost(times) == 0


def test_late_blocks_that_are_made_up_for_are_not_lost():
    """Blocks that come all at once after a delay are not lost, nor are those that always come in bursts."""
    times = np.arange(1000) * BLOCK_S
    times[500:560] = times[560]
    assert lost(times) == 0
    assert lost((np.arange(1000) // 8) * 8 * BLOCK_S) == 0


def test_a_stall_is_counted_in_blocks():
    """A stall of 600 ms that the stream never catches up with counts as the sixty blocks that it lasted."""
    times = np.arange(1000) * BLOCK_S
    times[400:] += 0.6
    assert lost(times) == 60


def test_a_stream_that_outruns_the_clock_loses_nothing():
    """A stream that outruns the clock for a while loses nothing, and blocks that it loses afterwards are counted."""
    fast = np.arange(100_000) * BLOCK_S / 50
    after = fast[-1] + np.arange(1, 1001) * BLOCK_S
    assert lost([*fast, *after]) == 0
    after[500:] += 0.1
    assert lost([*fast, *after]) == 10


def run(deadline, n_blocks, work):
    """Pass blocks whose load depends on the updates, and return the updates of each."""
    taken = []
    for _ in range(n_blocks):
        taken.append(0 if deadline.is_resting else deadline.n_iter)
        deadline.update(0.0 if deadline.is_resting else work(deadline.n_iter), BLOCK_S)
    return taken


def test_light_work_gets_all_updates():
    """With light loads all updates are made, even when every fifth block is very late."""
    slow = iter([100.0 if i % 5 == 0 else 0.1 for i in range(1000)])
    assert set(run(Deadline(5, BLOCK_S), 1000, lambda _: next(slow))) == {5}


def test_work_near_the_limit_gets_fewer_updates_and_more_when_there_is_room():
    """With loads near the limit there are as many updates as there is time for, and all again when there is room."""
    deadline = Deadline(10, BLOCK_S)
    assert run(deadline, 2000, lambda n: 0.2 + 0.1 * n)[-1] in (4, 5)
    assert run(deadline, 2000, lambda n: 0.05 * n)[-1] == 10


def test_hopeless_work_rests_longer_and_longer():
    """When one update is too many, the separation rests, each time twice as long, up to eight seconds."""
    taken = np.array(run(Deadline(5, BLOCK_S), 20_000, lambda n: 0.5 + n))
    rests = np.diff(np.flatnonzero(np.diff(np.concatenate([[1], taken, [1]])) != 0))[::2]
    assert (taken == 0).mean() > 0.9
    assert list(np.round(np.sort(np.unique(rests)) * BLOCK_S)[[0, -1]]) == [1, 8] or rests.max() * BLOCK_S >= 8


def test_of_blocks_shorter_than_a_frame_the_slowest_counts():
    """When a frame spans several blocks, the load of the one that does the work counts."""
    deadline = Deadline(5, 4 * BLOCK_S)
    loads = iter([0.0, 0.0, 0.0, 0.9] * 100)
    run(deadline, 40, lambda _: next(loads))
    assert deadline.n_iter < 5


@pytest.mark.parametrize("wanted", [1, 3])
def test_wish_for_fewer_is_granted_at_once(wanted):
    """Fewer updates than before take effect with the next block."""
    deadline = Deadline(10, BLOCK_S)
    deadline.wanted = wanted
    deadline.update(0.1, BLOCK_S)
    assert deadline.n_iter == wanted


@pytest.mark.parametrize(("unit", "expected"), [(0.01, 10), (0.034, 10), (0.06, 5), (0.5, 1)])
def test_two_dictionaries_get_as_many_updates_as_there_is_time_for(unit, expected):
    """While two dictionaries separate, each has all updates if both can be done in time, else as many as can."""
    deadline = Deadline(10, BLOCK_S)
    assert deadline.n_iter_of_two == 10
    for _ in range(4):
        deadline.update(unit * 10, BLOCK_S)
    assert deadline.n_iter_of_two == expected


def run_with_experts(deadline, n_blocks, plain, asked):
    """Pass blocks of a load without experts and with them, and return whether they were asked for each."""
    taken = []
    for _ in range(n_blocks):
        taken.append(deadline.asks)
        deadline.update(asked if deadline.asks else plain, BLOCK_S)
    return taken


def expert(**costs):
    """Return the cost of an expert that takes a tenth of a block."""
    return Cost(**{"span_s": BLOCK_S, "all_s": BLOCK_S / 10, "slowest_s": BLOCK_S / 10, "begin_s": 0.0} | costs)


def test_experts_are_left_out_before_updates_are():
    """With loads near the limit experts rest, and all updates stay where there is time for them then."""
    deadline = Deadline(5, BLOCK_S, expert())
    assert not any(run_with_experts(deadline, 90, 0.65, 0.75)[8:])
    assert deadline.n_iter == 5
    run(deadline, 90, lambda n: 0.2 * n)
    assert (deadline.n_iter, deadline.asks) == (3, False)
    without = Deadline(5, BLOCK_S)
    run(without, 90, lambda n: 0.2 * n)
    assert (without.n_iter, without.asks) == (3, True)


def test_experts_are_asked_again_when_there_is_time_and_all_updates_are_made():
    """When there is room, updates come back first, experts after them, for good."""
    deadline = Deadline(5, BLOCK_S, expert())
    run(deadline, 200, lambda n: 0.3 * n)
    assert (deadline.n_iter, deadline.asks) == (2, False)
    taken = []
    for _ in range(2000):
        taken.append((deadline.n_iter, deadline.asks))
        deadline.update(0.1 * deadline.n_iter + 0.1 * deadline.asks, BLOCK_S)
    assert list(dict.fromkeys(taken)) == [(2, False), (3, False), (4, False), (5, False), (5, True)]


def test_experts_that_cost_more_than_they_seemed_to_are_asked_ever_less_often():
    """Where leaving them out helps and asking them again does not, they rest 1, 2, 4 and at most 8 seconds."""
    taken = run_with_experts(Deadline(5, BLOCK_S, expert()), 4000, 0.5, 0.9)
    turns = np.flatnonzero(np.diff(taken))
    assert list(np.round(np.diff(turns)[::2] * BLOCK_S)[:5]) == [1, 2, 4, 8, 8]


def test_experts_without_time_or_that_begin_too_slowly_stay_out():
    """They are not asked again where their cost would be too much, or longer than a frame of theirs to begin with."""
    for cost in (expert(all_s=BLOCK_S / 2), expert(slowest_s=BLOCK_S / 2), expert(begin_s=0.2)):
        deadline = Deadline(5, BLOCK_S, cost)
        run_with_experts(deadline, 20, 0.3, 0.8)
        assert not any(run_with_experts(deadline, 3000, 0.3, 0.8))


def test_in_short_blocks_the_slowest_hop_of_experts_counts():
    """What experts do now and then weighs the more the shorter a block is; in long ones, all that they do counts."""
    cost = expert(all_s=0.004, slowest_s=0.002)
    assert cost.load(BLOCK_S) == cost.load(4 * BLOCK_S) == pytest.approx(0.4)
    assert cost.load(BLOCK_S / 4) == pytest.approx(0.8)
