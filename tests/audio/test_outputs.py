"""Which format outputs have, and which names."""

import numpy as np
import pytest
import soundfile

from rtnmf.audio import files, outputs

X = np.random.default_rng(0).uniform(-0.5, 0.5, (4000, 2)).astype(np.float32)


def written(path, subtype=None):
    """Write noise at 16 kHz and return its path."""
    soundfile.write(path, X, 16000, subtype)
    return path


@pytest.mark.parametrize(
    ("name", "subtype", "wished", "expected"),
    [
        ("x.wav", "PCM_16", (None, None), ("WAV", "PCM_16", ".wav")),
        ("x.WAV", "PCM_24", (None, None), ("WAV", "PCM_24", ".WAV")),
        ("x.wav", "GSM610", (None, None), ("WAV", "PCM_24", ".wav")),
        ("x.flac", "PCM_16", (None, None), ("FLAC", "PCM_16", ".flac")),
        ("x.aif", "PCM_24", (None, None), ("AIFF", "PCM_24", ".aif")),
        ("x.ogg", "VORBIS", (None, None), ("WAV", "PCM_24", ".wav")),
        ("x.opus", "OPUS", ("flac", None), ("FLAC", "PCM_24", ".flac")),
        ("x.wav", "FLOAT", ("flac", None), ("FLAC", "PCM_24", ".flac")),
        ("x.aiff", "PCM_S8", ("wav", None), ("WAV", "PCM_16", ".wav")),
        ("x.wav", "DOUBLE", ("wav", None), ("WAV", "DOUBLE", ".wav")),
        ("x.wav", "PCM_16", (None, "float"), ("WAV", "FLOAT", ".wav")),
        ("x.wav", "PCM_16", ("aiff", "pcm32"), ("AIFF", "PCM_32", ".aiff")),
        ("x.wav", "PCM_16", ("mp3", None), ("MP3", "MPEG_LAYER_III", ".mp3")),
        ("x.wav", "PCM_16", ("ogg", None), ("OGG", "VORBIS", ".ogg")),
        ("x.wav", "PCM_16", ("opus", None), ("OGG", "OPUS", ".opus")),
    ],
)
def test_formats_are_lossless_and_as_deep_unless_others_are_wished(tmp_path, name, subtype, wished, expected):
    """An output is as its input where that is lossless, and of 24 bits where it is compressed; a wish is granted."""
    x = X[:, :1] if subtype == "GSM610" else X
    container = {"opus": "OGG", "aif": "AIFF"}.get(name[-4:].lstrip("."))
    soundfile.write(tmp_path / name, x, 16000, subtype, format=container)
    with files.AudioReader(tmp_path / name) as mix:
        assert outputs.chosen_format(mix, *wished) == expected


def test_what_cannot_be_combined_is_refused(tmp_path):
    """A format or subtype that is unknown, or that do not go together, is an error that says what would do."""
    with files.AudioReader(written(tmp_path / "x.flac")) as mix:
        for wished, message in {
            ("wma", None): "format is 'wma', expected one of wav, flac, aiff, mp3, ogg, opus",
            (None, "pcm12"): "subtype is 'pcm12', expected one of pcm16, pcm24, pcm32, float, double",
            ("flac", "float"): "subtype is 'float', but flac files hold pcm16 or pcm24",
            ("mp3", "pcm16"): "subtype is 'pcm16', but mp3 files hold MPEG_LAYER_III only",
            (None, "float"): "subtype is 'float', which FLAC files cannot hold: pass format='wav'",
        }.items():
            with pytest.raises(ValueError, match=message):
                outputs.chosen_format(mix, *wished)


@pytest.mark.parametrize(
    ("container", "subtype", "least"), [("MP3", "MPEG_LAYER_III", 160), ("OGG", "VORBIS", 160), ("OGG", "OPUS", 320)]
)
def test_compression_with_loss_has_a_high_bit_rate_and_keeps_the_length(tmp_path, container, subtype, least):
    """Stereo noise at 48 kHz has many more kbit/s than the encoders' defaults, and comes back as long and in time."""
    x = np.random.default_rng(0).normal(0, 0.05, (3 * 48000, 2)).astype(np.float32)
    x[70_000] = 0.9
    with files.AudioWriter([tmp_path / "x"], 48000, 2, container, subtype) as writer:
        writer.write([x])
    assert (tmp_path / "x").stat().st_size * 8 / 3 / 1000 > least
    y, _ = files.read(tmp_path / "x")
    assert y.shape == x.shape
    assert abs(y).max(axis=1).argmax() == 70_000


