"""Whole files through the engine."""

import os

import numpy as np
import pytest
import soundfile
from bands import mixture, voice_and_rest
from conftest import random_dictionary

from rtnmf import STFT, Mixer, Separator, files, separate, separate_file, separate_files
from rtnmf.engine.streaming import aligned

DICTIONARY = random_dictionary(STFT(512, 128), ("a", "b/c"), trained=True)


@pytest.fixture
def mix(tmp_path, speech):
    """Return the path of a stereo mixture of three seconds, and its samples."""
    x = np.stack([speech, 0.5 * speech[::-1]], axis=1)
    files.write(tmp_path / "mix.wav", x, 16000, "FLOAT")
    return tmp_path / "mix.wav", x


def test_files_hold_the_samples_that_separate_gives(mix, tmp_path):
    """One file per source, named after it, in the format of the mixture, bit for bit what `separate` returns."""
    path, x = mix
    paths = separate_file(path, DICTIONARY, tmp_path / "out")
    assert {source: path.name for source, path in paths.items()} == {"a": "a.wav", "b/c": "b_c.wav"}
    for stem, written in zip(separate(x, DICTIONARY), paths.values(), strict=True):
        np.testing.assert_array_equal(files.read(written)[0], stem)


def test_gains_write_one_remix_beside_the_mixture(mix):
    """With gains there is one file, the stems times their gains, in NAME-stems when no folder is given."""
    path, x = mix
    paths = separate_file(path, DICTIONARY, gains={"a": 0.25})
    assert paths == {"remix": path.with_name("mix-stems") / "mix-remix.wav"}
    stems = separate(x, DICTIONARY)
    np.testing.assert_allclose(files.read(paths["remix"])[0], 0.25 * stems[0] + stems[1], atol=1e-6)


@pytest.mark.parametrize("length", [1, 300, 512, 5000])
def test_blocks_are_aligned_and_as_long_as_the_signal(speech, length):
    """In blocks of any length, what is yielded is the separated signal without its latency."""
    x = speech[:4321, None]
    blocks = np.split(x, range(length, len(x), length))
    stems = np.concatenate(list(aligned(Separator(DICTIONARY), blocks)), axis=1)
    np.testing.assert_array_equal(stems, separate(x, DICTIONARY))


def test_a_mixer_as_gains_mixes_dry_and_wet(speech):
    """Separating with a mixer gives its one output, the dry part aligned with the stems."""
    x = speech[:6000]
    stems = separate(x, DICTIONARY)
    output = separate(x, DICTIONARY, gains=Mixer(DICTIONARY.sources, {"a": 0.5}, wet=0.75))
    np.testing.assert_allclose(output[0], 0.75 * (0.5 * stems[0] + stems[1]) + 0.25 * x, atol=1e-6)


def test_progress_counts_the_samples_of_the_file(mix, tmp_path):
    """Progress names the second reached, and ends at the length of the file."""
    calls = []
    separate_file(mix[0], DICTIONARY, tmp_path / "out", progress=lambda *call: calls.append(call))
    assert calls[:2] == [("1 s", 16000, 48000), ("2 s", 32000, 48000)]
    assert calls[-1] == ("3 s", 48000, 48000)


def test_clipped_samples_are_counted_in_a_warning(tmp_path, speech):
    """A remix above full scale in whole numbers is cut off, and it is said how much."""
    files.write(tmp_path / "mix.wav", speech, 16000)
    with pytest.warns(UserWarning, match=r"mix-remix.wav: samples above full scale were cut off \(\d+\)"):
        separate_file(tmp_path / "mix.wav", DICTIONARY, gains={"a": 10, "b/c": 10})


