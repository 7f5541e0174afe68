"""The engine of the plugin reads the dictionary files that Python reads, and refuses those that Python refuses."""

import json
import struct
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from conftest import random_dictionary
from engine_library import hostile, needs_compiler, sanitized_driver
from fuzz_seeds import write
from plugin_engine import library, refusal

from rtnmf import STFT, Dictionary, Separator
from rtnmf.checks import check_source_name, check_text

sys.path.insert(0, str(Path(__file__).parent.parent / "dictionary"))
import small_dictionaries
import test_file

pytestmark = needs_compiler

CORPUS = Path(__file__).parent.parent / "fuzz" / "corpus" / "dictionaries"
GOOD = (small_dictionaries.small, small_dictionaries.trained, small_dictionaries.complete)


def cases_of(test):
    """Return the cases of a parametrised test."""
    return next(mark.args[1] for mark in test.pytestmark if mark.name == "parametrize")


def is_read_by_python(path):
    """Return whether Python takes a file for a dictionary."""
    try:
        Dictionary.load(path)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    "changes",
    [case[0] for case in cases_of(test_file.test_a_reader_refuses_what_it_does_not_know)],
    ids=lambda changes: ascii(changes)[:50],
)
def test_what_python_does_not_know_is_refused(tmp_path, changes):
    """Every case that the tests of Python's reader refuse is refused in one printable line."""
    path = test_file.written(tmp_path, **changes)
    assert not is_read_by_python(path)
    assert refusal(path.read_bytes()).isprintable()
    assert refusal(path.read_bytes())


@pytest.mark.parametrize(
    "case", cases_of(test_file.test_frames_that_do_not_fit_are_refused), ids=lambda case: ascii(case[0])
)
def test_frames_that_do_not_fit_are_refused_as_in_python(tmp_path, case):
    """Frames of another number, shape, type or source than stated are refused."""
    tensors = {"components": np.ones((33, 4), np.float32), "frames": case[1]}
    assert "frames" in refusal(test_file.written(tmp_path, tensors=tensors, frames=case[0]).read_bytes())


@pytest.mark.parametrize(
    "data",
    cases_of(test_file.test_other_files_are_refused_in_one_printable_line),
    ids=lambda data: f"{len(data)}-bytes",
)
def test_other_files_are_refused(data):
    """A file of another kind is refused in one printable line that says that it is no dictionary."""
    assert refusal(data).startswith("not a dictionary")
    assert refusal(data).isprintable()


@pytest.mark.parametrize(
    "changes",
    [
        {"description": "line\nbreak"},
        {"licence": "x" * 10_001},
        {"learned_from": '["\\u202e"]'},
        {"learned_from": "[1]"},
        {"rtnmf_version": "\u2028"},
        {"labels": json.dumps(["a", "a", "b", ""])},
        {"labels": json.dumps(["a", "a", "b", " b"])},
        {"labels": json.dumps(["a", "a", "b", "b" * 65])},
        {"labels": json.dumps(["a", "a", "b", "\u3164"])},
        {"labels": json.dumps(["a", "a", "b", "\u0301"])},
        {"labels": '["a", "a", "b", "\\ud800"]'},
        {"labels": '["a", "a", "b", "b"] '},
        {"labels": '["a", "a", "b", "b"],'},
        {"labels": '["a", "a", "b", "\x01"]'},
        {"labels": json.dumps(["a", "a", "b", "\U0001f600"]), "voices": '["\\ud83d\\ude00"]'},
        {"voices": '["c"]'},
        {"voices": '["a"]', "rest": "a"},
        {"voices": '["a", "a"]', "rest": "b"},
        {"divergences": '{"": [[0, 1e12]], "a": [], "b": ""}'},
        {"divergences": '{"a": [[0, 1e12]], "a": {}}'},
        {"divergences": '{"a": [[0.0, 1]]}'},
        {"divergences": '{"a": [[1000000001, 1]]}'},
        {"divergences": '{"a": [[0, 1, 2]]}'},
        {"divergences": '{"a": [[0, 1.1e12]]}'},
        {"divergences": '{"a": [[0, -Infinity]]}'},
        {"divergences": json.dumps({"a": [[0, 1]] * 100_001})},
        {"divergences": json.dumps({"a": [[0, 1]] * 50_000, "b": [[0, 1]] * 50_000})},
        {"sample_rate": "10000001"},
        {"sample_rate": "10000000"},
        {"sample_rate": "0"},
        {"sample_rate": "\u0664"},
        {"n_fft": "0064"},
        {"hop_length": "33"},
        {"latency": "30"},
        {"latency": "66"},
        {"frames": "{ }"},
        {"model": test_file.model(relaxation=1.99999999)},
        {"model": test_file.model(memory=0.999999999)},
        {"model": test_file.model(reach=1e-12)},
        {"model": test_file.model(n_iter=1000, audible_hz=100, weights=[1e-3, 10])},
        {"model": test_file.model(weights=[1e-60, 1])},
        {"model": test_file.model(audible_hz=-0.0)},
        {"model": '{"n_iter": 9, "n_iter": 5,' + test_file.model()[1:]},
    ],
    ids=lambda changes: ascii(changes)[:60],
)
def test_files_at_the_border_are_read_where_python_reads_them(tmp_path, changes):
    """Values just inside and outside their ranges, and odd ways to write them, are taken as Python takes them."""
    path = test_file.written(tmp_path, **changes)
    assert (not refusal(path.read_bytes())) == is_read_by_python(path)


