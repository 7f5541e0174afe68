"""Discriminative training through the unrolled updates of a stream."""

import numpy as np
import pytest
from conftest import random_dictionary

from rtnmf import STFT, Model, nmf
from rtnmf.frames.masks import soft_masks
from rtnmf.kernels import training
from rtnmf.learning import discriminative, gradients, mixtures, torch_gradients

BOUNDS = [0, 3, 5]
BOUNDS_OF_8 = [0, 8, 16]


def problem(seed=0):
    """Return W and M, five components of 12 bins, magnitudes of one mixture and two targets, in float64."""
    rng = np.random.default_rng(seed)
    W, M = (rng.random((5, 12)) ** 2 + 0.01 for _ in range(2))
    magnitudes = rng.random((mixtures.N_FRAMES, 12))
    part = rng.random(magnitudes.shape)
    return W, M, magnitudes, magnitudes * np.stack([part, 1 - part])


def loss(W, M, bounds, magnitudes, targets, n_iter=5):
    """Return the loss of columns."""
    _, spectra = gradients._forward(W, M, bounds, Model(n_iter), reach(W), magnitudes)
    return training.loss(spectra, magnitudes, targets, gradients.FORGIVEN)


def reach(W):
    """Return the floor of columns whose bins are not pooled."""
    return np.full(W.shape[1], Model().reach / W.shape[1], W.dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("absent", [None, 0])
@pytest.mark.parametrize("n_iter", [1, 5])
def test_torch_finds_the_same_loss_and_gradients(n_iter, absent, dtype):
    """Those of the kernels but for rounding, a source silent or not, and a frame silent."""
    torch = pytest.importorskip("torch")
    W, M, magnitudes, targets = (array.astype(dtype) for array in problem())
    magnitudes[3] = targets[:, 3] = 0
    if absent is not None:
        targets[absent] = 0
    given = (W, M, BOUNDS, Model(n_iter), reach(W), magnitudes, targets)
    rel = 1e-5 if dtype == np.float32 else 1e-12
    tensors = [torch.tensor(one) if isinstance(one, np.ndarray) else one for one in given]
    expected = loss(W, M, BOUNDS, magnitudes, targets, n_iter)
    assert float(torch_gradients.loss(*tensors)) == pytest.approx(expected, rel=rel)
    for one, other in zip(gradients.gradients(*given), torch_gradients.gradients(*given, device="cpu"), strict=True):
        np.testing.assert_allclose(other, one, rtol=rel, atol=rel * abs(one).max())
        assert other.dtype == dtype


def test_a_training_with_torch_ends_where_that_of_the_kernels_does():
    """After a training on the same mixtures, columns and loss are the same but for rounding."""
    pytest.importorskip("torch")
    recordings, components = two_sources()
    one, other = (
        discriminative.trained(
            components, BOUNDS_OF_8, recordings, model=Model(), n_steps=60, seed=0, absent=(0, 0.3), device=device
        )
        for device in (None, "cpu")
    )
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(b, a, atol=1e-3 * a.max())
    assert unseen_loss(*other, recordings) == pytest.approx(unseen_loss(*one, recordings), abs=1e-4)


@pytest.mark.parametrize("absent", [None, 0])
@pytest.mark.parametrize("n_iter", [1, 3, 5])
def test_gradients_are_those_of_finite_differences(n_iter, absent):
    """Gradients with respect to both sets of columns agree with finite differences to 1e-4, a source silent or not."""
    W, M, magnitudes, targets = problem()
    if absent is not None:
        targets[absent] = 0
    found = gradients.gradients(W, M, BOUNDS, Model(n_iter), reach(W), magnitudes, targets)
    for columns, gradient in zip((W, M), found, strict=True):
        for place in np.ndindex(columns.shape):
            kept, around = columns[place], []
            for step in (1e-6, -1e-6):
                columns[place] = kept + step
                around.append(loss(W, M, BOUNDS, magnitudes, targets, n_iter))
            columns[place] = kept
            assert gradient[place] == pytest.approx((around[0] - around[1]) / 2e-6, rel=1e-4, abs=1e-8)


@pytest.mark.parametrize("is_absent", [False, True])
def test_the_loss_is_the_error_of_the_masked_mixture_over_the_energy(is_absent):
    """The loss is the logarithm of error over energy; the energy is that of the mixture where a source is silent."""
    _, _, magnitudes, targets = problem()
    spectra = np.random.default_rng(1).random(targets.shape)
    if is_absent:
        targets[1] = 0
    energies = [(magnitudes**2 if is_absent and i else target**2).sum() for i, target in enumerate(targets)]
    errors = ((spectra / spectra.sum(axis=0) * magnitudes - targets) ** 2).sum(axis=(1, 2))
    expected = np.log(errors / energies + gradients.FORGIVEN).mean()
    assert training.loss(spectra, magnitudes, targets, gradients.FORGIVEN) == pytest.approx(expected)


def test_descent_is_that_of_adam():
    """Columns descend as Adam lets the logarithms descend of which they are the softmax."""
    rng = np.random.default_rng(0)
    columns = rng.random((3, 50)).astype(np.float32) ** 8 + 1e-9
    found = discriminative._Set(columns)
    logits, mean, square = np.log(columns.astype(np.float64)), 0, 0
    for n in range(1, 9):
        one, other = rng.normal(size=(2, 3, 50)).astype(np.float32)
        W = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        gradient = (one + other) / 2
        gradient = W * (gradient - (W * gradient).sum(axis=1, keepdims=True))
        mean, square = 0.9 * mean + 0.1 * gradient, 0.99 * square + 0.01 * gradient**2
        logits -= 0.3 * mean / (1 - 0.9**n) / (np.sqrt(square / (1 - 0.99**n)) + 1e-10)
        found.descend(one, other, 0.3)
    W = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.columns, W, rtol=1e-3, atol=1e-9)


