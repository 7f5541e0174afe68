"""Dictionaries: valid from birth, combined, converted, stored, and safe to load from a stranger."""

import io
import json
import pickle
import struct
import zipfile

import numpy as np
import pytest
from conftest import random_dictionary
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from rtnmf import STFT, Dictionary, dictionary, load_preset, presets

SMALL = STFT(64, 16)


def small(**changes):
    """Return a valid dictionary of two sources, or one with something changed."""
    parts = {"components": np.arange(1, 133).reshape(33, 4), "labels": ("a", "a", "b", "b")}
    return Dictionary(**({**parts, "stft": SMALL, "sample_rate": 8000} | changes))


def test_columns_sum_to_one_and_are_read_only():
    """Columns sum to one and are read only."""
    components = np.random.default_rng(0).random((33, 4)).astype(np.float32)
    kept = components.copy()
    made = small(components=components)
    np.testing.assert_allclose(made.components.sum(axis=0), 1, rtol=1e-6)
    np.testing.assert_array_equal(components, kept)
    with pytest.raises(ValueError, match="read-only"):
        made.components[0] = 1
    with pytest.raises(AttributeError):
        made.sample_rate = 1


def test_sources_and_counts():
    """Sources and counts."""
    made = small(labels=("b", "a", "b", "a"))
    assert made.sources == ("b", "a")
    assert made.n_components == 4


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"components": np.ones((32, 4))}, ValueError, r"components have shape \(32, 4\), expected \(33, at least 1\)"),
        ({"components": np.ones((33, 0)), "labels": ()}, ValueError, "expected"),
        ({"components": -np.ones((33, 4))}, ValueError, "negative"),
        ({"components": np.full((33, 4), np.nan)}, ValueError, "non-finite"),
        ({"components": np.eye(33, 4) * [1, 1, 0, 1]}, ValueError, "component 2 is all zero"),
        ({"labels": ("a", "b")}, ValueError, "2 labels for 4 components"),
        ({"labels": "aabb"}, TypeError, "labels is 'aabb'"),
        ({"labels": ("a", "a", "b", 3)}, TypeError, "expected a sequence of strings"),
        ({"labels": ("a", "a", "b", "")}, ValueError, "source name ''"),
        ({"labels": ("a", "a", "b", "\x1b[2J")}, ValueError, "printable"),
        ({"labels": ("a", "a", "b", "x" * 65)}, ValueError, "1 to 64"),
        ({"stft": None}, TypeError, "stft is NoneType"),
        ({"sample_rate": 0}, ValueError, "sample_rate is 0"),
        ({"sample_rate": 44100.5}, ValueError, "sample_rate is 44100.5"),
        ({"sample_rate": "44100"}, TypeError, "sample_rate is '44100'"),
        ({"description": "a\x1b[31m"}, ValueError, "text .* is not usable"),
    ],
)
def test_invalid_dictionaries_are_never_born(changes, error, message):
    """Invalid dictionaries are never born."""
    with pytest.raises(error, match=message):
        small(**changes)


def test_select_keeps_the_columns_of_the_named_sources_in_their_order():
    """Select keeps the columns of the named sources in their order."""
    made = small(labels=("a", "b", "a", "c"))
    chosen = made.select("c", "a")
    assert chosen.labels == ("c", "a", "a")
    np.testing.assert_array_equal(chosen.components, made.components[:, [3, 0, 2]])


@pytest.mark.parametrize(
    ("sources", "message"),
    [(("x",), "no source 'x': choose from a, b"), ((), "one or more"), (("a", "a"), "different")],
)
def test_select_refuses(sources, message):
    """Select refuses."""
    with pytest.raises(ValueError, match=message):
        small().select(*sources)


def test_merge_joins_sources_and_texts():
    """Merge joins sources and texts."""
    one = small(description="one", licence="MIT", learned_from=("x.wav",))
    two = small(labels=("c", "c", "d", "d"), description="two", licence="MIT", learned_from=("y.wav",))
    merged = one.merge(two)
    assert merged.sources == ("a", "b", "c", "d")
    np.testing.assert_array_equal(merged.components[:, 4:], two.components)
    assert (merged.description, merged.licence, merged.learned_from) == ("one; two", "MIT", ("x.wav", "y.wav"))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (small(), "source 'a' is in more than one"),
        (small(labels=("c",) * 4, sample_rate=16000), r"sample rates 8000 and 16000 differ: use .at_rate\(8000\)"),
        (small(labels=("c",) * 4, stft=STFT(64, 8)), "settings .* differ"),
    ],
)
def test_merge_refuses(other, message):
    """Merge refuses."""
    with pytest.raises(ValueError, match=message):
        small().merge(other)


