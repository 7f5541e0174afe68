#!/usr/bin/env python3
"""Record live in real time beside a busy parent, kill what takes part at random, and look at what is left.

    .venv/bin/python scripts/soak_live.py [--blocks N] [--kills K] [--seed S] [--json FILE]

A JACK server with its dummy driver calls every 512 samples at 48 kHz, and a peer plays real sound. First so many blocks
without a kill: a watcher of its own beside the separation counts the cycles that the server itself left out, so
that the blocks which the feeder lost are told apart from those that we lost. Then K recordings, each of which is
broken by `kill -9` of the sounding process, of the parent, or of the server, at a random moment. Of each it is checked
that all files can be read to their end without a note, are equally long (a parent that was killed may leave a block
more in some), sum to the input, are what a replay gives where the recording says all that a replay needs, and that no
process and nothing in /dev/shm is left. The exit code is 1 where anything is wrong.
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
os.environ.setdefault("RTNMF_TEST_SERVER", "rtnmfsoak")

from jack_server import ENVIRONMENT, PERIOD, Peer, Server  # which take the name from there
from sounding import sounding_processes, speech_at

import rtnmf
from rtnmf.audio import files

RATE = 48000
SHM = Path("/dev", "shm")
VICTIMS = ("sound", "parent", "server")
PATIENCE_S = 60.0


# -- The processes: this script again, as the parent of a separation and as the watcher of the server.


def work(stop):
    """Keep the interpreter lock of this process busy, as json and regex work does."""
    while not stop.is_set():
        re.sub(r"(\d+)+x", "", json.dumps(json.loads(json.dumps(list(range(2000))))))


def be_parent(folder, dictionary):
    """Separate and record, while this process is busy, and print the counters twice a second until told to end."""
    from rtnmf.live import Live

    stop = threading.Event()
    threading.Thread(target=work, args=(stop,), daemon=True).start()
    end = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), end.set()), daemon=True).start()
    with Live(rtnmf.load(dictionary), input="peer", output="peer", record=folder) as live:
        while True:
            s = live.stats
            said = {name: getattr(s, name) for name in COUNTED}
            print(json.dumps({**said, "state": s.state, "failure": live.recording_failure}), flush=True)
            if end.wait(0.5):
                break
    stop.set()
    print(json.dumps({"closed": True}), flush=True)


COUNTED = ("n_blocks", "n_samples", "n_lost", "n_late", "n_errors", "n_unseparated", "n_restarts", "n_unrecorded")


def be_watcher():
    """Count the cycles that the server did not call in time, by its own counter of frames, until told to end."""
    import jack

    client = jack.Client("watcher", no_start_server=True)
    seen = {"cycles": 0, "skipped": 0, "xruns": 0, "last": None}

    def process(n_samples):
        now = client.last_frame_time
        if seen["last"] is not None:
            seen["skipped"] += max(0, round(((now - seen["last"]) & 0xFFFFFFFF) / n_samples) - 1)
        seen["last"], seen["cycles"] = now, seen["cycles"] + 1

    client.set_process_callback(process)
    client.set_xrun_callback(lambda _: seen.update(xruns=seen["xruns"] + 1))
    client.activate()
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps(seen), flush=True)
    os._exit(0)  # to deactivate the client can wait for ever


class Process:
    """One of these, with lines in and out."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(  # noqa: S603  # this script
            [sys.executable, __file__, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=os.environ | ENVIRONMENT,
        )  # fmt: skip
        self.last, self.is_closed = {}, False
        self._lines = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._drain, daemon=True).start()
        self.said = ""

    def _read(self):
        for line in self.process.stdout:
            with self._lines:
                self.last = json.loads(line) if line.startswith("{") else {"ready": True}
                self._lines.notify_all()
        with self._lines:
            self.is_closed = True
            self._lines.notify_all()

    def _drain(self):
        for line in self.process.stderr:
            self.said = (self.said + line)[-2000:]

    def ask(self):
        """Write a line, and return what is said next."""
        with self._lines:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
            self._lines.wait(PATIENCE_S)
            return self.last

    def until(self, holds, seconds=PATIENCE_S):
        """Wait until what was said last is so; return whether it is."""
        with self._lines:
            return self._lines.wait_for(lambda: self.is_closed or bool(self.last and holds(self.last)), seconds)

    def end(self, *, kill=False):
        """End it, in good order or not; return whether it did within its time."""
        with contextlib.suppress(OSError):
            if kill:
                self.process.kill()
            self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return False
        return True


