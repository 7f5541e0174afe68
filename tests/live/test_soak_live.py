"""What `scripts/check_recording.py` and `scripts/soak_live.py` make of a recording and of losses."""

import numpy as np
import soundfile
from check_recording import faults_of
from conftest import random_dictionary
from soak_live import unexplained

from rtnmf import STFT, Separator
from rtnmf.live.link.memory import Ring
from rtnmf.live.link.protocol import Turn
from rtnmf.live.recorder import Recorder


def record(folder):
    """Record noise that is separated with fewer updates from some sample on, and return its length."""
    dictionary = random_dictionary(STFT(1024, 256), ("a", "b"), sample_rate=48000)
    separator = Separator(dictionary)
    x = np.random.default_rng(0).uniform(-0.5, 0.5, 12000).astype(np.float32)
    heard = [separator.process(x[:5000])]
    separator.n_iter = 2
    heard += [separator.process(x[5000:]), separator.flush()]
    rows = np.concatenate([np.pad(x, (0, separator.latency))[None], np.concatenate(heard, axis=1)])
    made, ring = Recorder(folder, dictionary.sources, 1), Ring(memoryview(bytearray(rows.nbytes)), len(rows))
    ring.write(0, rows)
    made.begin(48000, separator.latency)
    made.note_dictionary(dictionary, 0, begins_anew=True)
    made.note_turns([Turn(5000, 2, asks=True)])
    ring_length = rows.shape[1]
    for position in (*range(0, ring_length, 1000), ring_length):
        made.drain(ring, position)
    made.end(is_flushed=True)
    return len(x)


def test_a_recording_that_is_as_replayed_is_right_and_one_changed_sample_is_wrong(tmp_path):
    """Every sample is replayed, with the dictionaries and updates of the recording, and what differs is named."""
    n_samples = record(tmp_path)
    assert faults_of(tmp_path, is_cut=False) == ([], n_samples, n_samples)
    stem, _ = soundfile.read(tmp_path / "b.wav", dtype="float32")
    stem[7000] += np.float32(1e-6)
    soundfile.write(tmp_path / "b.wav", stem, 48000, "FLOAT")
    faults, _, _ = faults_of(tmp_path, is_cut=False)
    assert faults == [
        f"from sample 0 on, 1 of {n_samples} samples of b differ from a replay, the first at 7000",
    ]


def test_files_that_differ_in_length_or_are_half_written_are_wrong(tmp_path):
    """Unequal lengths are named, and so is what was not moved to its place."""
    record(tmp_path)
    stem, _ = soundfile.read(tmp_path / "b.wav", dtype="float32")
    soundfile.write(tmp_path / "b.wav", stem[:-1], 48000, "FLOAT")
    (tmp_path / ".0123.part").touch()
    faults, _, _ = faults_of(tmp_path, is_cut=True)
    assert faults == [".0123.part is half written", "lengths in samples: {'a': 12000, 'b': 11999, 'input': 12000}"]


def test_blocks_are_lost_by_us_unless_the_feeder_left_out_as_many_just_before():
    """A gap of the feeder explains as many and one, once, of those that are counted as lost in the seconds after it."""
    assert unexplained([(10.0, 4), (20.0, 1)], [(8.0, 2.0), (21.0, 1.0)]) == 2
    assert unexplained([(10.0, 3), (11.0, 2)], [(8.0, 3.0), (9.5, 0.0)]) == 0
    assert unexplained([], [(8.0, 4.0)]) == 0
