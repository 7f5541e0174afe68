"""How near an estimate is to the truth."""

import json

import mir_eval
import numpy as np
import pytest
from conftest import DEMO, random_dictionary

from rtnmf import STFT, separate
from rtnmf.measure.cases import load_case
from rtnmf.measure.metrics import bss_eval, ideal_separate, si_sdr


def signals(n=3, n_samples=8000, seed=0):
    """Return white noises."""
    return np.random.default_rng(seed).standard_normal((n, n_samples))


def images(seed=0):
    """Return two stereo sources of white noise, shape (2, n_samples, 2)."""
    return signals(4, seed=seed).reshape(2, 2, -1).transpose(0, 2, 1)


def test_si_sdr_by_hand_and_whatever_the_scale():
    """SI-SDR equals the formula and ignores the scale; it is infinite for a copy, minus infinite for silence."""
    s, e = np.array([1.0, 1.0, 0.0, 0.0]), np.array([1.0, 1.0, 0.5, -0.5])
    assert si_sdr(s, e) == pytest.approx(10 * np.log10(2 / 0.5))
    assert si_sdr(s, -7 * e) == pytest.approx(si_sdr(s, e))
    assert si_sdr(s, s) == np.inf
    assert si_sdr(s, 0 * s) == -np.inf


def test_all_channels_count_as_one_signal():
    """SI-SDR of stereo is that of its channels one after the other, and that of one channel that of a 1-D signal."""
    s, e = images()
    assert si_sdr(s, e) == pytest.approx(si_sdr(s.T.ravel(), e.T.ravel()))
    assert si_sdr(s[:, :1], e[:, :1]) == si_sdr(s[:, 0], e[:, 0])


@pytest.mark.parametrize(
    ("reference", "estimate", "error", "message"),
    [
        (np.zeros(5), np.ones(5), ValueError, "reference is silent"),
        (np.ones(5), np.ones(4), ValueError, r"estimate has shape \(4,\), expected \(5,\)"),
        (np.ones(4), np.ones((4, 1)), ValueError, r"estimate has shape \(4, 1\), expected \(4,\)"),
        (1j * np.ones(5), np.ones(5), TypeError, "reference is complex, expected the samples"),
        (np.ones(5), 1j * np.ones(5), TypeError, "estimate is complex, expected the samples"),
    ],
)
def test_si_sdr_refuses_what_has_no_ratio(reference, estimate, error, message):
    """A silent reference, shapes that differ and complex signals are refused in words."""
    with pytest.raises(error, match=message):
        si_sdr(reference, estimate)


@pytest.mark.filterwarnings("ignore")
def test_bss_eval_agrees_with_mir_eval():
    """SDR, SIR and SAR are those of mir_eval, for leakage, noise and a filtered estimate."""
    s = signals()
    e = s + 0.3 * np.roll(s, 1, axis=0) + 0.1 * signals(seed=1)
    e[2] = np.convolve(e[2], [0, 0, 1, 0.5])[: s.shape[1]]
    theirs = mir_eval.separation.bss_eval_sources(s, e, compute_permutation=False)
    np.testing.assert_allclose(bss_eval(s, e), theirs[:3], rtol=1e-6)


def test_bss_eval_of_stereo_is_that_of_images():
    """For stereo a filter reaches across the channels of its source, and leakage of the other is interference."""
    s = images()
    ours = bss_eval(s, s + 0.3 * s[::-1] + 0.1 * images(seed=1), 64)
    assert ours.sdr.shape == (2,)
    assert (ours.sir > ours.sdr).all()
    np.testing.assert_allclose(ours.sir, -10 * np.log10(0.3**2), atol=0.6)


