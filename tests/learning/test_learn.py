"""Learning: from recordings to a dictionary."""

import os
import subprocess
from importlib import metadata

import numpy as np
import pytest
from conftest import DEMO

from rtnmf import STFT, Model, learn
from rtnmf.audio import files
from rtnmf.learning import columns
from rtnmf.learning import recordings as reading

STFT_16K = STFT(1024, 256)
NO_TREND = STFT_16K.trend(16000, 0)


def tone(hz, seconds=1.0, rate=16000):
    """Return a sine."""
    return np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate).astype(np.float32)


def peaks_hz(dictionary, source):
    """Return the frequencies at which the components of a source peak."""
    columns = dictionary.select(source).components
    return np.unique(columns.argmax(axis=0)) * dictionary.sample_rate / dictionary.stft.n_fft


def test_each_source_gets_components_of_its_own_sound():
    """The components of a source peak at the frequencies of its own recordings only."""
    learned = learn({"low": tone(440), "high": [tone(3000), tone(5000)]}, 16000, n_components=4, n_steps=0)
    assert learned.labels == ("low",) * 4 + ("high",) * 4
    assert learned.stft == STFT.default(16000)
    np.testing.assert_allclose(peaks_hz(learned, "low"), [437.5])
    assert set(peaks_hz(learned, "high")) == {3000, 5000}


def test_a_single_recording_is_learned_blind():
    """A recording of three tones becomes three sources, one per tone."""
    x = np.concatenate([tone(440), tone(3000), tone(5000)])
    learned = learn(x, 16000)
    assert learned.sources == ("component-1", "component-2", "component-3")
    assert sorted(peaks_hz(learned, name)[0] for name in learned.sources) == [437.5, 3000, 5000]


def test_files_of_any_rate_and_channels_are_learned_at_the_highest_rate(tmp_path):
    """Files of several rates give a dictionary at the highest; a tone lacks nothing for having been narrow."""
    files.write(tmp_path / "a.wav", np.stack([tone(440, rate=8000)] * 2, axis=1), 8000)
    files.write(tmp_path / "b.flac", tone(440, rate=22050), 22050)
    learned = learn({"tone": [tmp_path / "a.wav", str(tmp_path / "b.flac")]}, n_components=2, rest=False)
    assert learned.sample_rate == 22050
    assert learned.learned_from == ("a.wav", "b.flac")
    np.testing.assert_allclose(peaks_hz(learned, "tone"), 440, atol=22)


def test_sides_of_a_stereo_recording_that_cancel_each_other_are_heard():
    """Channels are added as magnitudes: opposite phases on both sides do not cancel."""
    x = np.stack([tone(440), -tone(440)], axis=1)
    np.testing.assert_allclose(peaks_hz(learn({"tone": x}, 16000, n_components=1, rest=False), "tone"), [437.5])


def test_silence_is_dropped_and_levels_are_balanced():
    """Silence around a soft tone adds no frames, and the frames that sound have a mean level of 1."""
    gap = np.zeros(16000, np.float32)
    plain, _ = reading.heard("x", tone(440), 16000, STFT_16K, NO_TREND, 1000).frames
    x = np.concatenate([gap, 0.01 * tone(440), gap])
    padded, frames = reading.heard("x", x, 16000, STFT_16K, NO_TREND, 1000).frames
    assert plain.shape[1] <= padded.shape[1] <= plain.shape[1] + 4
    assert padded.sum(axis=0).mean() == pytest.approx(1, rel=1e-5)
    assert len(frames[0]) > 2 * padded.shape[1]


def test_low_latency_settings_are_learned_with_their_own_window():
    """A given STFT is kept, and its analysis window is the one learned with."""
    stft = STFT(1024, 32, latency=128)
    learned = learn({"a": tone(440), "b": tone(3000)}, 16000, stft=stft, n_components=2)
    assert learned.stft == stft
    np.testing.assert_allclose(peaks_hz(learned, "a"), [437.5])


def test_the_same_seed_gives_the_same_dictionary_and_the_input_is_kept(speech):
    """Equal seeds give equal components, other seeds others, and the recording is not written to."""
    kept = speech.copy()
    first, again, other = (learn({"a": speech}, 16000, n_iter=5, seed=seed, rest=False) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.components, again.components)
    assert not np.array_equal(first.components, other.components)
    np.testing.assert_array_equal(speech, kept)


