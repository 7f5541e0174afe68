#!/usr/bin/env python3
"""Separate and record live beside a busy parent, kill -9 what takes part, and say what was lost and what is left.

    .venv/bin/python scripts/soak_live.py [--blocks N] [--kills K] [--dictionary NAME] [--seed S] [--json FILE]

A JACK server with its dummy driver calls every 512 samples at 48 kHz, a feeder plays speech and typing, and the process
that holds the separation is kept busy with JSON and regular expressions. There are two parts:

1. Paced: N blocks without a kill (default: 30000, 320 s). A block that never came, by the clock of the sounding
   process, was lost by the feeder where the server or the feeder left out a cycle in the seconds before, else by us.
   Losses mean something on an idle machine only.
2. Kills: K recordings (default: 20), of some seconds each, broken at a random moment by the death of the child (the
   sounding process), the parent, the server, or parent and child at once.

All files of each recording have to be whole, equally long, sum to the input, and have the samples, to the bit, that a
replay of the input gives with the dictionaries and updates that lie beside them: up to the end, or to `latency` samples
before the kill. No process, no half-written file and nothing in /dev/shm may be left; what JACK itself keeps there is
not counted. The last line is the verdict, and the exit code is 1 where anything is wrong. `--blocks 0` and `--kills 0`
leave a part out. Several soaks and tests at once need a name each for their server, in RTNMF_TEST_SERVER.
"""

import argparse
import contextlib
import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from jack_server import ENVIRONMENT, PERIOD, Peer, Server
from sounding import salvaging_processes, sounding_processes, speech_at

import rtnmf
from rtnmf.audio import files

RATE = 48000
SHM = Path("/dev", "shm")
VICTIMS = ("child", "parent", "server", "parent and child")
PATIENCE_S = 60.0
EXPLAINS_S = 4.0  # so long after a gap its blocks can be counted as lost: two windows of the clock, and a busy parent
COUNTED = ("n_blocks", "n_lost", "n_late", "n_errors", "n_unseparated", "n_restarts", "n_unrecorded")


# -- The parent of the separation: this script again, in a process that can be killed.


def be_parent(folder, dictionary):
    """Separate and record in a process that is busy, and print the counters until standard input says to end."""
    from rtnmf.live import Live

    end = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), end.set()), daemon=True).start()
    threading.Thread(target=be_busy, daemon=True).start()
    with Live(rtnmf.load(dictionary), input="peer", output="peer", record=folder) as live:
        while not end.wait(0.2):
            print(json.dumps(counters(live)), flush=True)
    print(json.dumps(counters(live)), flush=True)


def be_busy():
    """Hold the interpreter lock most of the time, as work with json and regular expressions does."""
    while True:
        re.sub(r"(\d+)+x", "", json.dumps(json.loads(json.dumps(list(range(2000))))))


def counters(live):
    """Return what a separation has counted, its state, and why it does not record."""
    stats = live.stats
    said = {name: getattr(stats, name) for name in COUNTED}
    return {**said, "state": stats.state, "failure": live.recording_failure}


class Parent:
    """That process, seen from here: `said` has what it has printed, with the time at which it came."""

    def __init__(self, folder, dictionary):
        line = [sys.executable, __file__, "--parent", str(folder), dictionary]
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as this
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self._errors}
        self.process = subprocess.Popen(line, env=os.environ | ENVIRONMENT, **pipes)  # noqa: S603  # this script
        self.said, self._is_over, self._news = [], False, threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self._news:
                if line.endswith(b"\n"):
                    self.said.append((time.monotonic(), json.loads(line)))
                self._news.notify_all()
        with self._news:
            self._is_over = True
            self._news.notify_all()

    @property
    def last(self):
        """What it has said last; empty before."""
        return self.said[-1][1] if self.said else {}

    def until(self, holds, what, seconds=PATIENCE_S):
        """Wait until what it says is so, and give up with its last words when it does not in time."""
        with self._news:
            self._news.wait_for(lambda: self._is_over or (self.said and holds(self.last)), seconds)
            if not self.said or not holds(self.last):
                raise SystemExit(f"the parent did not get so far: {what}; {self.last}\n{self.words()}")

    def words(self):
        """Return the end of what it wrote to standard error."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")[-2000:]

    def end(self):
        """Let it end; return whether it did in good order."""
        with contextlib.suppress(OSError):
            self.process.stdin.write(b"\n")
            self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        return self.kill() == 0

    def kill(self):
        """Kill it, if it runs, and return how it has ended."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        return self.process.returncode


