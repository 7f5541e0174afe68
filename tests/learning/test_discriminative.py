"""Discriminative training through the unrolled updates of a stream."""

import numpy as np
import pytest
from conftest import random_dictionary

from rtnmf import STFT, Model, nmf
from rtnmf.frames.masks import soft_masks
from rtnmf.learning import discriminative

BOUNDS = [0, 3, 5]
BOUNDS_OF_8 = [0, 8, 16]


def problem(seed=0):
    """Return W and M, five components of 12 bins, magnitudes of one mixture and two targets, in float64."""
    rng = np.random.default_rng(seed)
    W, M = (rng.random((5, 12)) ** 2 + 0.01 for _ in range(2))
    magnitudes = rng.random((discriminative._FRAMES, 12))
    part = rng.random(magnitudes.shape)
    return W, M, magnitudes, [magnitudes * part, magnitudes * (1 - part)]


def loss(W, M, magnitudes, targets, n_iter=3):
    """Return the loss of columns."""
    _, masks, _ = discriminative._forward(W, M, BOUNDS, Model(n_iter), magnitudes)
    return discriminative._loss(masks, magnitudes, targets)[0]


@pytest.mark.parametrize("absent", [None, 0])
@pytest.mark.parametrize("n_iter", [1, 3, 5])
def test_gradients_are_those_of_finite_differences(n_iter, absent):
    """Gradients with respect to both sets of columns agree with finite differences to 1e-4, a source silent or not."""
    W, M, magnitudes, targets = problem()
    if absent is not None:
        targets[absent][:] = 0
    model = Model(n_iter)
    tape, masks, spectra = discriminative._forward(W, M, BOUNDS, model, magnitudes)
    _, grad_masks = discriminative._loss(masks, magnitudes, targets)
    gradients = discriminative._backward(W, M, BOUNDS, model, tape, masks, spectra, grad_masks)
    for columns, gradient in zip((W, M), gradients, strict=True):
        for place in np.ndindex(columns.shape):
            kept, around = columns[place], []
            for step in (1e-6, -1e-6):
                columns[place] = kept + step
                around.append(loss(W, M, magnitudes, targets, n_iter))
            columns[place] = kept
            assert gradient[place] == pytest.approx((around[0] - around[1]) / 2e-6, rel=1e-4, abs=1e-8)


def test_masks_are_those_of_the_stream():
    """Masks in training are those that the stream makes of a first frame."""
    dictionary = random_dictionary(STFT(64, 16), ("a", "b"), 3)
    rows = np.ascontiguousarray(dictionary.components.T)
    magnitudes = np.random.default_rng(0).random((4, 33), np.float32)
    _, found, _ = discriminative._forward(rows, rows, [0, 3, 6], Model(), magnitudes)
    for frame, *masks in zip(magnitudes, *found, strict=True):
        h = nmf.activations(frame[:, None], dictionary.components)
        models = np.stack([dictionary.components[:, some] @ h[some, 0] for some in (slice(0, 3), slice(3, 6))])
        np.testing.assert_allclose(masks, soft_masks(models), atol=1e-4)


def two_sources():
    """Return spectra of two sources, and as components of each eight of its frames."""
    rng = np.random.default_rng(0)
    recordings = [
        (rng.random((400, 5)) ** 4 @ rng.random((5, 40)) ** 4 * np.exp(2j * np.pi * rng.random((400, 40))))
        for _ in range(2)
    ]
    recordings = [[(one / np.abs(one).sum(axis=1).mean()).astype(np.complex64)] for one in recordings]
    components = np.vstack([np.abs(one[:8]) for [one] in recordings])
    return recordings, components / components.sum(axis=1, keepdims=True)


def unseen_loss(W, M, recordings):
    """Return the loss of two sets of sixteen columns on ten mixtures that no training has seen."""
    rng, losses = np.random.default_rng(99), []
    for _ in range(10):
        magnitudes, targets = discriminative._mixtures(rng, recordings, np.zeros(2))
        _, masks, _ = discriminative._forward(W, M, BOUNDS_OF_8, Model(), magnitudes)
        losses.append(discriminative._loss(masks, magnitudes, targets)[0])
    return np.mean(losses)


