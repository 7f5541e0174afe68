"""Learning from all frames in passes: what it finds, what it goes on from, and what it says of what is left out."""

import os
import signal
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from rtnmf import STFT, learn
from rtnmf.audio import files
from rtnmf.learning import archive, memory, sources
from rtnmf.learning.backgrounds import Background
from rtnmf.learning.workers import Here
from rtnmf.nmf.passes import added

STFT_16K = STFT(512, 128)
FORM = (16000, STFT_16K, 20.0)


def sound(seed=0, seconds=8, rate=16000):
    """Return noise whose colour and level change, shape (n_samples,)."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=seconds * rate).astype(np.float32)
    x[1:] += np.repeat(rng.uniform(-0.9, 0.9, len(x) // 4000 + 1), 4000)[: len(x) - 1] * x[:-1]
    return 0.05 * x * np.repeat(rng.uniform(0.1, 1, len(x) // 1000 + 1), 1000)[: len(x)].astype(np.float32)


def saved(folder, n, seconds=2):
    """Write so many recordings and return their paths."""
    paths = [folder / f"{i}.wav" for i in range(n)]
    for i, path in enumerate(paths):
        files.write(path, sound(i, seconds), 16000, "FLOAT")
    return paths


def learned(recordings, **settings):
    """Learn in two passes, with few components and no rest."""
    return learn(recordings, **{"stft": STFT_16K, "n_components": 4, "n_passes": 2, "rest": False, **settings})


def assert_same(one, other):
    """Assert that two dictionaries were learned with the same result, to the bit."""
    assert one.divergences == other.divergences
    for a, b in ((one.components, other.components), (one.mask_components, other.mask_components)):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Let partitions have 200 frames at most."""
    monkeypatch.setattr(archive, "_PARTITION_VALUES", 200 * STFT_16K.n_bins)


def test_threads_and_files_change_no_bit(tmp_path):
    """One thread and all of them, arrays and files give the same dictionary."""
    files.write(tmp_path / "x.wav", sound(), 16000, "FLOAT")
    first = learned({"x": sound()}, sample_rate=16000)
    least = memory.needed(1, STFT_16K.n_bins, 1, 1)
    assert memory.n_threads_within(least, STFT_16K.n_bins, 1, 1) == 1
    assert_same(first, learned({"x": sound()}, sample_rate=16000, memory=least))
    assert_same(first, learned({"x": tmp_path / "x.wav"}))


def test_passes_end_below_what_is_usual():
    """The divergence falls from pass to pass, and the third one begins with less than 40 iterations over all give."""
    usual = learn({"x": sound()}, 16000, stft=STFT_16K, n_components=4, rest=False).divergences["x"][-1][1]
    curve = learned({"x": sound()}, sample_rate=16000, n_passes=3).divergences["x"]
    assert [i for i, _ in curve] == [0, 1, 2]
    assert all(after < before for (_, before), (_, after) in pairwise(curve))
    assert curve[-1][1] < usual


def test_a_long_recording_is_learned_blind(tmp_path):
    """Without a name, each component is a source."""
    files.write(tmp_path / "x.wav", sound(), 16000, "FLOAT")
    found = learned(tmp_path / "x.wav", rest=None)
    assert found.sources == tuple(f"component-{i}" for i in range(1, 5))
    assert_same(found, learned(sound(), sample_rate=16000, rest=None))


def test_sources_are_trained_against_each_other(tmp_path):
    """Archives, a recording and a rest of backgrounds become one trained dictionary; all backgrounds are read."""
    paths, stages = saved(tmp_path, 5), set()
    background = Background(paths[4], "hum", "a hum", "", "CC0")
    found = learned(
        {"x": paths[:2], "rest": paths[2:4]},
        rest=[background],
        n_steps=2,
        progress=lambda stage, _, total: stages.add((stage, total)),
    )
    assert found.is_trained
    assert (found.sources, found.rest) == (("x", "rest"), "rest")
    assert found.learned_from == ("0.wav", "1.wav", "2.wav", "3.wav", "1 backgrounds")
    assert {("x, first reading", 2), ("rest, first reading", 3)} <= stages


def test_backgrounds_that_are_left_out_are_not_counted(tmp_path):
    """A dictionary says of how many backgrounds it is, without those that are silent."""
    paths = saved(tmp_path, 4, 1)
    files.write(paths[3], np.zeros(16000, np.float32), 16000)
    rest = [Background(path, path.stem, "a hum", "", "CC0") for path in paths[2:]]
    with pytest.warns(UserWarning, match=r"recordings of rest that are left out, 1 of 3: /\S+/3\.wav is silent"):
        found = learned({"x": paths[0], "rest": paths[1]}, rest=rest, n_steps=0, n_passes=1)
    assert found.learned_from == ("0.wav", "1.wav", "1 backgrounds")


