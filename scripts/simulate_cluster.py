#!/usr/bin/env python3
"""Predict how long a pass over an archive takes on clusters of 1 to 1000 workers, and hold that against real ones.

    .venv/bin/python scripts/simulate_cluster.py [--bandwidth MB_PER_S] [--recording-hours H] [--minutes M]
        [--json FILE]

It measures on this machine what a partition costs, which is about nine minutes of sound; what a task costs the
scheduler, a worker and the client, in a pass whose partitions have one frame each; and what a message between two
workers costs. `cluster_model.py` goes through passes with that, event by event. Then passes over sound that is made
from the clips of the presets run on one and on two workers, which are processes of their own, and on threads without a
cluster: all must give the same bits, and what travels must be as predicted to within 20 %, or the script fails.

The network between the processes of a machine is faster than one between machines: `--bandwidth 110` stands for a
gigabit. Give nothing else to do to the machine. It takes two minutes on two cores.
"""

import argparse
import contextlib
import json
import pickle
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import dask
import numpy as np
import psutil
from cluster_model import Costs, simulated
from dask_processes import Processes

from rtnmf import STFT
from rtnmf.audio import files
from rtnmf.learning import archive
from rtnmf.learning.archive import Archive, Known
from rtnmf.learning.workers import Cluster, Here, runs
from rtnmf.nmf.passes import Sums

CLIPS = Path(__file__).parent.parent / "presets" / "clips"
HOURS = (1, 10, 100, 1000, 10_000, 100_000)
WORKERS = (1, 2, 10, 100, 1000)
SAMPLE_RATE = 16000
TRANSFORM = STFT(2048, 512)
N_COMPONENTS = 32
AUDIBLE_HZ = 20.0
N_TINY = 1000  # partitions of one frame, with which tasks are measured
N_MESSAGES = 20
LARGE_BYTES = 2**26  # of a message that the bandwidth is measured with
SHORTER = 16  # times, the partitions of the real passes: so many that chance plays no part
TOLERANCE = 0.2


class Measured(NamedTuple):
    """What the parts of a pass cost here."""

    costs: Costs
    scheduler_bytes: float
    """Memory of the scheduler per task."""


def columns():
    """Return a W to measure with: what is in it makes no difference to the time."""
    W = np.random.default_rng(0).uniform(size=(N_COMPONENTS, TRANSFORM.n_bins)).astype(np.float32)
    return W / W.sum(axis=1, keepdims=True)


@contextlib.contextmanager
def partitions_of(n_values):
    """Let partitions be as small as given meanwhile."""
    usual = archive._PARTITION_VALUES
    archive._PARTITION_VALUES = n_values
    try:
        yield
    finally:
        archive._PARTITION_VALUES = usual


def made(folder, minutes):
    """Write files of ten minutes or less, each with all clips in an order of its own; return what is known of them."""
    clips = [files.read(path, SAMPLE_RATE)[0].mean(axis=1) for path in sorted(CLIPS.glob("*.flac"))]
    rng, known = np.random.default_rng(0), []
    for i in range(0, minutes, 10):
        x = np.concatenate([clips[n] for n in rng.permutation(len(clips))])
        path, n_samples = folder / f"{i}.wav", 60 * min(10, minutes - i) * SAMPLE_RATE
        files.write(path, np.resize(x, n_samples).astype(np.float32), SAMPLE_RATE)
        known.append(Known(path, n_samples, 0.1, 0.0, None))
    return known


def archive_of(known):
    """Return an archive as `rtnmf learn` makes it."""
    return Archive(known, SAMPLE_RATE, TRANSFORM, AUDIBLE_HZ)


def imagined(hours, recording_hours):
    """Return an archive of so many hours, whose recordings need not be there."""
    n_samples = int(3600 * recording_hours * SAMPLE_RATE)
    n = max(1, round(hours / recording_hours))
    return archive_of([Known(Path(f"/archive/station/{i:08}.wav"), n_samples, 0.1, 0.0, None) for i in range(n)])