# -- The verdict on a recording.


def in_shm():
    """Return what lies in /dev/shm, but for what the audio server keeps there."""
    return {path.name for path in SHM.iterdir() if not path.name.startswith(("jack", "sem.jack"))}


def files_of(folder):
    """Return {name: samples} of all WAV files of a recording, and what was odd about them."""
    got, wrong = {}, []
    for path in sorted(folder.glob("*.wav")):
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            try:
                got[path.stem] = files.read(path, strict=True)[0][:, 0]
            except ValueError as error:
                wrong.append(str(error))
        wrong += [str(note.message) for note in notes]
    return got, wrong


def replayed(folder, x):
    """Return the stems that a replay of the first stretch of a recording gives, and how many samples it may be."""
    uses = json.loads((folder / "dictionaries.json").read_text())
    turns = json.loads((folder / "updates.json").read_text()) if (folder / "updates.json").exists() else []
    again = [use["sample"] for use in uses[1:] if use["begins_anew"]]
    length = min([len(x), *again])
    separator, stems = rtnmf.Separator(rtnmf.Dictionary.load(folder / uses[0]["file"]), experts=uses[0]["experts"]), []
    edges = sorted({0, length, *(change["sample"] for change in uses + turns if change["sample"] < length)})
    for start, stop in itertools.pairwise(edges):
        for use in (use for use in uses[1:] if use["sample"] == start):
            separator.dictionary = rtnmf.Dictionary.load(folder / use["file"])
        for turn in (turn for turn in turns if turn["sample"] == start):
            separator.n_iter, separator.asks = turn["n_iter"], turn["asks"]
        stems.append(separator.process(x[start:stop]))
    whole = np.concatenate(stems, axis=1)[:, separator.latency :]
    return dict(zip(separator.sources, whole, strict=True))


def judged(folder, victim, stats, n_left):
    """Return what is wrong with a recording, in words, and the facts about it."""
    got, wrong = files_of(folder)
    lengths = {name: len(x) for name, x in got.items()}
    sources = [name for name in got if name != "input"]
    if not got or "input" not in got:
        return [*wrong, "there are no files"], lengths
    slack = RATE if victim == "parent" else 0  # it writes one file after the other, once in a while
    shortest = min(lengths.values())
    if max(lengths.values()) - shortest > slack:
        wrong.append(f"files are not equally long: {lengths}")
    cut = {name: x[:shortest] for name, x in got.items()}
    if shortest < 100:
        wrong.append(f"only {shortest} samples were recorded")
    sums = np.abs(sum(cut[name] for name in sources) - cut["input"]).max(initial=0)
    if sums > 1e-5:
        wrong.append(f"stems do not sum to the input: {sums:.1e}")
    if stats.get("n_unseparated") or stats.get("n_unrecorded") or stats.get("n_errors"):
        return wrong, {**lengths, "replay": "not possible: some blocks were not separated or not recorded"}
    given = replayed(folder, cut["input"])
    n_equal = min(shortest, *map(len, given.values())) - (0 if victim == "parent" else n_left)
    for name, stem in given.items():
        here = files.safe_names([name])[0]
        differ = np.flatnonzero(stem[:n_equal] != cut[here][:n_equal])
        if len(differ):
            wrong.append(f"{name} differs from a replay in {len(differ)} of {n_equal} samples, first at {differ[0]}")
    return wrong, {**lengths, "replayed": int(max(0, n_equal))}


# -- The two parts of the soak.


@contextlib.contextmanager
def feeding(folder, seconds):
    """Run a peer that plays for so long."""
    peer = Peer(folder)
    try:
        peer.play(speech_at(RATE, seconds))
        yield peer
    finally:
        peer.stop()