def test_masks_are_those_of_the_stream():
    """Masks in training are those that the stream makes of a first frame."""
    dictionary = random_dictionary(STFT(64, 16), ("a", "b"), 3)
    rows = np.ascontiguousarray(dictionary.components.T)
    magnitudes = np.random.default_rng(0).random((4, 33), np.float32)
    _, found = gradients._forward(rows, rows, [0, 3, 6], Model(), reach(rows), magnitudes)
    for frame, *spectra in zip(magnitudes, *found, strict=True):
        h = nmf.activations(frame[:, None], dictionary.components)
        models = np.stack([dictionary.components[:, some] @ h[some, 0] for some in (slice(0, 3), slice(3, 6))])
        np.testing.assert_allclose(spectra / np.sum(spectra, axis=0), soft_masks(models), atol=1e-4)


@pytest.mark.parametrize("n_bins", [1, 129, 192, 193, 513, 1025, 4097])
def test_bands_are_as_wide_as_a_128th_of_their_frequency(n_bins):
    """Bands follow each other without a gap, each as wide as a 128th of its frequency, but for the last, or one bin."""
    edges = discriminative._edges(n_bins)
    assert (edges[0], edges[-1]) == (0, n_bins)
    widths, wanted = np.diff(edges), np.maximum(edges[:-1] / 128, 1)
    assert (abs(widths - wanted)[:-1] <= 0.5).all()
    assert 1 <= widths[-1] <= wanted[-1] + 0.5


def test_pooled_columns_are_sums_over_bands():
    """The magnitude of a band is the sum of those of its bins."""
    rows = np.random.default_rng(0).random((3, 1025)).astype(np.float32)
    edges = discriminative._edges(1025)
    expected = np.add.reduceat(rows, edges[:-1], axis=1)
    np.testing.assert_allclose(discriminative._pooled(rows, edges), expected, rtol=1e-5)


def two_sources(n_bins=40):
    """Return spectra of two sources, and as components of each eight of its frames."""
    rng = np.random.default_rng(0)
    recordings = [
        (rng.random((400, 5)) ** 4 @ rng.random((5, n_bins)) ** 4 * np.exp(2j * np.pi * rng.random((400, n_bins))))
        for _ in range(2)
    ]
    recordings = [[(one / np.abs(one).sum(axis=1).mean()).astype(np.complex64)] for one in recordings]
    components = np.vstack([np.abs(one[:8]) for [one] in recordings])
    return recordings, components / components.sum(axis=1, keepdims=True)