def test_training_lowers_the_loss_of_mixtures_it_has_not_seen():
    """Training lowers the loss of mixtures that it has not seen, and rows sum to 1."""
    recordings, components = two_sources()
    W, M = discriminative.trained(components, BOUNDS_OF_8, recordings, model=Model(), n_steps=60, seed=0)
    assert unseen_loss(W, M, recordings) < unseen_loss(components, components, recordings) - 0.1
    np.testing.assert_allclose([W.sum(axis=1), M.sum(axis=1)], 1, rtol=1e-5)


def test_training_goes_on_from_a_start():
    """A training that goes on from trained columns begins where that of them ended, whatever the components are."""
    recordings, components = two_sources()
    options = {"model": Model(), "seed": 1}
    start = discriminative.trained(components, BOUNDS_OF_8, recordings, n_steps=60, **options)
    noise = np.full_like(components, 1 / 40)
    W, M = discriminative.trained(noise, BOUNDS_OF_8, recordings, n_steps=20, start=start, rate=0.02, **options)
    assert unseen_loss(W, M, recordings) < unseen_loss(*start, recordings)


def test_magnitudes_are_mixed_with_random_phases():
    """Magnitudes become spectra of the same magnitudes, up to a filter, and of phases that are spread evenly."""
    rng = np.random.default_rng(0)
    sound = rng.random((1, 200)).astype(np.float32) + 1
    found = discriminative._drawn(rng, [sound])
    np.testing.assert_allclose(np.abs(found) / np.abs(found[:1]), 1, rtol=1e-5)
    assert np.abs(found[:1] / sound).std() > 0
    assert abs((found / np.abs(found)).mean()) < 0.05
    assert len(np.unique(found[:, 0])) > 28


def test_training_from_magnitudes_is_as_good_as_from_spectra():
    """Columns that were trained from magnitudes only lower the loss of mixtures of spectra too."""
    recordings, components = two_sources()
    magnitudes = [[np.abs(sound)] for [sound] in recordings]
    columns = discriminative.trained(components, BOUNDS_OF_8, magnitudes, model=Model(), n_steps=60, seed=0)
    assert unseen_loss(*columns, recordings) < unseen_loss(components, components, recordings) - 0.1


def test_sources_are_absent_as_often_as_asked():
    """A source is silent in as many mixtures as asked, and never all of them are."""
    recordings, _ = two_sources()
    rng, absent = np.random.default_rng(0), np.zeros(2, int)
    for _ in range(1000):
        _, targets = discriminative._mixtures(rng, recordings, np.array([0.5, 0.2]))
        absent += [not target.any() for target in targets]
    np.testing.assert_allclose(absent / 1000, [0.4, 0.1], atol=0.05)  # 0.5 * 0.2 of them are none


def test_training_with_an_absent_source_makes_its_share_small():
    """Where a source is often absent in training, less of the other one ends in its stem."""
    recordings, components = two_sources()

    def leaked(absent):
        W, M = discriminative.trained(
            components, BOUNDS_OF_8, recordings, model=Model(), n_steps=60, seed=0, absent=absent
        )
        magnitudes = np.abs(recordings[0][0])
        _, masks, _ = discriminative._forward(W, M, BOUNDS_OF_8, Model(), magnitudes)
        return ((masks[1] * magnitudes) ** 2).sum()

    assert leaked((0, 0.5)) < 0.8 * leaked(None)


def test_silence_and_one_frame_teach_nothing_and_do_no_harm():
    """A source that is silent, or a single frame, leaves columns that are finite."""
    components = np.full((4, 9), 1 / 9, np.float32)
    silent, one = np.zeros((3, 9), np.complex64), np.ones((1, 9), np.complex64)
    for columns in discriminative.trained(components, [0, 2, 4], [[silent], [one]], model=Model(), n_steps=5, seed=0):
        assert np.isfinite(columns).all()
