"""Recordings of a running stream."""

import json
import re
import resource

import numpy as np
import pytest
import soundfile
from conftest import random_dictionary

from rtnmf import STFT, Dictionary
from rtnmf.audio import files
from rtnmf.live import recorder
from rtnmf.live.link.memory import Ring
from rtnmf.live.link.protocol import Turn
from rtnmf.live.recorder import Recorder, new_folder

LATENCY = 10


def stream(n_samples, latency=LATENCY):
    """Return rows of an input and two stems, `latency` late, in one channel."""
    x = np.arange(1, n_samples + 1, dtype=np.float32)
    late = np.concatenate([np.zeros(latency, np.float32), x])[:n_samples]
    return np.stack([x, 0.25 * late, 0.75 * late])


def ring_of(length):
    """Return an empty ring of three rows."""
    return Ring(memoryview(bytearray(3 * length * 4)), 3)


def written(made):
    """Return the samples in the files, in their order."""
    return [soundfile.read(path, dtype="float32")[0] for path in made.paths]


def recording(folder, pieces, length=4000, rate=16000, *, is_flushed=True):
    """Record a stream that comes in pieces of these lengths."""
    made, ring, position = Recorder(folder, ("a", "b"), 1), ring_of(length), 0
    rows = stream(sum(pieces))
    made.begin(rate, LATENCY)
    for piece in pieces:
        ring.write(position, rows[:, position : position + piece])
        position += piece
        made.drain(ring, position)
    made.end(is_flushed=is_flushed)
    return made


def test_stems_are_aligned_with_the_input_and_as_long(tmp_path):
    """Stems are aligned with the input and as long, however many samples come at a time."""
    made = recording(tmp_path, [3, 4, 0, 500, 1, 992])
    got = written(made)
    assert [path.name for path in made.paths] == ["input.wav", "a.wav", "b.wav"]
    x = np.arange(1, 1500 - LATENCY + 1, dtype=np.float32)
    for samples, gain in zip(got, (1, 0.25, 0.75), strict=True):
        assert np.array_equal(samples, gain * x)


def test_without_a_flush_the_last_input_is_kept(tmp_path):
    """When the stream breaks off, the last input is in its file, and its stems are silent."""
    got = written(recording(tmp_path, [200, 300], is_flushed=False))
    assert [len(samples) for samples in got] == [500, 500, 500]
    assert got[0][-1] == 500
    assert not got[1][-LATENCY:].any()


def test_files_are_playable_at_every_moment(tmp_path):
    """A file can be read after every write, with all that was written."""
    made, ring, rows = Recorder(tmp_path, ("a", "b"), 1), ring_of(1000), stream(900)
    made.begin(16000, LATENCY)
    for stop in (300, 600, 900):
        ring.write(stop - 300, rows[:, stop - 300 : stop])
        made.drain(ring, stop)
        assert len(files.read(tmp_path / "a.wav")[0]) == stop - LATENCY


def test_samples_that_came_too_fast_are_silence_and_counted(tmp_path):
    """Samples that were overwritten before they were read are silent, counted, and nothing is out of place."""
    made = recording(tmp_path, [100, 900, 100], length=400)
    got = written(made)
    x = np.arange(1, 1091, dtype=np.float32)
    assert made.n_missed == 600
    wrong = got[0] != x
    assert wrong.sum() == 600
    assert not got[0][wrong].any()
    assert np.array_equal(got[1][800:], 0.25 * x[800:])


def test_outage_is_silence_of_the_same_length(tmp_path):
    """An outage is as much silence in all files, followed by what came after it."""
    made = recording(tmp_path, [400])
    ring, rows = ring_of(800), stream(400)
    made.begin(16000, LATENCY, outage_s=0.5)
    ring.write(0, rows)
    made.drain(ring, 400)
    made.end(is_flushed=True)
    got = written(made)
    assert [len(samples) for samples in got] == [390 + 8000 + 390] * 3
    assert not got[0][390:8390].any()
    assert np.array_equal(got[0][8390:], rows[0, :390])


def test_a_new_rate_and_a_full_file_go_on_in_new_files(tmp_path, monkeypatch):
    """When the rate changes, or WAV can hold no more, all continue in new files."""
    monkeypatch.setattr(recorder, "_LARGEST_FILE", 4 * 1000)
    made = recording(tmp_path, [600, 600])
    assert [path.name for path in made.paths[3:]] == ["input.part2.wav", "a.part2.wav", "b.part2.wav"]
    assert [len(samples) for samples in written(made)] == [590] * 3 + [600] * 3
    made.begin(48000, LATENCY, outage_s=0.5)
    ring = ring_of(400)
    ring.write(0, stream(400))
    made.drain(ring, 400)
    assert soundfile.info(tmp_path / "a.part3.wav").samplerate == 48000


