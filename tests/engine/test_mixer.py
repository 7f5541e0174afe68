"""Gains, solo, mute, bypass and dry/wet as one value, and what applies them."""

import copy
import pickle
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtnmf import Mixer
from rtnmf.engine.mix import Mix

SOURCES = ("voice", "fan", "street")


@pytest.mark.parametrize(
    ("changes", "weights"),
    [
        ({}, [1, 1, 1, 0]),
        ({"gains": {"fan": 0.25}}, [1, 0.25, 1, 0]),
        ({"soloed": ("fan",)}, [0, 1, 0, 0]),
        ({"muted": ("fan",)}, [1, 0, 1, 0]),
        ({"soloed": ("fan", "voice"), "muted": ("fan",)}, [1, 0, 0, 0]),
        ({"bypass": True, "gains": {"fan": 3}}, [0, 0, 0, 1]),
        ({"wet": 0.75, "gains": {"fan": 2}}, [0.75, 1.5, 0.75, 0.25]),
        ({"wet": 0.5, "bypass": True}, [0, 0, 0, 1]),
        ({"gains": {"voice": -1, "street": 0}}, [-1, 1, 0, 0]),
    ],
)
def test_weights_follow_from_gains_solo_mute_bypass_and_wet(changes, weights):
    """Each setting has its effect on the weights of the stems and, last, of the dry signal."""
    np.testing.assert_allclose(Mixer(SOURCES, **changes).weights, weights)


def test_a_mixer_is_a_value():
    """Equal settings are equal and hash alike, copies too, and nothing in it can be changed."""
    mixer = Mixer(list(SOURCES), {"fan": 0.5}, soloed=["fan"])
    for other in (replace(mixer), copy.deepcopy(mixer), pickle.loads(pickle.dumps(mixer))):  # noqa: S301  # our own
        assert other == mixer
        assert hash(other) == hash(mixer)
        with pytest.raises(TypeError):
            other.gains["fan"] = 1.0
        with pytest.raises(FrozenInstanceError):
            other.wet = 0.5
    assert replace(mixer, wet=0.5) != mixer
    assert mixer.gains == {"voice": 1.0, "fan": 0.5, "street": 1.0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gains": {"drum": 1}}, "there is no source 'drum': choose from voice, fan, street"),
        ({"soloed": ("drum",)}, "there is no source 'drum'"),
        ({"muted": ("drum",)}, "there is no source 'drum'"),
        ({"gains": {"fan": float("nan")}}, "expected numbers such as 0, 0.5 or 1, at most 1000"),
        ({"gains": {"fan": 1e6}}, "at most 1000"),
        ({"sources": ("voice", "fan", "fan")}, "expected different names"),
        ({"wet": 1.5}, "wet is 1.5, expected 0 to 1"),
        ({"wet": float("nan")}, "wet is nan"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    """Unknown sources and values out of range raise."""
    with pytest.raises(ValueError, match=message):
        Mixer(**{"sources": SOURCES, **changes})


def noise(*shape, seed=0):
    """Return noise."""
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 90), max_size=12), st.integers(1, 12), st.integers(1, 3))
def test_any_blocks_are_mixed_alike_to_the_bit(lengths, n_sources, n_channels):
    """While weights move and after, samples do not depend on the blocks that they come in."""
    n_samples = sum(lengths)
    stems, x = noise(n_sources, n_samples, n_channels), noise(n_samples, n_channels, seed=1)
    first, then = noise(2, n_sources + 1, seed=2), noise(2, n_sources + 1, seed=3)

    def mixed(cuts):
        mix = Mix(first, 17, n_channels, 100)
        mix.turn_to(then)
        blocks = zip(np.split(stems, cuts, axis=1), np.split(x, cuts), strict=True)
        return np.concatenate([mix.apply(stem, mix.align(block)) for stem, block in blocks], axis=1)

    np.testing.assert_array_equal(mixed(np.cumsum(lengths[:-1], dtype=int)), mixed([]))