def test_components_keep_a_part_of_the_mean_spectrum(speech):
    """Half of every component is the mean spectrum of its source."""
    learned = learn({"a": speech}, 16000, n_components=8, rest=False)
    V, _ = reading.frames("a", [speech], 16000, learned.stft, learned.model.audible_hz)
    mean = V.sum(axis=1) / V.sum()
    assert (learned.components >= columns._BREADTH * mean[:, None] * (1 - 1e-4)).all()


def test_what_is_inaudibly_low_teaches_nothing(speech):
    """A constant offset three times as loud as the sound hardly changes the components; left in, it takes them over."""
    off = speech + np.float32(3 * np.sqrt((speech**2).mean()))

    def distance(**options):
        clean, other = (learn({"a": x}, 16000, n_components=4, **options, rest=False).components for x in (speech, off))
        return np.abs(other - clean).sum(axis=0).max()

    assert distance() < 0.1 < 0.3 < distance(model=Model(audible_hz=0))


def test_progress_names_the_source_and_can_stop_it():
    """Progress names each stage, and returning False ends that stage early, not the learning."""
    calls = []
    sounds = {"a": tone(440), "b": tone(880)}
    learn(sounds, 16000, n_iter=6, n_steps=6, progress=lambda *call: calls.append(call) or call[1] < 3)
    assert calls == [(name, i, 6) for name in ("a", "b", "training") for i in (1, 2, 3)]


def test_long_recordings_are_sampled_more_sparsely(monkeypatch):
    """Long recordings are sampled more sparsely, so that memory does not grow with them."""
    monkeypatch.setattr(reading, "MOST_FRAMES", 100)
    with pytest.warns(UserWarning, match=r"^tone: 1 % of the frames .* n_passes=2 learns from all"):
        learned = learn({"tone": [tone(440, 60), tone(3000, 60)]}, 16000, n_components=2, rest=False)
    assert set(peaks_hz(learned, "tone")) == {437.5, 3000}
    assert reading.heard("x", tone(440, 60), 16000, STFT_16K, NO_TREND, 50).frames.magnitudes.shape[1] <= 51


def test_two_sources_are_told_apart_unless_it_is_left_out():
    """Two sources are trained to be told apart, the same for the same seed; one, blind, or with no steps none is."""
    sounds = {"a": tone(440), "b": tone(880)}
    first, again, other = (learn(sounds, 16000, n_components=2, n_steps=3, seed=seed) for seed in (1, 1, 2))
    assert first.is_trained
    np.testing.assert_array_equal(first.mask_components, again.mask_components)
    np.testing.assert_array_equal(first.update_components, again.update_components)
    assert not np.array_equal(first.mask_components, other.mask_components)
    for plain in (
        learn(sounds, 16000, n_components=2, n_steps=0),
        learn({"a": tone(440)}, 16000, n_components=2, rest=False),
        learn(tone(440), 16000, n_components=2),
    ):
        assert not plain.is_trained


def test_file_names_are_kept_as_text_that_can_be_shown(tmp_path):
    """Control characters in the name of a file do not reach the dictionary."""
    path = tmp_path / "rec\u202f3\x1b[2J.wav"
    files.write(tmp_path / "x.wav", tone(440), 16000)
    (tmp_path / "x.wav").rename(path)
    assert learn({"a": path}, n_components=1, rest=False).learned_from == ("rec\u202f3_[2J.wav",)


def test_more_components_than_frames_are_not_learned():
    """A recording of 11 frames gets 11 components, with a warning."""
    with pytest.warns(UserWarning, match="a has 11 frames that sound and gets 11 components instead of 32"):
        learned = learn({"a": np.random.default_rng(0).uniform(-1, 1, 2000).astype(np.float32)}, 16000, rest=False)
    assert learned.n_components == 11


def test_files_and_arrays_give_the_same(speech, tmp_path):
    """A file and the array in it give bit-identical components."""
    files.write(tmp_path / "x.wav", speech, 16000, "FLOAT")
    from_file = learn({"a": tmp_path / "x.wav"}, n_iter=3, rest=False)
    np.testing.assert_array_equal(from_file.components, learn({"a": speech}, 16000, n_iter=3, rest=False).components)


