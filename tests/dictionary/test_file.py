"""The file of a dictionary: nothing is lost in it, equal content gives equal bytes, and strangers' files are safe."""

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import random_dictionary
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save
from small_dictionaries import complete, small, trained

from rtnmf import STFT, Dictionary, presets
from rtnmf.dictionary import file, preset_folder
from rtnmf.frames.model import Model


def test_a_file_brings_everything_back_to_the_bit(tmp_path):
    """A loaded dictionary equals the one that was saved, in every part."""
    for made in (complete(), small(), random_dictionary(STFT(256, 8, latency=32), ("voice", "<b>ü & co</b>"))):
        made.save(tmp_path / "x.safetensors")
        assert Dictionary.load(tmp_path / "x.safetensors") == made


def test_a_file_replaces_another_one_whole(tmp_path):
    """Saving over a file leaves the new dictionary and nothing else."""
    complete().save(tmp_path / "x.safetensors")
    small().save(tmp_path / "x.safetensors")
    assert Dictionary.load(tmp_path / "x.safetensors") == small()
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    """A missing folder is an error that names the file."""
    with pytest.raises(ValueError, match=r"no/x.safetensors: cannot be written \(No such file or directory"):
        small().save(tmp_path / "no" / "x.safetensors")


SAVING = """
import sys
sys.path.insert(0, sys.argv[1])
from small_dictionaries import complete
complete().save(sys.argv[2])
"""


def test_equal_dictionaries_are_the_same_bytes_in_every_process(tmp_path):
    """Processes with other hash seeds, and a copy that was loaded, write the same bytes."""
    for seed in ("0", "1", "2"):
        line = [sys.executable, "-c", SAVING, Path(__file__).parent, tmp_path / seed]
        subprocess.run(line, check=True, env=os.environ | {"PYTHONHASHSEED": seed})
    Dictionary.load(tmp_path / "0").save(tmp_path / "3")
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def test_other_readers_understand_the_file(tmp_path):
    """The `safetensors` library reads arrays and metadata of the file, all of it strings."""
    made = complete()
    made.save(tmp_path / "x.safetensors")
    with safe_open(tmp_path / "x.safetensors", framework="numpy") as opened:
        metadata = opened.metadata()
        for name in ("components", "update_components", "mask_components"):
            np.testing.assert_array_equal(opened.get_tensor(name), getattr(made, name))
    assert metadata["format"] == "4"
    assert json.loads(metadata["labels"]) == ["a", "a", "b", "b"]
    assert json.loads(metadata["model"])["n_iter"] == 8


def header_of(path):
    """Return the header of a `.safetensors` file."""
    data = path.read_bytes()
    return json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])


def written(tmp_path, tensors=None, **changes):
    """Return the path of a file of a small dictionary with some entries replaced, or left out when None."""
    small().save(tmp_path / "good.safetensors")
    metadata = header_of(tmp_path / "good.safetensors")["__metadata__"] | changes
    path = tmp_path / "changed.safetensors"
    array = {"components": np.ones((33, 4), np.float32)} if tensors is None else tensors
    path.write_bytes(save(array, {k: v for k, v in metadata.items() if v is not None}))
    return path


def test_a_file_of_format_1_has_the_default_model(tmp_path):
    """Files from before the model was kept are still read."""
    loaded = Dictionary.load(written(tmp_path, format="1", model=None, rest=None, voices=None, frames=None))
    assert loaded == small(components=np.ones((33, 4)))
    assert loaded.model == Model()


def test_a_file_of_format_2_has_no_rest_and_no_frames(tmp_path):
    """Files from before the rest was known are still read."""
    loaded = Dictionary.load(written(tmp_path, format="2", rest=None, voices=None, frames=None))
    assert loaded == small(components=np.ones((33, 4)))
    assert (loaded.rest, len(loaded.frames)) == ("", 0)


def test_a_file_of_format_3_has_the_voices_that_are_named_so(tmp_path):
    """Files from before voices were known have those that their names tell."""
    labels = json.dumps(["My voice", "fan"] * 2)
    loaded = Dictionary.load(written(tmp_path, format="3", labels=labels, voices=None, frames="{}"))
    assert loaded.voices == ("My voice",)