def reading_costs(client, of, W, n):
    """Return the seconds that some partitions take per second of sound, on all workers at the same time."""

    def timed():
        of.sums(0, W)  # compiles
        for i in np.linspace(0, len(of) - 1, min(n, len(of))).astype(int).tolist():
            began = time.perf_counter()
            of.sums(i, W)
            yield (time.perf_counter() - began) / of.seconds(i)

    futures = [client.submit(lambda: list(timed()), workers=[one], pure=False) for one in addresses(client)]
    return [cost for costs in client.gather(futures) for cost in costs]


def addresses(client):
    """Return where the workers are."""
    return list(client.scheduler_info()["workers"])


def cpu_seconds(process):
    """Return the processor time that a process has taken."""
    times = psutil.Process(process.pid).cpu_times()
    return times.user + times.system


def task_costs(processes, known, W):
    """Return processor seconds per task of client, scheduler and workers, and the memory of the scheduler per task."""
    with partitions_of(1):
        tiny, few = (archive_of([known[0]._replace(n_samples=n * 512)]) for n in (N_TINY, 20))
    cluster, memory = Cluster(processes.client), psutil.Process(processes.scheduler.pid).memory_info
    cluster.total(few, W, nothing)  # all that has to be imported and compiled is, now
    here_s = processes.client.submit(cpu_of, lambda: [tiny.sums(i, W) for i in range(len(tiny))], pure=False).result()
    everyone = (processes.scheduler, *processes.workers)
    before, held = [cpu_seconds(one) for one in everyone], memory().rss
    most = [held]
    client_s = cpu_of(lambda: cluster.total(tiny, W, lambda _: most.append(memory().rss)))
    scheduler_s, *workers_s = (cpu_seconds(one) - was for one, was in zip(everyone, before, strict=True))
    n_tasks = 2 * len(runs(len(tiny))) - 1
    beside_s = max(0.0, sum(workers_s) - here_s)
    return [s / n_tasks for s in (client_s, scheduler_s, beside_s)], (max(most) - held) / n_tasks


def nothing(_):
    """Do without progress."""


def cpu_of(function):
    """Return the processor time that a function takes in this process."""
    began = time.process_time()
    function()
    return time.process_time() - began


def message_seconds(client, n_bytes):
    """Return the median time in which one worker fetches so many bytes from the other."""
    one, other = addresses(client)
    client.run(lambda dask_worker: dask_worker.transfer_incoming_log.clear())
    for _ in range(N_MESSAGES if n_bytes < LARGE_BYTES else 3):
        sent = client.submit(np.ones, n_bytes, np.uint8, workers=[one], pure=False)
        client.submit(len, sent, workers=[other], pure=False).result()
    logs = client.run(lambda dask_worker: [entry["duration"] for entry in dask_worker.transfer_incoming_log])
    return float(np.median(logs[other]))


def measured(processes, known, W):
    """Return what tasks and messages cost, with two workers."""
    processes.ensure(2)
    tasks, scheduler_bytes = task_costs(processes, known, W)
    sum_bytes = len(pickle.dumps(Sums(W, 1.0, 1.0, 1)))
    message_s = message_seconds(processes.client, 1)
    bandwidth = LARGE_BYTES / max(1e-3, message_seconds(processes.client, LARGE_BYTES) - message_s)
    return Measured(Costs(*tasks, message_s, bandwidth, sum_bytes), scheduler_bytes)


def shared_bytes(of, W):
    """Return what each worker gets once in a pass."""
    return len(pickle.dumps(of)) + len(pickle.dumps(W))


def predicted(of, reading, costs, W, n_workers):
    """Return what a pass takes, with partitions that cost as much as those that were measured, drawn by chance."""
    seconds = np.array([of.seconds(i) for i in range(len(of))])
    seconds *= np.random.default_rng(0).choice(reading, len(of))
    leaf_s = np.add.reduceat(seconds, [run.start for run in runs(len(of))]).tolist()
    saturation = dask.config.get("distributed.scheduler.worker-saturation")
    return simulated(leaf_s, costs, n_workers, shared_bytes(of, W), saturation=saturation)