def test_of_many_recordings_their_number_is_kept():
    """The header of a dictionary does not grow with an archive."""
    found = learned({"x": [sound(i, 1) for i in range(51)]}, sample_rate=16000, n_passes=1)
    assert found.learned_from == ("51 recordings of x",)


@pytest.mark.parametrize(("n", "most", "shares"), [(4, 100, [25] * 4), (3, 100, [33, 33, 34]), (7, 3, [1] * 3)])
def test_training_draws_from_all_files_alike(monkeypatch, n, most, shares):
    """Mixtures are made of frames of all files, as many of each; of very many files, every so many give one."""
    monkeypatch.setattr(archive, "MOST_FRAMES", most)
    bins = np.arange(1, n + 1) * 30
    tones = [np.sin(2 * np.pi * k / 512 * np.arange(16000)).astype(np.float32) for k in bins]
    part = sources.from_archive(
        "x", tones, *FORM, 1, sources.Passes(1, Here(), None, False), n_components=2, seed=0, progress=None
    )
    heard = np.concatenate([np.abs(spectra).argmax(axis=1) for spectra in part.spectra])
    found = [int(np.count_nonzero(np.abs(heard - k) <= 1)) for k in bins]
    assert sum(found) == len(heard)
    assert [count for count in found if count] == shares


KILLED = """
import os, signal, sys
from safetensors.numpy import save

from rtnmf import STFT, learn
from rtnmf.learning import archive
archive._PARTITION_VALUES = 200 * 257
def progress(stage, done, total):
    if "pass 2 of 3" in stage:
        os.kill(os.getpid(), signal.SIGKILL)
learn({"x": sys.argv[1], "y": sys.argv[2]}, stft=STFT(512, 128), n_components=4, n_passes=3, n_steps=2,
      checkpoint=sys.argv[3], progress=progress)
"""


def test_a_killed_process_is_gone_on_from(tmp_path):
    """After kill -9 in the second pass, the first one is not done again, and the result is the same to the bit."""
    paths, kept, stages = saved(tmp_path, 2, 5), tmp_path / "kept", []
    killed = subprocess.run([sys.executable, "-c", KILLED, *paths, kept], timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".wav"] == ["kept"]
    given, settings = dict(zip("xy", map(str, paths), strict=True)), {"n_passes": 3, "n_steps": 2}
    resumed = learned(given, **settings, checkpoint=kept, progress=lambda stage, *_: stages.append(stage))
    assert not any(stage.startswith("x, pass 1") for stage in stages)
    assert any(stage.startswith("x, pass 2") for stage in stages)
    assert_same(resumed, learned(given, **settings))
    with pytest.raises(
        ValueError, match=r"kept: 3 passes are done already, and n_passes is 2: ask for 3 or more, or re"
    ):
        learned(given, n_steps=2, checkpoint=kept)
    kept.write_bytes(kept.read_bytes()[:-5])
    with pytest.raises(ValueError, match="kept: damaged, or no unfinished learning: choose another place, or remove"):
        learned(given, **settings, checkpoint=kept)


def test_what_cannot_be_learned_from_is_named_and_counted(tmp_path):
    """Among many files, those that are missing, no audio, silent or too short are left out."""
    paths = saved(tmp_path, 9)
    paths[1].write_text("no sound")
    paths[3].unlink()
    files.write(paths[5], np.zeros(16000, np.float32), 16000)
    files.write(paths[7], sound()[:100], 16000)
    with pytest.warns(UserWarning, match="are left out") as told:
        found = learned({"x": paths})
    assert len(told) == 2
    assert "recordings of x that are left out, 2 of 9: " in str(told[0].message)
    assert "1.wav: not an audio file" in str(told[0].message)
    assert "3.wav: no such file" in str(told[0].message)
    assert f"recordings of x that are left out, 2 of 7: {paths[5]} is silent" in str(told[1].message)
    assert f"{paths[7]} has 100 samples" in str(told[1].message)
    assert_same(found, learned({"x": paths[::2]}))
    assert found.learned_from == ("0.wav", "2.wav", "4.wav", "6.wav", "8.wav")
    with pytest.raises(ValueError, match="recordings of x that cannot be learned from, 2 of 9"):
        learned({"x": paths}, strict=True)
    with pytest.raises(ValueError, match=r"recordings of x that cannot be learned from, 1 of 1: /\S+/5\.wav is silent"):
        learned({"x": paths[5]})