def test_all_names_get_the_same_number(tmp_path):
    """Where one name of several is taken, all get the first number that is free for all; a broken link is no room."""
    names = {"a": "voice", "b": "fan"}
    assert outputs.free_paths(tmp_path, names, ".wav") == {"a": tmp_path / "voice.wav", "b": tmp_path / "fan.wav"}
    (tmp_path / "fan.wav").touch()
    (tmp_path / "voice-2.wav").symlink_to("nowhere")
    assert outputs.free_paths(tmp_path, names, ".wav") == {"a": tmp_path / "voice-3.wav", "b": tmp_path / "fan-3.wav"}
    assert outputs.free_paths(tmp_path, names, ".wav", overwrite=True)["b"] == tmp_path / "fan.wav"
    assert outputs.free_path(tmp_path / "fan.wav") == tmp_path / "fan-2.wav"


def test_a_folder_that_is_made_for_nothing_goes_again(tmp_path):
    """On an error, what was made is removed unless something is in it; what was there before stays."""
    (tmp_path / "old").mkdir()
    for leaves in (False, True):
        with pytest.raises(KeyError), outputs.made_folder(tmp_path / "old" / "a" / "b", is_new=False) as folder:  # noqa: PT012
            if leaves:
                (folder / "x").touch()
            raise KeyError
        assert [path.name for path in tmp_path.rglob("*")] == (["old", "a", "b", "x"] if leaves else ["old"])


def test_a_new_folder_is_one_with_nothing_in_it(tmp_path):
    """An empty folder is taken, one that holds something is left alone, and so is a file of that name."""
    wish = tmp_path / "mix-stems"
    for name in ("mix-stems", "mix-stems", "mix-stems-2"):
        with outputs.made_folder(wish, is_new=True) as folder:
            assert folder == tmp_path / name
        if (tmp_path / "seen").exists():
            (folder / "x").touch()
        (tmp_path / "seen").touch()
    (tmp_path / "file").touch()
    with outputs.made_folder(tmp_path / "file", is_new=True) as folder:
        assert folder.name == "file-2"
    with (
        pytest.raises(ValueError, match="cannot make this folder"),
        outputs.made_folder(tmp_path / "file" / "a", is_new=False),
    ):
        pass


def test_a_new_folder_is_reserved_while_it_is_filled(tmp_path):
    """Two commands at once do not write into one folder, also where that is there and empty."""
    (tmp_path / "there").mkdir()
    for name in ("new", "there"):
        wish = tmp_path / name
        with outputs.made_folder(wish, is_new=True) as one, outputs.made_folder(wish, is_new=True) as other:
            assert [one.name, other.name] == [name, f"{name}-2"]


def test_a_name_that_no_system_takes_is_said(tmp_path):
    """A folder whose name is too long is refused with the remedy."""
    long = r"cannot make this folder .File name too long: choose a shorter name"
    with pytest.raises(ValueError, match=long), outputs.made_folder(tmp_path / ("n" * 300), is_new=True):
        pass


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("n_samples", [4000, None])
def test_a_wav_file_can_be_written_to_a_pipe(tmp_path, subtype, n_samples):
    """Header and samples are those that libsndfile writes, also where the header cannot tell the length."""
    path, usual = tmp_path / "x.wav", tmp_path / "usual.wav"
    header = outputs.wav_header(16000, 2, subtype, n_samples)
    path.write_bytes(header + outputs.encoded(X[:1000], 16000, subtype) + outputs.encoded(X[1000:], 16000, subtype))
    soundfile.write(usual, X, 16000, subtype)
    np.testing.assert_array_equal(files.read(path)[0], soundfile.read(usual, dtype="float32")[0])
    assert soundfile.info(path).subtype == subtype


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path):
    """Without overwrite, a file that somebody else has written by the time that ours is complete stays."""
    path = tmp_path / "x.wav"
    writer = files.AudioWriter([path], 16000, 2, "WAV", "FLOAT", overwrite=False)
    writer.write([X])
    path.write_text("other")
    with pytest.raises(ValueError, match=r"x.wav: cannot be written \(there is a file of that name by now"):
        writer.__exit__(None, None, None)
    assert path.read_text() == "other"
    assert [other.name for other in tmp_path.iterdir()] == ["x.wav"]