def test_what_cannot_be_done_is_refused_and_leaves_nothing(mix, tmp_path):
    """One source alone, an unknown source, or the mixture as its own output raise, and no file appears."""
    path, _ = mix
    with pytest.raises(
        ValueError, match=r"one source only: add what it is to be separated from, as in dictionary \+ rtnmf"
    ):
        separate_file(path, DICTIONARY.select("a"), tmp_path / "out")
    with pytest.raises(ValueError, match="there is no source 'drum'"):
        separate_file(path, DICTIONARY, tmp_path / "out", gains={"drum": 1})
    path.rename(tmp_path / "a.wav")
    with pytest.raises(ValueError, match=r"a.wav: is the mixture itself: choose another folder"):
        separate_file(tmp_path / "a.wav", DICTIONARY, tmp_path, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_a_folder_that_cannot_be_made_is_refused_before_the_rest_is_learned(tmp_path):
    """Nothing is done before, whether there is one mixture or several."""
    dictionary, mix = voice_and_rest(), tmp_path / "mix.wav"
    files.write(mix, mixture(2, dictionary.sample_rate), dictionary.sample_rate)
    stages = []
    settings = {"progress": lambda stage, *_: stages.append(stage)}
    with pytest.raises(ValueError, match="cannot make this folder"):
        separate_file(mix, dictionary, mix / "out", **settings)
    with pytest.warns(UserWarning, match="not separated"), pytest.raises(ValueError, match="cannot make this folder"):
        list(separate_files([mix], dictionary, mix, **settings))
    assert not stages


def test_a_mixture_may_have_the_longest_name_that_there_is(tmp_path, speech):
    """What is named after it is cut, by bytes, so that a file system takes it."""
    mix = tmp_path / f"{'é' * 125}.wav"
    files.write(mix, speech[:5000], 16000)
    remix = separate_file(mix, DICTIONARY, gains={"a": 0.5})["remix"]
    assert remix == tmp_path / f"{'é' * 100}-stems" / f"{'é' * 100}-remix.wav"
    assert remix.is_file()


def test_only_a_dictionary_or_a_name_is_taken_for_one(mix):
    """What is neither a dictionary nor a name is refused; a name of one source alone too."""
    with pytest.raises(TypeError, match="dictionary is int, expected a Dictionary: load or learn one"):
        separate_file(mix[0], 3)
    with pytest.raises(ValueError, match="speech has one source only: add what it is to be separated from"):
        separate_file(mix[0], "speech")


def test_a_compressed_mixture_gives_wav_of_24_bits_as_long_as_it_sounds(mix, tmp_path):
    """Stems of an MP3 are WAV with 24 bits, as many samples as are decoded, and sum to them; progress is in bytes."""
    soundfile.write(tmp_path / "mix.mp3", mix[1], 16000)
    calls = []
    with pytest.warns(UserWarning, match=r"\.mp3 files are separated into WAV of 24 bits: choose another with format="):
        paths = separate_file(
            tmp_path / "mix.mp3", DICTIONARY, tmp_path / "o", progress=lambda *call: calls.append(call)
        )
    x, _ = files.read(tmp_path / "mix.mp3")
    assert [path.name for path in paths.values()] == ["a.wav", "b_c.wav"]
    assert {soundfile.info(path).subtype for path in paths.values()} == {"PCM_24"}
    np.testing.assert_allclose(sum(files.read(path)[0] for path in paths.values()), x, atol=1e-6)
    n_bytes = (tmp_path / "mix.mp3").stat().st_size
    assert calls[-1][1:] == (n_bytes, n_bytes)


def test_damage_is_a_warning_and_refused_where_strict(mix, tmp_path):
    """A mixture that is cut off is separated as far as it goes; `strict` refuses it and leaves nothing."""
    path, x = mix
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"mix.wav: is cut off"):
        separate_file(path, DICTIONARY, tmp_path / "out", strict=True)
    assert not (tmp_path / "out").exists()
    with pytest.warns(UserWarning, match=r"mix.wav: is cut off at 0:01.5, 1.5 s are missing"):
        paths = separate_file(path, DICTIONARY, tmp_path / "out")
    n = len(files.read(paths["a"])[0])
    np.testing.assert_array_equal(files.read(paths["a"])[0], separate(x[:n], DICTIONARY)[0])


def test_a_mixture_whose_name_is_not_utf8_is_separated(mix):
    """Names of Latin-1 bytes stay what they are in the folder of the stems."""
    path = os.fsdecode(os.fsencode(mix[0].with_name("caf")) + b"\xe9.wav")
    mix[0].rename(path)
    paths = separate_file(path, DICTIONARY)
    assert os.fsencode(paths["a"]).endswith(b"/caf\xe9-stems/a.wav")
    np.testing.assert_array_equal(files.read(paths["a"])[0], separate(mix[1], DICTIONARY)[0])