def unseen_loss(W, M, recordings):
    """Return the loss of two sets of sixteen columns on ten mixtures that no training has seen."""
    rng, magnitudes = np.random.default_rng(99), [[np.abs(sound) for sound in sounds] for sounds in recordings]
    return np.mean([loss(W, M, BOUNDS_OF_8, *mixtures.drawn(rng, magnitudes, (0, 0))) for _ in range(10)])


@pytest.mark.parametrize("n_bins", [40, 400])
def test_training_lowers_the_loss_of_mixtures_it_has_not_seen(n_bins, device):
    """Training lowers the loss of mixtures that it has not seen, bins pooled or not, and rows sum to 1."""
    recordings, components = two_sources(n_bins)
    options = {"n_steps": 60, "seed": 0, "device": device}
    W, M = discriminative.trained(components, BOUNDS_OF_8, recordings, model=Model(), **options)
    assert unseen_loss(W, M, recordings) < unseen_loss(components, components, recordings) - 0.1
    np.testing.assert_allclose([W.sum(axis=1), M.sum(axis=1)], 1, rtol=1e-5)


def test_training_repeats_itself():
    """The same recordings and seed give the same bits, on one thread as on two; another seed gives others."""
    recordings, components = two_sources()
    trained = [
        discriminative.trained(components, BOUNDS_OF_8, recordings, model=Model(), n_steps=30, **options)
        for options in ({"seed": 0}, {"seed": 0}, {"seed": 0, "n_threads": 1}, {"seed": 1})
    ]
    np.testing.assert_array_equal(trained[0], trained[1])
    np.testing.assert_array_equal(trained[0], trained[2])
    assert not np.array_equal(trained[0], trained[3])


def test_training_goes_on_from_a_start():
    """A training that goes on from trained columns begins where that of them ended, whatever the components are."""
    recordings, components = two_sources()
    options = {"model": Model(), "seed": 1}
    start = discriminative.trained(components, BOUNDS_OF_8, recordings, n_steps=60, **options)
    noise = np.full_like(components, 1 / 40)
    columns = discriminative.trained(noise, BOUNDS_OF_8, recordings, n_steps=5, start=start, rate=0.02, **options)
    assert unseen_loss(*columns, recordings) < unseen_loss(*start, recordings) + 0.1
    columns = discriminative.trained(noise, BOUNDS_OF_8, recordings, n_steps=5, rate=0.02, **options)
    assert unseen_loss(*columns, recordings) > unseen_loss(*start, recordings) + 0.5


def test_training_from_magnitudes_is_as_good_as_from_spectra():
    """Columns that were trained from magnitudes only lower the loss of mixtures of spectra too."""
    recordings, components = two_sources()
    magnitudes = [[np.abs(sound)] for [sound] in recordings]
    columns = discriminative.trained(components, BOUNDS_OF_8, magnitudes, model=Model(), n_steps=60, seed=0)
    assert unseen_loss(*columns, recordings) < unseen_loss(components, components, recordings) - 0.1


def test_training_with_an_absent_source_makes_its_share_small():
    """Where a source is often absent in training, less of the other one ends in its stem."""
    recordings, components = two_sources()

    def leaked(absent):
        W, M = discriminative.trained(
            components, BOUNDS_OF_8, recordings, model=Model(), n_steps=60, seed=0, absent=absent
        )
        magnitudes = np.abs(recordings[0][0])
        _, spectra = gradients._forward(W, M, BOUNDS_OF_8, Model(), reach(W), magnitudes)
        return ((spectra[1] / spectra.sum(axis=0) * magnitudes) ** 2).sum()

    assert leaked((0, 0.5)) < 0.8 * leaked(None)


def test_silence_and_one_frame_teach_nothing_and_do_no_harm(device):
    """A source that is silent, or a single frame, leaves columns that are finite."""
    components = np.full((4, 9), 1 / 9, np.float32)
    silent, one = np.zeros((3, 9), np.complex64), np.ones((1, 9), np.complex64)
    options = {"model": Model(), "n_steps": 5, "seed": 0, "device": device}
    for columns in discriminative.trained(components, [0, 2, 4], [[silent], [one]], **options):
        assert np.isfinite(columns).all()