@pytest.mark.parametrize(
    ("counts", "frames", "message"),
    [
        ('{"a": 2, "b": 1}', np.ones((33, 4), np.uint8), r"frames have shape \(33, 4\), expected 3 as columns"),
        ('{"a": 4}', np.ones((32, 4), np.uint8), r"frames of 'a' have shape \(32, 4\), expected \(33, at least 1\)"),
        ('{"a": 4}', np.ones((33, 4), np.float32), "frames are float32, expected uint8"),
        ('{"a": 4}', np.zeros((33, 4), np.uint8), "frames of 'a' are all silent"),
        ('{"c": 4}', np.ones((33, 4), np.uint8), "frames are given for 'c', which is not a source"),
        ('{"a": true}', np.ones((33, 1), np.uint8), "frames are .*, expected the number of frames of each source"),
        ('{"a": -4}', np.ones((33, 4), np.uint8), "frames are .*, expected the number of frames of each source"),
        ("[4]", np.ones((33, 4), np.uint8), "frames are .*, expected the number of frames of each source"),
    ],
)
def test_frames_that_do_not_fit_are_refused(tmp_path, counts, frames, message):
    """Frames of another number, shape, type or source than stated are an error that says so."""
    tensors = {"components": np.ones((33, 4), np.float32), "frames": frames}
    with pytest.raises(ValueError, match=f"changed.safetensors: .*{message}"):
        Dictionary.load(written(tmp_path, tensors=tensors, frames=counts))


@pytest.mark.parametrize("name", presets())
def test_presets_are_saved_again_without_loss(tmp_path, name):
    """A preset, of whichever format, is the same after it is saved in the current one."""
    loaded = Dictionary.load(preset_folder() / f"{name}.safetensors")
    loaded.save(tmp_path / "x.safetensors")
    assert Dictionary.load(tmp_path / "x.safetensors") == loaded


def model(**changes):
    """Return the text of a model with some entries replaced."""
    given = {"n_iter": 5, "relaxation": 1.7, "memory": 0.9, "reach": 1e-4, "weights": [0.45, 0.85], "audible_hz": 10}
    return json.dumps(given | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "9"}, "'format' is '9', expected '1' or '2' or '3' or '4': a newer rtnmf may know it"),
        ({"format": None}, "'format' is None"),
        ({"format": "1"}, "missing or unknown entries: 'frames', 'model', 'rest', 'voices'"),
        ({"rest": None}, "missing or unknown entries: 'rest'"),
        ({"rest": "c"}, "rest is 'c', expected one of a, b, or nothing"),
        ({"frames": '{"a": 2}'}, "missing or unknown entries: 'frames'"),
        ({"frames": "[2]"}, r"missing or unknown entries: 'frames'"),
        ({"model": None}, "missing or unknown entries: 'model'"),
        ({"colour": "blue"}, "missing or unknown entries: 'colour'"),
        ({"\x1b[2J": "blue"}, r"missing or unknown entries: '\\x1b\[2J'"),
        ({"latency": None}, "missing or unknown entries: 'latency'"),
        ({"n_fft": "1e3"}, "n_fft is '1e3', expected a whole number"),
        ({"n_fft": "9" * 5000}, "n_fft is '9999.*', expected a whole number"),
        ({"n_fft": "128"}, r"components have shape \(33, 4\), expected \(65"),
        ({"hop_length": "0"}, "hop_length is 0, expected at least 1"),
        ({"labels": '["a"]'}, "1 labels for 4"),
        ({"labels": "[" * 100_000}, "not a dictionary"),
        ({"labels": '{"a": 1}'}, "expected a sequence"),
        ({"sample_rate": "-1"}, "sample_rate is '-1', expected a whole number"),
        ({"divergences": "[1]"}, r"divergences are \[1\], expected {source:"),
        ({"divergences": '{"a": [[0, NaN]]}'}, "divergences of 'a' are not finite"),
        ({"divergences": '{"a": [[0, 1' + "0" * 400 + "]]}"}, "divergences of 'a' are not finite"),
        ({"model": "5"}, "model is '5', expected the entries n_iter, relaxation, memory, reach, weights, audible_hz"),
        ({"model": '["\x9b2J"]'}, r"model is '\[\"\\x9b2J\"\]', expected the entries"),
        ({"model": "{"}, "not a dictionary of this version"),
        ({"model": model(colour=1)}, "expected the entries n_iter, relaxation, memory, reach, weights, audible_hz"),
        ({"model": model(n_iter=0)}, "n_iter is 0, expected 1 to 1000"),
        ({"model": model(n_iter=2.5)}, "n_iter is 2.5, expected a whole number"),
        ({"model": model(n_iter=10**9)}, "n_iter is 1000000000, expected 1 to 1000"),
        ({"model": model(memory=True)}, "model is .*, expected numbers"),
        ({"model": model(memory="0.9")}, "model is .*, expected numbers"),
        ({"model": model(memory=float("nan"))}, "memory is nan, expected from 0 to below 1"),
        ({"model": model(reach=0)}, "reach is 0, expected from 1e-12 to 1"),
        ({"model": model(relaxation=2)}, "relaxation is 2, expected from 1 to below 2"),
        ({"model": model(weights="12")}, "model is .*, expected numbers, and two of them as weights"),
        ({"model": model(weights=[1])}, r"weights are \(1.0,\), expected two positive numbers"),
        ({"model": model(weights=[1, [2]])}, "model is .*, expected numbers, and two of them as weights"),
        ({"tensors": {"components": np.ones((33, 4))}}, "components are float64, expected float32"),
        ({"tensors": {"components": np.full((33, 4), np.nan, np.float32)}}, "components hold negative or non-finite"),
        ({"tensors": {"components": -np.ones((33, 4), np.float32)}}, "components hold negative or non-finite"),
        ({"tensors": {"other": np.ones((33, 4), np.float32)}}, "unknown entries: 'components', 'other'"),
        (
            {"tensors": {n: np.ones((33, 4), np.float32) for n in ("components", "mask_components")}},
            "unknown entries: 'update_components'",
        ),
        (
            {"tensors": {f"x{n}": np.ones((1, 1), np.float32) for n in range(9)}},
            "missing or unknown entries: 'components', 'x0', 'x1', 'x2', 'x3', 'x4'",
        ),
    ],
)
def test_a_reader_refuses_what_it_does_not_know(tmp_path, changes, message):
    """An unknown format, key or array, or a value out of its range, is an error that names the file and the entry."""
    path = written(tmp_path, **changes)
    with pytest.raises(ValueError, match=f"changed.safetensors: .*{message}"):
        Dictionary.load(path)


