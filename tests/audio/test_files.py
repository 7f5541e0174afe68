"""Audio files."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile

from rtnmf.audio import files


def noise(n_samples=1000, n_channels=2):
    """Return white noise."""
    return np.random.default_rng(0).uniform(-0.9, 0.9, (n_samples, n_channels)).astype(np.float32)


@pytest.mark.parametrize(
    ("suffix", "subtype", "tolerance"),
    [
        ("wav", "PCM_16", 4e-5),
        ("wav", "PCM_24", 2e-7),
        ("wav", "DOUBLE", 0),
        ("flac", None, 4e-5),
        ("aiff", None, 4e-5),
    ],
)
@pytest.mark.parametrize("n_channels", [1, 2, 6])
def test_what_was_written_is_read(tmp_path, suffix, subtype, tolerance, n_channels):
    """A signal comes back from each format, with its rate and channels."""
    path, x = tmp_path / f"x.{suffix}", noise(1000, n_channels)
    files.write(path, x, 96000, subtype)
    y, rate = files.read(path)
    assert rate == 96000
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, x, atol=tolerance)
    assert files.duration_s(path) == 1000 / 96000


def test_reading_converts_the_rate(tmp_path):
    """Reading at another rate returns that rate and as many seconds."""
    t = np.arange(8000) / 8000
    files.write(tmp_path / "x.wav", np.sin(2 * np.pi * 440 * t), 8000)
    y, rate = files.read(tmp_path / "x.wav", 44100)
    assert (rate, y.shape) == (44100, (44100, 1))
    np.testing.assert_allclose(
        y[5000:-5000, 0], np.sin(2 * np.pi * 440 * np.arange(44100) / 44100)[5000:-5000], atol=1e-3
    )
    np.testing.assert_array_equal(files.resample(y, 44100, 44100), y)


def test_streaming_gives_the_whole_file_in_blocks(tmp_path):
    """The blocks of a stream are the file, in order, the last one shorter."""
    files.write(tmp_path / "x.wav", noise(1000), 8000, "FLOAT")
    with files.open_audio(tmp_path / "x.wav") as file:
        blocks = list(files.stream(file, 300))
    assert [len(block) for block in blocks] == [300, 300, 300, 100]
    np.testing.assert_array_equal(np.concatenate(blocks), noise(1000))


def broken(tmp_path, kind):
    """Return the path of a file that is wrong in some way."""
    path = tmp_path / f"{kind}.wav"
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("this is no sound " * 100)
    elif kind == "no-samples":
        soundfile.write(path, np.zeros((0, 1)), 8000)
    elif kind == "folder":
        path.mkdir()
    elif kind in ("nan", "inf"):
        soundfile.write(path, np.array([0, float(kind), 0]), 8000, "FLOAT")
    elif kind == "cut-header":
        soundfile.write(path, noise(), 8000)
        path.write_bytes(path.read_bytes()[:20])
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "no such file"),
        ("empty", "the file is empty"),
        ("text", "not an audio file"),
        ("no-samples", "holds no samples"),
        ("folder", "not a file"),
        ("nan", "NaN or infinite"),
        ("inf", "NaN or infinite"),
        ("cut-header", "not an audio file|holds no samples"),
    ],
)
def test_files_that_are_no_sound_are_named(tmp_path, kind, message):
    """What cannot be read raises, naming the file and what is wrong with it."""
    with pytest.raises(ValueError, match=f"{kind}.wav: .*({message})"):
        files.read(broken(tmp_path, kind))


def test_a_truncated_file_is_refused_also_while_it_streams(tmp_path):
    """A file that is cut off raises when it is read whole, and when it is streamed."""
    path = tmp_path / "x.flac"
    files.write(path, noise(50_000), 8000)
    path.write_bytes(path.read_bytes()[:60_000])
    with pytest.raises(ValueError, match=r"x\.flac: .*make a new copy"):
        files.read(path)
    with files.open_audio(path) as file, pytest.raises(ValueError, match=r"x\.flac: .*make a new copy"):
        list(files.stream(file, 4096))


def test_a_sample_that_is_no_number_is_found_in_the_stream(tmp_path):
    """A NaN raises when its block is read."""
    with files.open_audio(broken(tmp_path, "nan")) as file, pytest.raises(ValueError, match="NaN"):
        list(files.stream(file, 2))


def test_a_truncated_wav_is_refused_but_one_of_unknown_length_is_not(tmp_path):
    """A truncated WAV is refused, but one whose header never got its length is read."""
    path = tmp_path / "x.wav"
    files.write(path, noise(50_000), 8000)
    whole = path.read_bytes()
    path.write_bytes(whole[:100_000])
    with pytest.raises(ValueError, match=r"x.wav: is cut off, 99956 of 200000 bytes of sound are there"):
        files.read(path)
    at = whole.index(b"data") + 4
    path.write_bytes(whole[:at] + b"\xff" * 4 + whole[at + 4 :])
    assert len(files.read(path)[0]) == 50_000


def test_writing_says_what_it_cuts_off_and_refuses_what_is_no_number(tmp_path):
    """Samples above full scale are counted in a warning, and NaN is not written."""
    with pytest.warns(UserWarning, match="x.wav: 1 samples were above full scale and cut off: subtype='FLOAT'"):
        files.write(tmp_path / "x.wav", np.array([0.5, 2.0]), 8000)
    with pytest.raises(ValueError, match="NaN or infinite"):
        files.write(tmp_path / "y.wav", np.array([0.5, np.nan]), 8000)
    assert not (tmp_path / "y.wav").exists()


def test_several_files_are_there_together_or_not_at_all(tmp_path):
    """After an error none of the files is there; without one all are."""
    paths = [tmp_path / "a.wav", tmp_path / "b.wav"]
    paths[0].write_text("old")
    with pytest.raises(RuntimeError), files.AudioWriter(paths, 8000, 1, "WAV") as writer:  # noqa: PT012
        writer.write(np.zeros((2, 100, 1), np.float32))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == [paths[0]]
    assert paths[0].read_text() == "old"
    with files.AudioWriter(paths, 8000, 1, "WAV", "FLOAT") as writer:
        writer.write(np.zeros((2, 100, 1), np.float32))
        writer.write(np.ones((2, 50, 1), np.float32))
    assert [len(files.read(path)[0]) for path in paths] == [150, 150]


def test_samples_above_full_scale_are_counted_where_they_are_cut(tmp_path):
    """Clipped samples are counted per file for integer formats only."""
    loud = np.array([[0.5, 1.5, -2.0]], np.float32)[:, :, None]
    for subtype, n_clipped in (("PCM_16", 2), ("FLOAT", 0)):
        with files.AudioWriter([tmp_path / "x.wav"], 8000, 1, "WAV", subtype) as writer:
            writer.write(loud)
        assert writer.n_clipped == [n_clipped]
    np.testing.assert_array_equal(files.read(tmp_path / "x.wav")[0], loud[0])


@pytest.mark.parametrize(
    ("name", "message"), [("x.xyz", "choose .wav or .flac"), ("x", "choose"), ("no/x.wav", "No such")]
)
def test_files_that_cannot_be_written_are_named(tmp_path, name, message):
    """A missing folder, an unknown format or a directory of that name raises, naming the path."""
    with pytest.raises(ValueError, match=f"{name}: cannot be written .*{message}"):
        files.write(tmp_path / name, noise(), 8000)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_said_and_leaves_the_old_file(tmp_path):
    """Running out of space raises, and the file that was there before is untouched."""
    path = tmp_path / "x.wav"
    path.write_text("old")
    code = """
