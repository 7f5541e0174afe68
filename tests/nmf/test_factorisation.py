"""The factorisation: its updates, its divergence, its stream."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import NMF
from threadpoolctl import threadpool_info

from rtnmf import nmf
from rtnmf.nmf import descent


def spectrogram(n_bins=120, n_frames=90, seed=0):
    """Return something with structure, a silent frame and an empty bin, float32."""
    rng = np.random.default_rng(seed)
    V = rng.random((n_bins, 6)) ** 6 @ rng.random((6, n_frames)) ** 6 + 0.01 * rng.random((n_bins, n_frames))
    V[:, 5] = 0
    V[7] = 0
    return V.astype(np.float32)


def start(V, n_components, seed=1):
    """Return a random W and H."""
    rng = np.random.default_rng(seed)
    return rng.random((V.shape[0], n_components)) + 0.1, rng.random((n_components, V.shape[1])) + 0.1


def textbook(V, W, H, n_iter):
    """Return W, H and the divergences of the two updates in float64, as Lee and Seung wrote them."""
    V, W, H = V.astype(float) + 1e-30, W.copy(), H.copy()
    divergences = [nmf.kl_divergence(V, W @ H)]
    for _ in range(n_iter):
        H *= W.T @ (V / (W @ H)) / W.sum(axis=0)[:, None]
        W *= (V / (W @ H)) @ H.T / H.sum(axis=1)
        divergences.append(nmf.kl_divergence(V, W @ H))
    return W, H, divergences


def test_divergence_by_hand():
    """Divergence by hand."""
    assert nmf.kl_divergence([[1, 2], [0, 4]], [[1, 1], [3, 4]]) == pytest.approx(2 * np.log(2) - 2 + 1 + 3)
    assert nmf.kl_divergence([[0.0]], [[0.0]]) == 0
    assert nmf.kl_divergence([[1.0]], [[0.0]]) == np.inf


def test_updates_are_the_textbooks():
    """Updates are the textbook's."""
    V = spectrogram()
    W, H = start(V, 4)
    H1 = nmf.update_activations(V, W, H)
    W1 = nmf.update_components(V, W, H1)
    W2, H2, _ = textbook(V, W, H, 1)
    np.testing.assert_allclose(H1, H2, rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(W1, W2, rtol=1e-5, atol=1e-12)


def test_each_update_lowers_the_divergence():
    """Each update lowers the divergence."""
    V = spectrogram()
    W, H = start(V, 4)
    last = np.inf
    for _ in range(20):
        H = nmf.update_activations(V, W, H)
        half = nmf.kl_divergence(V + 1e-30, W @ H + 1e-30)
        W = nmf.update_components(V, W, H)
        full = nmf.kl_divergence(V + 1e-30, W @ H + 1e-30)
        assert last >= half - 1e-9 >= full - 2e-9
        last = full


@pytest.mark.parametrize("n_components", [1, 3, 4, 5, 9])
def test_fit_follows_the_textbook(n_components):
    """Fit follows the textbook."""
    V = spectrogram()
    W, H = start(V, n_components)
    fitted = nmf.fit(V, n_components, n_iter=30, tolerance=0, start=(W, H), accelerated=False)
    _, _, divergences = textbook(V, W, H, 30)
    np.testing.assert_array_equal(fitted.iterations, [0, 10, 20, 30])
    np.testing.assert_allclose(fitted.divergences, np.array(divergences)[[0, 10, 20, 30]], rtol=1e-4)
    np.testing.assert_allclose(fitted.divergences[-1], nmf.kl_divergence(V, fitted.W @ fitted.H + 1e-30), rtol=1e-4)


@pytest.mark.parametrize(("shape", "n_components"), [((257, 300), 3), ((129, 400), 16)])
def test_fit_agrees_with_scikit_learn(shape, n_components):
    """Fit agrees with scikit-learn."""
    V = np.random.default_rng(0).random(shape).astype(np.float32) ** 4
    W, H = (x.astype(np.float32) for x in start(V, n_components))
    ours = nmf.fit(V, n_components, n_iter=50, tolerance=0, start=(W, H), accelerated=False)
    model = NMF(n_components, beta_loss="kullback-leibler", solver="mu", init="custom", max_iter=50, tol=0)
    theirs = model.fit_transform(V.T, W=H.T.copy(), H=W.T.copy()) @ model.components_  # it updates its W first
    assert ours.divergences[-1] == pytest.approx(nmf.kl_divergence(V.T, theirs), rel=1e-4)


def test_fit_stops_when_it_converged():
    """Fit stops when it converged, at a check."""
    fitted = nmf.fit(spectrogram(), 6, n_iter=5000, tolerance=1e-5)
    assert fitted.iterations[-1] < 5000
    assert fitted.iterations[-1] % 10 == 0


@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 1200)),
    n_components=st.integers(1, 12),
    n_fixed=st.integers(0, 12),
    exponent=st.integers(-25, 25),
    sparse=st.booleans(),
    accelerated=st.booleans(),
    most_frames=st.none() | st.integers(1, 300),
    seed=st.integers(0, 1000),
)
@settings(deadline=None, max_examples=60, derandomize=True)
def test_fit_never_raises_the_divergence(
    shape, n_components, n_fixed, exponent, sparse, accelerated, most_frames, seed
):
    """Fit never raises the divergence: any shape, level, number of components, fixed or not, silence, empty bins."""
    rng = np.random.default_rng(seed)
    V = rng.random(shape) ** 6 * 10.0**exponent
    if sparse:
        V[rng.random(shape) < 0.5] = 0
        V[:, rng.random(shape[1]) < 0.3] = 0
        V[rng.random(shape[0]) < 0.3] = 0
    V = V.astype(np.float32)
    W, H = (x.astype(np.float32) for x in start(V, n_components))
    H *= np.float32(10.0**exponent)
    options = {"fixed": W[:, : min(n_fixed, n_components)], "accelerated": accelerated, "most_frames": most_frames}
    fitted = nmf.fit(V, n_components, n_iter=45, tolerance=0, start=(W, H), **options)
    assert (np.diff(fitted.divergences) <= 0).all()
    unit = 10.0**exponent

    def divergence(W, H):
        return nmf.kl_divergence(V / unit, W.astype(float) @ H / unit + 1e-30)

    assert divergence(fitted.W, fitted.H) <= divergence(W, H) * (1 + 1e-4) + 1e-4 * V.sum(dtype=float) / unit


