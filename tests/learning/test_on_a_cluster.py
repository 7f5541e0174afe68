"""Learning on a cluster of Dask, with workers as real processes: the same bits, whatever becomes of the workers."""

import contextlib
import os
import re
import signal
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from cluster_model import Costs
from dask_processes import Processes
from distributed import KilledWorker
from simulate_cluster import predicted, real

from rtnmf import STFT, learn
from rtnmf.audio import files
from rtnmf.learning import archive, workers
from rtnmf.learning.archive import Archive, Known
from rtnmf.version import version

STFT_16K = STFT(512, 128)
N_PARTITIONS = 13


@pytest.fixture(scope="module")
def cluster():
    """Start a scheduler and its client, for workers to be added."""
    with contextlib.closing(Processes()) as processes:
        yield processes


@pytest.fixture
def paths(tmp_path, monkeypatch):
    """Write recordings of one partition each."""
    monkeypatch.setattr(archive, "_PARTITION_VALUES", 100 * STFT_16K.n_bins)
    rng = np.random.default_rng(0)
    names = [tmp_path / f"{i:02}.wav" for i in range(N_PARTITIONS)]
    for path in names:
        x = np.convolve(rng.normal(size=12_000), rng.normal(size=30), "same") * 0.01
        files.write(path, x.astype(np.float32), 16000, "FLOAT")
    return names


def learned(paths, client=None, **settings):
    """Learn from recordings in two passes."""
    settings = {"stft": STFT_16K, "n_components": 4, "n_passes": 2, "rest": False, **settings}
    return learn({"x": paths}, client=client, **settings)


def assert_same(one, other):
    """Assert that two dictionaries are the same to the bit."""
    assert one.divergences == other.divergences
    np.testing.assert_array_equal(one.components, other.components)


def sent(client):
    """Return how many bytes all workers have sent so far."""
    return sum(client.run(lambda dask_worker: dask_worker.transfer_outgoing_bytes_total).values())


def test_the_number_of_workers_changes_no_bit(cluster, paths):
    """One worker, two, and the threads of this process give the same; W and sums are all that travels in passes."""
    here = learned(paths)
    cluster.ensure(1)
    assert_same(here, learned(paths, cluster.client))
    cluster.ensure(2)
    counts = []

    def progress(stage, done, total):
        if stage == "x, first reading" and done == total:
            counts.append(sent(cluster.client))

    assert_same(here, learned(paths, cluster.client, progress=progress))
    message_bytes = 4 * STFT_16K.n_bins * 4 + 3000
    assert 0 < sent(cluster.client) - counts[0] < 2 * (N_PARTITIONS + 2) * message_bytes


def test_a_task_may_read_several_partitions(cluster, paths, monkeypatch):
    """Few tasks for many partitions change no bit either, and each partition is told."""
    cluster.ensure(2)
    here, told = learned(paths), []
    monkeypatch.setattr(workers, "_MOST_RUNS", 4)
    assert_same(here, learned(paths, cluster.client, progress=lambda stage, done, _: told.append((stage, done))))
    seconds = [done for stage, done in told if stage.startswith("x, pass 2")]
    assert len(seconds) == N_PARTITIONS
    assert seconds == sorted(seconds)


def test_what_travels_is_as_predicted(cluster, paths):
    """What two workers send is as the simulation says, to within 20 %: in a pass with partitions of few frames."""
    cluster.ensure(2)
    n_samples = 12_000
    parts = Archive([Known(path, n_samples, 0.01, 0.0, None) for path in paths * 15], 16000, STFT_16K, 20.0)
    W = np.random.default_rng(0).uniform(size=(4, STFT_16K.n_bins)).astype(np.float32)
    costs = Costs(0.0005, 0.0005, 0.001, 0.001, 1e9, W.nbytes + 300)
    guess = predicted(parts, [0.005], costs, W, 2)
    one = real(workers.Cluster(cluster.client), cluster.client, parts, W)
    assert guess.traffic == pytest.approx(one.traffic, rel=0.2)


def test_workers_compute_on_a_device_of_their_own(cluster, paths):
    """With a device, each worker computes there: the same but for rounding; one that it lacks is named."""
    cluster.ensure(1)
    with pytest.raises(ValueError, match=r"^the worker at tcp://\S+ cannot compute as it was asked to: device is 'no"):
        learned(paths, cluster.client, device="nosuch")
    pytest.importorskip("torch")
    found = learned(paths, cluster.client, device="cpu").divergences["x"]
    np.testing.assert_allclose(found, learned(paths).divergences["x"], rtol=1e-6)


def test_workers_may_be_killed_and_added_in_a_pass(cluster, paths):
    """What killed workers had done is done again by one that was added meanwhile, to the same bits."""
    cluster.ensure(2)
    first, second = cluster.workers[:2]
    acts = [lambda: cluster.kill(second), cluster.add, lambda: cluster.kill(first)]

    def progress(stage, *_):
        if stage.startswith("x, pass 1"):
            while acts:
                acts.pop()()

    assert_same(learned(paths, cluster.client, progress=progress), learned(paths))
    assert not {first, second} & set(cluster.workers)