# -- What a recording has to be.


def faults_of(folder, stats, *, is_cut):
    """Return what is wrong with a recording, in words, its length in samples, and how many were replayed.

    Where `is_cut`, the process that recorded was killed.
    """
    got, faults = read(folder)
    faults += [f"{path.name} is half written" for path in folder.glob(".*")]
    lengths = {name: len(x) for name, x in got.items()}
    if len(set(lengths.values())) != 1 or lengths.get("input", 0) < RATE // 10:
        return [*faults, f"lengths in samples: {lengths}"], max(lengths.values(), default=0), 0
    if stats["failure"]:
        faults.append(stats["failure"])
    n_replayed = 0
    for stretch in stretches(folder, lengths["input"]):
        n_held, more = compared(folder, got, stretch, stats, is_cut=is_cut or stretch.stop < lengths["input"])
        n_replayed, faults = n_replayed + n_held, faults + more
    return faults, lengths["input"], n_replayed


def read(folder):
    """Return {name: samples} of the WAV files in a folder, and what was odd about them."""
    got, faults = {}, []
    for path in sorted(folder.glob("*.wav")):
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            try:
                got[path.stem] = files.read(path, strict=True)[0][:, 0]
            except ValueError as error:
                faults.append(str(error))
        faults += [str(note.message) for note in notes]
    return got, faults


def entries(folder, name):
    """Return what a list of a recording says; nothing where there is none."""
    path = folder / name
    return json.loads(path.read_text()) if path.exists() else []


def stretches(folder, n_samples):
    """Return the ranges of samples of each process that sounded, the silence after it included."""
    begins = [use["sample"] for use in entries(folder, "dictionaries.json") if use["begins_anew"]]
    return [range(*ends) for ends in itertools.pairwise([*(n for n in begins if n < n_samples), n_samples])]


def compared(folder, got, stretch, stats, *, is_cut):
    """Return how many samples of a stretch are as in a replay, and what is wrong with it.

    The last input that a process heard before it was killed has no stems; without a kill there are all.
    """
    x = got["input"][stretch.start : stretch.stop]
    again, latency = replayed(folder, x, stretch)
    heard = np.flatnonzero(x)
    n_held = max(0, int(heard[-1] + 1 if len(heard) else 0) - latency) if is_cut else len(x)
    stems = {name: got[files.safe_names([name])[0]][stretch.start :][:n_held] for name in again}
    faults, what = [], f"from sample {stretch.start} on"
    error = float(np.abs(sum(stems.values()) - x[:n_held]).max(initial=0))
    if error > 1e-5:
        faults.append(f"{what}, stems differ from the input by {error:.1e} in sum")
    if any(stats[name] for name in ("n_unseparated", "n_errors", "n_unrecorded")):
        return 0, faults  # the recording does not say where
    for name, stem in stems.items():
        if (n_wrong := np.count_nonzero(stem != again[name][:n_held])) > 0:
            first = np.flatnonzero(stem != again[name][:n_held])[0]
            faults.append(f"{what}, {n_wrong} of {n_held} samples of {name} differ from a replay, the first at {first}")
    return n_held, faults


def replayed(folder, x, stretch):
    """Return {source: stem} as a replay of a stretch gives them, aligned with its input, and its latency."""
    uses, turns = entries(folder, "dictionaries.json"), entries(folder, "updates.json")
    changes = {entry["sample"] - stretch.start for entry in uses + turns if entry["sample"] in stretch}
    first = next(use for use in uses if use["begins_anew"] and use["sample"] == stretch.start)
    separator = rtnmf.Separator(rtnmf.Dictionary.load(folder / first["file"]), experts=first["experts"])
    stems = []
    for start, stop in itertools.pairwise(sorted({0, len(x), *changes})):
        for use in uses:
            if use["sample"] == stretch.start + start and not use["begins_anew"]:
                separator.dictionary = rtnmf.Dictionary.load(folder / use["file"])
        for turn in turns:
            if turn["sample"] == stretch.start + start:
                separator.n_iter, separator.asks = turn["n_iter"], turn["asks"]
        stems.append(separator.process(x[start:stop]))
    whole = np.concatenate([*stems, separator.flush()], axis=1)[:, separator.latency :]
    return dict(zip(separator.sources, whole, strict=True)), separator.latency