@pytest.mark.parametrize("rate", [16000, 22050])
@pytest.mark.parametrize(("seconds", "n_most"), [(1, 1000), (3, 1000), (3, 40), (3, 7)])
def test_frames_of_a_file_are_those_of_its_samples_taken_evenly(tmp_path, rate, seconds, n_most):
    """Read in blocks, a file of known length gives the frames of the whole signal at one hop, to the bit."""
    x = np.random.default_rng(0).uniform(-1, 1, (seconds * rate + 77, 2)).astype(np.float32)
    files.write(tmp_path / "x.wav", x, rate, "FLOAT")
    found = reading.heard("x", tmp_path / "x.wav", 16000, STFT_16K, NO_TREND, n_most).frames
    y = files.resample(x, rate, 16000)
    spectra = [STFT_16K.forward(channel, max(256, len(y) // n_most)).T for channel in y.T]
    magnitudes = np.abs(spectra[0]) + np.abs(spectra[1])
    level = magnitudes.T.copy().sum(axis=0).mean()
    np.testing.assert_array_equal(found.spectra[0], np.concatenate(spectra) * np.float32(2 / level))
    np.testing.assert_array_equal(found.magnitudes, magnitudes.T / level)


@pytest.mark.parametrize("n_most", [4, 5, 16, 33, 500])
def test_frames_of_unknown_length_are_taken_evenly_and_at_least_half_of_the_most(n_most):
    """Where the length is not known, the hop doubles until the frames fit, and they are those of that hop."""
    x = np.random.default_rng(0).uniform(-1, 1, (50_000, 2)).astype(np.float32)
    kept, n_samples = reading._thinned(iter(np.split(x, [100, 30_000, 30_001])), 0, 2, STFT_16K, NO_TREND, n_most)
    hop_length = 256
    while (len(x) + STFT_16K.latency - 1) // hop_length > n_most:
        hop_length *= 2
    assert n_samples == len(x)
    for spectra, channel in zip(kept, x.T, strict=True):
        np.testing.assert_array_equal(spectra, STFT_16K.forward(channel, hop_length).T)


def test_a_damaged_recording_is_learned_from_with_a_warning(tmp_path):
    """What is left of a file is learned from, and said; `strict` refuses it, and a pipe is read once."""
    files.write(tmp_path / "x.wav", tone(440, 3), 16000)
    whole = (tmp_path / "x.wav").read_bytes()
    (tmp_path / "x.wav").write_bytes(whole[: len(whole) // 2])
    with pytest.warns(UserWarning, match=r"x.wav: is cut off at 0:01.5, 1.5 s are missing"):
        learned = learn({"a": tmp_path / "x.wav"}, n_components=2, rest=False)
    np.testing.assert_allclose(peaks_hz(learned, "a"), 437.5)
    with pytest.raises(ValueError, match=r"x.wav: is cut off .* leave out strict"):
        learn({"a": tmp_path / "x.wav"}, n_components=2, strict=True, rest=False)


def test_a_pipe_is_learned_from(tmp_path):
    """A recording that can be opened only once gives what the file gives."""
    files.write(tmp_path / "x.wav", tone(440), 16000)
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["cp", tmp_path / "x.wav", tmp_path / "pipe"]):
        piped = learn({"a": tmp_path / "pipe"}, n_components=2, rest=False)
    np.testing.assert_array_equal(
        piped.components, learn({"a": tmp_path / "x.wav"}, n_components=2, rest=False).components
    )
    assert piped.learned_from == ("pipe",)


@pytest.mark.parametrize(
    ("recordings", "rate", "error", "message"),
    [
        ({}, 16000, ValueError, "recordings are empty"),
        ({"a": []}, 16000, ValueError, "source 'a' has no recording"),
        ({"a": [3]}, 16000, TypeError, "a, recording 1 is int, expected an array, a path, a Clip"),
        ({"a": np.zeros(20000)}, 16000, ValueError, "a, recording 1 is silent"),
        ({"a": 1e38 * tone(440)}, 16000, ValueError, "or above 1e.09: full scale is 1"),
        ({5: tone(440)}, 16000, TypeError, "source name is 5, expected text"),
        ({"a": [tone(440), np.ones(1)]}, 16000, ValueError, "a, recording 2 has 1 sample, expected at least 1024"),
        ({"a": np.zeros(0)}, 16000, ValueError, "has 0 samples"),
        ({"a": np.full(20000, np.nan)}, 16000, ValueError, "NaN or infinite"),
        ({"a": np.full(20000, np.inf)}, 16000, ValueError, "NaN or infinite"),
        ({"a": np.ones(20000, int)}, 16000, ValueError, "array of int64"),
        ({"a": np.ones((3, 20000, 1))}, 16000, ValueError, r"of shape \(3, 20000, 1\)"),
        ({"a": tone(440)}, None, ValueError, "sample_rate is missing"),
        ({"": tone(440)}, 16000, ValueError, "source name ''"),
        ({"a": np.zeros((2, 90000))}, 16000, ValueError, r"a, recording 1 has shape \(2, 90000\): .* pass x.T"),
        (np.zeros(20000), 16000, ValueError, "the recording is silent"),
        ([], 16000, ValueError, "source '' has no recording"),
        ({"a": "nothing.wav"}, None, ValueError, "nothing.wav: no such file"),
    ],
)
def test_bad_recordings_are_refused(recordings, rate, error, message):
    """What cannot be learned from raises, naming the source and the recording."""
    with pytest.raises(error, match=message):
        learn(recordings, rate)


def test_demo_clips_teach_the_demo():
    """The bundled clips give 32 components for each source."""
    learned = learn({n: DEMO / f"{n}-train.flac" for n in ("voice", "keyboard")}, 16000, n_iter=2)
    assert learned.n_components == 64


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_steps": -1}, ValueError, "n_steps is -1, expected 0 to 1000000"),
        ({"n_steps": 1.5}, TypeError, "n_steps is 1.5, expected a whole number"),
        ({"n_steps": "abc"}, TypeError, "n_steps is 'abc'"),
        ({"n_components": -1}, ValueError, "n_components is -1, expected 1 to 1000000"),
        ({"n_components": 2.5}, TypeError, "n_components is 2.5"),
        ({"n_iter": 0}, ValueError, "n_iter is 0, expected 1 to 1000000"),
        ({"seed": -1}, ValueError, "seed is -1, expected at least 0"),
        ({"seed": 0.5}, TypeError, "seed is 0.5"),
        ({"sample_rate": 0}, ValueError, "sample_rate is 0"),
        ({"description": "two\nlines"}, ValueError, r"description 'two\\nlines' is not usable"),
        ({"licence": 3}, ValueError, "licence 3 is not usable"),
        ({"stft": 1024}, TypeError, "stft is 1024, expected an STFT"),
        ({"model": None}, TypeError, "model is None, expected a Model"),
        ({"progress": True}, TypeError, "progress is True, expected a function"),
        ({"stft": STFT_16K, "latency": "low"}, ValueError, "stft and latency are given together .* leave all but one"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_read(options, error, message):
    """A setting that is out of range or contradicts another raises at once, and names the argument."""
    with pytest.raises(error, match=message):
        learn({"a": "no such file", "b": "nor this"}, **options)


@pytest.mark.parametrize("recordings", ["no such file"])
def test_steps_that_would_be_ignored_are_refused(recordings):
    """With nothing to tell apart, a number of training steps is refused, 0 is not."""
    with pytest.raises(ValueError, match="n_steps is 5, but the training needs two sources"):
        learn(recordings, n_steps=5)
    with pytest.raises(ValueError, match="no such file"):
        learn(recordings, n_steps=0)


def test_a_version_that_is_not_known_costs_no_dictionary(monkeypatch):
    """Code that runs without being installed learns, and says that its version is unknown."""
    monkeypatch.setattr(metadata, "version", lambda _: (_ for _ in ()).throw(metadata.PackageNotFoundError))
    assert learn({"a": tone(440)}, 16000, n_components=1, rest=False).rtnmf_version == "unknown"


def test_the_model_is_used_in_the_training_and_kept(speech):
    """Columns are trained through the updates of the model, which the dictionary keeps."""
    sounds, model = {"a": tone(440), "b": speech[:16000]}, Model(n_iter=2, reach=1e-3)
    usual, other = (learn(sounds, 16000, n_components=2, n_steps=3, model=m) for m in (Model(), model))
    assert (usual.model, other.model) == (Model(), model)
    np.testing.assert_array_equal(usual.components, other.components)
    assert not np.array_equal(usual.mask_components, other.mask_components)


def test_a_file_that_is_too_loud_to_be_streamed_is_not_learned(tmp_path):
    """Samples that a stream would take for silence are refused by the name of the file."""
    files.write(tmp_path / "loud.wav", 1e38 * tone(440), 16000, "FLOAT")
    with pytest.raises(ValueError, match=r"loud\.wav holds samples that are NaN or infinite, or above 1e.09"):
        learn({"a": tmp_path / "loud.wav"}, rest=False)