def test_files_that_go_in_a_pass_are_named(tmp_path):
    """Files that vanish or are cut after the first reading are left out; they are named though they come back."""
    paths = saved(tmp_path, 21, 1)
    whole = [path.read_bytes() for path in paths]
    copy = tmp_path / "copy"

    def progress(stage, done, total):
        if stage == "x, first reading" and done == total:
            copy.write_bytes(whole[6])
            paths[5].unlink()
            paths[6].write_bytes(whole[6][: len(whole[6]) // 2])
        if stage.startswith("x, pass 2") and copy.exists():
            copy.replace(paths[6])

    message = (
        r"could not be read in every pass, 2: /\S+/5\.wav: no such file, /\S+/6\.wav: has changed since it was read"
    )
    with pytest.warns(UserWarning, match=f"^recordings of x that {message}"):
        learned({"x": paths}, progress=progress)
    paths[5].write_bytes(whole[5])
    message = (
        r"^x, pass 1 of 2: 2 of 21 recordings could not be read any more, the first of them \S+/5\.wav: no such file"
    )
    with pytest.raises(sources.LostRecordingsError, match=message):
        learned({"x": paths}, progress=progress, strict=True)


def test_what_is_replaced_is_left_out(tmp_path):
    """Files that are longer, or of another form or content, than when they were read first are left out, and named."""
    paths = saved(tmp_path, 6, 1)
    _, parts = archive.first_reading("x", paths, *FORM, Here().each)
    files.write(paths[0], sound(0, 2), 16000, "FLOAT")
    files.write(paths[1], sound(1, 1), 8000, "FLOAT")
    files.write(paths[2], np.zeros(16000, np.float32), 16000, "FLOAT")
    files.write(paths[3], sound(3, 1).reshape(-1, 2), 16000, "FLOAT")
    os.utime(paths[4], (0, 0))
    found = added([parts.sums(i, np.ones((2, STFT_16K.n_bins), np.float32)) for i in range(len(parts))])
    assert found.lost == tuple((i, f"{paths[i]}: has changed since it was read first") for i in range(4))
    assert found.n_lost == parts.n_frames * 4 // 6


def test_shares_that_all_fall_to_silence_are_given_to_others(monkeypatch):
    """Where every second recording is silent, and these alone have a share of the frames, the others are taken."""
    monkeypatch.setattr(archive, "MOST_FRAMES", 4)
    some = [sound(i, 1) for i in range(4)]
    recordings = [x for one in some for x in (one, 0 * one)]
    with pytest.warns(UserWarning, match=r"^recordings of x that are left out, 4 of 8: x, recording 2 is silent"):
        assert learned({"x": recordings}, sample_rate=16000).n_components == 4


def test_a_place_where_nothing_can_be_kept_is_refused_before_the_work(tmp_path):
    """A checkpoint in no folder is an error before anything is read; what is no checkpoint is never to be removed."""
    with pytest.raises(ValueError, match=r"there/c: cannot be written \(No such file or directory: choose another"):
        learned({"x": sound()}, sample_rate=16000, checkpoint=tmp_path / "there" / "c", progress=pytest.fail)
    (path,) = saved(tmp_path, 1)
    with pytest.raises(
        ValueError, match=r"0\.wav: damaged, or no unfinished learning: choose another place, or remove"
    ):
        learned({"x": sound()}, sample_rate=16000, checkpoint=path)


def test_more_passes_go_on_from_fewer(tmp_path):
    """More passes than were asked for before go on, also where files are copies; those that differ are named."""
    paths, place, stages = saved(tmp_path, 2, 1), tmp_path / "kept", []
    learned({"x": paths}, n_components=None, checkpoint=place, n_passes=1)
    os.utime(paths[0], (0, 0))
    more = learned({"x": paths}, n_components=32, checkpoint=place, progress=lambda stage, *_: stages.append(stage))
    assert not any("pass 1" in stage for stage in stages)
    assert_same(more, learned({"x": paths}, n_components=32))
    files.write(paths[1], sound(5, 1), 16000, "FLOAT")
    with pytest.raises(
        ValueError, match=r"kept: is of another learning \(recordings of x that have changed, 1: /\S+/1\.wav\)"
    ):
        learned({"x": paths}, n_components=32, checkpoint=place)


def test_samples_without_bound_are_left_out_of_a_pass_too(tmp_path):
    """A file that was damaged after the first reading, where that is seen late, is named and changes nothing."""
    paths = saved(tmp_path, 11, 1)

    def progress(stage, done, total):
        if stage == "x, first reading" and done == total:
            with paths[2].open("r+b") as file:
                file.seek(20_000)
                file.write(np.full(9, 1e36, "<f4").tobytes())

    with pytest.warns(UserWarning, match=r"could not be read in every pass, 1: /\S+/2\.wav holds samples that are NaN"):
        found = learned({"x": paths}, progress=progress)
    assert np.isfinite(found.components).all()


def test_an_archive_that_goes_is_an_error(tmp_path):
    """When much of it cannot be read any more, nothing is learned from the rest; the pass before is gone on from."""
    folder, kept, stages = tmp_path / "archive", tmp_path / "kept", []
    folder.mkdir()
    given = {"x": saved(folder, 16, 1)}

    def progress(stage, done, total):
        if "pass 2" in stage and folder.exists():
            folder.rename(tmp_path / "gone")

    message = (
        r"^x, pass 2 of 2: \d+ of 16 recordings could not be read any more, the first of them \S+/archive/\d+\.wav"
    )
    with pytest.raises(sources.LostRecordingsError, match=f"{message}: no such file: bring them back$"):
        learned(given, checkpoint=kept, progress=progress, memory=memory.needed(1, STFT_16K.n_bins, 1, 1))
    (tmp_path / "gone").rename(folder)
    resumed = learned(given, checkpoint=kept, progress=lambda stage, *_: stages.append(stage))
    assert not any("pass 1" in stage for stage in stages)
    assert_same(resumed, learned(given))


def test_progress_can_end_it():
    """Where progress returns False, the passes before are what was learned; it counts seconds and hours."""
    stages = []

    def progress(stage, done, total):
        stages.append((stage, done, total))
        return "pass 2" not in stage

    found = learned({"x": sound()}, sample_rate=16000, progress=progress)
    assert len(found.divergences["x"]) == 1
    assert ("x, pass 1 of 2, 0.0 of 0.0 h", 8, 8) in stages
    assert sum("pass 2" in stage for stage, *_ in stages) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_passes": 0, "memory": 10**9}, "memory is for passes over all frames: pass n_passes=2, or leave it out"),
        ({"n_passes": 0, "checkpoint": "x"}, "checkpoint is for passes"),
        ({"n_passes": 0, "client": 1}, "client is for passes"),
        ({"n_iter": 3}, "n_iter is 3, but all frames are learned from in passes: leave it out"),
        ({"client": 1, "memory": 10**9}, "memory is for learning in this process, and a client is given"),
        ({"checkpoint": 5}, "checkpoint is 5, expected the path of a file"),
        ({"client": 1}, "client is 1, expected a distributed.Client"),
        ({"memory": 10**8}, r"memory is 0.1 GB, and to learn these sources takes 0.\d+ GB: allow that much"),
    ],
)
def test_what_would_be_ignored_is_refused(settings, message):
    """Settings of passes need passes, and exclude others."""
    with pytest.raises((ValueError, TypeError), match=message):
        learned({"x": sound(0, 1)}, sample_rate=16000, **settings)


