"""`rtnmf export` and `rtnmf import`: bases that FluCoMa can read, and those that it wrote."""

import numpy as np
import pytest
import soundfile
from command_line import assert_refused, run
from conftest import random_dictionary

from rtnmf import STFT, Dictionary
from rtnmf.dictionary.bases import read_bases, write_bases

STEREO = STFT(256, 64)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_bases_have_a_channel_for_each_component_and_a_sample_for_each_bin(capsys):
    """The components of each source are channels side by side, to the bit, and the channels and settings are said."""
    made = random_dictionary(STEREO, ("kick", "snare"), 2, sample_rate=44100, trained=True)
    shuffled = Dictionary(made.components[:, [2, 0, 3, 1]], ("snare", "kick") * 2, STEREO, 44100)
    shuffled.save("drums.safetensors")
    made.save("trained.safetensors")
    assert run("export", "drums.safetensors", "-o", "bases.wav") == 0
    said = capsys.readouterr()
    assert said.out == "bases.wav: snare 1-2, kick 3-4\nin FluCoMa, at 44100 Hz: fftSettings 256 64 256\n"
    assert said.err == ""
    bases, rate = soundfile.read("bases.wav", dtype="float32")
    assert (bases.shape, rate, soundfile.info("bases.wav").subtype) == ((129, 4), 44100, "FLOAT")
    np.testing.assert_array_equal(bases, made.components[:, [2, 3, 0, 1]])
    assert run("export", "trained.safetensors", "-o", "bases.wav", "--overwrite") == 0
    assert "note: trained columns are left out" in capsys.readouterr().err


def test_what_was_exported_is_imported_to_the_bit(capsys):
    """A dictionary of many components comes back, each of them as a source."""
    made = random_dictionary(STFT(64, 16), ("a",), 300, sample_rate=16000)
    write_bases("bases.wav", made)
    assert run("import", "bases.wav", "-o", "back.safetensors") == 0
    assert (
        capsys.readouterr().out
        == "back.safetensors: 300 components, named after their channels, window 64, hop 16, 16000 Hz\n"
    )
    back = Dictionary.load("back.safetensors")
    np.testing.assert_array_equal(back.components, made.components)
    assert (back.stft, back.sample_rate, len(back.sources)) == (made.stft, 16000, 300)


def test_bases_of_bufnmf_need_the_rate_of_the_sound(capsys):
    """A buffer that BufNMF made has the rate of its bins: that of the sound has to be given, and is used."""
    bases = np.abs(np.random.default_rng(0).normal(size=(513, 3))) * 40
    soundfile.write("bases.wav", np.insert(bases, 1, 0, axis=1), 43, "FLOAT")
    line = ["import", "bases.wav", "-o", "x.safetensors"]
    assert_refused(line, "bases.wav: --rate is 43 in the file, which is the rate of its bins: give that", capsys)
    assert run(*line, "--rate", "44100", "--hop", "512") == 0
    assert "note: bases.wav: left out, as silent: channels 2\n" in capsys.readouterr().err
    loaded = Dictionary.load("x.safetensors")
    assert loaded.labels == ("component-1", "component-3", "component-4")
    assert (loaded.stft, loaded.sample_rate) == (STFT(1024, 512), 44100)
    np.testing.assert_allclose(loaded.components, bases / bases.sum(axis=0), rtol=1e-6)


def test_what_holds_no_bases_is_refused(capsys):
    """Sound, too many components, and names that are taken are one line, and nothing is written."""
    soundfile.write("sound.wav", np.sin(np.arange(129)), 8000)
    soundfile.write("short.wav", np.ones((2, 2)), 8000)
    line = ["import", "sound.wav", "-o"]
    assert_refused([*line, "x.safetensors"], "sound.wav: holds no bases, expected n_fft / 2 + 1 magnitudes", capsys)
    assert_refused([*line, "x.wav"], "expected a name that ends in .safetensors", capsys)
    with pytest.raises(ValueError, match=r"short.wav: holds no bases, .* it has 2 samples"):
        read_bases("short.wav")
    random_dictionary(STFT(4, 1), ("a",), 1025).save("many.safetensors")
    assert_refused(["export", "many.safetensors", "-o", "b.wav"], "has 1025 components, a WAV file has at most", capsys)
    assert_refused(["export", "many.safetensors", "-o", "b.txt"], "expected a name that ends in .wav", capsys)
    assert_refused(["export", "many.safetensors", "-o", "sound.wav"], "is there already", capsys)