import resource, signal, sys
import numpy as np
from rtnmf.audio import files
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    files.write(sys.argv[1], np.zeros(100_000), 8000)
except ValueError as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert "x.wav: cannot be written (" in said.stdout
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_source_names_become_different_file_names_that_a_disk_takes(tmp_path):
    """Separators, dots, cases, and scripts of several bytes a letter give names that are free, short and distinct."""
    names = ["a/b", "a:b", "A_B", "..", "drums", "drums", "\N{GRINNING FACE}" * 64, "\N{DEVANAGARI LETTER KA}" * 64]
    safe = files.safe_names(names)
    assert safe[:6] == ["a_b", "a_b-2", "A_B-3", "source", "drums", "drums-2"]
    assert len({name.lower() for name in safe}) == len(names)
    for name in safe:
        (tmp_path / f"{name}.part10.wav").touch()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda path: files.read(path, 0), ValueError, "sample_rate is 0, expected a whole number of Hz"),
        (lambda path: files.read(path, "8k"), TypeError, "sample_rate is '8k'"),
        (lambda path: files.read(path, seconds=-1), ValueError, "seconds is -1, expected a positive number"),
        (lambda path: files.read(path, seconds="all"), TypeError, "seconds is 'all', expected a number"),
        (lambda path: files.write(path, noise(), 0), ValueError, "sample_rate is 0, expected a whole number of Hz"),
        (
            lambda path: files.write(path, np.zeros((1, 2, 3)), 8000),
            ValueError,
            r"of shape \(1, 2, 3\), expected floats",
        ),
        (lambda path: files.write(path, np.zeros(3, complex), 8000), ValueError, "x is an array of complex128"),
        (lambda path: files.write(path, np.zeros(3, np.int16), 8000), ValueError, "int16 .* expected floats with full"),
    ],
)
def test_arguments_are_checked_before_a_file_is_touched(tmp_path, call, error, message):
    """A rate, a duration or samples of no use raise by name, whether the file is there or not."""
    with pytest.raises(error, match=message):
        call(tmp_path / "x.wav")
    assert not list(tmp_path.iterdir())


def test_a_name_that_the_system_does_not_take_is_no_such_file():
    """A path that is too long to be looked up raises as a missing file does."""
    with pytest.raises(ValueError, match="no such file"):
        files.read("x" * 300)
