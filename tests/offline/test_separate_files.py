"""Many files through the engine in one call, their formats and names, and one stem to a pipe."""

import io
import subprocess

import numpy as np
import pytest
import soundfile
from conftest import random_dictionary

from rtnmf import STFT, files, separate, separate_file, separate_files
from rtnmf.offline import separation

DICTIONARY = random_dictionary(STFT(512, 128), ("a", "b"), trained=True)
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, (20_000, 2)).astype(np.float32)


def write(path, x=NOISE, rate=16000):
    """Write a mixture of floats and return its path."""
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, x, rate, "FLOAT", format="RF64" if path.suffix == ".rf64" else "WAV")
    return path


def stems_of(paths):
    """Return the samples of written stems."""
    return np.stack([files.read(path)[0] for path in paths.values()])


def test_many_files_give_what_each_gives_alone_to_the_bit(tmp_path, monkeypatch):
    """Each mixture has the stems that it has alone, whatever was separated before it; separators are made once each."""
    made, make = [], separation.Separator
    monkeypatch.setattr(
        separation, "Separator", lambda *args, **options: made.append(options) or make(*args, **options)
    )
    mixes = [write(tmp_path / f"{i}.wav", np.roll(NOISE, i, axis=0)[: 19_000 + i, : 1 + i % 2]) for i in range(6)]
    written = dict(separate_files(mixes, DICTIONARY, tmp_path / "out"))
    assert [(options["sample_rate"], options["n_channels"]) for options in made[1:]] == [(16000, 1), (16000, 2)]
    assert list(written) == mixes
    for mix in mixes:
        assert written[mix]["a"] == tmp_path / "out" / mix.stem / "a.wav"
        np.testing.assert_array_equal(stems_of(written[mix]), separate(files.read(mix)[0], DICTIONARY))


@pytest.mark.usefixtures("hardly_joined")
def test_names_are_loaded_at_the_rate_of_each_mixture(tmp_path):
    """A dictionary that is named is loaded for each rate, as for a single file, and each conversion is said once."""
    mixes = [write(tmp_path / f"{i}.wav", rate=rate) for i, rate in enumerate((16000, 22050, 16000))]
    with pytest.warns(UserWarning, match="converted to") as said:
        written = dict(separate_files(mixes, "speech+keyboard", tmp_path / "many"))
    assert len([w for w in said if "converted to" in str(w.message)]) == 4
    for mix in mixes:
        with pytest.warns(UserWarning, match="converted to"):
            alone = separate_file(mix, "speech+keyboard", tmp_path / "alone" / mix.stem)
        np.testing.assert_array_equal(stems_of(written[mix]), stems_of(alone))


def test_mixtures_of_one_name_have_folders_of_their_own(tmp_path):
    """Mixtures of the same name do not get into each other's way, with a folder or beside the mixtures."""
    mixes = [write(tmp_path / "x" / "mix.wav"), write(tmp_path / "y" / "mix.wav"), write(tmp_path / "x" / "mix.rf64")]
    for folder, places in (
        (tmp_path / "out", ("mix", "mix-2", "mix-3")),
        (None, ("mix-stems", "mix-stems", "mix-stems-2")),
    ):
        for _ in range(2):
            written = list(separate_files(mixes, DICTIONARY, folder, overwrite=True))
            assert [paths["a"].parent.name for _, paths in written] == list(places)
    written = list(separate_files(mixes, DICTIONARY, tmp_path / "out"))
    assert [paths["a"].parent.name for _, paths in written] == ["mix-4", "mix-2-2", "mix-3-2"]


def test_one_that_cannot_be_read_does_not_stop_the_others(tmp_path):
    """What cannot be separated is a warning, the rest is separated, and in the end there is an error."""
    mixes = [write(tmp_path / "1.wav"), tmp_path / "2.wav", write(tmp_path / "3.wav")]
    with pytest.raises(ValueError, match=r"2.wav: no such file"):
        separate_files(mixes, DICTIONARY, tmp_path / "out")
    mixes[1].write_text("no sound")
    written = separate_files(mixes, DICTIONARY, tmp_path / "out")
    assert next(written)[0] == mixes[0]
    with pytest.warns(UserWarning, match=r"not separated: .*2.wav: not an audio file"):
        assert next(written)[0] == mixes[2]
    with pytest.raises(ValueError, match=r"1 of 3 files could not be separated, the first: .*2.wav: not an audio"):
        next(written)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["1", "3"]