def test_what_raised_the_divergence_is_taken_back(monkeypatch):
    """What raised the divergence is taken back, and plain iterations follow that lower it."""
    monkeypatch.setattr(descent._Momentum, "weight", lambda _: np.float32(5))
    fitted = nmf.fit(spectrogram(), 3, n_iter=200, tolerance=0)
    steps = np.diff(fitted.divergences)
    assert (steps <= 0).all()
    assert (steps[1::2] == 0).any()
    assert (steps[::2] < 0).all()


def test_few_frames_that_mislead_are_taken_back(monkeypatch):
    """A W that was learned from few frames and raises the divergence of all is taken back."""
    V = spectrogram(60, 3000)
    monkeypatch.setattr(descent, "_coreset", lambda _, n: (np.full(n, 1), np.ones((n, 1), np.float32)))
    misled = nmf.fit(V, 8, n_iter=10, tolerance=0)
    plain = nmf.fit(V, 8, n_iter=10, tolerance=0, accelerated=False)
    np.testing.assert_array_equal(misled.W, plain.W)
    np.testing.assert_array_equal(misled.H, plain.H)


@pytest.mark.parametrize(("shape", "n_components"), [((120, 90), 3), ((120, 3000), 6), ((60, 4000), 12)])
def test_accelerated_fit_reaches_200_plain_iterations_in_at_most_100(shape, n_components):
    """Accelerated, fit reaches the divergence of 200 plain iterations in at most 100."""
    V = spectrogram(*shape)
    options = {"tolerance": 0, "start": start(V, n_components)}
    plain = nmf.fit(V, n_components, n_iter=200, accelerated=False, **options)
    assert nmf.fit(V, n_components, n_iter=100, **options).divergences[-1] <= plain.divergences[-1]


def test_components_keep_the_order_of_the_start():
    """Components keep the order of the start, when most of the descent is from few frames too."""
    rng = np.random.default_rng(0)
    W = (rng.random((120, 6)) ** 8).astype(np.float32)
    V = W @ rng.random((6, 3000)).astype(np.float32) ** 4
    near = W + 0.1 * rng.random(W.shape) * W.max(axis=0)
    found = nmf.fit(V, 6, n_iter=30, start=(near, rng.random((6, 3000)))).W
    likeness = (W / np.linalg.norm(W, axis=0)).T @ (found / np.linalg.norm(found, axis=0))
    np.testing.assert_array_equal(likeness.argmax(axis=1), range(6))