def zipped():
    """Return a zip archive."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("a", "b")
    return archive.getvalue()


class Bomb:
    """Fail the test when a pickle of it is ever loaded."""

    def __reduce__(self):
        return pytest.fail, ("a pickle was loaded",)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        pickle.dumps(Bomb()),
        zipped(),
        struct.pack("<Q", 2**60) + b"{}",
        struct.pack("<Q", 300) + b"{}",
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 4) + b"[[]]",
        struct.pack("<Q", 60) + b'{"a":{"dtype":"\\u001b[2J","shape":[1],"data_offsets":[0,4]}}',
        struct.pack("<Q", 76) + b'{"components":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}}',
    ],
    ids=lambda data: f"{len(data)}-bytes",
)
def test_other_files_are_refused_in_one_printable_line(tmp_path, data):
    """A file of another kind is an error of one line, without anything that would move a cursor."""
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"x.safetensors: not a dictionary") as caught:
        Dictionary.load(path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["nothing", ".", "x" * 5000, "x\0"])
def test_a_file_that_is_not_there_is_named(tmp_path, monkeypatch, name):
    """A path of no file, of a folder, or that no file can have, is an error that names it."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"no such file, expected a dictionary file \(presets are loaded with"):
        Dictionary.load(name)


def test_a_file_that_is_too_large_is_neither_read_nor_written(tmp_path, monkeypatch):
    """The largest size holds for both ways, so that what was saved can be loaded."""
    small().save(tmp_path / "x")
    monkeypatch.setattr(file, "_LARGEST_FILE", 100)
    with pytest.raises(ValueError, match="x: larger than 0 MiB, too much for a dictionary"):
        Dictionary.load(tmp_path / "x")
    with pytest.raises(ValueError, match=r"y: cannot be written \(a dictionary file has at most 0 MiB"):
        small().save(tmp_path / "y")
    assert not (tmp_path / "y").exists()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_refused_or_still_a_valid_dictionary(tmp_path, data):
    """Whatever bytes are damaged or missing, the result is an error that names the file, or a valid dictionary."""
    data.draw(st.sampled_from([small, trained, complete]))().save(tmp_path / "good")
    content = bytearray((tmp_path / "good").read_bytes())
    cut = data.draw(st.integers(0, len(content)))
    for _ in range(data.draw(st.integers(0, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "bad").write_bytes(content[:cut] if data.draw(st.booleans()) else content)
    try:
        loaded = Dictionary.load(tmp_path / "bad")
    except ValueError as error:
        assert "bad: " in str(error)  # noqa: PT017  # either end is right, and this one must name the file
        return
    assert np.isfinite(loaded.components).all()
    np.testing.assert_allclose(loaded.components.sum(axis=0), 1, rtol=1e-5)
