"""The measures."""

import json

import mir_eval
import numpy as np
import pytest
from conftest import DEMO, random_dictionary

from rtnmf import STFT, load_preset, separate
from rtnmf.measure import evaluation
from rtnmf.measure.evaluation import bss_eval, compare, evaluate, ideal_separate, load_case, si_sdr, summary


def signals(n=3, n_samples=8000, seed=0):
    """Return white noises."""
    return np.random.default_rng(seed).standard_normal((n, n_samples))


def test_si_sdr_by_hand_and_whatever_the_scale():
    """SI-SDR by hand and whatever the scale."""
    s, e = np.array([1.0, 1.0, 0.0, 0.0]), np.array([1.0, 1.0, 0.5, -0.5])
    assert si_sdr(s, e) == pytest.approx(10 * np.log10(2 / 0.5))
    assert si_sdr(s, -7 * e) == pytest.approx(si_sdr(s, e))
    assert si_sdr(s, s) == np.inf
    assert si_sdr(s, 0 * s) == -np.inf


def test_si_sdr_refuses_what_has_no_ratio():
    """SI-SDR refuses what has no ratio."""
    with pytest.raises(ValueError, match="reference is silent"):
        si_sdr(np.zeros(5), np.ones(5))
    with pytest.raises(ValueError, match=r"estimate has shape \(4,\), expected \(5,\)"):
        si_sdr(np.ones(5), np.ones(4))