def test_another_rate_keeps_the_frequencies():
    """Another rate keeps the frequencies."""
    stft = STFT(2048, 512)
    peak_hz = 3000.0
    line = np.exp(-0.5 * ((np.arange(1025) * 44100 / 2048 - peak_hz) / 60) ** 2)[:, None]
    made = Dictionary(line, ("a",), stft, 44100)
    for rate, n_fft in ((48000, 2048), (16000, 1024), (8000, 512), (96000, 4096), (192000, 8192)):
        other = made.at_rate(rate)
        assert (other.stft.n_fft, other.sample_rate) == (n_fft, rate)
        heard_hz = (other.components[:, 0] * np.arange(other.stft.n_bins)).sum() * rate / n_fft
        assert heard_hz == pytest.approx(peak_hz, abs=2)
    assert made.at_rate(44100) is made


def test_another_rate_leaves_new_bins_empty_and_lost_components_out():
    """Another rate leaves new bins empty and lost components out."""
    low, high = np.zeros((33, 1)), np.zeros((33, 1))
    low[4], high[30] = 1, 1
    made = Dictionary(np.hstack([low, high]), ("a", "a"), SMALL, 16000)
    assert made.at_rate(8000).n_components == 1
    half = Dictionary(low + 3 * high, ("a",), SMALL, 16000)
    assert half.at_rate(8000).n_components == 1
    assert not made.at_rate(44100).components[60:].any()
    with pytest.raises(ValueError, match="b: nothing is left at 8000 Hz"):
        Dictionary(np.hstack([low, high]), ("a", "b"), SMALL, 16000).at_rate(8000)
    with pytest.raises(ValueError, match="cannot be made short enough"):
        made.at_rate(100)


def test_a_file_brings_everything_back_to_the_bit(tmp_path):
    """A file brings everything back to the bit."""
    made = random_dictionary(STFT(256, 8, latency=32), ("voice", "<b>ü & co</b>"))
    made = Dictionary(
        made.components, made.labels, made.stft, 16000, description="d", licence="MIT", learned_from=("é.wav",)
    )
    made.save(tmp_path / "x.safetensors")
    loaded = Dictionary.load(tmp_path / "x.safetensors")
    np.testing.assert_array_equal(loaded.components, made.components)
    for name in ("labels", "stft", "sample_rate", "description", "licence", "learned_from", "rtnmf_version"):
        assert getattr(loaded, name) == getattr(made, name)


def written(tmp_path, tensors=None, **changes):
    """Return the path of a file of a small dictionary with some entries replaced, or left out when None."""
    small().save(tmp_path / "good.safetensors")
    header = (tmp_path / "good.safetensors").read_bytes()
    metadata = json.loads(header[8 : 8 + struct.unpack("<Q", header[:8])[0]])["__metadata__"] | changes
    path = tmp_path / "changed.safetensors"
    array = {"components": np.ones((33, 4), np.float32)} if tensors is None else tensors
    path.write_bytes(save(array, {k: v for k, v in metadata.items() if v is not None}))
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "2"}, "format is '2', expected '1'"),
        ({"format": None}, "format is None"),
        ({"colour": "blue"}, "missing or unknown entries: colour"),
        ({"latency": None}, "missing or unknown entries: latency"),
        ({"n_fft": "1e3"}, "n_fft is '1e3'"),
        ({"n_fft": "9" * 5000}, "n_fft is"),
        ({"n_fft": "128"}, "components have shape"),
        ({"labels": '["a"]'}, "1 labels for 4"),
        ({"labels": "[" * 100_000}, "not a dictionary"),
        ({"labels": '{"a": 1}'}, "expected a sequence"),
        ({"sample_rate": "-1"}, "sample_rate is '-1'"),
        ({"tensors": {"components": np.ones((33, 4))}}, "components are float64"),
        ({"tensors": {"components": np.full((33, 4), np.nan, np.float32)}}, "non-finite"),
        ({"tensors": {"components": -np.ones((33, 4), np.float32)}}, "negative"),
        ({"tensors": {"other": np.ones((33, 4), np.float32)}}, "unknown entries: components, other"),
        (
            {"tensors": {n: np.ones((33, 4), np.float32) for n in ("components", "mask_components")}},
            "unknown entries: update_components",
        ),
    ],
)
def test_a_reader_refuses_what_it_does_not_know(tmp_path, changes, message):
    """A reader refuses what it does not know."""
    path = written(tmp_path, **changes)
    with pytest.raises(ValueError, match=f"changed.safetensors: .*{message}"):
        Dictionary.load(path)