def headers():
    """Yield headers of files that are odd, of which some are valid, without the length of them."""
    array = '"components":{"dtype":"F32","shape":[33,4],"data_offsets":[0,528]}'
    for texts in ("{}", "null", "[]", '{"format":4}', '{"format":"4"}'):
        yield '{"__metadata__":' + texts + "," + array + "}"
    metadata = test_file.header_of(Path("good"))["__metadata__"]
    for odd in (
        array,
        array.replace("F32", "F64"),
        array.replace("[33,4]", "[4,33]"),
        array.replace("[33,4]", "[33,4,1]"),
        array.replace("[33,4]", "[33.0,4]"),
        array.replace("[33,4]", "[132]"),
        array.replace("[0,528]", "[0,527]"),
        array.replace("[0,528]", "[528,0]"),
        array.replace("[0,528]", "[4,532]"),
        array.replace("[0,528]", "[0,528,528]"),
        array.replace("}", ',"more":[1,{"x":null}]}'),
        array.replace('"shape":[33,4],', ""),
        array + "," + array.replace("components", "frames"),
        array + ',"x":{"dtype":"U8","shape":[0],"data_offsets":[528,528]}',
        array.replace("F32", "\\u004632"),
        array.replace("528", "18446744073709551616"),
        array.replace("[33,4]", "[3000000000,3000000000,3000000000]"),
    ):
        yield json.dumps({"__metadata__": metadata})[:-1] + "," + odd + "}"


def test_headers_are_read_where_the_library_reads_them(tmp_path, monkeypatch):
    """Places, shapes and types of arrays are held to what the safetensors library, which Python uses, holds them to."""
    monkeypatch.chdir(tmp_path)
    small_dictionaries.small().save("good")
    arrays, n_read = Path("good").read_bytes()[-528:], 0
    for header in headers():
        for text in (header, header + "  ", " " + header, header + "x"):
            data = struct.pack("<Q", len(text)) + text.encode() + arrays
            Path("x").write_bytes(data)
            assert (not refusal(data)) == is_read_by_python("x"), header
            n_read += not refusal(data)
    assert n_read > 1


def damaged(data, rng):
    """Return the bytes of a file with a few of them changed, mostly into what texts are made of, or cut."""
    content = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        place = rng.integers(len(content))
        content[place] = rng.choice(list(b'0123456789"\\[]{}:,-.eEa ')) if rng.random() < 0.7 else rng.integers(256)
    return bytes(content if rng.random() < 0.9 else content[: rng.integers(len(content))])


def test_damaged_files_are_read_where_python_reads_them(tmp_path):
    """Whatever bytes are changed or missing, the engine refuses a file if and only if Python does."""
    rng, read = np.random.default_rng(0), set()
    for make in GOOD:
        make().save(tmp_path / "good")
        good = (tmp_path / "good").read_bytes()
        assert not refusal(good)
        n_header = 8 + struct.unpack("<Q", good[:8])[0]
        for _ in range(300):
            data = damaged(good[:n_header], rng) + good[n_header:]
            (tmp_path / "bad").write_bytes(data)
            is_read = is_read_by_python(tmp_path / "bad")
            assert (not refusal(data)) == is_read, data[8:n_header]
            read.add(is_read)
    assert read == {True, False}


ODD_TEXTS = (
    "",
    "0",
    "-1",
    "0064",
    "1e400",
    "NaN",
    "[]",
    "{}",
    '"b"',
    '[1, "a"]',
    '{"a": [[0, 1]]}',
    '"\\ud800"',
    "\ufeff",
    "\t",
    ",",
)