@pytest.mark.parametrize("options", [{}, {"most_frames": 300}])
def test_fit_is_the_same_for_the_same_seed_and_any_number_of_threads(monkeypatch, options):
    """Fit is the same for the same seed and any number of threads."""
    V = spectrogram(300, 700)
    first = nmf.fit(V, 5, n_iter=20, seed=3, **options)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    again = nmf.fit(V, 5, n_iter=20, seed=3, **options)
    np.testing.assert_array_equal(first.W, again.W)
    np.testing.assert_array_equal(first.H, again.H)
    assert not np.array_equal(nmf.fit(V, 5, n_iter=20, seed=4, **options).W, first.W)


def test_few_frames_lose_little():
    """W from an eighth of the frames models all of them about as well, and the divergence is that of all."""
    V = spectrogram(120, 3000)
    every = nmf.fit(V, 6, n_iter=100, tolerance=0)
    few = nmf.fit(V, 6, n_iter=100, tolerance=0, most_frames=375)
    assert few.divergences[-1] <= 1.15 * every.divergences[-1]
    assert few.divergences[0] == every.divergences[0]
    assert few.divergences[-1] == pytest.approx(nmf.kl_divergence(V, few.W @ few.H + 1e-30), rel=1e-4)
    np.testing.assert_array_equal(few.iterations, [0, 100])
    assert few.H.shape == (6, 3000)


def test_as_many_frames_as_there_are_is_all_of_them():
    """Learning from as many frames as there are is learning from all."""
    V = spectrogram()
    every, few = nmf.fit(V, 3, n_iter=20), nmf.fit(V, 3, n_iter=20, most_frames=90)
    np.testing.assert_array_equal(few.W, every.W)
    np.testing.assert_array_equal(few.iterations, every.iterations)


def test_frames_drawn_stand_for_all():
    """Frames that are drawn weigh as much as all do, each once; the loudest is among them, silence is not."""
    V = np.random.default_rng(0).random((1000, 16)).astype(np.float32)
    V[::3] = 0
    V[500] *= 100
    numbers, weights = descent._coreset(V, 80)
    assert len(numbers) == len(set(numbers)) <= 80
    assert (V[numbers] * weights).sum() == pytest.approx(V.sum(), rel=1e-5)
    assert V[numbers].any(axis=1).all()
    assert 500 in numbers


def test_bins_that_the_frames_drawn_do_not_hold_are_modelled():
    """A bin that sounds in frames that were not drawn is modelled all the same."""
    V = spectrogram(120, 3000)
    quiet = 1e-6 * V.sum(axis=0).min(where=V.any(axis=0), initial=np.inf)
    V[-1] = 0
    V[:, 1000] = 0
    V[-1, 1000] = quiet
    fitted = nmf.fit(V, 6, n_iter=20, most_frames=100)
    assert (fitted.W[-1] > 0).any()


def test_fit_gives_blas_its_threads_back():
    """Fit gives BLAS its threads back."""
    before = [pool["num_threads"] for pool in threadpool_info()]
    nmf.fit(spectrogram(), 2, n_iter=1)
    assert [pool["num_threads"] for pool in threadpool_info()] == before


def test_columns_sum_to_one_and_the_model_has_the_energy_of_the_input():
    """Columns sum to one and the model has the energy of the input."""
    V = spectrogram()
    fitted = nmf.fit(V, 5, n_iter=20)
    np.testing.assert_allclose(fitted.W.sum(axis=0), 1, rtol=1e-5)
    np.testing.assert_allclose((fitted.W @ fitted.H).sum(), V.sum(), rtol=1e-5)


def test_silent_frames_and_empty_bins_stay_empty():
    """Silent frames and empty bins stay empty."""
    fitted = nmf.fit(spectrogram(), 5, n_iter=50)
    assert not fitted.H[:, 5].any()
    assert not fitted.W[7].any()
    assert np.isfinite(fitted.W).all()
    assert np.isfinite(fitted.H).all()


@pytest.mark.parametrize("scale", [0, 1e-20, 1e20])
def test_any_level_is_handled(scale):
    """Any level is handled."""
    V = spectrogram()
    fitted = nmf.fit(V * np.float32(scale), 4, n_iter=30)
    assert np.isfinite(fitted.W).all()
    np.testing.assert_allclose(fitted.H.sum(), V.sum(dtype=float) * scale, rtol=1e-4)


@pytest.mark.parametrize("n_fixed", [2, 5])
def test_fixed_components_stay_and_the_others_are_learned(n_fixed):
    """Fixed components stay and the others are learned."""
    V = spectrogram()
    fixed = start(V, n_fixed, seed=9)[0].astype(np.float32)
    fitted = nmf.fit(V, 5, n_iter=60, tolerance=0, fixed=fixed)
    np.testing.assert_array_equal(fitted.W[:, :n_fixed], fixed)
    free = fitted.divergences[-1]
    assert nmf.kl_divergence(V + 1e-30, fitted.W @ fitted.H + 1e-30) == pytest.approx(free, rel=1e-3)


