"""Recordings: stretches of a file, and sounds that sound together."""

import os
import re
import subprocess

import numpy as np
import pytest
import soundfile

from rtnmf import Clip, Together, learn
from rtnmf.audio import files
from rtnmf.learning import clips

RATE = 16000


def noise(n_samples, n_channels=1, seed=0):
    """Return white noise, shape (n_samples, n_channels)."""
    return np.random.default_rng(seed).uniform(-0.4, 0.4, (n_samples, n_channels)).astype(np.float32)


def read(recording, rate=RATE):
    """Return all samples of a recording, and the length that is known before."""
    with clips.opened(recording, rate) as sound:
        return np.concatenate(list(sound.blocks)), sound.n_samples


@pytest.fixture
def long(tmp_path):
    """Write 12 s of noise and return the path and the samples."""
    x = noise(12 * RATE, 2)
    files.write(tmp_path / "long.wav", x, RATE, "FLOAT")
    return tmp_path / "long.wav", x


@pytest.mark.parametrize(
    ("stretches", "samples"),
    [
        ([(2.5, 3.5)], [(40_000, 56_000)]),
        ([(0, 11.0)], [(0, 176_000)]),
        ([(7.25, None)], [(116_000, 192_000)]),
        ([(9, 10), (1, 2.5), (11.5, None)], [(144_000, 160_000), (16_000, 40_000), (184_000, 192_000)]),
    ],
)
def test_a_clip_holds_exactly_the_samples_of_its_stretches(long, stretches, samples):
    """Stretches of a file are its samples from start to stop, one after the other, in the order given."""
    path, x = long
    found, n_samples = read(Clip(path, *stretches))
    expected = np.concatenate([x[start:stop] for start, stop in samples])
    np.testing.assert_array_equal(found, expected)
    assert n_samples == len(expected)


@pytest.mark.parametrize("ending", ["flac", "mp3", "ogg"])
def test_a_clip_of_a_compressed_file_is_aligned_with_the_whole_of_it(tmp_path, ending):
    """A stretch of a file of any kind holds what the same samples of the whole file hold."""
    path = tmp_path / f"x.{ending}"
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * 440 * np.arange(6 * 44100) / 44100) + noise(6 * 44100)[:, 0], 44100)
    whole, _ = files.read(path)
    found, n_samples = read(Clip(path, (2.5, 4)), 44100)
    np.testing.assert_allclose(found, whole[110_250:176_400], atol=1e-5)
    assert n_samples == 66_150


def test_a_stretch_of_a_long_file_reads_nothing_behind_it(long, monkeypatch):
    """Of a file, no block is decoded behind the last stretch, and blocks are short."""
    path, _ = long
    read_lengths = []
    blocks = files.AudioReader.blocks

    def counted(reader, block_length, start=0):
        for block in blocks(reader, block_length, start):
            read_lengths.append(len(block))
            yield block

    monkeypatch.setattr(files.AudioReader, "blocks", counted)
    read(Clip(path, (1, 2)))
    assert sum(read_lengths) <= clips._BLOCK_LENGTH


def test_a_clip_is_learned_as_its_samples_are(long):
    """A dictionary of stretches is that of their samples, and says what it was learned from."""
    path, x = long
    of_clip = learn({"a": Clip(path, (2, 4.5), (6, None))}, n_iter=2, rest=False)
    of_samples = learn({"a": np.concatenate([x[32_000:72_000], x[96_000:]])}, RATE, n_iter=2, rest=False)
    np.testing.assert_array_equal(of_clip.components, of_samples.components)
    assert of_clip.learned_from == ("long.wav@2-4.5@6-",)


@pytest.mark.parametrize(
    ("stretches", "error", "message"),
    [
        ([], ValueError, "x.wav: has no stretch, expected (start, stop) in s"),
        ([3], TypeError, "x.wav: 3 is not a stretch, expected (start, stop)"),
        ([(1, 2, 3)], TypeError, "x.wav: (1, 2, 3) is not a stretch"),
        ([(-1, 2)], ValueError, "x.wav: (-1, 2) is not a stretch, expected numbers of seconds from 0 on"),
        ([(0, float("nan"))], ValueError, "expected numbers of seconds"),
        ([(True, 2)], ValueError, "expected numbers of seconds"),
        ([(2, 2)], ValueError, "x.wav: a stretch from 2 s stops at 2 s, expected a later time"),
        ([(0, 1), (9, 3)], ValueError, "x.wav: a stretch from 9 s stops at 3 s"),
    ],
)
def test_stretches_that_make_no_sense_are_refused(stretches, error, message):
    """A stretch that is none raises at once, without a file."""
    with pytest.raises(error, match=re.escape(message)):
        Clip("x.wav", *stretches)