def test_a_weight_of_one_changes_no_bit_and_the_dry_signal_is_late_by_the_latency():
    """One stem with weight 1 comes out as it is; with weight on the dry signal alone, so does the delayed input."""
    stems, x = noise(2, 300, 1), noise(300, 1, seed=1)
    for row, expected in (([0, 1, 0], stems[1]), ([0, 0, 1], np.concatenate([np.zeros((40, 1)), x[:-40]]))):
        mix = Mix(np.array([row]), 40, 1, 64)
        np.testing.assert_array_equal(mix.apply(stems, mix.align(x))[0], expected)


def test_weights_move_in_a_straight_line_and_can_turn_on_the_way():
    """New weights are reached in exactly the length of the ramp, without a step, wherever they turn."""
    one = np.ones((1, 1000, 1), np.float32)
    mix = Mix(np.array([[0.0, 0.0]]), 8, 1, 100)
    mix.turn_to(np.array([[1.0, 0.0]]))
    up = mix.apply(one[:, :50], mix.align(one[0, :50]))[0, :, 0]
    np.testing.assert_allclose(up, np.arange(1, 51) / 100, atol=1e-6)
    mix.turn_to(np.array([[0.0, 0.0]]))
    assert not mix.is_at(np.array([[0.0, 0.0]], np.float32))
    down = mix.apply(one[:, :150], mix.align(one[0, :150]))[0, :, 0]
    np.testing.assert_allclose(down, np.maximum(0.5 - np.arange(1, 151) / 200, 0), atol=1e-6)
    assert mix.is_at(np.array([[0.0, 0.0]], np.float32))


def test_reset_clears_the_delay_and_ends_the_ramp():
    """After a reset the dry signal begins with silence, and the weights are those set last."""
    mix = Mix(np.array([[0.0, 1.0]]), 8, 1, 100)
    mix.align(noise(50, 1))
    mix.turn_to(np.array([[0.5, 0.0]]))
    mix.reset()
    assert not mix.align(noise(8, 1)).any()
    np.testing.assert_array_equal(mix.apply(np.ones((1, 4, 1), np.float32), np.zeros((4, 1)))[0, :, 0], [0.5] * 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sources": "voice"}, "sources is 'voice', expected a sequence of strings"),
        ({"sources": (1, 2)}, "expected a sequence of strings"),
        ({"soloed": "fan"}, "soloed is 'fan', expected a sequence of strings"),
        ({"muted": None}, "muted is None"),
        ({"gains": ["fan"]}, r"gains are \['fan'\], expected {source: gain}"),
        ({"gains": {"fan": "loud"}}, "the gain of 'fan' is 'loud', expected a number"),
        ({"gains": {"fan": 1j}}, "the gain of 'fan' is 1j"),
        ({"wet": "all"}, "wet is 'all', expected a number"),
        ({"bypass": "no"}, "bypass is 'no', expected True or False"),
    ],
)
def test_values_of_another_type_are_refused_by_name(changes, message):
    """Text is no sequence of sources, no number and no switch; the error names the setting."""
    with pytest.raises(TypeError, match=message):
        Mixer(**{"sources": SOURCES, **changes})


def test_an_empty_block_begins_no_ramp():
    """Two changes at the same sample make one ramp, to the bit, whether a block of no samples came between or not."""
    stems, dry = np.ones((1, 40, 1), np.float32), np.ones((40, 1), np.float32)
    heard = []
    for between in (False, True):
        mix = Mix(np.array([[0.123, 0]]), 8, 1, 13)
        mix.turn_to(np.array([[30, 0.7]]))
        if between:
            mix.apply(stems[:, :0], dry[:0])
        mix.turn_to(np.array([[0.4, 0]]))
        heard.append(mix.apply(stems, dry))
    assert heard[0].tobytes() == heard[1].tobytes()