class Real(NamedTuple):
    """What a real pass took."""

    seconds: float
    traffic: int
    sums: object


def real(workers, client, of, W):
    """Return what a pass took, and what workers sent in it as it went over the network."""
    client.run(lambda dask_worker: dask_worker.transfer_outgoing_log.clear())
    began = time.perf_counter()
    sums = workers.total(of, W, nothing)
    return Real(time.perf_counter() - began, sent_bytes(client), sums)


def sent_bytes(client):
    """Return what all workers have sent since their logs were cleared."""

    def of(dask_worker):
        log = dask_worker.transfer_outgoing_log
        return sum(one["compressed"] for one in log), len(log) == log.maxlen

    found = client.run(of).values()
    if any(is_full for _, is_full in found):
        raise SystemExit("the workers keep too short a log of what they send: give fewer --minutes")
    return sum(n_bytes for n_bytes, _ in found)


def leave(client, n_workers):
    """Let so many of the workers stay."""
    too_many = addresses(client)[n_workers:]
    if too_many:
        client.retire_workers(too_many)


def same(one, other):
    """Return whether two sums are the same to the bit."""
    return np.array_equal(one.numerator, other.numerator) and one[1:] == other[1:]


def checked(processes, known, costs, W):
    """Run passes on one worker and on two; print them beside what is predicted, and return what is wrong."""
    with partitions_of(archive._PARTITION_VALUES // SHORTER):
        of = archive_of(known)
    hours = sum(map(of.seconds, range(len(of)))) / 3600
    print(f"\nReal passes over {hours:.2g} h in {len(of)} partitions of {of.seconds(0):.0f} s")
    print(f"{'':12}{'s per pass':>12}{'predicted':>12}{'MB sent':>12}{'predicted':>12}{'off by':>9}   same bits")
    here = Here().total(of, W, nothing)
    found, wrong = {}, []
    for n_workers in (2, 1):
        leave(processes.client, n_workers)
        reading = reading_costs(processes.client, of, W, 16)
        found[n_workers] = one = real(Cluster(processes.client), processes.client, of, W)
        guess = predicted(of, reading, costs, W, n_workers)
        off, is_same = guess.traffic / one.traffic - 1, same(one.sums, here)
        words = f"{n_workers} worker{'s' * (n_workers > 1)}"
        print(f"{words:12}{one.seconds:12.2f}{guess.seconds:12.2f}", end="")
        print(f"{one.traffic / 1e6:12.3f}{guess.traffic / 1e6:12.3f}{off:+9.1%}   {'yes' if is_same else 'NO'}")
        wrong += [f"traffic of {words} is not as predicted"] * (abs(off) > TOLERANCE)
        wrong += [f"{words} give other bits than threads"] * (not is_same)
    print(f"Two workers are {found[1].seconds / found[2].seconds:.2f} times as fast as one.")
    return wrong, {n: one._replace(sums=None)._asdict() for n, one in found.items()}


def in_words(seconds):
    """Return a time with its unit."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.2g} s"


def in_bytes(n_bytes):
    """Return a number of bytes with its unit."""
    return f"{n_bytes / 1e9:.3g} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.3g} MB"


def table(reading, costs, W, recording_hours):
    """Print time, traffic and what bounds, for archives and clusters of all sizes; return them."""
    print("\nOne pass: time, what workers send, and what the time is mostly spent on: r reading, s the scheduler,")
    print("n the network, c this process, o one partition, as there are fewer than workers")
    print(f"{'hours':>8}{'tasks':>7}", *(f"{f'{n} worker' + 's' * (n > 1):>19}" for n in WORKERS), sep="  ")
    rows = {}
    for hours in HOURS:
        of = imagined(hours, recording_hours)
        rows[hours] = [predicted(of, reading, costs, W, n) for n in WORKERS]
        cells = [f"{in_words(one.seconds):>8}{in_bytes(one.traffic):>9} {one.bound[0]}" for one in rows[hours]]
        print(f"{hours:8,}{rows[hours][0].n_tasks:7,}", *cells, sep="  ", flush=True)
    return {hours: [one._asdict() | {"bound": one.bound} for one in row] for hours, row in rows.items()}


def limits(found, W, recording_hours):
    """Print what would break if each partition of the longest archive were a task, and what does with runs."""
    of = imagined(HOURS[-1], recording_hours)
    n_runs, description = len(runs(len(of))), shared_bytes(of, W)
    print(f"\n{HOURS[-1]:,} h are {len(of):,} partitions, in runs of {len(runs(len(of))[0])} that are one task each:")
    for words, n in (("as it is", n_runs), ("with a task for each partition", len(of))):
        n_tasks, costs = 2 * n - 1, found.costs
        print(
            f"  {words}: {n_tasks:,} tasks take the scheduler {in_words(n_tasks * costs.scheduler_s)} and"
            f" {n_tasks * found.scheduler_bytes / 1e9:.2g} GB, this process {in_words(n_tasks * costs.client_s)} a pass"
        )
    print(
        f"  Where all files are, which each worker gets once a pass, are {description / 1e6:.3g} MB:"
        f" {WORKERS[-1] * description / 1e9:.3g} GB for {WORKERS[-1]} workers."
    )


def arguments():
    """Return what is given on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--bandwidth", type=float, metavar="MB_PER_S", help="of the network; else of this machine's own"
    )
    parser.add_argument("--recording-hours", type=float, default=1, metavar="H", help="length of a file (default: 1)")
    parser.add_argument("--minutes", type=int, default=120, metavar="M", help="of sound in real passes (default: 120)")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    return parser.parse_args()


