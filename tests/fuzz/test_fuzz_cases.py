"""Folders of strangers to evaluate: `cases.json` of every kind, to the tables and the page that are made of it."""

import contextlib
import copy
import io
import json
import re

import numpy as np
import pytest
import soundfile
from conftest import random_dictionary
from guards import (
    LONGEST_S,
    ODD_NUMBERS,
    ODD_TEXTS,
    FindingError,
    check_words,
    fuzz,
    integer,
    long,
    mutated,
    odd,
    of_corpus,
    replay,
    tried,
)

from rtnmf import STFT, report
from rtnmf.cli import evaluate as command
from rtnmf.measure import evaluation

DICTIONARY = random_dictionary(STFT(256, 64), ("a", "b"), sample_rate=8000)
TRAINED = random_dictionary(STFT(256, 64), ("a", "b"), sample_rate=8000, trained=True)
PATHS = ("a.wav", "b.wav", "long.flac", "slow.wav", "silent.wav", "folder", "missing.wav", "link", "loop", "cases.json",
         "../a.wav", "/etc/passwd", "/dev/zero", ".", "", "a" * 300, "\0", "a.wav/x", "./b.wav",
         "\x1b[2J.wav", "\ud800")  # fmt: skip
USUAL = ("a.wav", "b.wav", "long.flac", "slow.wav", "silent.wav")
MOST_CHARACTERS = 10**7
LONGEST_OF_MANY_S = 10.0  # of a case: BSS-eval solves for the filters of all channels at once
LEARNING = {"n_components": 2, "n_iter": 1, "n_steps": 1, "rest": False}


def furnish(folder):
    """Put the sounds and links that cases name into a folder."""
    rng = np.random.default_rng(0)
    for name, rate, n in (("a.wav", 8000, 2400), ("b.wav", 11025, 3000), ("slow.wav", 100, 200)):
        soundfile.write(folder / name, rng.uniform(-0.5, 0.5, (n, 1 + (name == "b.wav"))), rate, "PCM_16")
    soundfile.write(folder / "long.flac", np.zeros(2**20), 48000, "PCM_16")
    soundfile.write(folder / "silent.wav", np.zeros(800), 8000, "PCM_U8")
    (folder / "folder").mkdir()
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "loop").symlink_to("loop")


def case_of(rng, number):
    """Return a case that is usually right, of usual or extreme sizes."""
    sources = ["a", "b"] if rng.random() < 0.7 else [odd(rng, ODD_TEXTS) for _ in range(rng.integers(1, 4))]
    channels = odd(rng, (1, 1, 2, 2, 9, 64))
    return {
        "id": f"case {number}" if rng.random() < 0.7 else odd(rng, ODD_TEXTS),
        "condition": "matched, x" if rng.random() < 0.7 else odd(rng, (None, *ODD_TEXTS)),
        "sample_rate": integer(rng, 8000, 8000, 16000, 400, most=10**7),
        "channels": channels,
        "seconds": odd(rng, (0.1, 0.25, 0.25, 0.001, 1, 1e6, 1e-3)),
        "stems": [stem_of(rng, name, channels) for name in sources],
        "train": {name: [odd(rng, USUAL)] for name in sources},
    }


def stem_of(rng, name, channels):
    """Return a stem of a case."""
    gain = odd(rng, (1.0, 0.5, 0, -1, 1e-30, 1e6, [1.0] * channels, [0.1, 1.0]))
    return {"name": name, "path": odd(rng, USUAL), "start": odd(rng, (0, 0, 0.1, 1e6)), "gain": gain}


def damage(rng, value):
    """Change something, at any depth, to something else that JSON can hold."""
    while isinstance(value, (dict, list)) and value:
        key = odd(rng, list(value)) if isinstance(value, dict) else int(rng.integers(len(value)))
        if rng.random() < 0.35 or not isinstance(value[key], (dict, list)) or not value[key]:
            kind = rng.integers(5)
            if kind == 0:
                del value[key]
            elif kind == 1 and isinstance(value, list):
                most = MOST_CHARACTERS // len(json.dumps(value))  # more would not fit into the memory of the test
                value += copy.deepcopy(value) * min(most, int(rng.integers(1, 50)))
            else:
                value[key] = odd(rng, odd(rng, (ODD_TEXTS, ODD_NUMBERS, PATHS, ({}, [], [[]], {"a": []}))))
            return
        value = value[key]


def attempt(rng, folder):
    """Write a folder of cases, and evaluate it."""
    given = {"cases": [case_of(rng, i) for i in range(integer(rng, 1, 1, 2, most=5))]}
    for _ in range(rng.integers(1, 3) if rng.random() < 0.5 else 0):
        damage(rng, given)
    text = json.dumps(given).encode()
    (folder / "cases.json").write_bytes(mutated(rng, text) if rng.random() < 0.1 else text)
    use(rng, folder)


def use(rng, folder):
    """Evaluate the cases of a folder, and show what came of it."""
    furnish(folder)
    dictionary = odd(rng, (DICTIONARY, TRAINED, None))
    options = {"experts": ()} | (LEARNING if dictionary is None else {})
    text = (folder / "cases.json").read_bytes()
    is_wide = max(map(int, re.findall(rb'"channels": (\d{1,3})\b', text)), default=1) > 8
    limits = {"most_s": (LONGEST_OF_MANY_S if is_wide else LONGEST_S) * max(1, text.count(b'"id"'))}
    results = tried("an evaluation", evaluation.evaluate, folder, dictionary, **options, **limits)
    if results:
        tried("tables", shown, results)
        tried("a page", paged, results)


def shown(results):
    """Print what `rtnmf evaluate` prints."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        command._print_results(results)
        command._print_comparisons(results)
        command._print_json(results)
    for line in out.getvalue().splitlines():
        check_words("a table", line)


def paged(results):
    """Make the page of `--report`, which can be written."""
    page = report.render_evaluation("x", results, command._summary_lines(results))
    page.encode()
    if "\x1b" in page or "<script>alert" in page:
        raise FindingError("a page has the words of a stranger as they are")


@pytest.fixture(scope="module", autouse=True)
def _compiled(tmp_path_factory):
    """Load and compile what is needed, outside of all guards."""
    folder = tmp_path_factory.mktemp("compiled")
    furnish(folder)
    case = case_of(np.random.default_rng(0), 0) | {"sample_rate": 8000, "channels": 1, "seconds": 0.25}
    case["stems"] = [{"name": name, "path": f"{name}.wav", "start": 0, "gain": 1} for name in "ab"]
    case["train"] = {name: [f"{name}.wav"] for name in "ab"}
    (folder / "cases.json").write_text(json.dumps({"cases": [case]}))
    for dictionary in (DICTIONARY, TRAINED, None):
        options = {"experts": ()} | (LEARNING if dictionary is None else {})
        paged(evaluation.evaluate(folder, dictionary, **options))


def test_cases_of_strangers_are_evaluated_or_refused(tmp_path):
    """Some folders can be evaluated, or are refused in words."""
    fuzz(attempt, tmp_path, n=60)


@of_corpus("cases")
def test_cases_that_were_findings_are_evaluated_or_refused(tmp_path, path):
    """What was a bomb, or broke something, does so no more."""
    replay(lambda rng, copy: use(rng, copy.rename(copy.with_name("cases.json")).parent), path, tmp_path)


@long
def test_cases_of_strangers_are_evaluated_or_refused_for_long(tmp_path):
    """So can many."""
    fuzz(attempt, tmp_path)