def test_progress_is_that_of_all_files(tmp_path):
    """Progress grows over all mixtures, in bytes, and names each."""
    mixes, calls = [write(tmp_path / "a.wav"), write(tmp_path / "b.wav", NOISE[:10_000])], []
    list(separate_files(mixes, DICTIONARY, tmp_path / "out", progress=lambda *call: calls.append(call)))
    total = sum(mix.stat().st_size for mix in mixes)
    assert calls[0] == ("a.wav 1 s", mixes[0].stat().st_size * 16000 // 20_000, total)
    assert calls[-1] == ("b.wav 1 s", total, total)
    assert [call[1] for call in calls] == sorted(call[1] for call in calls)


def test_nothing_that_was_there_is_replaced(tmp_path):
    """Clips beside the mixture, and earlier stems, stay; new stems get one number, and a folder of ours a new name."""
    mix = write(tmp_path / "mix.wav")
    clip = (tmp_path / "b.wav", b"a clip of b")
    clip[0].write_bytes(clip[1])
    first = separate_file(mix, DICTIONARY, tmp_path)
    assert [path.name for path in first.values()] == ["a-2.wav", "b-2.wav"]
    assert [path.name for path in separate_file(mix, DICTIONARY, tmp_path).values()] == ["a-3.wav", "b-3.wav"]
    assert [path.name for path in separate_file(mix, DICTIONARY, tmp_path, gains={}).values()] == ["mix-remix.wav"]
    assert [path.name for path in separate_file(mix, DICTIONARY, tmp_path, gains={}).values()] == ["mix-remix-2.wav"]
    assert [separate_file(mix, DICTIONARY)["a"].parent.name for _ in range(2)] == ["mix-stems", "mix-stems-2"]
    assert separate_file(mix, DICTIONARY, overwrite=True)["a"].parent.name == "mix-stems"
    assert clip[0].read_bytes() == clip[1]
    separate_file(mix, DICTIONARY, tmp_path, overwrite=True)
    assert soundfile.info(clip[0]).frames == len(NOISE)


@pytest.mark.parametrize(
    ("format", "tolerance"), [("flac", 2e-7), ("aiff", 0), ("mp3", 0.1), ("ogg", 0.02), ("opus", 0.2)]
)
def test_every_format_is_as_long_as_the_mixture(tmp_path, speech, format, tolerance):  # noqa: A002
    """Stems of every format have the number of samples of the mixture, in time, and sound as they should."""
    mix = write(tmp_path / "mix.wav", speech[:, None])
    paths = separate_file(mix, DICTIONARY, tmp_path / "out", format=format)
    for path, stem in zip(paths.values(), separate(speech[:, None], DICTIONARY), strict=True):
        assert path.suffix == f".{format}"
        x, _ = files.read(path, 16000)  # Opus is decoded at 48 kHz
        assert x.shape == stem.shape
        assert np.sqrt(np.mean((x - stem) ** 2) / np.mean(stem**2)) <= tolerance


@pytest.mark.parametrize(("name", "suffix"), [("x.mp2", ".wav"), ("x.wav", ".wav"), ("x.m4a", ".wav")])
@pytest.mark.filterwarnings("ignore:.* files are separated into WAV")
def test_mixtures_that_are_compressed_have_outputs_that_can_be_written(tmp_path, speech, name, suffix):
    """MP2, MPEG in WAV and m4a become WAV of 24 bits, as long as what is decoded, with title and artist."""
    write(tmp_path / "source.wav", speech[:, None])
    codec = ["-c:a", "libmp3lame"] if name == "x.wav" else []
    line = ["ffmpeg", "-loglevel", "error", "-i", tmp_path / "source.wav", "-metadata", "title=T", *codec]
    subprocess.run([*line, tmp_path / name], check=True)
    paths = separate_file(tmp_path / name, DICTIONARY)
    x, _ = files.read(tmp_path / name)
    np.testing.assert_allclose(sum(stems_of(paths)), x, atol=1e-6)
    for path in paths.values():
        assert (path.suffix, soundfile.info(path).subtype) == (suffix, "PCM_24")
        with files.AudioReader(path) as stem:
            assert stem.tags.texts == ({} if name == "x.mp2" else {"title": "T"})  # MP2 has none


def test_one_stem_goes_to_a_stream(tmp_path):
    """A stream gets the stem as WAV, to the bit what a file gets; a remix too; an unknown source is refused."""
    mix = write(tmp_path / "mix.wav")
    for source, gains in (("b", None), ("remix", {"a": 0.5})):
        stream = io.BytesIO()
        separation.separate_to(stream, mix, DICTIONARY, source, gains=gains)
        (tmp_path / "x.wav").write_bytes(stream.getvalue())
        written = separate_file(mix, DICTIONARY, tmp_path / "out", gains=gains, overwrite=True)[source]
        np.testing.assert_array_equal(files.read(tmp_path / "x.wav")[0], files.read(written)[0])
    stream = io.BytesIO()
    with pytest.raises(ValueError, match="there is no source 'c': choose from a, b"):
        separation.separate_to(stream, mix, DICTIONARY, "c")
    assert not stream.getvalue()


def test_a_failure_half_way_leaves_nothing_to_the_next(tmp_path):
    """What follows a mixture that broke off half-way has the stems that it has alone."""
    mixes = [write(tmp_path / "0.wav", np.tile(NOISE, (3, 1))), write(tmp_path / "1.wav")]
    mixes[0].write_bytes(mixes[0].read_bytes()[:-40_000])
    written = separate_files(mixes, DICTIONARY, tmp_path / "out", strict=True)
    with pytest.warns(UserWarning, match=r"not separated: .*0.wav: is cut off"):
        assert next(written)[0] == mixes[1]
    np.testing.assert_array_equal(files.read(tmp_path / "out" / "1" / "a.wav")[0], separate(NOISE, DICTIONARY)[0])
    assert not (tmp_path / "out" / "0").exists()