def test_dictionaries_are_kept_with_the_samples_from_which_they_separate(tmp_path, monkeypatch):
    """Samples count through all parts of a recording and its outages; one that goes on is kept once."""
    monkeypatch.setattr(recorder, "_LARGEST_FILE", 4 * 1000)
    one, other = (random_dictionary(STFT(64, 16), n_each=n) for n in (1, 2))
    made, ring = Recorder(tmp_path, ("a", "b"), 1), ring_of(2000)
    made.begin(16000, LATENCY)
    made.note_dictionary(one, 0, begins_anew=True)
    ring.write(0, stream(1500))
    for stop in (700, 1400, 1500):
        made.drain(ring, stop)
    made.note_dictionary(other, 1200)
    made.end(is_flushed=False)
    made.begin(16000, LATENCY, outage_s=0.01, experts=("rnnoise",))
    made.note_dictionary(other, 0, begins_anew=True)
    made.note_dictionary(one, 70)
    made.note_turns([Turn(0, 5, asks=True), Turn(80, 3, asks=False)])
    turns = json.loads((tmp_path / "updates.json").read_text())
    assert turns == [{"sample": 1660, "n_iter": 5, "asks": True}, {"sample": 1740, "n_iter": 3, "asks": False}]
    uses = json.loads((tmp_path / "dictionaries.json").read_text())
    assert [use["sample"] for use in uses] == [0, 1200, 1660, 1730]
    assert [use["begins_anew"] for use in uses] == [True, False, True, False]
    assert [use["experts"] for use in uses] == [[], [], ["rnnoise"], ["rnnoise"]]
    names = [use["file"] for use in uses]
    assert names == [f"dictionary-{n}.safetensors" for n in (1, 2, 2, 3)]
    assert [Dictionary.load(tmp_path / name) for name in names] == [one, other, other, one]
    assert "input.part2.wav" in {path.name for path in made.paths}


def test_a_dictionary_that_cannot_be_kept_ends_the_recording(tmp_path):
    """When a dictionary cannot be written, the recording stops and says why, and nothing is raised."""
    made = Recorder(tmp_path / "gone", ("a", "b"), 1)
    made.begin(16000, LATENCY)
    made.note_dictionary(random_dictionary(STFT(64, 16)), 0)
    assert re.search(r"stopped .No such file or directory", made.failure)


def test_failure_ends_the_recording_not_the_sound(tmp_path):
    """When a file cannot be written, `failure` says so, and further samples are dropped without an error."""
    made = recording(tmp_path, [100])
    for path in made.paths:
        path.unlink()
    made.begin(16000, LATENCY, 0.1)
    assert "stopped (No such file or directory: choose another place)" in made.failure
    made.drain(ring_of(100), 100)
    made.end(is_flushed=False)


def test_source_called_input_has_a_file_of_its_own(tmp_path):
    """The stem of a source called `input` does not take the place of the input's file."""
    made = Recorder(tmp_path, ("input", "../b"), 1)
    made.begin(16000, LATENCY)
    ring = ring_of(100)
    ring.write(0, stream(100))
    made.drain(ring, 100)
    assert [path.name for path in made.paths] == ["input.wav", "input-2.wav", "_b.wav"]


def test_new_folder_is_empty(tmp_path):
    """A folder that is not empty is left alone, and another is made beside it."""
    (tmp_path / "take").mkdir()
    for name in ("take", "take-2", "take-3"):
        folder, reservation = new_folder(tmp_path / "take")
        assert folder == tmp_path / name
        (folder / "x").touch()
        reservation.close()
    with pytest.raises(ValueError, match="cannot record there"):
        new_folder("/proc/take")


def test_a_folder_is_reserved_when_it_is_chosen(tmp_path):
    """Before anything is in it, a second recording gets the next number."""
    (tmp_path / "there").mkdir()
    for name in ("take", "there"):
        first, reservation = new_folder(tmp_path / name)
        assert first == tmp_path / name
        second, other_reservation = new_folder(tmp_path / name)
        assert second == tmp_path / f"{name}-2"
        reservation.close()
        other_reservation.close()
    again, reservation = new_folder(tmp_path / "take")
    reservation.close()
    assert again == tmp_path / "take"


