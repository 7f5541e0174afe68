"""Archives on the command line: passes, folders, limits of memory, interruptions, and clusters of Dask."""

import contextlib
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import assert_refused, run, save_desk, sound
from dask_processes import Processes

from rtnmf import Dictionary
from rtnmf.cli import cluster as cluster_options
from rtnmf.cli.arguments import size_bytes
from rtnmf.learning import checkpoint

QUICK = ("--components", 3, "--passes", 2, "--no-rest", "--window", 512)
UNFINISHED = "d.unfinished.safetensors"


@pytest.fixture(scope="module")
def cluster():
    """Start a scheduler and a worker."""
    with contextlib.closing(Processes()) as processes:
        yield processes


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in a folder with an archive of three recordings in two folders."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "archive" / "2024").mkdir(parents=True)
    for i, path in enumerate(("b.wav", "a.wav", "2024/c.wav"), 1):
        sound(f"archive/{path}", 10_000 * i)
    return tmp_path


def test_an_archive_is_learned_in_passes(folder, capsys):
    """All files in a folder and its subfolders are learned from; nothing but the dictionary is left."""
    Path("archive/notes.txt").touch()
    assert run("learn", "x=archive", "-o", "d.safetensors", *QUICK, "--memory", "1GB") == 0
    said = capsys.readouterr()
    assert said.out.startswith("d.safetensors: x; 3 components, 16000 Hz")
    assert said.err == "note: archive: left out, as not audio by their endings: notes.txt\n"
    learned = Dictionary.load("d.safetensors")
    assert learned.learned_from == ("c.wav", "a.wav", "b.wav")
    assert [i for i, _ in learned.divergences["x"]] == [0, 1]
    assert sorted(path.name for path in folder.iterdir()) == ["archive", "d.safetensors"]


def test_an_archive_is_learned_on_a_device(folder, capsys):
    """With --device, torch computes; where there is nothing for it to do, that is refused."""
    pytest.importorskip("torch")
    line = ("learn", "x=archive", "-o", "d.safetensors", *QUICK)
    assert run(*line) == 0
    first = Dictionary.load("d.safetensors").components
    assert run(*line, "--overwrite", "--device", "cpu") == 0
    np.testing.assert_allclose(Dictionary.load("d.safetensors").components, first, rtol=1e-3, atol=1e-6)
    idle = ("learn", "x=archive", "-o", "e.safetensors", "--no-rest", "--device", "cpu")
    assert_refused(idle, "there are neither passes nor a training to be done on device 'cpu'", capsys)


KILLED = """
import os, signal, sys
from rtnmf.cli.main import main
from rtnmf.learning import checkpoint
keep = checkpoint.Checkpoint.keep
def keep_and_die(*arguments):
    keep(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
checkpoint.Checkpoint.keep = keep_and_die
main(sys.argv[1:])
"""


