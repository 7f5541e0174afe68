"""`rtnmf evaluate`; what is measured is tested with `rtnmf.evaluation`."""

import json
import math
import re

import numpy as np
import pytest
from command_line import assert_refused, run
from conftest import DEMO

from rtnmf.cli import evaluate as command
from rtnmf.measure import evaluation

QUICK = ("--components", 2, "--steps", 0)


def test_tables_and_json_say_the_same(capsys):
    """The cases, their summary and what training adds are printed as tables, or as JSON with the same figures."""
    assert run("evaluate", DEMO, "--components", 4, "--steps", 20) == 0
    table = capsys.readouterr().out
    assert "voice" in table
    assert "Cases: 1\nSI-SDR gained, mean: " in table
    assert table.endswith("with the experts voices and rnnoise: 1 of 1 cases\n")
    assert re.search(r"\nall +1 +[\d.-]+ +[\d.-]+ +[\d.-]+ +[\d.]+ +\d+ %\n", table)
    assert run("evaluate", DEMO, "--json", "--components", 4, "--steps", 20) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["cases"][0]["sources"] == ["voice", "keyboard"]
    assert printed["cases"][0]["experts"] == ["voices", "rnnoise"]
    assert printed["summary"]["cases"] == 1
    assert printed["training"][0]["name"] == "all"
    gain = np.mean(printed["cases"][0]["improvement"])
    assert f"mean: {gain:.2f} dB" in table


def test_several_cases_have_an_interval():
    """What training adds has a 95 % interval where there are several cases, and none where there is one."""
    group = evaluation.Comparison("all", 3, 7.0, 2.0, 1.234, 2.345, 0.5, 14.0, 0.25)
    assert command._comparison(group).split() == ["3", "7.00", "2.00", "1.23", "to", "2.35", "0.50", "14.00", "25", "%"]
    single = group._replace(low_db=math.nan, high_db=math.nan)
    assert command._comparison(single).split() == ["3", "7.00", "2.00", "0.50", "14.00", "25", "%"]


def test_learning_and_separating_have_latencies_of_their_own(monkeypatch, capsys):
    """`--learn-latency-ms` is what dictionaries are learned for, `--latency-ms` what they are used at."""
    given = {}
    evaluate = evaluation.evaluate

    def noted(*arguments, **options):
        given.update(options)
        return evaluate(*arguments, **options)

    monkeypatch.setattr("rtnmf.measure.evaluation.evaluate", noted)
    assert run("evaluate", DEMO, *QUICK, "--learn-latency-ms", 24, "--latency-ms", 12) == 0
    assert (given["learn_latency_ms"], given["latency_ms"]) == (24, 12)
    assert "Cases: 1" in capsys.readouterr().out


def test_figures_that_are_not_finite_are_null_in_json():
    """JSON has no infinity and no NaN: None stands for them, however deep."""
    assert command._finite({"a": [1.0, float("inf"), {"b": float("nan")}], "c": "x"}) == {
        "a": [1.0, None, {"b": None}],
        "c": "x",
    }


def test_report_shows_the_cases(tmp_path, capsys):
    """`--report` writes a page of the cases."""
    page = tmp_path / "cases.html"
    assert run("evaluate", DEMO, *QUICK, "--report", page) == 0
    assert capsys.readouterr().err.endswith(f"{page}\n")
    assert "</html>" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((DEMO / "nowhere",), "cases.json: cannot be read"),
        ((DEMO, "--latency-ms", 0.001), "--latency-ms is 0.001, expected at least two samples"),
        ((DEMO, "--dictionary", "speech+keyboard"), "has only sources of the dictionary: speech, keyboard"),
        (
            (DEMO, "--dictionary", "speech", "--components", 3, "--seed", 0, "--learn-latency-ms", "low"),
            "--components, --seed, --learn-latency-ms: nothing is learned with a dictionary",
        ),
        ((DEMO, "--dictionary", "kazoo"), "'kazoo' is neither a dictionary file nor a preset"),
        ((DEMO, "--report", "x.txt"), "not the name of a page"),
    ],
)
@pytest.mark.usefixtures("hardly_joined")
def test_bad_requests_are_one_line(capsys, arguments, message):
    """What cannot be evaluated, or would be ignored, is one line that names a flag or a file."""
    assert_refused(["evaluate", *arguments], message, capsys)


def test_files_outside_the_folder_need_a_word(tmp_path, capsys):
    """A case that names a file elsewhere is refused, and the flag that allows it is named."""
    case = json.loads((DEMO / "cases.json").read_text())["cases"][0]
    case["stems"][0]["path"] = "../elsewhere.flac"
    (tmp_path / "cases.json").write_text(json.dumps({"cases": [case]}))
    refusal = "elsewhere.flac: is not in the folder of cases.json: pass --allow-outside if you trust it"
    assert_refused(["evaluate", tmp_path], refusal, capsys)
    assert_refused(["evaluate", tmp_path, "--allow-outside"], "elsewhere.flac: no such file", capsys)