def test_bss_eval_of_one_channel_needs_no_axis_for_it():
    """Stems of shape (n_sources, n_samples) have the ratios of those of shape (n_sources, n_samples, 1)."""
    s = signals(2)
    e = s + 0.3 * s[::-1]
    np.testing.assert_array_equal(bss_eval(s, e, 16), bss_eval(s[:, :, None], e[:, :, None], 16))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((signals(), signals(2)), ValueError, r"references have shape \(3, 8000\), estimates \(2, 8000\), expected"),
        ((np.ones(5), np.ones(5)), ValueError, r"expected the same twice: \(n_sources, n_samples\)"),
        ((signals(2) * [[1], [0]], signals(2)), ValueError, r"references\[1\] is silent"),
        ((1j * signals(), signals()), TypeError, "references is complex"),
        ((signals(), signals(), 0), ValueError, "filter_length is 0, expected at least 1"),
        ((signals(), signals(), 2.5), TypeError, "filter_length is 2.5, expected a whole number"),
    ],
)
def test_bss_eval_refuses_what_it_cannot_measure(arguments, error, message):
    """Other shapes, silent references, complex signals and impossible filters are refused in words."""
    with pytest.raises(error, match=message):
        bss_eval(*arguments)


def test_ideal_mask_is_better_than_any_dictionary_and_sums_to_the_mixture():
    """The ideal ratio mask separates far better than random components, and its stems sum to the mixture."""
    case = json.loads((DEMO / "cases.json").read_text())["cases"][0]
    mixture, stems, _ = load_case(DEMO, case | {"sample_rate": 16000, "seconds": 3.0})
    stft = STFT(1024, 256)
    ideal = ideal_separate(mixture, stems, stft)
    np.testing.assert_allclose(ideal.sum(axis=0), mixture, atol=1e-6)
    ours = separate(mixture, random_dictionary(stft))
    assert all(si_sdr(s, i) > si_sdr(s, o) + 5 for s, i, o in zip(stems, ideal, ours, strict=True))


def test_ideal_mask_of_one_channel_needs_no_axis_for_it(stft):
    """A mixture of shape (n_samples,) gives stems of shape (n_sources, n_samples), to the bit those of one channel."""
    stems = signals(2, 3000).astype(np.float32)
    flat = ideal_separate(stems.sum(axis=0), stems, stft)
    assert flat.shape == stems.shape
    np.testing.assert_array_equal(flat, ideal_separate(stems.sum(axis=0)[:, None], stems[:, :, None], stft)[:, :, 0])


def test_ideal_mask_is_the_same_for_all_channels_of_a_source(stft):
    """All channels share one mask, so a source stays where it is in the stereo image."""
    left = signals(2, 3000).astype(np.float32)
    stems = np.stack([left, 0.5 * left], axis=2)
    ideal = ideal_separate(stems.sum(axis=0), stems, stft)
    np.testing.assert_allclose(ideal[:, :, 1], 0.5 * ideal[:, :, 0], atol=1e-6)


@pytest.mark.parametrize("n_samples", [0, 1])
def test_ideal_mask_of_next_to_nothing(n_samples, stft):
    """Signals of no sample and of one have stems of the same length."""
    stems = np.ones((2, n_samples), np.float32)
    np.testing.assert_allclose(ideal_separate(2 * stems[0], stems, stft), stems, atol=1e-6)


@pytest.mark.parametrize(
    ("x", "stems", "error", "message"),
    [
        (np.ones((5, 1)), np.ones((2, 5)), ValueError, r"stems have shape \(2, 5\), expected those of x, \(5, 1\)"),
        (np.ones(5), np.ones((2, 4)), ValueError, r"stems have shape \(2, 4\), expected those of x, \(5,\)"),
        (np.ones((5, 1, 1)), np.ones((2, 5)), ValueError, r"x has shape \(5, 1, 1\), expected \(n_samples,\)"),
        (1j * np.ones(5), np.ones((2, 5)), TypeError, "x is complex"),
    ],
)
def test_ideal_mask_refuses_stems_of_another_mixture(x, stems, error, message):
    """Stems that do not have the shape of the mixture, and complex signals, are refused in words."""
    with pytest.raises(error, match=message):
        ideal_separate(x, stems, STFT(1024, 256))
