"""The cases of a folder, learned, separated, measured and compared."""

import json

import numpy as np
import pytest
from conftest import DEMO

from rtnmf import evaluation, load_preset
from rtnmf.audio import files
from rtnmf.measure.cases import read_cases
from rtnmf.measure.evaluation import compare, evaluate, load_case, summary

pytestmark = pytest.mark.filterwarnings("ignore:the recordings of voice end at 7.6 kHz")  # as those of the demo do


@pytest.fixture(scope="module")
def result():
    """Return the measures of the demo, hardly learned."""
    return evaluate(DEMO, n_components=2, n_iter=1, n_steps=2)[0]


@pytest.fixture
def folder(tmp_path):
    """Return a copy of the demo that a test may change, with two seconds of its recordings to learn from."""
    for name in ("cases.json", "voice.flac", "keyboard.flac"):
        (tmp_path / name).write_bytes((DEMO / name).read_bytes())
    for name in ("voice", "keyboard"):
        x, rate = files.read(DEMO / f"{name}-train.flac", seconds=2)
        files.write(tmp_path / f"{name}-short.flac", x, rate)
    train = {name: [f"{name}-short.flac"] for name in ("voice", "keyboard")}
    change(tmp_path, lambda case: case | {"train": train})
    return tmp_path


def change(folder, changed):
    """Replace the cases of a folder by what a function makes of the first one, a case or several."""
    case = json.loads((folder / "cases.json").read_text())["cases"][0]
    cases = changed(case)
    (folder / "cases.json").write_text(json.dumps({"cases": cases if isinstance(cases, list) else [cases]}))


def of_sources(result, *names):
    """Return measures as if the sources had these names."""
    return result._replace(sources=names)


def test_the_measures_are_offered_with_the_evaluation():
    """All measures are attributes of `rtnmf.evaluation`."""
    assert {"si_sdr", "bss_eval", "BSSEval", "ideal_separate", "load_case"} <= set(evaluation.__all__)
    assert evaluation.si_sdr([1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.5, -0.5]) == pytest.approx(10 * np.log10(4))


def test_cases_are_loaded_as_they_are_written():
    """A case says which part of which file, how loud on each channel, and how long; the stems sum to the mixture."""
    case = json.loads((DEMO / "cases.json").read_text())["cases"][0]
    case["stems"][0]["gain"] = [2.0, 0.5]
    case |= {"channels": 2, "seconds": 1.0}
    mixture, stems, names = load_case(DEMO, case)
    assert (mixture.shape, stems.shape, names) == ((44100, 2), (2, 44100, 2), ("voice", "keyboard"))
    np.testing.assert_allclose(stems[0][:, 0], 4 * stems[0][:, 1], atol=1e-6)
    np.testing.assert_array_equal(stems.sum(axis=0), mixture)


def test_evaluation_learns_separates_and_measures():
    """Each stem of the demo gains, less than by the ideal mask, and without training `untrained` is `after`."""
    (result,) = results = evaluate(DEMO, n_iter=3, n_steps=0)
    assert result.sources == ("voice", "keyboard")
    assert (result.improvement > 3).all()
    assert (result.bound > result.after).all()
    assert summary(results)["mean_improvement_db"] == pytest.approx(result.improvement.mean())
    assert summary(results)["share_of_stems_worse"] == 0
    np.testing.assert_array_equal(result.untrained, result.after)


def test_progress_follows_the_cases_and_can_end_the_evaluation(folder):
    """Progress gets the id of each case, how many are done and of how many; False ends with the cases done."""
    change(folder, lambda case: [case | {"id": name, "seconds": 1.0} for name in "abc"])
    calls = []
    options = {"n_components": 2, "n_iter": 1, "n_steps": 0}
    results = evaluate(folder, progress=lambda *call: calls.append(call) or len(calls) < 2, **options)
    assert calls == [("a", 1, 3), ("b", 2, 3)]
    assert [result.id for result in results] == ["a", "b"]
    assert len(evaluate(folder, progress=lambda *_: None, **options)) == 3


def test_latency_is_limited(folder):
    """With `latency_ms` cases are separated with a dictionary of that latency."""
    change(folder, lambda case: case | {"seconds": 1.0})
    dictionary = load_preset("speech").rename({"speech": "voice"}).merge(load_preset("keyboard"))
    (late,), (soon,) = evaluate(folder, dictionary), evaluate(folder, dictionary, latency_ms=6)
    expected = evaluate(folder, dictionary.at_rate(late.sample_rate).at_latency(6))[0]
    np.testing.assert_array_equal(soon.estimates, expected.estimates)
    assert not np.array_equal(soon.estimates, late.estimates)