def test_texts_are_read_where_python_reads_them(tmp_path):
    """Whatever is put in place of a text of a file, or in the middle of it, is taken as Python takes it."""
    rng, read = np.random.default_rng(0), set()
    small_dictionaries.complete().save(tmp_path / "good")
    texts = test_file.header_of(tmp_path / "good")["__metadata__"]
    tensors = {"components": np.ones((33, 4), np.float32)}
    for name, text in texts.items():
        for odd in ODD_TEXTS:
            begin, n_gone = rng.integers(len(text) + 1), rng.integers(3)
            changed = odd if rng.random() < 0.5 else text[:begin] + odd + text[begin + n_gone :]
            path = test_file.written(tmp_path, tensors, **(texts | {"frames": "{}", name: changed}))
            is_read = is_read_by_python(path)
            assert (not refusal(path.read_bytes())) == is_read, (name, changed)
            read.add(is_read)
    assert read == {True, False}


@pytest.mark.parametrize("path", sorted(CORPUS.iterdir()), ids=lambda path: path.stem)
def test_findings_are_read_where_python_reads_them(path):
    """What fuzzing found in Python's reader is taken as Python takes it."""
    assert (not refusal(path.read_bytes())) == is_read_by_python(path)


def test_files_that_are_too_large_are_refused():
    """Headers of more than 8 MiB, and more columns than fit, are refused before they are looked at."""
    assert "expected at most 8388608" in refusal(struct.pack("<Q", 2**23 + 1) + b"{" + b" " * 2**23)
    assert refusal(struct.pack("<Q", 2**63) + b"{}").startswith("not a dictionary")


def test_names_and_texts_may_hold_what_python_lets_them_hold():
    """Characters that move a cursor, or that are not seen, are told from others as Python tells them."""
    known = [c for c in map(chr, range(1, 0x110000, 7)) if unicodedata.ucd_3_2_0.category(c) not in ("Cn", "Cs")]
    known += [chr(c) for c in range(1, 0x3100) if unicodedata.ucd_3_2_0.category(chr(c)) != "Cn"]
    for c in known:
        for text in (c, f"a{c}b"):
            assert library().rtnmf_is_name(text.encode()) == is_accepted(check_source_name, text), ascii(text)
            assert library().rtnmf_is_text(text.encode()) == is_accepted(lambda t: check_text("text", t), text), ascii(
                text
            )


def is_accepted(check, text):
    """Return whether a check raises nothing."""
    try:
        check(text)
    except ValueError:
        return False
    return True


def test_nothing_is_read_beyond_the_bytes_of_a_file(tmp_path):
    """Under the compiler's sanitizers, files that are cut or damaged anywhere are refused or read without error."""
    rng = np.random.default_rng(0)
    write(tmp_path)
    for path in sorted(tmp_path.iterdir()):
        for i in range(6):
            path.with_name(f"{path.name}-{i}").write_bytes(damaged(path.read_bytes(), rng))
    paths = sorted(tmp_path.iterdir())
    line = [sanitized_driver(), "check", *paths]
    run = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    refusals = run.stdout.splitlines()
    assert [not text for text in refusals] == [is_read_by_python(path) for path in paths]


def sanitized_stems(tmp_path, dictionary, x, sample_rate):
    """Return what the sanitized engine makes of a signal in random blocks, and how often it allocated meanwhile."""
    dictionary.save(tmp_path / "x")
    x.T.tofile(tmp_path / "in")
    numbers = map(str, (sample_rate, x.shape[1]))
    line = [sanitized_driver(), tmp_path / "x", tmp_path / "in", tmp_path / "out", *numbers]
    run = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    stems = np.fromfile(tmp_path / "out", np.float32)
    return stems.reshape(len(dictionary.sources), x.shape[1], -1).transpose(0, 2, 1), int(run.stdout)


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("stft", [STFT(256, 64), STFT(202, 20, latency=80)], ids=["power of two", "prime"])
def test_the_sounding_engine_allocates_nothing(tmp_path, stft, n_channels):
    """Stems are right under the sanitizers, which count no allocation in blocks of random lengths."""
    dictionary = random_dictionary(stft, trained=True)
    x = hostile(5000, n_channels)
    stems, n_allocated = sanitized_stems(tmp_path, dictionary, x, dictionary.sample_rate)
    expected = Separator(dictionary, n_channels=n_channels, experts=()).process(x)
    np.testing.assert_allclose(stems, expected, rtol=0, atol=1e-6)
    assert n_allocated == 0
