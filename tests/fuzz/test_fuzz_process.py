"""Calls of a separator: blocks of any kind, settings that change between them, and what is no block at all."""

import dataclasses
import functools

import numpy as np
import pytest
from conftest import random_dictionary
from guards import FindingError, check_finite, fuzz, integer, long, odd, tried

from rtnmf import STFT, Mixer, Separator
from rtnmf.engine.separator import usable

SETTINGS = (STFT(64, 16), STFT(256, 64), STFT(256, 8, latency=32), STFT(64, 1), STFT(4, 1), STFT(1024, 256))
NO_BLOCKS = (None, "x", b"x", 1, 1.0, [], [[]], [1, 2], {}, np.zeros(3, int), np.zeros((2, 2, 2)), np.zeros(3, complex),
             np.array(["a"]), np.array(None), np.zeros(3, bool), np.zeros((0, 0)), np.float32(1))  # fmt: skip
LEVELS = (0.0, 1e-45, 1e-38, 1e-10, 1e-5, 1.0, 1.0, 1.0, 100.0, 1e6, 1e18, 3e38)
TYPES = (np.float32, np.float32, np.float64, np.float16, np.longdouble, ">f4")


@functools.cache
def dictionary_of(stft, n_sources, trained, flipped=False):
    """Return a dictionary, or one with other components."""
    names = tuple(f"source {i}" for i in range(n_sources))
    made = random_dictionary(stft, names, 2, sample_rate=8000, trained=trained)
    return dataclasses.replace(made, components=made.components[::-1]) if flipped else made


def signal(rng, n_samples, n_channels):
    """Return sound that changes its level, with a few samples that are none."""
    x = rng.uniform(-1, 1, (n_samples, n_channels))
    for _ in range(4):
        x[rng.integers(n_samples + 1) :] *= odd(rng, LEVELS)
    if rng.random() < 0.4:
        x[rng.random(n_samples) < 0.01] = odd(rng, (np.nan, np.inf, -np.inf, 3e38, 1e300))
    with np.errstate(over="ignore"):
        return x.astype(np.float32)


def attempt(rng, folder):
    """Make two separators, and give them the same in other blocks."""
    stft, n_sources, n_channels = odd(rng, SETTINGS), int(rng.integers(1, 4)), int(odd(rng, (1, 1, 2, 5)))
    trained = bool(rng.random() < 0.5)
    dictionary = dictionary_of(stft, n_sources, trained)
    power, gains = odd(rng, (1.0, 2.0, 1e-30, 1e6)), gains_of(rng, dictionary.sources)
    options = {"n_channels": n_channels, "mask_power": power, "gains": gains, "experts": ()}
    one, other = (tried("making", Separator, dictionary, **options) for _ in range(2))
    x = signal(rng, integer(rng, 1, 100, 1000, most=4000), n_channels)
    before = x.copy()
    outputs = tried("one block", one.process, x)
    parts = [tried("a block", part_of, rng, other, block) for block in np.split(x, cuts(rng, len(x)))]
    _check(x, outputs, np.concatenate(parts, axis=1), gains is None, stft.latency)
    if not np.array_equal(x, before, equal_nan=True):
        raise FindingError("a block was changed")
    for _ in range(rng.integers(0, 6)):
        tried("a call", odd(rng, CALLS), rng, one)
        block = signal(rng, integer(rng, 0, 1, 17, 512, most=2000), n_channels)
        outputs = tried("a block after it", one.process, block)
        check_finite("outputs after a call", outputs)
        if outputs.shape[1:] != block.shape:
            raise FindingError(f"outputs are {outputs.shape} of a block of {block.shape}")


def gains_of(rng, sources):
    """Return weights, a mixer, or none."""
    kind = rng.integers(4)
    if kind == 0:
        return rng.uniform(-2, 2, (int(rng.integers(1, 4)), len(sources)))
    if kind == 1:
        return Mixer(sources, muted=sources[:1], wet=float(odd(rng, (0.0, 0.3, 1.0))))
    return None


def cuts(rng, n_samples):
    """Return where to cut, now and then twice at the same sample."""
    return np.sort(rng.integers(0, n_samples + 1, rng.integers(0, 20)))


def part_of(rng, separator, block):
    """Process a block after something that is none, which changes nothing."""
    if rng.random() < 0.2:
        tried("what is no block", separator.process, odd(rng, NO_BLOCKS[:-1]))
    if rng.random() < 0.3:
        return separator.process(np.asfortranarray(block))
    return separator.process(block)


def _check(x, whole, parts, are_stems, latency):
    """Raise FindingError unless both are the same, finite and, of stems, the input."""
    check_finite("outputs", whole)
    if not np.array_equal(whole, parts):
        raise FindingError("outputs depend on how the stream is cut")
    if are_stems:
        heard = usable(x)
        error = np.abs(whole.sum(axis=0)[latency:] - heard[: max(0, len(x) - latency)]).max(initial=0)
        if error > 1e-5 * max(1.0, np.abs(heard).max(initial=0)):  # also of what is loud and still to come
            raise FindingError(f"stems do not sum to the input: {error:.1e}")


def odd_block(rng, separator):
    """Give it what is no block, or one of another type."""
    if rng.random() < 0.5:
        return separator.process(odd(rng, NO_BLOCKS))
    x = signal(rng, 9, separator.n_channels)
    with np.errstate(over="ignore"):
        x = x.astype(odd(rng, TYPES))
    return separator.process(x)


def set_gains(rng, separator):
    """Set other gains."""
    gains, same = separator.gains, np.full(separator.gains.shape, odd(rng, (np.nan, 1e3, -1e3, 1e39, 0.0)))
    separator.gains = odd(rng, (gains_of(rng, separator.sources), gains * 3, gains * 1e30, [[1]], "x", same))


def set_updates(rng, separator):
    """Set another number of updates."""
    separator.n_iter = odd(rng, (1, 2, 50, 0, -1, 10**30, 1.5, None, True, "3"))


def set_dictionary(rng, separator):
    """Let another dictionary take over."""
    stft = separator.dictionary.stft if rng.random() < 0.9 else odd(rng, SETTINGS)
    separator.dictionary = dictionary_of(stft, len(separator.sources), bool(rng.random() < 0.5), flipped=True)


def reset(rng, separator):
    """Reset or flush it."""
    if rng.random() < 0.5:
        separator.reset()
    else:
        check_finite("what is left", separator.flush())


CALLS = (odd_block, set_gains, set_updates, set_dictionary, reset)


@pytest.fixture(scope="module", autouse=True)
def _compiled():
    """Compile, outside of all guards."""
    for trained in (False, True):
        for gains in (None, [[1, 1]]):
            separator = Separator(dictionary_of(SETTINGS[0], 2, trained), gains=gains, experts=())
            for _ in range(2):
                separator.process(np.ones(99, np.float32))
                separator.dictionary = dictionary_of(SETTINGS[0], 2, not trained)
            separator.gains = separator.gains / 2
            separator.flush()


def test_any_calls_give_finite_sound_or_a_refusal(tmp_path):
    """Some streams are separated in the same way however they are cut, and stay finite."""
    fuzz(attempt, tmp_path, n=500)


@long
def test_any_calls_give_finite_sound_or_a_refusal_for_long(tmp_path):
    """So are many."""
    fuzz(attempt, tmp_path)
