"""Mixtures to train on."""

import numpy as np

from rtnmf.kernels import training
from rtnmf.learning import mixtures


def sources(n=2, n_bins=40):
    """Return magnitudes of sources that have one sound each."""
    return [[one.astype(np.float32)] for one in np.random.default_rng(0).random((n, 100, n_bins))]


def test_the_parts_of_the_sources_sum_to_the_mixture():
    """The magnitudes of the sources in the direction of the mixture sum to its magnitudes."""
    magnitudes, targets = mixtures.drawn(np.random.default_rng(0), sources(3), (0, 0, 0))
    assert magnitudes.shape == (mixtures.N_FRAMES, 40)
    np.testing.assert_allclose(targets.sum(axis=0), magnitudes, atol=1e-5)
    assert (targets < 0).any()


def test_parts_are_those_of_complex_spectra():
    """What is projected is the real part of a source times the conjugate of the direction of the mixture."""
    parts = np.random.default_rng(0).normal(size=(2, 2, 5, 9)).astype(np.float32)
    spectra, magnitudes, targets = parts[0] + 1j * parts[1], np.empty((5, 9), np.float32), parts[0].copy()
    training.project(targets, parts[1], magnitudes)
    mixture = spectra.sum(axis=0)
    np.testing.assert_allclose(magnitudes, abs(mixture), rtol=1e-5)
    np.testing.assert_allclose(targets, (spectra * mixture.conj() / abs(mixture)).real, rtol=1e-3, atol=1e-5)


def test_phases_are_random():
    """Frames have the magnitudes of the sound, up to a filter, and phases that are spread evenly."""
    rng = np.random.default_rng(0)
    sound = rng.random((1, 400)).astype(np.float32) + 1
    parts = np.zeros((2, mixtures.N_FRAMES, 400), np.float32)
    mixtures._draw(rng, [sound], *parts)
    found = parts[0] + 1j * parts[1]
    np.testing.assert_allclose(np.abs(found) / np.abs(found[:1]), 1, rtol=1e-5)
    assert (abs(found[0]) / sound[0]).std() > 0
    turns = found / np.abs(found)
    assert abs(turns.mean()) < 0.05
    assert abs((turns[:, 1:] * turns[:, :-1].conj()).mean()) < 0.05
    assert abs((turns[1:] * turns[:-1].conj()).mean()) < 0.05


def test_filters_are_smooth_and_their_levels_even():
    """Filters vary by their standard deviation, little from bin to bin, and lie within the levels in the mean."""
    found = 20 * np.log10(mixtures._filters(np.random.default_rng(0), 4000, 100))
    assert abs(found.mean()) < 0.3
    expected = np.hypot(mixtures._FILTER_DB, mixtures._GAIN_DB / np.sqrt(12))
    np.testing.assert_allclose(found[:, 0].std(axis=0), expected, rtol=0.05)
    assert abs(np.diff(found[:, 50:], axis=1)).max() < 3


def test_sources_are_absent_as_often_as_asked():
    """A source is silent in as many mixtures as asked, and never all of them are."""
    rng, absent = np.random.default_rng(0), np.zeros(2, int)
    for _ in range(1000):
        _, targets = mixtures.drawn(rng, sources(), (0.5, 0.2))
        absent += [not target.any() for target in targets]
    np.testing.assert_allclose(absent / 1000, [0.4, 0.1], atol=0.05)  # 0.5 * 0.2 of them are none