# -- Paced, without a kill.


def paced(folder, dictionary, n_blocks):
    """Return what was lost of so many blocks, and by whom."""
    seconds = n_blocks * PERIOD / RATE
    with feeding(folder, seconds + 60) as feeder:
        parent = Parent(folder / "take", dictionary)
        parent.until(lambda said: said["n_blocks"] > 200, "200 blocks")
        began, first = parent.said[-1]
        for tenth in range(1, 11):
            n = first["n_blocks"] + n_blocks * tenth // 10
            parent.until(lambda said, n=n: said["n_blocks"] >= n, f"{n} blocks", seconds + PATIENCE_S)
            print(f"   {parent.last['n_blocks'] - first['n_blocks']:6} blocks", file=sys.stderr, flush=True)
        time.sleep(EXPLAINS_S)  # until what was lost last is counted
        gaps, n_seen, last = feeder.gaps(), len(parent.said), parent.last
        is_well = parent.end()
    counts = [(when, said["n_lost"]) for when, said in parent.said[:n_seen] if when >= began]
    losses = [(when, n - before) for (_, before), (when, n) in itertools.pairwise(counts) if n > before]
    n_lost = sum(n for _, n in losses)
    n_ours = unexplained(losses, gaps)
    faults, length, n_replayed = faults_of(folder / "take", parent.last, is_cut=False)
    return {
        "part": "paced", "blocks": last["n_blocks"] - first["n_blocks"], "late": last["n_late"] - first["n_late"],
        "lost_by_us": n_ours, "lost_by_feeder": n_lost - n_ours,
        "left_out_by_feeder": int(sum(n for when, n in gaps if when >= began)),
        "samples": length, "replayed": n_replayed, "faults": faults + ([] if is_well else [parent.words()]),
    }  # fmt: skip


def unexplained(losses, gaps):
    """Return how many lost blocks no gap of the feeder explains; both are pairs of a time in s and a number."""
    left, n_unexplained = [list(gap) for gap in gaps], 0
    for when, n in losses:
        for gap in left:
            if 0 <= when - gap[0] <= EXPLAINS_S:
                taken = min(n, gap[1])
                n, gap[1] = n - taken, gap[1] - taken
        n_unexplained += int(n)
    return n_unexplained


@contextlib.contextmanager
def feeding(folder, seconds):
    """Run a peer that plays speech and typing for so long."""
    with contextlib.closing(Peer(folder)) as peer:
        peer.play(np.resize(speech_at(RATE, 10), int(seconds * RATE)))
        yield peer


# -- With a kill.


def killed(server, folder, dictionary, victim, after_s):
    """Return what is left of a recording which the death of a victim has broken after some seconds."""
    before = in_shm()
    with feeding(folder, 120) as feeder:
        parent = Parent(folder / "take", dictionary)
        parent.until(lambda said: said["state"] == "sounding" and said["n_blocks"] > 20, "20 blocks")
        time.sleep(after_s)
        if victim == "server":
            feeder.stop()
            server.stop()
            parent.until(lambda said: said["state"] == "waiting", "waiting for the server")
            server.start()
        children = sounding_processes() if "child" in victim else []
        is_cut = "parent" in victim
        if is_cut:
            parent.kill()
        for number in children:
            os.kill(number, signal.SIGKILL)
        with feeding(folder, 120) if victim == "server" else contextlib.nullcontext():
            is_well = is_cut or goes_on(parent)
    left = remains(before)
    faults, length, n_replayed = faults_of(folder / "take", parent.last, is_cut=is_cut)
    return {
        "part": "kill", "victim": victim, "after_s": round(after_s, 2), "samples": length, "replayed": n_replayed,
        "faults": faults + left + ([] if is_well else [f"the parent ended badly: {parent.words()}"]),
    }  # fmt: skip


