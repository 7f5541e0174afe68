"""The activations of a stream of frames with W fixed."""

import numpy as np
import pytest
from spectrograms import spectrogram, start

from rtnmf import nmf


def normalised(V, n_components):
    """Return spiky random columns that sum to 1."""
    W = start(V, n_components)[0] ** 8
    return (W / W.sum(axis=0)).astype(np.float32)


def test_activations_sum_to_the_frame_after_a_plain_update():
    """After plain updates the activations of a frame sum to its magnitudes."""
    V = spectrogram(1025, 60)
    for n_iter in (1, 2, 5):
        H = nmf.activations(V, normalised(V, 24), n_iter=n_iter, relaxation=1)
        np.testing.assert_allclose(H.sum(axis=0), V.sum(axis=0), rtol=2e-6)


def test_activations_reach_the_optimum_of_a_fit_with_fixed_components():
    """Many plain updates reach the divergence of a fit in which all components are fixed."""
    V = spectrogram()
    W = normalised(V, 6)
    H = nmf.activations(V, W, n_iter=3000, relaxation=1)
    optimum = nmf.fit(V, 6, n_iter=3000, tolerance=0, fixed=W)
    ours = nmf.kl_divergence(V, W @ H + 1e-30)
    assert ours == pytest.approx(nmf.kl_divergence(V, optimum.W @ optimum.H + 1e-30), rel=1e-3)


def test_warm_relaxed_updates_come_closer_than_cold_plain_ones():
    """Five relaxed updates come closer than five plain ones, and these closer than from a uniform start."""
    smooth = np.repeat(spectrogram(), 4, axis=1)
    W = normalised(smooth, 12)

    def excess(**options):
        return nmf.kl_divergence(smooth, W @ nmf.activations(smooth, W, n_iter=5, **options) + 1e-30)

    assert excess() < excess(relaxation=1) < excess(relaxation=1, memory=0)


def test_each_frame_starts_from_the_last_one_and_the_rest_uniform():
    """Each frame starts from nine tenths of the last one's activations and one tenth uniform."""
    V = spectrogram()
    W = normalised(V, 6)
    first, second = nmf.activations(V[:, :2], W, n_iter=1).T
    h = 0.9 * first / first.sum() + 0.1 / 6
    expected = h * (W.T @ (V[:, 1] / (W @ h + 1e-30)))
    np.testing.assert_allclose(second, expected, rtol=1e-4)


@pytest.mark.parametrize(("n_bins", "n_components"), [(1, 1), (95, 3), (96, 4), (97, 5), (513, 64), (1025, 7)])
def test_activations_follow_the_formula_for_any_size(n_bins, n_components):
    """Activations follow the formula for any number of bins and components, whole tiles or not."""
    rng = np.random.default_rng(0)
    v, W = rng.random(n_bins).astype(np.float32), normalised(rng.random((n_bins, 1)), n_components)
    h = np.full(n_components, 1 / n_components)
    for exponent in (1, 1.7, 1.7):
        h = h * (W.T.astype(float) @ (v / v.sum() / (W.astype(float) @ h))) ** exponent
    found = nmf.activations(v[:, None], W, n_iter=3)[:, 0] / v.sum()
    np.testing.assert_allclose(found, h, rtol=1e-4, atol=1e-7)


def test_silence_is_forgotten():
    """A silent frame gives zeros, and the next one starts as the first of a stream does."""
    V = spectrogram()
    W = normalised(V, 6)
    silence = np.zeros((len(V), 1), np.float32)
    H = nmf.activations(np.hstack([V[:, :3], silence, V[:, 10:12]]), W)
    assert not H[:, 3].any()
    np.testing.assert_array_equal(H[:, 4:], nmf.activations(V[:, 10:12], W))


def test_bins_that_no_component_reaches_are_harmless():
    """Where no component reaches a band, activations are finite and silent only in silent frames."""
    V = spectrogram()
    W = normalised(V, 5)
    W[40:80] = 0
    H = nmf.activations(V, W / W.sum(axis=0))
    assert np.isfinite(H).all()
    np.testing.assert_allclose(H.sum(axis=0) > 0, V.sum(axis=0) > 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"n_iter": 0}, "n_iter is 0"), ({"relaxation": 2}, "relaxation is 2"), ({"memory": 1}, "memory is 1")],
)
def test_bad_stream_settings_are_refused(options, message):
    """Updates, relaxation and memory out of their ranges are refused by name."""
    with pytest.raises(ValueError, match=message):
        nmf.activations(np.ones((5, 3)), np.ones((5, 2)), **options)