@pytest.mark.parametrize("ending", ["wav", "ogg"])
@pytest.mark.parametrize(
    ("stretch", "asked"), [((1, 12.5), "from 1 s to 12.5 s"), ((30, None), "from 30 s to its end")]
)
def test_a_stretch_beyond_the_end_is_refused_before_anything_is_learned(tmp_path, ending, stretch, asked):
    """A stretch that a file does not have raises before the first factorisation, with the length of the file."""
    path = tmp_path / f"x.{ending}"
    soundfile.write(path, noise(12 * RATE), RATE)
    calls = []
    with pytest.raises(ValueError, match=rf"x.{ending}: is 12.00 s long and was asked for a stretch {asked}: choose"):
        learn(
            {"a": noise(RATE), "b": [path, Together(path, Clip(path, (0, 12), stretch))]},
            RATE,
            progress=lambda *call: calls.append(call),
        )
    assert calls == []


def test_together_is_the_sum(tmp_path, long):
    """Sounds that sound together add up sample by sample; shorter ones end, and mono ones sound on all channels."""
    path, x = long
    mono, short = noise(5 * RATE, seed=1), noise(70_001, 2, seed=2)
    files.write(tmp_path / "mono.flac", mono, RATE, "PCM_16")
    mono, _ = files.read(tmp_path / "mono.flac")
    found, n_samples = read(Together(path, tmp_path / "mono.flac", short))
    expected = x.copy()
    expected[: len(mono)] += mono
    expected[: len(short)] += short
    np.testing.assert_array_equal(found, expected)
    assert n_samples == len(x)


def test_together_adds_stretches_at_the_rate_of_the_dictionary(tmp_path, long):
    """Parts of other rates are converted first, and each part may be a stretch."""
    path, x = long
    y = noise(22050, 1, seed=1)
    files.write(tmp_path / "y.wav", y, 22050, "FLOAT")
    found, _ = read(Together(tmp_path / "y.wav", Clip(path, (3, 5))))
    expected = x[48_000:80_000].copy()
    expected[:RATE] += files.resample(y, 22050, RATE)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_together_is_learned_as_the_sum_is(long):
    """A dictionary of sounds that sound together is that of their sum, at the highest rate of the files."""
    path, x = long
    of_sum = learn({"a": x[:, :1] + noise(len(x), seed=3)}, RATE, n_iter=2, rest=False)
    together = Together(x[:, :1].copy(), noise(len(x), seed=3))
    np.testing.assert_array_equal(learn({"a": together}, RATE, n_iter=2, rest=False).components, of_sum.components)
    assert learn({"a": Together(path, path)}, n_iter=1, rest=False).learned_from == ("long.wav&long.wav",)


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        (("a.wav",), ValueError, "recordings are 1, expected two or more that sound together"),
        (("a.wav", 3), TypeError, "recording 2 is int, expected an array, a path, a Clip"),
        (("a.wav", Together("b.wav", "c.wav")), TypeError, "recording 2 is itself a Together"),
        (("a.wav", np.zeros(9, int)), ValueError, "recording 2 is an array of int64 of shape (9,)"),
    ],
)
def test_what_cannot_sound_together_is_refused(parts, error, message):
    """Fewer than two, or something that is no recording, raises at once."""
    with pytest.raises(error, match=re.escape(message)):
        Together(*parts)


def test_one_reader_cannot_sound_together_with_itself(long):
    """A reader is at one place at a time: twice in one sum raises."""
    with files.AudioReader(long[0]) as reader, pytest.raises(ValueError, match="the same reader twice"):
        Together(reader, Clip(reader, (1, 2)))


def test_sounds_of_other_channels_do_not_sound_together():
    """Two channels and three raise, with what was expected."""
    with pytest.raises(ValueError, match=r"an array has 2 channels and .* a sound of 3, expected 1 or 3"):
        learn({"a": noise(RATE), "b": Together(noise(RATE, 2), noise(RATE, 3))}, RATE, progress=pytest.fail)


def test_a_file_that_is_missing_is_refused_before_anything_is_learned():
    """A file of the last source that is not there raises before the first factorisation."""
    with pytest.raises(ValueError, match=r"none.wav: no such file"):
        learn({"a": noise(RATE), "b": "none.wav"}, RATE, progress=pytest.fail)


def test_a_stretch_of_a_pipe_is_learned_from(tmp_path, long):
    """Stretches of what can be opened only once are those of the file."""
    path, x = long
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["cp", path, tmp_path / "pipe"]):
        piped = learn({"a": Clip(tmp_path / "pipe", (9, 11), (2, 3))}, n_iter=2, rest=False)
    samples = np.concatenate([x[144_000:176_000], x[32_000:48_000]])
    np.testing.assert_array_equal(piped.components, learn({"a": samples}, RATE, n_iter=2, rest=False).components)
