"""What a page shows, gathered from a dictionary and a clip."""

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import random_dictionary

from rtnmf import STFT, learn, nmf, report, separate
from rtnmf.audio import files
from rtnmf.dictionary import preset_folder
from rtnmf.frames.model import Model
from rtnmf.measure.cases import load_case

SMALL = STFT(1024, 256)


def test_filtered_sounds_sum_to_the_clip(speech):
    """The stems of the sources sum to a stereo clip to 1e-6, their shares to 1."""
    clip = np.stack([speech[:24000], -0.5 * speech[:24000]], axis=1)
    described = report.describe("x", random_dictionary(SMALL), clip)
    np.testing.assert_allclose(sum(row.filtered for row in described.sources), clip, atol=1e-6)
    assert sum(row.share for row in described.sources) == pytest.approx(1)
    assert len(described.components) == 8


def test_a_component_alone_peaks_where_its_spectrum_does(stft):
    """The sound of a component alone has its spectral peak in the component's peak bin."""
    piano = files.read(preset_folder() / "clips" / "inst_piano.flac", 16000)[0][:80000]
    dictionary = learn(piano, 16000, stft=stft, n_components=3)
    for row, column in zip(report.describe("x", dictionary).sources, dictionary.components.T, strict=True):
        spectrum = np.abs(stft.forward(row.alone)).sum(axis=1)
        assert spectrum.argmax() == column.argmax()
        assert row.filtered is None


def test_blind_decomposition_tells_drums_from_tone():
    """Blind decomposition of a drum kit and a guitar puts them into different components."""
    folder = Path(__file__).parent.parent / "recordings"
    (case,) = json.loads((folder / "cases.json").read_text())["cases"]
    mixture, truth, _ = load_case(folder, case)
    learned = learn(mixture, case["sample_rate"], n_components=3)
    stems = [row.filtered.ravel() for row in report.describe("x", learned, mixture).sources]
    likeness = [[np.corrcoef(stem, true.ravel())[0, 1] for stem in stems] for true in truth]
    assert np.argmax(likeness[0]) != np.argmax(likeness[1])
    assert np.max(likeness, axis=1).min() > 0.7


def test_the_strongest_components_have_rows(speech):
    """The strongest components have rows, with activations on the clip's time axis."""
    dictionary = random_dictionary(SMALL)
    described = report.describe("x", dictionary, speech[:24000, None], n_components=3)
    shares = [row.share for row in described.components]
    assert shares == sorted(shares, reverse=True)
    everything = report.describe("x", dictionary, speech[:24000, None], n_components=8).components
    assert min(shares) >= max(row.share for row in everything if row.name not in [r.name for r in described.components])
    assert len(described.components[0].activations) == (24000 + 1023) // 256


@pytest.mark.parametrize("options", [{}, {"n_iter": 2, "mask_power": 2}], ids=["defaults", "given"])
def test_stems_are_those_of_separate(speech, dictionary, options):
    """The filtered sounds are the stems that `separate` makes with the same options, to the bit."""
    dictionary, clip = dictionary.untrained() if options else dictionary, speech[:9000, None]
    rows = report.describe("x", dictionary, clip, n_components=0, **options).sources
    np.testing.assert_array_equal([row.filtered for row in rows], separate(clip, dictionary, **options))


def test_components_are_filtered_as_sources_of_their_own(speech, monkeypatch):
    """A component's sound is its stem where each component is a source, however the clip is cut into blocks."""
    monkeypatch.setattr("rtnmf.report.description._VALUES_AT_ONCE", 5000)
    dictionary, clip = random_dictionary(SMALL), speech[:9000, None]
    single = replace(dictionary, labels=[f"{label} {k % 4 + 1}" for k, label in enumerate(dictionary.labels)])
    stems = single.by_source(separate(clip, single))
    rows = report.describe("x", dictionary, clip, n_components=3).components
    assert len(rows) == 3
    for row in rows:
        np.testing.assert_array_equal(row.filtered, stems[row.name])