def test_only_what_can_be_read_again_is_learned_from(tmp_path):
    """Readers and clips are refused by what they are called."""
    (path,) = saved(tmp_path, 1)
    with (
        files.AudioReader(path) as reader,
        pytest.raises(TypeError, match=r"x is given as /\S+/0\.wav: leave n_passes out"),
    ):
        learned({"x": reader})


def test_memory_stays_within_its_limit(tmp_path):
    """A process with a limit stays under it, and needs most of it: ten minutes at a window of 2048."""
    files.write(tmp_path / "x.wav", np.tile(sound(0, 60), 10), 16000, "FLOAT")
    code = (
        "import sys; from rtnmf import STFT, learn\n"
        "settings = {'stft': STFT(2048, 512), 'n_components': 4, 'n_passes': 1, 'rest': False}\n"
        "learn({'x': sys.argv[1]}, **settings, memory=int(sys.argv[2]))\n"
        "print(open('/proc/self/status').read())"
    )
    limit = memory.needed(2, 1025, 1, 1)
    line = [sys.executable, "-c", code, tmp_path / "x.wav", str(limit)]
    said = subprocess.run(line, capture_output=True, text=True, check=True, timeout=120).stdout
    peak = int(next(line.split()[1] for line in said.splitlines() if line.startswith("VmHWM"))) * 1024
    assert 0.6 * limit < peak < limit