@pytest.mark.parametrize(("learn_latency_ms", "latency"), [(6, 264), ("low", 128)])
def test_latency_to_learn_for_is_passed_on(folder, learn_latency_ms, latency):
    """With `learn_latency_ms` the dictionary of each case is learned for that latency, in ms or as `low`."""
    change(folder, lambda case: case | {"seconds": 1.0})
    options = {"n_components": 2, "n_iter": 1, "n_steps": 0}
    (result,) = evaluate(folder, learn_latency_ms=learn_latency_ms, **options)
    (expected,) = evaluate(folder, latency=latency, **options)
    np.testing.assert_array_equal(result.estimates, expected.estimates)


def test_comparison_groups_cases_and_bounds_the_mean(result):
    """A comparison states, for all and for each group, what training gained, the bootstrap interval and the least."""
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
    every, matched, *_ = groups
    assert every[2:4] == pytest.approx((5, 0))
    assert every[6:] == pytest.approx((-6, 14, 0.25))
    assert matched[2:] == pytest.approx((5, 2, 1, 3, 1, 14, 0), abs=0.01)


def test_a_single_case_has_no_interval(result):
    """The bootstrap interval of a single case is NaN instead of one without width; its mean and least are there."""
    group = compare([result._replace(after=result.untrained + 2)])[0]
    assert np.isnan([group.low_db, group.high_db]).all()
    assert (group.gained_db, group.least_db) == pytest.approx((2, 2))


@pytest.mark.parametrize(
    ("name", "is_voice"),
    [
        ("voice", True),
        ("Voice", True),
        ("VOCALS", True),
        ("leadVocal", True),
        ("backing_vocals", True),
        ("speech", True),
        ("TVspeech", True),
        ("speaker 2", True),
        ("spk1", True),
        ("female", True),
        ("male-2", True),
        ("people talking", True),
        ("singer", True),
        ("singing", True),
        ("passing-train", False),
        ("passing", False),
        ("single", False),
        ("single coil guitar", False),
        ("closing door", False),
        ("tamale", False),
        ("tenor sax", False),
        ("loudspeaker hum", False),
        ("invoice printer", False),
        ("fan", False),
        ("12", False),
    ],
)
def test_voices_are_told_by_whole_words(result, name, is_voice):
    """A source is a voice if a whole word of its name says so; letters within another word do not."""
    kind = compare([of_sources(result, name)])[-1].name
    assert kind == ("voices only" if is_voice else "no voice")


def test_nothing_to_summarise_is_said():
    """A summary or comparison of no case is refused in words."""
    for summarise in (summary, compare):
        with pytest.raises(ValueError, match="results are empty"):
            summarise([])


def test_cases_with_sources_that_the_dictionary_lacks_are_left_out(folder):
    """With a dictionary nothing is learned, and cases with other sources are left out; none left is an error."""
    dictionary = load_preset("speech").merge(load_preset("keyboard"))

    def renamed(case, name, source):
        voice, keyboard = case["stems"]
        return case | {"id": name, "stems": [voice | {"name": source}, keyboard]}

    change(folder, lambda case: [renamed(case, "one", "speech"), renamed(case, "other", "kazoo")])
    (result,) = evaluate(folder, dictionary)
    assert result.id == "one"
    with pytest.raises(ValueError, match="no case to evaluate has only sources of the dictionary: flute"):
        evaluate(folder, load_preset("flute"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"latency_ms": -1}, "latency_ms is -1, expected at least two samples, 0.0454 ms"),
        ({"latency_ms": 0.01}, "latency_ms is 0.01, expected at least two samples, 0.0454 ms"),
        ({"latency_ms": float("nan")}, "latency_ms is nan"),
        ({"learn_latency_ms": 0.01}, "latency_ms is 0.01, expected at least two samples"),
        ({"dictionary": load_preset("keyboard"), "learn_latency_ms": 3}, "learn_latency_ms: nothing is learned"),
        ({"seed": -1}, "seed is -1"),
        ({"n_components": 0}, "n_components is 0"),
        ({"dictionary": load_preset("keyboard"), "n_components": 3}, "n_components: nothing is learned with a dict"),
    ],
)
def test_options_are_checked_before_anything_is_learned(monkeypatch, options, message):
    """Options out of range, or that would be ignored, are refused before a factorisation begins."""
    monkeypatch.setattr("rtnmf.nmf.fit", None)
    with pytest.raises(ValueError, match=message):
        evaluate(DEMO, **options)