@pytest.mark.filterwarnings("ignore")
def test_bss_eval_agrees_with_mir_eval():
    """BSS-eval agrees with mir_eval."""
    s = signals()
    e = s + 0.3 * np.roll(s, 1, axis=0) + 0.1 * signals(seed=1)
    e[2] = np.convolve(e[2], [0, 0, 1, 0.5])[: s.shape[1]]
    theirs = mir_eval.separation.bss_eval_sources(s, e, compute_permutation=False)
    np.testing.assert_allclose(bss_eval(s, e), theirs[:3], rtol=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_bss_eval_of_stereo_is_that_of_images():
    """BSS-eval of stereo is that of images."""
    s = signals(4).reshape(2, 2, -1).transpose(0, 2, 1)
    e = s + 0.3 * s[::-1] + 0.1 * signals(4, seed=1).reshape(2, 2, -1).transpose(0, 2, 1)
    ours = bss_eval(s, e, 64)
    assert ours.sdr.shape == (2,)
    assert (ours.sir > ours.sdr).all()
    np.testing.assert_allclose(ours.sir, -10 * np.log10(0.3**2), atol=0.6)


def test_bss_eval_refuses_other_shapes():
    """BSS-eval refuses other shapes."""
    with pytest.raises(ValueError, match="estimates have shape"):
        bss_eval(signals(), signals(2))


def test_ideal_mask_is_better_than_any_dictionary_and_sums_to_the_mixture():
    """Ideal mask is better than any dictionary and sums to the mixture."""
    case = json.loads((DEMO / "cases.json").read_text())["cases"][0]
    mixture, stems, _ = load_case(DEMO, case | {"sample_rate": 16000, "seconds": 3.0})
    stft = STFT(1024, 256)
    ideal = ideal_separate(mixture, stems, stft)
    np.testing.assert_allclose(ideal.sum(axis=0), mixture, atol=1e-6)
    ours = separate(mixture, random_dictionary(stft))
    assert all(si_sdr(s, i) > si_sdr(s, o) + 5 for s, i, o in zip(stems, ideal, ours, strict=True))


def test_cases_are_loaded_as_they_are_written():
    """Cases are loaded as they are written."""
    case = json.loads((DEMO / "cases.json").read_text())["cases"][0]
    case["stems"][0]["gain"] = [2.0, 0.5]
    case |= {"channels": 2, "seconds": 1.0}
    mixture, stems, names = load_case(DEMO, case)
    assert (mixture.shape, stems.shape, names) == ((44100, 2), (2, 44100, 2), ("voice", "keyboard"))
    np.testing.assert_allclose(stems[0][:, 0], 4 * stems[0][:, 1], atol=1e-6)
    np.testing.assert_array_equal(stems.sum(axis=0), mixture)


def test_evaluation_learns_separates_and_measures():
    """Evaluation learns separates and measures."""
    told = []
    results = evaluate(DEMO, progress=lambda case, i, n: told.append((case.id, i, n)), n_iter=3, n_steps=0)
    (result,) = results
    assert told == [("demo", 1, 1)]
    assert result.sources == ("voice", "keyboard")
    assert (result.improvement > 3).all()
    assert (result.bound > result.after).all()
    assert summary(results)["mean_improvement_db"] == pytest.approx(result.improvement.mean())
    assert summary(results)["share_of_stems_worse"] == 0
    np.testing.assert_array_equal(result.untrained, result.after)


def test_comparison_groups_cases_and_bounds_the_mean():
    """A comparison states, for all and for each group, what training gained, the bootstrap interval and the least."""
    (result,) = evaluate(DEMO, n_components=2, n_iter=1, n_steps=2)
    result = result._replace(untrained=result.before + 5, bound=result.before + 14)
    conditions, gains = ["matched, a", "matched; b", "matched", "unmatched"], [1.0, 2.0, 3.0, -6.0]
    sources = [("speech", "fan"), ("female", "male"), ("Voice", "x"), ("drums", "bass")]
    results = [
        result._replace(condition=condition, sources=names, after=result.untrained + gain)
        for condition, names, gain in zip(conditions, sources, gains, strict=True)
    ]
    groups = compare(results)
    kinds = ["a voice and other sounds", "voices only", "no voice"]
    assert [group.name for group in groups] == ["all", "matched", "unmatched", *kinds]
    assert [group.n_cases for group in groups] == [4, 3, 1, 2, 1, 1]
    every, matched, unmatched, *_ = groups
    assert every[2:4] == pytest.approx((5, 0))
    assert every[6:] == pytest.approx((-6, 14, 0.25))
    assert matched[2:] == pytest.approx((5, 2, 1, 3, 1, 14, 0), abs=0.01)
    assert unmatched[2:] == pytest.approx((5, -6, -6, -6, -6, 14, 1))


def test_a_case_without_training_clips_is_named(tmp_path):
    """A case without training clips is named."""
    for name in ("cases.json", "voice.flac", "keyboard.flac"):
        (tmp_path / name).write_bytes((DEMO / name).read_bytes())
    text = (tmp_path / "cases.json").read_text()
    (tmp_path / "cases.json").write_text(text.replace('"train"', '"lost"'))
    with pytest.raises(ValueError, match="case 'demo': no training clips"):
        evaluate(tmp_path)


def test_evaluation_of_a_given_dictionary_leaves_other_cases_out(tmp_path):
    """Evaluation of a given dictionary leaves other cases out."""
    for name in ("cases.json", "voice.flac", "keyboard.flac"):
        (tmp_path / name).write_bytes((DEMO / name).read_bytes())
    cases = json.loads((tmp_path / "cases.json").read_text())["cases"]
    cases[0]["stems"][0]["name"] = "speech"
    cases.append(cases[0] | {"id": "other", "stems": [cases[0]["stems"][0] | {"name": "kazoo"}]})
    (tmp_path / "cases.json").write_text(json.dumps({"cases": cases}))
    dictionary = load_preset("speech").merge(load_preset("keyboard"))
    (result,) = evaluate(tmp_path, dictionary)
    assert result.id == "demo"
    with pytest.raises(ValueError, match="no case to evaluate"):
        evaluate(tmp_path, load_preset("flute"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cases.json: cannot be read"),
        ("[", "not a list of cases"),
        ("[]", "not a list of cases"),
        ('{"cases": []}', "no case to evaluate"),
        ('{"cases": [1]}', "case 1 lacks something"),
        ('{"cases": [{"id": "x", "stems": []}]}', "case 1 lacks something"),
        ('{"cases": [{"id": "x", "seconds": "1", "stems": [{}]}]}', "case 1 lacks something"),
    ],
)
def test_folders_without_cases_are_refused(tmp_path, content, message):
    """Folders without cases are refused."""
    if content is not None:
        (tmp_path / "cases.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        evaluation.evaluate(tmp_path)