def test_what_is_recorded_is_its_owners_alone(tmp_path):
    """The folder is 0700, and every file in it 0600."""
    folder, reservation = new_folder(tmp_path / "take")
    made = Recorder(folder, ("a", "b"), 1)
    made.begin(16000, LATENCY)
    made.note_dictionary(random_dictionary(STFT(64, 16)), 0)
    ring = ring_of(100)
    ring.write(0, stream(100))
    made.drain(ring, 100)
    reservation.close()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.suffix: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        ".wav": 0o600,
        ".json": 0o600,
        ".safetensors": 0o600,
    }


def test_only_a_full_disk_is_called_full(tmp_path):
    """Where files cannot grow any more, the recording says what the system says."""
    made, ring = Recorder(tmp_path, ("a", "b"), 1), ring_of(4000)
    made.begin(16000, LATENCY)
    ring.write(0, stream(2000))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, limits[1]))
    try:
        made.drain(ring, 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert re.search(r"the recording in .* stopped .*input.wav: cannot be written .File too large", made.failure)


def test_files_are_equally_long_where_there_is_no_room_for_more(tmp_path):
    """Where a write ends early, all files are cut to what each of them holds, and no longer announced."""
    announced = []
    made, ring = Recorder(tmp_path, ("a", "b"), 1, announced.append), ring_of(4000)
    made.begin(16000, LATENCY)
    ring.write(0, stream(2000))
    made.drain(ring, 500)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
    try:
        made.drain(ring, 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert made.failure
    assert announced == [made.paths, []]
    got = written(made)
    x = np.arange(1, 491, dtype=np.float32)
    for samples, gain in zip(got, (1, 0.25, 0.75), strict=True):
        assert np.array_equal(samples, gain * x)


def test_a_file_of_somebody_else_is_left_as_it_is(tmp_path):
    """When there is a file where a new one is to be, the recording stops, and neither makes nor cuts any."""
    (tmp_path / "a.wav").write_bytes(b"not ours")
    made = recording(tmp_path, [100])
    assert "stopped (File exists: choose another place)" in made.failure
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.wav": b"not ours"}


def test_new_folder_lies_beside_the_one_in_use_however_that_is_written(tmp_path, monkeypatch):
    """A slash at the end, or a dot for the folder itself, still names the new folder after the one in use."""
    (tmp_path / "take" / "x").mkdir(parents=True)
    folder, reservation = new_folder(f"{tmp_path}/take/")
    reservation.close()
    assert folder == tmp_path / "take-2"
    monkeypatch.chdir(tmp_path / "take")
    folder, reservation = new_folder(".")
    reservation.close()
    assert folder == tmp_path / "take-2"
    assert [path.name for path in (tmp_path / "take").iterdir()] == ["x"]


def test_file_in_place_of_the_folder_is_refused(tmp_path):
    """A path that is a file is refused in words, and nothing is made beside it."""
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"file: cannot record there \(File exists: choose another place\)"):
        new_folder(tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_was_moved_ends_the_recording_and_what_took_its_place_is_left_alone(tmp_path):
    """Files of another recording at the same place are neither written to nor cut."""
    ring = ring_of(4000)
    (tmp_path / "take").mkdir()
    made = Recorder(tmp_path / "take", ("a", "b"), 1)
    made.begin(16000, LATENCY)
    ring.write(0, stream(2000))
    made.drain(ring, 500)
    (tmp_path / "take").rename(tmp_path / "kept")
    (tmp_path / "take").mkdir()
    for path in made.paths:
        soundfile.write(path, np.ones(1000), 16000, "FLOAT")
    made.drain(ring, 2000)
    assert "the folder was moved" in made.failure
    assert [len(samples) for samples in written(made)] == [1000] * 3
    assert soundfile.info(tmp_path / "kept" / "input.wav").frames == 490


def test_sources_that_are_named_like_later_parts_have_files_of_their_own(tmp_path):
    """A new rate goes on in new files beside those of a source called like one of them."""
    ring = ring_of(4000)
    made = Recorder(tmp_path, ("a", "a.part2"), 1)
    for rate in (8000, 16000):
        made.begin(rate, 0)
        ring.write(0, stream(500))
        made.drain(ring, 500)
        made.end(is_flushed=True)
    assert made.failure == ""
    assert sorted(path.name for path in tmp_path.glob("*.wav")) == [
        "a-part2.part2.wav", "a-part2.wav", "a.part2.wav", "a.wav", "input.part2.wav", "input.wav",
    ]  # fmt: skip