def test_an_interrupted_command_is_gone_on_from(folder, capsys):
    """What a killed command has reached is neither lost nor ignored: --resume goes on, to the same bits."""
    line = ["learn", "x=archive", "-o", "d.safetensors", *map(str, QUICK)]
    killed = subprocess.run([sys.executable, "-c", KILLED, *line], timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert Path(UNFINISHED).is_file()
    assert_refused(line, f"{UNFINISHED}: an interrupted command has left it: go on from it with --resume", capsys)
    before = Path(UNFINISHED).read_bytes()
    assert_refused(
        [*line, "--resume", "--seed", 3], f"{UNFINISHED}: is of another learning (--seed is 3 and was 0)", capsys
    )
    assert Path(UNFINISHED).read_bytes() == before
    assert run(*line, "--resume") == 0
    assert not Path(UNFINISHED).exists()
    first = Dictionary.load("d.safetensors")
    assert run(*line, "--overwrite", "--resume") == 0
    assert f"note: there is no {UNFINISHED} to go on from: learning begins anew\n" in capsys.readouterr().err
    assert Dictionary.load("d.safetensors") == first


@pytest.mark.parametrize("is_kept", [True, False])
def test_what_ends_a_command_says_how_to_go_on(folder, capsys, monkeypatch, is_kept):
    """Ctrl-C, and an archive that goes, say that --resume goes on where a pass is kept, and else not."""
    keep = checkpoint.Checkpoint.keep

    def ended_by(act):
        monkeypatch.setattr(checkpoint.Checkpoint, "keep", lambda *given: (is_kept and keep(*given), act()))

    def stop():
        raise KeyboardInterrupt

    line = ("learn", "x=archive", "-o", "d.safetensors", *QUICK)
    ended_by(stop)
    assert run(*line) == 130
    assert capsys.readouterr().err == f"rtnmf: stopped{': go on with --resume' if is_kept else ''}\n"
    Path(UNFINISHED).unlink(missing_ok=True)
    ended_by(lambda: Path("archive").rename("gone"))
    message = r"x, pass 2 of 2: 3 of 3 recordings could not be read any more, .* bring them back, and "
    assert run(*line) == 2
    assert re.match(f"rtnmf: {message}{'go on with --resume' if is_kept else 'begin again'}$", capsys.readouterr().err)
    assert Path(UNFINISHED).exists() == is_kept
    assert not Path("d.safetensors").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("x=archive", "--memory", "2GB"), "--memory: has no use without --passes N, leave it out"),
        (("x=archive", "--resume"), "--resume: has no use without --passes N, leave it out"),
        (("x=archive", "--scheduler", "tcp://x"), "--scheduler: has no use without --passes N, leave it out"),
        (("x=archive", "--passes", 2, "--memory", "100MB"), "--memory is 0.1 GB, and to learn these sources takes 0."),
        (("x=archive", "--passes", 2, "--iterations", 3), "--iterations is 3, but all frames are learned from in pass"),
        (
            ("x=archive", "--passes", 2, "--memory", "1GB", "--device", "cpu"),
            "--memory: the limit would not hold for torch, which --device needs, leave it out",
        ),
        (("x=mic:60", "--device", "nosuch"), "--device is 'nosuch', "),
        (("archive",), "archive: is a folder, and recordings are learned blind one by one: write NAME=FOLDER"),
        (("x=archive/b.wav@0-1", "--passes", 2), "x is given as archive/b.wav@0-1: leave --passes out"),
    ],
)
def test_what_would_be_ignored_or_cannot_be_is_refused(folder, capsys, words, message):
    """Options of passes need passes, and what is refused is named as it is typed."""
    assert_refused(["learn", *words, "-o", "d.safetensors"], message, capsys)
    assert not Path("d.safetensors").exists()


@pytest.mark.parametrize(("text", "n"), [("2GB", 2 * 10**9), ("1.5GiB", 3 * 2**29), ("800 MB", 8 * 10**8)])
def test_sizes_are_written_with_units(text, n):
    """Sizes have decimal or binary units."""
    assert size_bytes(text) == n


def test_sizes_without_units_are_refused(folder, capsys):
    """A bare number is ambiguous."""
    with pytest.raises(SystemExit):
        run("learn", "x=archive", "-o", "d.safetensors", "--passes", 2, "--memory", "2")
    assert "2 is not a size, expected one such as 2GB or 800MB" in capsys.readouterr().err


