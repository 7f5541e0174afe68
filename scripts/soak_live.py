#!/usr/bin/env python3
"""Separate and record live beside a busy parent, kill -9 what takes part, and say what was lost and what is left.

    .venv/bin/python scripts/soak_live.py [--blocks N] [--kills K] [--dictionary NAME] [--seed S] [--json FILE]

A JACK server with its dummy driver calls every 512 samples at 48 kHz, a feeder plays speech and typing, and the process
that holds the separation is kept busy with JSON and regular expressions. There are two parts:

1. Paced: N blocks without a kill (default: 30000, 320 s). A block that never came, by the clock of the sounding
   process, was lost by the feeder where the server or the feeder left out a cycle in the seconds before, else by us.
   Losses mean something on an idle machine only.
2. Kills: K recordings (default: 20), broken at a random moment of their first seconds by the death of the child (the
   sounding process), the parent, the server, or parent and child at once.

The files of each recording have to pass `scripts/check_recording.py`: whole, equally long, as a replay gives them. No
process, no half-written file and nothing in /dev/shm may be left; what JACK itself keeps there is not counted. The last
line is the verdict, and the exit code is 1 where anything is wrong. `--blocks 0` and `--kills 0` leave a part out.
Several soaks and tests at once need a name each for their server, in RTNMF_TEST_SERVER.
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
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from check_recording import faults_of
from jack_server import ENVIRONMENT, PERIOD, Peer, Server
from sounding import recorded_samples, salvaging_processes, sounding_processes, speech_at

import rtnmf

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
        """Wait until what it says is so; raise TimeoutError, with its last words, when it does not in time."""
        with self._news:
            self._news.wait_for(lambda: self._is_over or (self.said and holds(self.last)), seconds)
            if not self.said or not holds(self.last):
                last = self.last or "nothing"
                raise TimeoutError(f"waiting for {what} was in vain, what was said last: {last} {self.words()}")

    def words(self):
        """Return the end of what it wrote to standard error."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")[-2000:]

    def end(self):
        """Let it end, and kill it when it does not."""
        with contextlib.suppress(OSError):
            self.process.stdin.write(b"\n")
            self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        self.kill()

    def kill(self):
        """Kill it, if it runs."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        with contextlib.suppress(OSError):
            self.process.stdin.close()


@contextlib.contextmanager
def separating(folder, dictionary):
    """Run a parent, and kill it if it is still there in the end."""
    parent = Parent(folder / "take", dictionary)
    try:
        yield parent
    finally:
        parent.kill()


@contextlib.contextmanager
def feeding(folder, seconds):
    """Run a peer that plays speech and typing for so long."""
    with contextlib.closing(Peer(folder)) as peer:
        peer.play(np.resize(speech_at(RATE, 10), int(seconds * RATE)))
        yield peer


def judged(folder, parent, *, is_cut):
    """Return what is known of the recording of a parent that has ended."""
    said = parent.last
    is_replayed = not any(said[name] for name in ("n_unseparated", "n_errors", "n_unrecorded"))
    faults, n_samples, n_replayed = faults_of(folder / "take", is_cut=is_cut, is_replayed=is_replayed)
    if said["failure"]:
        faults.append(said["failure"])
    if parent.process.returncode != (-signal.SIGKILL if is_cut else 0):
        faults.append(f"the parent ended with {parent.process.returncode}: {parent.words()}")
    return {"samples": n_samples, "replayed": n_replayed, "faults": faults}


# -- Paced, without a kill.


def paced(folder, dictionary, n_blocks):
    """Return what was lost of so many blocks, and by whom."""
    seconds = n_blocks * PERIOD / RATE
    with feeding(folder, seconds + 60) as feeder, separating(folder, dictionary) as parent:
        parent.until(lambda said: said["n_blocks"] > 200, "200 blocks")
        start = len(parent.said) - 1
        began, first = parent.said[start]
        for tenth in range(1, 11):
            n = first["n_blocks"] + n_blocks * tenth // 10
            parent.until(lambda said, n=n: said["n_blocks"] >= n, f"{n} blocks", seconds + PATIENCE_S)
            print(f"   {parent.last['n_blocks'] - first['n_blocks']:6} blocks", file=sys.stderr, flush=True)
        time.sleep(EXPLAINS_S)  # until what was lost last is counted
        gaps, said = feeder.gaps(), parent.said[start:]
        parent.end()
    counts = [(when, counted["n_lost"]) for when, counted in said]
    losses = [(when, n - before) for (_, before), (when, n) in itertools.pairwise(counts) if n > before]
    n_lost, by_us = counts[-1][1] - counts[0][1], unexplained(losses, gaps)
    n_blocks, n_late = (said[-1][1][name] - first[name] for name in ("n_blocks", "n_late"))
    left_out = int(sum(n for when, n in gaps if when >= began))
    counted = {"blocks": n_blocks, "late": n_late, "left_out_by_feeder": left_out}
    lost = {"lost_by_us": by_us, "lost_by_feeder": n_lost - by_us}
    return {"part": "paced", **counted, **lost, **judged(folder, parent, is_cut=False)}


def unexplained(losses, gaps):
    """Return how many lost blocks no gap of the feeder explains; both are pairs of a time in s and a number.

    A gap costs one block more than the cycles that it lasts: the one that the feeder had begun came too late.
    """
    left, n_unexplained = [[when, n + 1] for when, n in gaps], 0
    for when, n in losses:
        for gap in left:
            if 0 <= when - gap[0] <= EXPLAINS_S:
                taken = min(n, gap[1])
                n, gap[1] = n - taken, gap[1] - taken
        n_unexplained += int(n)
    return n_unexplained


# -- With a kill.


def killed(server, folder, dictionary, victim, after_s):
    """Return what is left of a recording which the death of a victim has broken after some seconds."""
    before, is_cut = in_shm(), "parent" in victim
    with contextlib.ExitStack() as feeders, separating(folder, dictionary) as parent:
        feeder = feeders.enter_context(feeding(folder, 120))
        parent.until(lambda _: recorded_samples(folder / "take") > RATE // 4, "a quarter of a second of recording")
        time.sleep(after_s)
        children = sounding_processes() if "child" in victim else []
        if is_cut:
            parent.kill()
        for number in children:
            os.kill(number, signal.SIGKILL)
        if victim == "server":
            feeder.stop()
            server.stop()
            parent.until(lambda said: said["state"] == "waiting", "a parent that waits for the server")
            server.start()
            feeders.enter_context(feeding(folder, 120))
        if not is_cut:
            goes_on(parent)
    left, found = remains(before), judged(folder, parent, is_cut=is_cut)
    facts = {"part": "kill", "victim": victim, "after_s": round(after_s, 2)}
    return {**facts, **found, "faults": found["faults"] + left}


def goes_on(parent):
    """Wait until a parent sounds again, and has for a second, and end it."""
    parent.until(lambda said: said["n_restarts"] > 0 and said["state"] == "sounding", "sound after the kill")
    n_blocks = parent.last["n_blocks"] + RATE // PERIOD
    parent.until(lambda said: said["n_blocks"] > n_blocks, "a second of sound after the kill")
    parent.end()


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
            yield seen({"part": "paced"}, paced, options.dictionary, options.blocks)
        for victim in victims:
            server.ensure()
            kill = partial(killed, server)
            yield seen({"part": "kill", "victim": victim}, kill, options.dictionary, victim, rng.uniform(0.0, 4.0))


def seen(facts, look, *arguments):
    """Return what a function sees in a folder of its own; where it cannot go on, that is what is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return look(Path(folder), *arguments)
        except (RuntimeError, TimeoutError) as error:
            return {**facts, "samples": 0, "replayed": 0, "faults": [str(error)]}


