"""The limiter: nothing goes over, nothing else changes, and blocks of any length give the same."""

import numpy as np
import pytest

from rtnmf.engine.limiter import CEILING_DB, Limiter

RATE = 16000
CEILING = 10 ** (CEILING_DB / 20)


def loud(n_outputs=1, n_channels=1, seconds=1.5, peak=1000.0):
    """Return noise with a burst of so high a peak from 0.1 s to 0.2 s, else of 0.9."""
    shape = (n_outputs, int(seconds * RATE), n_channels)
    x = np.random.default_rng(0).uniform(-0.9, 0.9, shape).astype(np.float32)
    x[:, RATE // 10 : RATE // 5] *= peak / 0.9
    return x


def limited(x, *lengths):
    """Return a limited copy, cut into blocks of these lengths in turn."""
    y, limiter, start, turn = x.copy(), Limiter(len(x), RATE), 0, 0
    while start < x.shape[1]:
        n = lengths[turn % len(lengths)] if lengths else x.shape[1]
        block = np.ascontiguousarray(y[:, start : start + n])
        limiter.apply(block)
        y[:, start : start + n] = block
        start, turn = start + n, turn + 1
    return y


def test_only_what_is_over_is_turned_down_and_then_every_bit_is_back():
    """Nothing is louder than the ceiling; before the first sample over it, and 0.9 s after the last, no bit changes."""
    x = loud()
    y = limited(x)
    assert np.abs(y).max() == pytest.approx(CEILING, abs=1e-6)
    first = int(np.argmax(np.abs(x[0, :, 0]) > CEILING))
    assert np.array_equal(y[:, :first], x[:, :first])
    assert not np.array_equal(y[:, RATE // 5 :], x[:, RATE // 5 :])
    assert np.array_equal(y[:, int(1.1 * RATE) :], x[:, int(1.1 * RATE) :])


def test_it_is_back_halfway_within_50_ms():
    """After a burst the gain comes back without a step: 63 % of the way in 50 ms."""
    x = np.full((1, RATE, 1), 0.5, np.float32)
    x[0, 100] = 100
    gains = limited(x)[0, 100:, 0] / x[0, 100:, 0]
    assert gains[0] == pytest.approx(CEILING / 100)
    assert gains[RATE // 20] == pytest.approx(1 - (1 - CEILING / 100) / np.e, abs=1e-3)
    assert (np.diff(gains) >= 0).all()
    assert np.diff(gains).max() < 0.002


@pytest.mark.parametrize("lengths", [(1,), (0, 17, 509), (256,), (4096,)])
def test_blocks_of_any_length_give_the_same(lengths):
    """The same samples cut into any blocks are limited to the same bits."""
    x = loud(2, 2, 0.4)
    assert np.array_equal(limited(x, *lengths), limited(x))


def test_channels_share_a_gain_and_outputs_do_not():
    """Left and right keep their balance; another output, which is not too loud, keeps every bit."""
    x = loud(2, 2, 0.4)
    x[0, :, 1] = x[0, :, 0] / 4
    x[1] = x[1].clip(-0.9, 0.9)
    y = limited(x)
    np.testing.assert_allclose(y[0, :, 1], y[0, :, 0] / 4, rtol=1e-6)
    assert np.array_equal(y[1], x[1])
    assert not np.array_equal(y[0], x[0])


@pytest.mark.parametrize("level", [0.0, 1e-40, CEILING, 1.0, 1000.0, 1e30])
def test_hostile_levels_stay_finite_and_below_the_ceiling(level):
    """Silence, denormals, full scale a thousand times and absurd levels stay finite; only what is over is touched."""
    x = np.full((1, 300, 2), level, np.float32)
    y = x.copy()
    assert Limiter(1, RATE).apply(y) is (level > CEILING)
    np.testing.assert_allclose(y, np.minimum(x, np.float32(CEILING)), rtol=1e-6)