STOPPED = """
import itertools, os, signal, sys
from rtnmf.cli.main import main
from rtnmf.learning import clips
usable, calls = clips.usable, itertools.count(1)
def endless(block):  # in parts without sound
    for i in itertools.count():
        if i == 9:
            os.kill(os.getpid(), signal.SIGINT)
        yield block[:0]
def usable_without_end(title, blocks):
    return usable(title, endless(next(iter(blocks))) if next(calls) >= int(sys.argv[1]) else blocks)
clips.usable = usable_without_end
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.parametrize(("stage", "first_call"), [("first reading", 1), ("pass", 4)])
def test_ctrl_c_does_not_wait_for_long_recordings(folder, stage, first_call):
    """In each stage, Ctrl-C ends the threads that read, though their recordings do not end."""
    line = ["learn", "x=archive", "-o", "d.safetensors", *map(str, QUICK)]
    stopped = subprocess.run([sys.executable, "-c", STOPPED, str(first_call), *line], capture_output=True, timeout=60)
    assert (stopped.returncode, stopped.stderr) == (130, b"rtnmf: stopped\n")
    assert [path.name for path in folder.iterdir()] == ["archive"]


def test_a_cluster_learns_and_separates_the_same(cluster, folder, capsys):
    """With --scheduler, the dictionary and the files are the same to the bit; failures are named and counted."""
    save_desk(folder)
    line = ("learn", "x=archive", "-o", "d.safetensors", *QUICK)
    assert_refused([*line, "--scheduler", cluster.address], "has no workers: start some, as with `dask worker", capsys)
    cluster.ensure(1)
    assert run(*line) == 0
    first = Dictionary.load("d.safetensors")
    assert run(*line, "--overwrite", "--scheduler", cluster.address) == 0
    assert Dictionary.load("d.safetensors") == first

    Path("archive/d.wav").write_text("no sound")
    sound("archive/a.flac", 3000)  # whose folder gets a number
    capsys.readouterr()
    said = {}
    for place, more in (("here", ()), ("there", ("--scheduler", cluster.address))):
        assert run("separate", "archive", "desk.safetensors", "-o", place, "--format", "flac", *more) == 2
        said[place] = capsys.readouterr()
    assert said["there"].out == said["here"].out.replace("here/", "there/")
    assert said["there"].err == said["here"].err
    assert "1 of 4 files could not be separated, the first: archive/d.wav: not an audio file" in said["there"].err
    found = {place: sorted(path.relative_to(place) for path in Path(place).rglob("*.flac")) for place in said}
    assert len(found["here"]) == 6
    assert found["here"] == found["there"]
    for name in found["here"]:
        assert Path("here", name).read_bytes() == Path("there", name).read_bytes()


def test_what_is_wrong_with_a_cluster_is_said(folder, capsys, monkeypatch):
    """A scheduler that is not there, and Dask that is not installed, are errors with the remedy."""
    save_desk(folder)
    monkeypatch.setattr(cluster_options, "_TIMEOUT_S", 0.3)
    line = ("learn", "x=archive", "-o", "d.safetensors", *QUICK, "--scheduler")
    assert_refused([*line, "tcp://127.0.0.1:1"], "tcp://127.0.0.1:1: no scheduler of Dask answers there", capsys)
    assert_refused([*line, "nonsense://x"], "nonsense://x: no scheduler of Dask answers there", capsys)
    assert_refused([*line, "tcp://me:secret@x"], "--scheduler tcp://x: no scheduler of Dask answers there", capsys)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        assert_refused([*line, address], f"{address}: no scheduler of Dask answers there", capsys)
    message = "--scheduler: is for several recordings, or a folder, leave it out"
    assert_refused(["separate", "archive/a.wav", "desk.safetensors", "--scheduler", "tcp://x"], message, capsys)
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert_refused([*line, "tcp://x"], "--scheduler needs Dask: pip install 'rtnmf[cluster]'", capsys)


def test_a_command_says_that_the_scheduler_went(cluster, folder, capsys, monkeypatch):
    """One line says that the scheduler is gone, and --resume goes on where it was; the last test of this cluster."""
    cluster.ensure(1)
    monkeypatch.setattr(cluster_options, "_TIMEOUT_S", 1)
    keep = checkpoint.Checkpoint.keep

    def keep_and_kill(*arguments):
        keep(*arguments)
        cluster.scheduler.kill()
        cluster.scheduler.wait()

    monkeypatch.setattr(checkpoint.Checkpoint, "keep", keep_and_kill)
    line = ("learn", "x=archive", "-o", "d.safetensors", *QUICK)
    message = f"rtnmf: the scheduler at {cluster.address} is gone: start a cluster again, and go on with --resume\n"
    assert run(*line, "--scheduler", cluster.address) == 2
    assert capsys.readouterr().err == message
    monkeypatch.setattr(checkpoint.Checkpoint, "keep", keep)
    assert run(*line, "--resume") == 0
    resumed = Dictionary.load("d.safetensors")
    assert run(*line, "--overwrite") == 0
    assert Dictionary.load("d.safetensors") == resumed
