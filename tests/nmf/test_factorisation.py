"""The factorisation: its updates and its divergence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import NMF
from spectrograms import spectrogram, start
from threadpoolctl import threadpool_info

from rtnmf import nmf
from rtnmf.nmf import descent


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
    """The divergence equals sums done by hand: `0 log 0` is 0, and a positive value modelled as 0 is infinite."""
    assert nmf.kl_divergence([[1, 2], [0, 4]], [[1, 1], [3, 4]]) == pytest.approx(2 * np.log(2) - 2 + 1 + 3)
    assert nmf.kl_divergence([[0.0]], [[0.0]]) == 0
    assert nmf.kl_divergence([[1.0]], [[0.0]]) == np.inf


def test_updates_are_the_textbooks():
    """One update of H and then of W equals the formulas of Lee and Seung in float64."""
    V = spectrogram()
    W, H = start(V, 4)
    H1 = nmf.update_activations(V, W, H)
    W1 = nmf.update_components(V, W, H1)
    W2, H2, _ = textbook(V, W, H, 1)
    np.testing.assert_allclose(H1, H2, rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(W1, W2, rtol=1e-5, atol=1e-12)


def test_each_update_lowers_the_divergence():
    """Neither half of an iteration ever raises the divergence."""
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
    """Without acceleration, W, H and divergences are those of the textbook loop from the same start."""
    V = spectrogram()
    W, H = start(V, n_components)
    fitted = nmf.fit(V, n_components, n_iter=30, tolerance=0, start=(W, H), accelerated=False)
    _, _, divergences = textbook(V, W, H, 30)
    np.testing.assert_array_equal(fitted.iterations, [0, 10, 20, 30])
    np.testing.assert_allclose(fitted.divergences, np.array(divergences)[[0, 10, 20, 30]], rtol=1e-4)
    np.testing.assert_allclose(fitted.divergences[-1], nmf.kl_divergence(V, fitted.W @ fitted.H + 1e-30), rtol=1e-4)


@pytest.mark.parametrize(("shape", "n_components"), [((257, 300), 3), ((129, 400), 16)])
def test_fit_agrees_with_scikit_learn(shape, n_components):
    """From the same start and after as many iterations the divergence is that of scikit-learn."""
    V = np.random.default_rng(0).random(shape).astype(np.float32) ** 4
    W, H = (x.astype(np.float32) for x in start(V, n_components))
    ours = nmf.fit(V, n_components, n_iter=50, tolerance=0, start=(W, H), accelerated=False)
    model = NMF(n_components, beta_loss="kullback-leibler", solver="mu", init="custom", max_iter=50, tol=0)
    theirs = model.fit_transform(V.T, W=H.T.copy(), H=W.T.copy()) @ model.components_  # it updates its W first
    assert ours.divergences[-1] == pytest.approx(nmf.kl_divergence(V.T, theirs), rel=1e-4)


def test_fit_stops_when_it_converged():
    """A fit ends at the first check, every ten iterations, at which the divergence hardly fell."""
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
    """No check shows a higher divergence: any shape, level, number of components, fixed or not, silence, empty bins."""
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
    """Momentum that raises the divergence is undone, and the plain iterations that follow lower it."""
    monkeypatch.setattr(descent._Momentum, "weight", lambda _: np.float32(5))
    fitted = nmf.fit(spectrogram(), 3, n_iter=200, tolerance=0)
    steps = np.diff(fitted.divergences)
    assert (steps <= 0).all()
    assert (steps[1::2] == 0).any()
    assert (steps[::2] < 0).all()


def test_few_frames_that_mislead_are_taken_back(monkeypatch):
    """When few frames lead W astray, the result is that of plain iterations alone."""
    V = spectrogram(60, 3000)
    monkeypatch.setattr(descent, "coreset", lambda _, n: (np.full(n, 1), np.ones((n, 1), np.float32)))
    misled = nmf.fit(V, 8, n_iter=10, tolerance=0)
    plain = nmf.fit(V, 8, n_iter=10, tolerance=0, accelerated=False)
    np.testing.assert_array_equal(misled.W, plain.W)
    np.testing.assert_array_equal(misled.H, plain.H)


@pytest.mark.parametrize(("shape", "n_components"), [((120, 90), 3), ((120, 3000), 6), ((60, 4000), 12)])
def test_accelerated_fit_reaches_200_plain_iterations_in_at_most_100(shape, n_components):
    """Accelerated, 100 iterations reach the divergence of 200 plain ones."""
    V = spectrogram(*shape)
    options = {"tolerance": 0, "start": start(V, n_components)}
    plain = nmf.fit(V, n_components, n_iter=200, accelerated=False, **options)
    assert nmf.fit(V, n_components, n_iter=100, **options).divergences[-1] <= plain.divergences[-1]


def test_components_keep_the_order_of_the_start():
    """Component k of the result is the one that component k of the start was near to, also from few frames."""
    rng = np.random.default_rng(0)
    W = (rng.random((120, 6)) ** 8).astype(np.float32)
    V = W @ rng.random((6, 3000)).astype(np.float32) ** 4
    near = W + 0.1 * rng.random(W.shape) * W.max(axis=0)
    found = nmf.fit(V, 6, n_iter=30, start=(near, rng.random((6, 3000)))).W
    likeness = (W / np.linalg.norm(W, axis=0)).T @ (found / np.linalg.norm(found, axis=0))
    np.testing.assert_array_equal(likeness.argmax(axis=1), range(6))


@pytest.mark.parametrize("options", [{}, {"most_frames": 300}])
def test_fit_is_the_same_for_the_same_seed_and_any_number_of_threads(monkeypatch, options):
    """The same seed gives the same bits on one thread as on all, another seed gives others."""
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
    """A limit of as many frames as there are changes no bit."""
    V = spectrogram()
    every, few = nmf.fit(V, 3, n_iter=20), nmf.fit(V, 3, n_iter=20, most_frames=90)
    np.testing.assert_array_equal(few.W, every.W)
    np.testing.assert_array_equal(few.iterations, every.iterations)


def test_frames_drawn_stand_for_all():
    """Frames are drawn once each and weigh together as much as all; the loudest is among them, silence is not."""
    V = np.random.default_rng(0).random((1000, 16)).astype(np.float32)
    V[::3] = 0
    V[500] *= 100
    numbers, weights = descent.coreset(V, 80)
    assert len(numbers) == len(set(numbers)) <= 80
    assert (V[numbers] * weights).sum() == pytest.approx(V.sum(), rel=1e-5)
    assert V[numbers].any(axis=1).all()
    assert 500 in numbers


def test_bins_that_the_frames_drawn_do_not_hold_are_modelled():
    """A bin that is empty in all frames that were drawn still gets a part in W when it sounds elsewhere."""
    V = spectrogram(120, 3000)
    quiet = 1e-6 * V.sum(axis=0).min(where=V.any(axis=0), initial=np.inf)
    V[-1] = 0
    V[:, 1000] = 0
    V[-1, 1000] = quiet
    fitted = nmf.fit(V, 6, n_iter=20, most_frames=100)
    assert (fitted.W[-1] > 0).any()


def test_fit_gives_blas_its_threads_back():
    """After a fit BLAS has as many threads as before."""
    before = [pool["num_threads"] for pool in threadpool_info()]
    nmf.fit(spectrogram(), 2, n_iter=1)
    assert [pool["num_threads"] for pool in threadpool_info()] == before


def test_columns_sum_to_one_and_the_model_has_the_energy_of_the_input():
    """Columns of W sum to 1, and the sum of W H is that of V."""
    V = spectrogram()
    fitted = nmf.fit(V, 5, n_iter=20)
    np.testing.assert_allclose(fitted.W.sum(axis=0), 1, rtol=1e-5)
    np.testing.assert_allclose((fitted.W @ fitted.H).sum(), V.sum(), rtol=1e-5)


def test_silent_frames_and_empty_bins_stay_empty():
    """Silent frames have no activations, empty bins no part in any component, and nothing is NaN."""
    fitted = nmf.fit(spectrogram(), 5, n_iter=50)
    assert not fitted.H[:, 5].any()
    assert not fitted.W[7].any()
    assert np.isfinite(fitted.W).all()
    assert np.isfinite(fitted.H).all()


@pytest.mark.parametrize("scale", [0, 1e-20, 1e20])
def test_any_level_is_handled(scale):
    """Silence and levels of 1e-20 and 1e20 give finite columns and activations of the sum of V."""
    V = spectrogram()
    fitted = nmf.fit(V * np.float32(scale), 4, n_iter=30)
    assert np.isfinite(fitted.W).all()
    np.testing.assert_allclose(fitted.H.sum(), V.sum(dtype=float) * scale, rtol=1e-4)


@pytest.mark.parametrize("n_fixed", [2, 5])
def test_fixed_components_stay_and_the_others_are_learned(n_fixed):
    """Fixed columns keep every bit, and the divergence is that of them and the learned ones together."""
    V = spectrogram()
    fixed = start(V, n_fixed, seed=9)[0].astype(np.float32)
    fitted = nmf.fit(V, 5, n_iter=60, tolerance=0, fixed=fixed)
    np.testing.assert_array_equal(fitted.W[:, :n_fixed], fixed)
    free = fitted.divergences[-1]
    assert nmf.kl_divergence(V + 1e-30, fitted.W @ fitted.H + 1e-30) == pytest.approx(free, rel=1e-3)


def test_progress_follows_the_fit_and_can_end_it():
    """Progress gets the stage, the iterations done and their number; False ends the fit with what it reached."""
    calls = []
    fitted = nmf.fit(spectrogram(), 3, n_iter=100, progress=lambda *call: calls.append(call) or call[1] < 7)
    assert calls == [("factorising", i, 100) for i in range(1, 8)]
    np.testing.assert_array_equal(fitted.iterations, [0, 7])


def test_fit_can_be_stopped_while_it_learns_from_few_frames():
    """Ended while it learns from few frames, a fit returns what ten iterations over all have reached."""
    V = spectrogram(60, 3000)
    calls = []
    fitted = nmf.fit(V, 8, n_iter=100, progress=lambda _, i, _n: calls.append(i) or len(calls) < 15)
    assert calls == [*range(1, 10), *[10] * 6]
    np.testing.assert_array_equal(fitted.iterations, [0, 10])
    np.testing.assert_array_equal(fitted.W, nmf.fit(V, 8, n_iter=10, accelerated=False).W)


def test_input_is_not_changed():
    """V and the start keep every bit."""
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
        ((np.ones((5, 5)), 0), {}, "n_components is 0, expected 1 to 1000000"),
        ((np.ones((5, 5)), 2), {"n_iter": -1}, "n_iter is -1"),
        ((np.ones((5, 5)), 2), {"most_frames": 0}, "most_frames is 0"),
        ((np.ones((5, 5)), 2), {"seed": -1}, "seed is -1"),
        ((np.ones((5, 5)), 2), {"tolerance": float("nan")}, "tolerance is nan"),
        ((np.ones((5, 5)), 2), {"fixed": np.ones((5, 3))}, "fixed has 3 columns, more than"),
        ((np.ones((5, 5)), 2), {"fixed": np.ones((4, 1))}, r"fixed has shape \(4, 1\)"),
        ((np.ones((5, 5)), 2), {"start": (np.ones((5, 2)), np.ones((3, 5)))}, r"start\[1\] has shape"),
    ],
)
def test_bad_arguments_are_refused(arguments, options, message):
    """Arguments of the wrong shape, sign or range are refused, naming them and what was expected."""
    with pytest.raises(ValueError, match=message):
        nmf.fit(*arguments, **options)


def test_complex_spectra_are_refused_in_words():
    """A spectrum that was not made into magnitudes raises, naming the argument and the remedy."""
    V, W = np.ones((5, 3), complex), np.ones((5, 2))
    for call in (lambda: nmf.fit(V, 2), lambda: nmf.activations(V, W), lambda: nmf.kl_divergence(V, V)):
        with pytest.raises(TypeError, match=r"V is complex, expected magnitudes: pass abs\(V\)"):
            call()


@pytest.mark.parametrize("level", [1e-44, 1e-38, 1e-31, 1e29])
def test_spectra_of_any_level_give_a_finite_fit(level):
    """No sum vanishes or overflows, and the divergence falls, as far as float32 can hold the levels of V at all."""
    V = (np.random.default_rng(0).random((20, 30)) * level).astype(np.float32)
    fitted = nmf.fit(V, 6, n_iter=20)
    assert all(np.isfinite(x).all() for x in (fitted.W, fitted.H, fitted.divergences))
    assert fitted.divergences[-1] < 0.9 * fitted.divergences[0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda V: nmf.fit(1e35 * V, 2), ValueError, r"V reaches 1e\+35, expected at most 1e\+30"),
        (lambda V: nmf.fit(V, 2, tolerance="0"), TypeError, "tolerance is '0', expected a number"),
        (lambda V: nmf.fit(V, 2, start=5), TypeError, r"start is 5, expected \(W, H\)"),
        (lambda _: nmf.fit(-1, 3), ValueError, r"V has shape \(\), expected \(n_bins, n_frames\)"),
        (lambda _: nmf.fit("V", 2), TypeError, "V is of type .* expected an array of numbers"),
        (lambda V: nmf.kl_divergence(V, V[:, :1]), ValueError, r"WH has shape \(4, 1\), expected that of V, \(4, 5\)"),
        (lambda V: nmf.kl_divergence(V, -V), ValueError, "WH holds negative or undefined values"),
        (lambda V: nmf.kl_divergence(V * np.nan, V), ValueError, "V holds negative or undefined values"),
        (lambda V: nmf.update_activations(1j * V, V, V), TypeError, "V is complex"),
        (lambda V: nmf.update_components(1j * V, V, V), TypeError, "V is complex"),
    ],
)
def test_each_function_names_what_it_cannot_use(call, error, message):
    """Whatever has no meaning for magnitudes raises, instead of a wrong value or an error of numpy."""
    with pytest.raises(error, match=message):
        call(np.ones((4, 5)))
