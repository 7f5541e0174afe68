"""Passes over a spectrogram in partitions: the same to the bit however they are run, and as good as what sees all."""

import itertools
import threading
from concurrent.futures import CancelledError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spectrograms import spread_spectrogram

from rtnmf import nmf
from rtnmf.nmf import passes
from rtnmf.nmf.factorisation import kl_divergence


def in_partitions(V, n=5):
    """Return the frames in partitions of different lengths, one of them empty."""
    cuts = np.sort(np.random.default_rng(1).integers(0, len(V), n - 2))
    return [*np.split(V, cuts), V[:0]]


def random_start(n_components=6, n_bins=65):
    """Return a W to begin with."""
    return np.random.default_rng(2).random((n_components, n_bins)).astype(np.float32) + 0.1


def total(parts, device=None):
    """Return a function that gives the sums over all partitions with a W."""
    return lambda W: passes.added(passes.in_order(lambda part: passes.sums_of([part], W, device), parts))


def first(found, n):
    """Return the first n passes."""
    return [next(found) for _ in range(n)]


def test_sums_are_those_of_the_textbook(device):
    """Numerator, divergence and level are those of the activations that 8 updates give."""
    V, W = spread_spectrogram(700), random_start()
    W /= W.sum(axis=1, keepdims=True)
    H = np.repeat(V.sum(axis=1, keepdims=True, dtype=np.float64) / len(W), len(W), axis=1)
    for i in range(8):
        H *= ((V / (H @ W + 1e-20)) @ W.T) ** (1 if i == 0 else 1.7)
    sums = passes.sums_of([V], W, device)
    np.testing.assert_allclose(sums.numerator, H.T @ (V / (H @ W + 1e-20)), rtol=1e-3, atol=1e-5)
    assert sums.divergence == pytest.approx(kl_divergence(V, H @ W + 1e-20), rel=1e-4)
    assert (sums.level, sums.n_frames) == (pytest.approx(V.sum(dtype=np.float64)), 700)


def test_torch_finds_the_same_sums():
    """Those of the kernels but for rounding, over several tiles, where frames, bins and components are empty too."""
    pytest.importorskip("torch")
    V, W = spread_spectrogram(9000, 1025), random_start(6, 1025)
    V[:, 5] = V[:9, 8:] = 0
    W[1, :500] = W[2] = W[3] = W[:, 7] = 0
    W[3, 7], V[:, 7] = 1, 1e-28  # whose activations are too small to be kept
    W /= np.maximum(W.sum(axis=1, keepdims=True), 1e-9)
    W.flags.writeable = False  # as what comes over a cluster
    one, other = (passes.sums_of([V[:2000], V[:0], V[2000:]], W, device) for device in (None, "cpu"))
    np.testing.assert_allclose(other.numerator, one.numerator, rtol=1e-5, atol=1e-9)
    assert not one.numerator[2:4].any()
    assert not other.numerator[2:4].any()
    assert other[1:] == (pytest.approx(one.divergence, rel=1e-6), pytest.approx(one.level, rel=1e-6), 9000, ())


def test_the_divergence_falls_from_pass_to_pass(device):
    """Each pass lowers it, and W stays non-negative with rows that sum to 1."""
    found = first(passes.passes(total(in_partitions(spread_spectrogram()), device), random_start()), 12)
    divergences = [one.divergence for one in found]
    assert all(after < before for before, after in itertools.pairwise(divergences))
    assert divergences[-1] < 0.5 * divergences[0]
    assert found[-1].n_frames == 3000
    np.testing.assert_allclose(found[-1].W.sum(axis=1), 1, rtol=1e-5)
    assert (found[-1].W >= 0).all()


def test_where_the_frames_come_from_changes_no_bit(tmp_path, device):
    """The same partitions in memory and from files give the same W and divergences."""
    parts = in_partitions(spread_spectrogram())
    for i, part in enumerate(parts):
        np.save(tmp_path / f"{i}.npy", part)

    class Files:
        def __iter__(self):
            return (np.load(tmp_path / f"{i}.npy") for i in range(len(parts)))

    one, other = (first(passes.passes(total(V, device), random_start()), 3) for V in (parts, Files()))
    for a, b in zip(one, other, strict=True):
        assert a.divergence == b.divergence
        np.testing.assert_array_equal(a.W, b.W)


def test_other_partitions_change_rounding_only(device):
    """However the frames are divided, the divergence after some passes is the same to 1e-6."""
    V, last = spread_spectrogram(), []
    for n in (3, 17):
        found = first(passes.passes(total(in_partitions(V, n), device), random_start()), 6)
        last.append(found[-1].divergence)
    assert last[0] == pytest.approx(last[1], rel=1e-6)


def test_few_frames_and_two_passes_do_what_fifty_iterations_do(device):
    """A start from few frames that stand for all ends within 1 % of 50 iterations over all, or below."""
    V = spread_spectrogram(20_000)
    full = nmf.fit(V.T, 8, n_iter=50, tolerance=0, accelerated=False)
    parts = in_partitions(V, 7)
    few = np.vstack([passes.representatives(part, 200) for part in parts])
    assert len(few) <= 1400
    found = first(passes.passes(total(parts, device), passes.started(few, 8)), 2)
    assert found[-1].divergence < 1.01 * full.divergences[-1] / V.sum(dtype=np.float64)


@given(st.integers(1, 70), st.integers(0, 6))
def test_runs_that_were_added_up_before_change_nothing(n, level):
    """Aligned runs of 1, 2, 4, ... neighbours may be added up elsewhere: the order of all additions is the same."""
    values = [f"{i}" for i in range(n)]

    class Text(str):
        __slots__ = ()

        def __add__(self, other):
            return Text(f"({self!s}+{other!s})")

    whole = passes.added(map(Text, values))
    runs = [values[i : i + 2**level] for i in range(0, n, 2**level)]
    assert passes.added(passes.added(map(Text, run)) for run in runs) == whole


def test_results_come_in_order_and_not_all_at_once():
    """Results are given in the order of their numbers; few are computed ahead, and an error ends all of it."""
    begun, lock = set(), threading.Lock()

    def function(i):
        with lock:
            begun.add(i)
        if i == 50:
            raise ValueError("fifty")
        return i

    results = passes.in_order(function, range(1000))
    assert [next(results) for _ in range(10)] == list(range(10))
    assert len(begun) < 40
    with pytest.raises(ValueError, match="fifty"):
        list(results)
    assert len(begun) < 100


def test_threads_end_when_nobody_waits_for_them():
    """What takes long is given up as soon as an error or Ctrl-C has ended the loop over the results."""
    has_begun, ended = threading.Event(), []

    def endless(i):
        while i:
            has_begun.set()
            try:
                passes.check_wanted()
            except BaseException as error:
                ended.append(type(error))
                raise
        return i

    results = passes.in_order(endless, range(9), 2)
    assert next(results) == 0
    has_begun.wait()
    results.close()
    assert set(ended) == {CancelledError}
    passes.check_wanted()


def test_silence_and_empty_partitions_add_nothing(device):
    """Frames without sound give no NaN: W stays finite, and rows without activations are 0."""
    found = next(passes.passes(total([np.zeros((9, 65), np.float32)], device), random_start()))
    assert found.divergence == 0
    assert np.isfinite(found.W).all()
    few = passes.representatives(np.zeros((9, 65), np.float32), 5)
    assert few.shape == (0, 65)
