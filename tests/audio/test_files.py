"""Audio files."""

import os
import resource

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
        ("cut-header", "not an audio file|holds no samples"),
    ],
)
def test_files_that_are_no_sound_are_named(tmp_path, kind, message):
    """What cannot be read raises, naming the file and what is wrong with it."""
    with pytest.raises(ValueError, match=f"{kind}.wav: .*({message})"):
        files.read(broken(tmp_path, kind))


def test_writing_says_what_it_cuts_off_and_refuses_what_is_no_number(tmp_path):
    """Samples above full scale are counted in a warning, and NaN is not written."""
    with pytest.warns(UserWarning, match=r"x.wav: samples above full scale were cut off \(1\): subtype='FLOAT'"):
        files.write(tmp_path / "x.wav", np.array([0.5, 2.0]), 8000)
    with pytest.raises(ValueError, match="NaN or infinite"):
        files.write(tmp_path / "y.wav", np.array([0.5, np.nan]), 8000)
    assert not (tmp_path / "y.wav").exists()


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((1000, 2), np.int16), "array of int16, expected floats with full scale at 1"),
        (np.zeros((2, 1000)), r"shape \(2, 1000\): n_channels is 1000, .* pass x.T"),
        (np.zeros((2, 10, 1)), r"shape \(2, 10, 1\), expected \(n_samples,\) or"),
    ],
)
def test_what_is_no_signal_is_refused_in_words(tmp_path, x, message):
    """Whole numbers, an array the other way round, and one of three axes are refused, and nothing is written."""
    with pytest.raises(ValueError, match=f"x.wav: not written, x .*{message}"):
        files.write(tmp_path / "x.wav", x, 8000)
    assert not list(tmp_path.iterdir())


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


@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [("wav", "PCM_16"), ("flac", "PCM_16"), ("ogg", "OPUS"), ("ogg", "VORBIS"), ("mp3", None), ("aiff", None)],
)
@pytest.mark.parametrize("missing_bytes", [1, 100, 4000])
def test_a_full_disk_is_said_also_where_it_fills_at_the_end(tmp_path, suffix, subtype, missing_bytes):
    """Running out of space raises, even for the last byte at closing, and the file that was there is untouched."""
    x, path = noise(60_000, 1), tmp_path / f"x.{suffix}"
    files.write(path, x, 48000, subtype)
    room = path.stat().st_size - missing_bytes
    path.write_text("old")
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, most[1]))
    try:
        with pytest.raises(ValueError, match=rf"x\.{suffix}: cannot be written \(File too large"):
            files.write(path, x, 48000, subtype)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_names_need_not_be_utf8(tmp_path):
    """A name of Latin-1 bytes is written, read, and named in errors without them."""
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav")
    files.write(path, noise(), 8000, "FLOAT")
    np.testing.assert_array_equal(files.read(path)[0], noise())
    with pytest.raises(ValueError, match="caf\N{REPLACEMENT CHARACTER}" + r"\.wav: not written") as caught:
        files.write(path, np.zeros(10, int), 8000)
    str(caught.value).encode()


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
            r"shape \(1, 2, 3\), expected \(n_samples,\) or",
        ),
        (lambda path: files.write(path, np.zeros(3, complex), 8000), ValueError, "x is an array of complex128"),
        (
            lambda path: files.write(path, np.zeros(3, np.int16), 8000),
            ValueError,
            "array of int16, expected floats with full",
        ),
    ],
)
def test_arguments_are_checked_before_a_file_is_touched(tmp_path, call, error, message):
    """A rate, a duration or samples of no use raise by name, whether the file is there or not."""
    with pytest.raises(error, match=message):
        call(tmp_path / "x.wav")
    assert not list(tmp_path.iterdir())


def test_a_name_that_the_system_does_not_take_is_said_in_its_words():
    """A path that is too long to be looked up raises what the system says of it."""
    with pytest.raises(ValueError, match=r"cannot be opened .*File name too long"):
        files.read("x" * 300)


@pytest.mark.parametrize("suffix", [".raw", ".PCM", ".al"])
def test_bare_samples_are_called_so(tmp_path, suffix):
    """A file of samples without a header is refused with the command that gives it one."""
    path = tmp_path / f"take{suffix}"
    path.write_bytes(bytes(range(1, 255)) * 100)
    bare = r"take\.\w+: holds bare samples, and nothing says at which rate .*: sox -t raw"
    with pytest.raises(ValueError, match=bare):
        files.read(path)


def test_a_name_that_is_too_long_is_called_so(tmp_path):
    """What cannot be opened because of its name says so, and the remedy."""
    with pytest.raises(ValueError, match=r"cannot be opened .File name too long: choose a shorter name"):
        files.read(tmp_path / f"{'n' * 300}.wav")


def test_a_new_recording_replaces_nothing_and_is_its_owners_alone(tmp_path):
    """It gets the first number that is free, and is 0600."""
    x = np.zeros(10, np.float32)
    paths = [files.write_new(tmp_path / "take.wav", x, 16000, "FLOAT") for _ in range(3)]
    assert [path.name for path in paths] == ["take.wav", "take-2.wav", "take-3.wav"]
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
    with pytest.raises(ValueError, match="NaN"):
        files.write_new(tmp_path / "take.wav", x * np.nan, 16000)