def test_memory_does_not_grow_with_components_that_are_not_shown(speech, monkeypatch):
    """Of 64 components with two rows, the stems of the other 62 are never all in memory."""
    monkeypatch.setattr("rtnmf.report.description._VALUES_AT_ONCE", 2**17)
    clip = np.tile(speech, 4)[:, None]
    dictionary = random_dictionary(SMALL, ("a", "b"), n_each=32)
    report.describe("x", dictionary, clip[:1000], n_components=2)
    tracemalloc.start()
    report.describe("x", dictionary, clip, n_components=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.75 * 64 * clip.nbytes


def test_one_channel_needs_no_axis_for_it(speech):
    """A clip of shape (n_samples,) is described as one of shape (n_samples, 1)."""
    clips = (speech[:5000], speech[:5000, None])
    flat, column = (report.describe("x", random_dictionary(SMALL), clip, n_components=0) for clip in clips)
    assert flat.clip.shape == flat.sources[0].filtered.shape == (5000, 1)
    for ours, theirs in zip(flat.sources, column.sources, strict=True):
        np.testing.assert_array_equal(ours.filtered, theirs.filtered)
        np.testing.assert_array_equal(ours.activations, theirs.activations)


def test_activations_follow_the_model_of_the_dictionary(speech):
    """Activations and their share are found with the updates, relaxation and memory of the dictionary's model."""
    model = Model(n_iter=9, relaxation=1.2, memory=0.3)
    dictionary = replace(random_dictionary(SMALL), model=model)
    (row, *_) = report.describe("x", dictionary, speech[:9000]).sources
    V = np.abs(SMALL.forward(speech[:9000], trend=SMALL.trend(16000, model.audible_hz)))
    H = nmf.activations(V, dictionary.components, n_iter=9, relaxation=1.2, memory=0.3)
    np.testing.assert_array_equal(row.activations, H[:4].sum(axis=0))
    assert row.share == pytest.approx(H[:4].sum() / H.sum())


def test_facts_state_training_and_updates(speech):
    """The facts say whether the columns are trained and how many updates a frame gets, and if that is unusual."""
    for trained, answer in ((True, "yes"), (False, "no")):
        facts = report.describe("x", random_dictionary(SMALL, trained=trained)).facts
        assert (facts["Discriminative training"], facts["Updates per frame"]) == (answer, "5")
    facts = report.describe("x", random_dictionary(SMALL), speech[:2000], n_iter=8, facts={"Time": "1 s"}).facts
    assert (facts["Updates per frame"], facts["Time"]) == ("8, learned for 5", "1 s")


def test_progress_follows_the_rows_and_can_end_them(speech):
    """Progress gets the name of each row, how many are done and of how many; False leaves the other rows out."""
    calls = []
    dictionary = random_dictionary(SMALL)
    report.describe("x", dictionary, speech[:2000], n_components=1, progress=lambda *call: calls.append(call))
    assert calls[:2] == [("the stems", 0, 1), ("the whole approximation", 0, 1)]
    assert [call[1:] for call in calls[2:]] == [(0, 3), (1, 3), (2, 3)]
    assert [name for name, *_ in calls[2:4]] == ["a", "b"]
    ended = report.describe("x", dictionary, speech[:2000], progress=lambda name, *_: name != "b")
    assert [row.name for row in ended.sources] == ["a"]
    assert ended.components == []


@pytest.mark.parametrize(
    ("clip", "options", "error", "message"),
    [
        (np.zeros((5, 5, 5)), {}, ValueError, r"clip has shape \(5, 5, 5\), expected \(n_samples,\)"),
        (np.zeros(0), {}, ValueError, r"clip has shape \(0,\), expected .*, not empty"),
        (np.zeros(5, int), {}, TypeError, "clip has samples of type int64, expected floats"),
        (np.zeros(5, complex), {}, TypeError, "clip has samples of type complex128, expected floats"),
        (np.array([np.nan]), {}, ValueError, "clip holds samples that are NaN or infinite"),
        (np.zeros((5, 65)), {}, ValueError, "n_channels is 65"),
        (np.zeros(5), {"n_components": -1}, ValueError, "n_components is -1"),
        (np.zeros(5), {"n_iter": 0}, ValueError, "n_iter is 0"),
        (np.zeros(5), {"mask_power": 0}, ValueError, "mask_power is 0"),
        (np.zeros(5), {"gains": [[1, 1]]}, TypeError, "options are gains, expected n_iter, mask_power and experts"),
        (None, {"n_iter": 3}, ValueError, "n_iter: there is no clip to separate"),
        (np.zeros(5), {"si_sdr_db": {"kazoo": 1.0}}, ValueError, "si_sdr_db is of 'kazoo', expected one of a, b"),
    ],
)
def test_what_cannot_be_described_is_refused(monkeypatch, clip, options, error, message):
    """Unusable clips and options are refused in words, before a sound is made."""
    monkeypatch.setattr("rtnmf.report.description.griffin_lim", None)
    with pytest.raises(error, match=message):
        report.describe("x", random_dictionary(SMALL), clip, **options)