def test_an_unknown_option_is_called_so():
    """A misspelt option of `learn` is not taken for missing training clips."""
    with pytest.raises(TypeError, match="n_compnents"):
        evaluate(DEMO, n_compnents=4)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda case: {k: v for k, v in case.items() if k != "train"}, "no training clips of 'voice'"),
        (lambda case: case | {"train": {"voice": case["train"]["voice"]}}, "no training clips of 'keyboard'"),
        (lambda case: case | {"train": case["train"] | {"voice": "voice.flac"}}, "no training clips of 'voice'"),
        (lambda case: case | {"train": case["train"] | {"voice": []}}, "no training clips of 'voice'"),
        (lambda case: case | {"train": case["train"] | {"voice": ["lost.wav"]}}, "lost.wav: no such file"),
        (lambda case: case | {"stems": [case["stems"][0] | {"path": "lost.wav"}]}, "lost.wav: no such file"),
        (lambda case: case | {"stems": case["stems"][:1] * 2}, "two stems have the same name: voice, voice"),
    ],
)
def test_a_case_that_lacks_something_is_named_before_another_is_separated(monkeypatch, folder, changed, message):
    """The last of many cases is checked before the first is learned, and named in the message."""
    monkeypatch.setattr("rtnmf.measure.evaluation.learn", None)
    change(folder, lambda case: [case, changed(case) | {"id": "last"}])
    with pytest.raises(ValueError, match=f"case 'last': .*{message}"):
        evaluate(folder)


@pytest.mark.parametrize("how", ["absolute", "up", "link", "link to a folder", "train"])
def test_cases_name_files_in_their_own_folder_only(monkeypatch, folder, how):
    """No path, `..` or link leads to another file of the machine, unless that is asked for."""
    monkeypatch.setattr("rtnmf.measure.evaluation.learn", lambda *_, **__: pytest.fail("something was learned"))
    top = folder / "cases"
    top.mkdir()
    for path in folder.glob("*.*"):
        path.rename(top / path.name)
    (folder / "secret.flac").write_bytes((DEMO / "voice.flac").read_bytes())
    (top / "link.flac").symlink_to(folder / "secret.flac")
    (top / "up").symlink_to(folder)
    paths = {"absolute": str(folder / "secret.flac"), "link": "link.flac", "link to a folder": "up/secret.flac"}
    path = paths.get(how, "../secret.flac")

    def changed(case):
        stem = case["stems"][0]
        if how == "train":
            return case | {"train": case["train"] | {stem["name"]: [path]}}
        return case | {"stems": [stem | {"path": path}, *case["stems"][1:]]}

    change(top, changed)
    with pytest.raises(ValueError, match=r"^case '.*': .*: is not in the folder of cases.json"):
        evaluate(top)
    assert read_cases(top, allow_outside=True)


def test_links_within_the_folder_are_followed(folder):
    """A folder that is a link itself, and links in it to other files of it, are as good as any."""
    (folder / "voice.flac").rename(folder / "v.flac")
    (folder / "voice.flac").symlink_to("v.flac")
    (folder / "link").symlink_to(folder)
    assert read_cases(folder / "link") == read_cases(folder)


def test_training_clips_are_not_needed_with_a_dictionary(folder):
    """With a dictionary a case without training clips is measured."""
    change(folder, lambda case: {k: v for k, v in case.items() if k != "train"} | {"seconds": 1.0})
    dictionary = load_preset("speech").rename({"speech": "voice"}).merge(load_preset("keyboard"))
    assert len(evaluate(folder, dictionary)) == 1


STEM = {"name": "a", "path": "a.wav", "start": 0, "gain": 1}
CASE = {"id": "x", "sample_rate": 8000, "channels": 1, "seconds": 1, "stems": [STEM]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cases.json: cannot be read"),
        ("[", "not a list of cases"),
        ("[]", "not a list of cases"),
        pytest.param(" " * 2**23 + "{}", r"not a list of cases.*it has more than 8 MiB", id="large"),
        ({"cases": []}, "no case to evaluate"),
        ({"cases": [1]}, "case 1 is 1, expected an object with id, sample_rate"),
        ({"cases": [CASE, {}]}, "case 2: id is None, expected a text"),
        ({"cases": [CASE | {"sample_rate": 8000.5}]}, "case 1: sample_rate is 8000.5, expected a whole number"),
        ({"cases": [CASE | {"channels": 0}]}, "case 1: channels is 0, expected a whole number"),
        ({"cases": [CASE | {"seconds": "1"}]}, "case 1: seconds is '1', expected a number"),
        ({"cases": [CASE | {"seconds": 0}]}, "case 1: seconds is 0, expected a number"),
        ({"cases": [CASE | {"stems": []}]}, r"case 1: stems is \[\], expected a list of stems"),
        ({"cases": [CASE | {"stems": [STEM, 2]}]}, "case 1, stem 2 is 2, expected an object with name, path"),
        ({"cases": [CASE | {"stems": [STEM | {"start": -1}]}]}, "case 1, stem 1: start is -1, expected"),
        ({"cases": [CASE | {"stems": [STEM | {"gain": "loud"}]}]}, "case 1, stem 1: gain is 'loud', expected"),
        ({"cases": [CASE | {"stems": [STEM | {"gain": [1, None]}]}]}, r"case 1, stem 1: gain is \[1, None\]"),
    ],
)
def test_folders_without_usable_cases_are_refused(tmp_path, content, message):
    """A `cases.json` that is missing, damaged or incomplete is refused, naming the case and what it lacks."""
    if content is not None:
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / "cases.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        evaluate(tmp_path)