def paced(folder, dictionary, n_blocks):
    """Return what was lost of so many blocks beside a busy parent, and by whom."""
    seconds = n_blocks * PERIOD / RATE
    with feeding(folder, seconds + 60):
        parent = Process("--parent", folder / "paced", dictionary)
        parent.until(lambda said: said.get("n_blocks", 0) > 200)
        watcher = Process("--watcher")
        watcher.until(bool)
        watched, began = watcher.ask(), parent.last
        parent.until(lambda said: said.get("n_blocks", 0) - began["n_blocks"] >= n_blocks, seconds + PATIENCE_S)
        after, stats = watcher.ask(), parent.last
        parent.end()
        watcher.end(kill=True)
    feeder = after["skipped"] - watched["skipped"]
    lost = stats["n_lost"] - began["n_lost"]
    wrong, facts = judged(folder / "paced", "", {**stats, "n_unseparated": stats["n_unseparated"]}, 0)
    return {
        "blocks": stats["n_blocks"] - began["n_blocks"], "late": stats["n_late"] - began["n_late"],
        "lost": lost, "lost_by_feeder": feeder, "lost_by_us": max(0, lost - feeder),
        "xruns_of_server": after["xruns"] - watched["xruns"], "cycles_of_server": after["cycles"] - watched["cycles"],
        "unseparated": stats["n_unseparated"], "wrong": wrong, **facts,
    }  # fmt: skip


def killed(server, folder, dictionary, victim, rng):
    """Return what is left of a recording in which something is killed at random."""
    before = in_shm()
    with feeding(folder, 120) as peer:
        parent = Process("--parent", folder / "take", dictionary)
        parent.until(lambda said: said.get("state") == "sounding" and said["n_blocks"] > 30)
        after_s = rng.uniform(0.0, 4.0)
        time.sleep(after_s)
        for process in sounding_processes() if victim == "sound" else ():
            os.kill(process, signal.SIGKILL)
        if victim == "parent":
            parent.end(kill=True)
        if victim == "server":
            peer.stop()
            server.stop()
            parent.until(lambda said: said.get("state") == "waiting")
            server.start()
            with feeding(folder, 120):
                goes_on(parent)
        elif victim == "sound":
            goes_on(parent)
        stats, in_time = parent.last, parent.end()
    gone = eventually(lambda: not sounding_processes())
    wrong, facts = judged(folder / "take", victim, stats, 0)
    left = {
        "a sounding process is left": not gone,
        "the parent did not end": not in_time,
        f"left in {SHM}: {sorted(in_shm() - before)}": in_shm() - before,
        f"it did not sound again: {parent.said[-300:]!r}": victim != "parent" and not stats.get("n_restarts"),
    }
    return {
        "victim": victim,
        "after_s": after_s,
        "wrong": wrong + [text for text, is_so in left.items() if is_so],
        **facts,
    }


def goes_on(parent):
    """Wait until a separation sounds again, and has for a second."""
    parent.until(lambda said: said.get("n_restarts", 0) > 0 and said["state"] == "sounding")
    blocks = parent.last.get("n_blocks", 0)
    parent.until(lambda said: said.get("n_blocks", 0) > blocks + RATE // PERIOD)


def eventually(holds, seconds=30.0):
    """Wait until something holds; return whether it does."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def soak(options):
    """Print a line for each part, and return how much is wrong."""
    rng, rows = random.Random(options.seed), []  # noqa: S311  # no secret
    with contextlib.closing(Server()) as server:
        if options.blocks:
            with tempfile.TemporaryDirectory() as folder:
                rows.append(paced(Path(folder), options.dictionary, options.blocks))
            print(json.dumps(rows[-1]), flush=True)
        for i in range(options.kills):
            with tempfile.TemporaryDirectory() as folder:
                server.ensure()
                rows.append(killed(server, Path(folder), options.dictionary, VICTIMS[i % len(VICTIMS)], rng))
            print(json.dumps(rows[-1]), flush=True)
    n_wrong = sum(bool(row["wrong"]) for row in rows)
    lost = sum(row.get("lost_by_us", 0) for row in rows)
    print(f"{n_wrong} of {len(rows)} recordings have something wrong; {lost} blocks were lost by us")
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=1))
    return n_wrong + lost


def main():
    """Soak, or be a process of a soak."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=30_000, help="without a kill (default: 30000, 320 s)")
    parser.add_argument("--kills", type=int, default=20, help="recordings that are broken (default: 20)")
    parser.add_argument("--dictionary", default="speech+keyboard")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    parser.add_argument("--parent", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--watcher", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.parent:
        be_parent(*options.parent)
    elif options.watcher:
        be_watcher()
    else:
        raise SystemExit(soak(options) > 0)


if __name__ == "__main__":
    main()