def main():
    """Measure, check and predict."""
    given, W = arguments(), columns()
    print(
        f"{platform.machine()}, {psutil.cpu_count()} processors, dask {dask.__version__}, {TRANSFORM.n_fft}-window,",
        end="",
    )
    print(f" K={N_COMPONENTS}, {SAMPLE_RATE} Hz")
    with tempfile.TemporaryDirectory() as folder, contextlib.closing(Processes()) as processes:
        known = made(Path(folder), given.minutes)
        found = measured(processes, known, W)
        reading = reading_costs(processes.client, archive_of(known), W, 6)
        show(reading, archive_of(known).seconds(0), found)
        wrong, passes = checked(processes, known, found.costs, W)
    costs = found.costs._replace(**({"bandwidth": given.bandwidth * 1e6} if given.bandwidth else {}))
    rows = table(reading, costs, W, given.recording_hours)
    limits(found._replace(costs=costs), W, given.recording_hours)
    if given.json:
        facts = {"reading": reading, "costs": costs._asdict(), "passes": passes, "predicted": rows}
        Path(given.json).write_text(json.dumps(facts, indent=1))
    if wrong:
        sys.exit("; ".join(wrong))


def show(reading, seconds, found):
    """Print what was measured."""
    costs = found.costs
    print(f"A partition of {seconds / 60:.1f} min: {np.median(reading) * seconds:.2f} s to read and sum up", end="")
    print(f" ({min(reading) * seconds:.2f} to {max(reading) * seconds:.2f})")
    print(
        f"A task: {1000 * costs.scheduler_s:.2f} ms of the scheduler, {1000 * costs.worker_s:.2f} ms of a worker",
        end="",
    )
    print(
        f" beside its work, {1000 * costs.client_s:.2f} ms of this process, {found.scheduler_bytes / 1e3:.1f} kB",
        end="",
    )
    print(" of the scheduler's memory")
    print(f"A message: {1000 * costs.message_s:.2f} ms and {costs.bandwidth / 1e6:,.0f} MB/s;", end="")
    print(f" a sum has {costs.sum_bytes / 1e3:.0f} kB", flush=True)


if __name__ == "__main__":
    main()