def goes_on(parent):
    """Wait until a parent sounds again, and has for a second; end it, and return whether that went well."""
    parent.until(lambda said: said["n_restarts"] > 0 and said["state"] == "sounding", "to sound again")
    n_blocks = parent.last["n_blocks"] + RATE // PERIOD
    parent.until(lambda said: said["n_blocks"] > n_blocks, "a second of sound after the kill")
    return parent.end()


def remains(before):
    """Return what is left in words, once what has to end by itself had time for that."""
    end = time.monotonic() + PATIENCE_S / 2
    while (sounding_processes() or salvaging_processes()) and time.monotonic() < end:
        time.sleep(0.05)
    left = ["a sounding process is left"] if sounding_processes() else []
    left += ["a salvaging process is left"] if salvaging_processes() else []
    return left + [f"{SHM / name} is left" for name in sorted(in_shm() - before)]


def in_shm():
    """Return the names of what is in /dev/shm, but for what JACK keeps there."""
    return {path.name for path in SHM.iterdir() if not path.name.startswith("jack")}


# -- Both parts, and the verdict.


def soak(options):
    """Yield what was seen of each part."""
    rng = random.Random(options.seed)  # noqa: S311  # no secret
    victims = [VICTIMS[i % len(VICTIMS)] for i in range(options.kills)]
    rng.shuffle(victims)
    with contextlib.closing(Server()) as server:
        if options.blocks:
            with tempfile.TemporaryDirectory() as folder:
                yield paced(Path(folder), options.dictionary, options.blocks)
        for victim in victims:
            with tempfile.TemporaryDirectory() as folder:
                server.ensure()
                yield killed(server, Path(folder), options.dictionary, victim, rng.uniform(0.0, 4.0))


def line_of(row):
    """Return a line for a person about a part."""
    sound = f"{row['samples'] / RATE:6.1f} s recorded, {row['replayed'] / RATE:6.1f} s as replayed"
    if row["part"] == "paced":
        what = f"{row['blocks']} blocks, {row['lost_by_us']} lost by us, {row['lost_by_feeder']} by the feeder"
        what += f" (which left out {row['left_out_by_feeder']}), {row['late']} late;"
    else:
        what = f"{row['victim']} killed after {row['after_s']:.1f} s"
    return f"{row['part']:6} {what:40} {sound}: {'; '.join(row['faults']) or 'right'}"


def verdict_on(rows):
    """Return what all comes to."""
    wrong = [row for row in rows if row["faults"]]
    unplayed = [row for row in rows if not row["faults"] and not row["replayed"]]
    by_us, by_feeder = (sum(row.get(f"lost_by_{who}", 0) for row in rows) for who in ("us", "feeder"))
    is_right = not wrong and not by_us
    text = f"verdict: {'right' if is_right else 'WRONG'}; of {len(rows)} recordings {len(wrong)} are wrong and"
    text += f" {len(unplayed)} were not replayed; blocks lost by us: {by_us}, by the feeder: {by_feeder}"
    counts = {"recordings": len(rows), "wrong": len(wrong), "not_replayed": len(unplayed)}
    return {"is_right": is_right, **counts, "lost_by_us": by_us, "lost_by_feeder": by_feeder, "text": text}


def main():
    """Soak, or be the parent of a soak."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=30_000, metavar="N", help="blocks without a kill")
    parser.add_argument("--kills", type=int, default=20, metavar="K", help="recordings that are broken")
    parser.add_argument("--dictionary", default="speech+keyboard", help="(default: speech+keyboard)")
    parser.add_argument("--seed", type=int, default=0, help="of the victims and the moments (default: 0)")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    parser.add_argument("--parent", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.parent:
        be_parent(*options.parent)
        return
    rows = []
    for row in soak(options):
        rows.append(row)
        print(line_of(row), flush=True)
    verdict = verdict_on(rows)
    print(verdict["text"])
    if options.json:
        Path(options.json).write_text(json.dumps({"parts": rows, "verdict": verdict}, indent=1) + "\n")
    raise SystemExit(0 if verdict["is_right"] else 1)


if __name__ == "__main__":
    main()