def test_what_workers_cannot_read_is_named(cluster, paths):
    """A file that is no audio, and one that vanishes in a pass, are left out as they are without a cluster."""
    cluster.ensure(2)
    paths[3].write_text("no sound")

    def progress(stage, done, total):
        if stage == "x, first reading" and done == total:
            paths[7].unlink()

    with pytest.warns(UserWarning, match="every pass|left out") as told:
        learned(paths, cluster.client, progress=progress)
    said = [str(one.message) for one in told]
    assert said[0].startswith("recordings of x that are left out, 1 of 13: ")
    assert "03.wav: not an audio file" in said[0]
    assert said[1].startswith("recordings of x that could not be read in every pass, 1: ")
    assert said[1].endswith("07.wav: no such file")
    assert len(said) == 2


def test_notes_of_damaged_files_come_from_workers(cluster, paths):
    """What a worker finds odd in a file is a warning here."""
    cluster.ensure(1)
    x = np.random.default_rng(0).normal(size=12_000).astype(np.float32) * 0.1
    x[5000] = np.nan
    soundfile.write(paths[0], x, 16000, "FLOAT")
    with pytest.warns(
        UserWarning, match=r"^recordings of x that are odd, 1 of 13: .*00\.wav: 1 sample is not a number"
    ):
        learned(paths, cluster.client, n_passes=1)


@pytest.mark.parametrize(
    ("found", "problem"), [("0.0", "has rtnmf 0.0"), (ImportError("none"), r"cannot load rtnmf \(none\)")]
)
def test_workers_need_the_same_version(found, problem):
    """A worker with another version, or without any, would not give the same bits."""
    with pytest.raises(
        ValueError, match=f"^the worker at tcp://x {problem}: install version {re.escape(version())} there"
    ):
        workers._check_versions("tcp://s", {"tcp://x": found})


def test_a_worker_that_ends_while_it_is_asked_is_left_out(cluster, monkeypatch):
    """One that ends during the check of versions is no fault of the others; without others, there are no workers."""
    cluster.ensure(2)
    wanted = version()
    for i in (2, 1):
        number = cluster.workers[0].pid

        def asked(number=number):
            return wanted if os.getpid() != number else os.kill(number, signal.SIGKILL)

        monkeypatch.setattr(workers, "_installed", asked)
        with pytest.raises(ValueError, match="has no workers") if i == 1 else contextlib.nullcontext():
            workers.Cluster(cluster.client)
        cluster.kill(cluster.workers[0])


def test_without_workers_it_waits_for_some_and_says_so(cluster, paths, tmp_path, monkeypatch):
    """When all workers have gone, a warning says what helps, and new ones go on; in the end, it is an error."""
    monkeypatch.setattr(workers, "_ASKED_EACH_S", 0)
    told = []

    def helped(message, *_, **__):
        told.append(str(message))
        cluster.add()

    def progress(stage, *_):
        while stage.startswith("x, pass 2") and cluster.workers:
            cluster.kill(cluster.workers[0])

    cluster.ensure(1)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", helped)
        waited = learned(paths, cluster.client, progress=progress)
    start = f"start some with `dask worker {cluster.address}`"
    assert {re.sub(r"\d\d:\d\d:\d\d", "TIME", text) for text in told} == {
        f"the scheduler at {cluster.address} has had no workers since TIME: {start}, or stop with Ctrl-C;"
        " the work waits for them 10 minutes at most"
    }
    cluster.ensure(1)
    monkeypatch.setattr(workers, "_PATIENCE_S", 0)
    message = f"^the scheduler at {cluster.address} has had no workers for 0 minutes: {start}$"
    with pytest.warns(UserWarning, match="no workers"), pytest.raises(ConnectionError, match=message):
        learned(paths, cluster.client, checkpoint=tmp_path / "kept", progress=progress)
    assert_same(learned(paths, checkpoint=tmp_path / "kept"), waited)


def test_recordings_that_end_workers_are_an_error(cluster):
    """When Dask gives a partition up, the error says what helps."""
    cluster.ensure(1)
    ended = KilledWorker("sums", SimpleNamespace(address="tcp://x"), 3)
    message = r"^several workers ended while they read the same recordings.* \(tcp://x was the last one\)$"
    with pytest.raises(ValueError, match=message), workers.Cluster(cluster.client)._connection():
        raise ended


def test_a_lost_scheduler_is_said_and_gone_on_from(cluster, paths, tmp_path):
    """When the scheduler goes in a pass, one line says so, and the passes before are not lost."""
    cluster.ensure(2)

    def progress(stage, *_):
        if stage.startswith("x, pass 2"):
            cluster.scheduler.kill()
            cluster.scheduler.wait()
        assert "pass 1" not in stage or not (tmp_path / "kept").exists()

    message = f"^the scheduler at {cluster.address} is gone: start a cluster again$"
    with pytest.raises(ConnectionError, match=message):
        learned(paths, cluster.client, checkpoint=tmp_path / "kept", progress=progress)
    with pytest.raises(ConnectionError, match=message):
        learned(paths, cluster.client)
    stages = []
    resumed = learned(paths, checkpoint=tmp_path / "kept", progress=lambda stage, *_: stages.append(stage))
    assert not any("pass 1" in stage for stage in stages)
    assert_same(resumed, learned(paths))