def line_of(row):
    """Return a line for a person about a part."""
    what = row["part"] if "victim" not in row else f"{row['victim']} killed"
    if "after_s" in row:
        what += f" after {row['after_s']:.1f} s"
    if "blocks" in row:
        what += f": {row['blocks']} blocks, lost by us: {row['lost_by_us']}, by the feeder: {row['lost_by_feeder']}"
        what += f" (it left out {row['left_out_by_feeder']}), late: {row['late']};"
    sound = f"{row['samples'] / RATE:5.1f} s recorded, {row['replayed'] / RATE:5.1f} s as replayed"
    return f"{what:35} {sound}: {'; '.join(row['faults']) or 'right'}"


def verdict_on(rows):
    """Return what all comes to."""
    wrong = [row for row in rows if row["faults"]]
    unplayed = [row for row in rows if not row["faults"] and not row["replayed"]]
    by_us, by_feeder = (sum(row.get(f"lost_by_{who}", 0) for row in rows) for who in ("us", "feeder"))
    is_right = not wrong and not by_us
    text = f"verdict: {'right' if is_right else 'WRONG'}; of {len(rows)} parts {len(wrong)} are wrong and"
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
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # or the server would stay
    print("getting ready: what is compiled once takes up to a minute", flush=True)
    rtnmf.Separator(rtnmf.load(options.dictionary))
    print(f"{options.blocks} blocks, which take {options.blocks * PERIOD / RATE:.0f} s, then {options.kills} kills")
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