def zipped():
    """Return a zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a", "b")
    return file.getvalue()


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
        struct.pack("<Q", 76) + b'{"components":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}}',
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path, data):
    """Other files are refused in one line."""
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"x.safetensors: not a dictionary") as caught:
        Dictionary.load(path)
    assert "\n" not in str(caught.value)


def test_missing_files_and_files_too_large_are_refused(tmp_path, monkeypatch):
    """Missing files and files too large are refused."""
    with pytest.raises(ValueError, match="nothing: no such file"):
        Dictionary.load(tmp_path / "nothing")
    with pytest.raises(ValueError, match="no such file"):
        Dictionary.load(tmp_path)
    small().save(tmp_path / "x")
    monkeypatch.setattr(dictionary, "_LARGEST_FILE", 100)
    with pytest.raises(ValueError, match="too much for a dictionary"):
        Dictionary.load(tmp_path / "x")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_refused_or_still_a_valid_dictionary(tmp_path, data):
    """A damaged file is refused or still a valid dictionary."""
    small().save(tmp_path / "good")
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


def test_presets_are_there_share_their_settings_and_say_whose_they_are():
    """Presets are there share their settings and say whose they are."""
    wanted = ["speech", "keyboard", "drums", "bass", "piano", "guitar", "strings", "flute", "trumpet", "tabla"]
    assert {*wanted, "hiss", "birds"} <= set(presets())
    loaded = [load_preset(name) for name in presets()]
    merged = loaded[0].merge(*loaded[1:])
    assert merged.sources == presets()
    for name, preset in zip(presets(), loaded, strict=True):
        assert preset.sources == (name,)
        assert preset.licence
        assert preset.learned_from
    with pytest.raises(ValueError, match="no preset 'kazoo': choose from bass, birds"):
        load_preset("kazoo")


def trained():
    """Return a dictionary with columns trained to tell its sources apart."""
    rng = np.random.default_rng(0)
    return small(update_components=rng.random((33, 4)) + 0.1, mask_components=rng.random((33, 4)) + 0.1)


def test_trained_columns_are_saved_converted_and_reordered(tmp_path):
    """Trained columns are saved, converted to a rate or latency and reordered with the components."""
    made = trained()
    made.save(tmp_path / "d.safetensors")
    loaded = Dictionary.load(tmp_path / "d.safetensors")
    turned = made.select("b", "a")
    doubled = made.at_rate(16000)
    for name in ("update_components", "mask_components"):
        columns = getattr(made, name)
        np.testing.assert_allclose(columns.sum(axis=0), 1, rtol=1e-6)
        np.testing.assert_array_equal(getattr(loaded, name), columns)
        np.testing.assert_array_equal(getattr(turned, name), columns[:, [2, 3, 0, 1]])
        assert getattr(doubled, name).shape == doubled.components.shape
        np.testing.assert_array_equal(getattr(made.at_latency(2), name), columns)
    assert made.at_rate(16000).is_trained


def test_other_sources_make_the_training_void():
    """A dictionary of fewer or more sources is untrained, and says nothing else of the sources that stay."""
    made = trained()
    for other in (made.select("a"), made.untrained(), made.select("a").merge(small(labels=("c", "c", "d", "d")))):
        assert not other.is_trained
        assert other.mask_components is None
    assert made.merge().is_trained


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"update_components": np.ones((33, 4))}, "only one of update_components and mask_components is given"),
        (
            {"update_components": np.ones((33, 4)), "mask_components": np.ones((33, 3))},
            r"mask_components have shape \(33, 3\), expected that of components, \(33, 4\)",
        ),
        ({"update_components": np.ones((33, 4)), "mask_components": -np.ones((33, 4))}, "negative"),
    ],
)
def test_trained_columns_that_do_not_fit_are_refused(changes, message):
    """Trained columns that do not fit are refused."""
    with pytest.raises(ValueError, match=message):
        small(**changes)