def test_progress_is_told_and_can_stop_the_fit():
    """Progress is told and can stop the fit."""
    calls = []
    fitted = nmf.fit(spectrogram(), 3, n_iter=100, progress=lambda i, n: calls.append((i, n)) or i < 7)
    assert calls == [(i, 100) for i in range(1, 8)]
    np.testing.assert_array_equal(fitted.iterations, [0, 7])


def test_fit_can_be_stopped_while_it_learns_from_few_frames():
    """Fit can be stopped while it learns from few frames, with what ten iterations over all have reached."""
    V = spectrogram(60, 3000)
    calls = []
    fitted = nmf.fit(V, 8, n_iter=100, progress=lambda i, _: calls.append(i) or len(calls) < 15)
    assert calls == [*range(1, 10), *[10] * 6]
    np.testing.assert_array_equal(fitted.iterations, [0, 10])
    np.testing.assert_array_equal(fitted.W, nmf.fit(V, 8, n_iter=10, accelerated=False).W)


def test_input_is_not_changed():
    """Input is not changed."""
    V = spectrogram()
    kept, given = V.copy(), start(V, 3)
    before = [x.copy() for x in given]
    nmf.fit(V, 3, n_iter=3, start=given)
    np.testing.assert_array_equal(V, kept)
    np.testing.assert_array_equal(given[0], before[0])
    np.testing.assert_array_equal(given[1], before[1])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((np.zeros(5), 2), {}, r"V has shape \(5,\)"),
        ((np.zeros((0, 5)), 2), {}, "at least one bin"),
        ((-np.ones((5, 5)), 2), {}, "V holds negative"),
        ((np.full((5, 5), np.nan), 2), {}, "non-finite"),
        ((np.ones((5, 5)), 0), {}, "n_components is 0, expected at least 1"),
        ((np.ones((5, 5)), 2), {"n_iter": -1}, "n_iter is -1"),
        ((np.ones((5, 5)), 2), {"most_frames": 0}, "most_frames is 0"),
        ((np.ones((5, 5)), 2), {"tolerance": float("nan")}, "tolerance is nan"),
        ((np.ones((5, 5)), 2), {"fixed": np.ones((5, 3))}, "fixed has 3 columns, more than"),
        ((np.ones((5, 5)), 2), {"fixed": np.ones((4, 1))}, r"fixed has shape \(4, 1\)"),
        ((np.ones((5, 5)), 2), {"start": (np.ones((5, 2)), np.ones((3, 5)))}, r"start\[1\] has shape"),
    ],
)
def test_bad_arguments_are_refused(arguments, options, message):
    """Bad arguments are refused."""
    with pytest.raises(ValueError, match=message):
        nmf.fit(*arguments, **options)


def normalised(V, n_components):
    """Return spiky random columns that sum to 1."""
    W = start(V, n_components)[0] ** 8
    return (W / W.sum(axis=0)).astype(np.float32)


def test_activations_sum_to_the_frame_after_a_plain_update():
    """Activations sum to the frame after a plain update."""
    V = spectrogram(1025, 60)
    for n_iter in (1, 2, 5):
        H = nmf.activations(V, normalised(V, 24), n_iter=n_iter, relaxation=1)
        np.testing.assert_allclose(H.sum(axis=0), V.sum(axis=0), rtol=2e-6)


def test_activations_reach_the_optimum_of_a_fit_with_fixed_components():
    """Activations reach the optimum of a fit with fixed components."""
    V = spectrogram()
    W = normalised(V, 6)
    H = nmf.activations(V, W, n_iter=3000, relaxation=1)
    optimum = nmf.fit(V, 6, n_iter=3000, tolerance=0, fixed=W)
    ours = nmf.kl_divergence(V, W @ H + 1e-30)
    assert ours == pytest.approx(nmf.kl_divergence(V, optimum.W @ optimum.H + 1e-30), rel=1e-3)


def test_warm_relaxed_updates_come_closer_than_cold_plain_ones():
    """Warm relaxed updates come closer than cold plain ones."""
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
    """Bins that no component reaches are harmless."""
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
    """Bad stream settings are refused."""
    with pytest.raises(ValueError, match=message):
        nmf.activations(np.ones((5, 3)), np.ones((5, 2)), **options)
