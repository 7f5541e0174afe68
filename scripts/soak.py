#!/usr/bin/env python3
"""Send a day of sound through the engine, faster than real time, and look for what grows, drifts or slows down.

    .venv/bin/python scripts/soak.py [--hours H] [--latency-ms MS] [--json FILE]

Speech, typing, both at once, silence, a fade into denormal numbers, full-scale noise and NaN take turns, an hour each,
at levels that change from minute to minute, in blocks of random lengths. For each hour it prints the time per hop,
memory, the largest difference between the sum of the stems and the input `latency` samples ago (any drift would show
there), and whether anything came out that is not finite.
"""

import argparse
import json
import os
import resource
import sys
import time
from pathlib import Path

import numpy as np

from rtnmf import Separator, load_preset
from rtnmf.audio import files

DEMO = Path(__file__).parent.parent / "presets" / "demo"
KINDS = ("speech", "silence", "both", "fade", "typing", "noise", "broken")


def minute_of(kind, rate, rng, recordings):
    """Return a minute of a kind of sound, shape (n_samples, 1), and the same as the engine is to hear it."""
    n_samples = 60 * rate
    if kind == "silence":
        x = np.zeros(n_samples, np.float32)
    elif kind in ("noise", "broken"):
        x = rng.uniform(-1, 1, n_samples).astype(np.float32)
    else:
        x = sum(np.resize(np.roll(one, rng.integers(len(one))), n_samples) for one in recordings[kind])
        x *= np.float32(rng.uniform(0.1, 1) / np.abs(x).max())
    if kind == "fade":
        x *= np.logspace(0, -45, n_samples, dtype=np.float32)
    heard = x
    if kind == "broken":
        x = x.copy()
        x[rng.integers(n_samples, size=100)] = np.nan
        heard = np.nan_to_num(x)
    return x[:, None], heard[:, None]


def recordings_at(rate):
    """Return the real recordings of each kind."""
    voice, keys = (files.read(DEMO / f"{name}.flac", rate)[0][:, 0] for name in ("voice", "keyboard"))
    return {"speech": [voice], "typing": [keys], "both": [voice, keys], "fade": [voice]}


def resident_bytes():
    """Return the memory that this process holds."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def soak(separator, n_stretches, minutes_each, rng):
    """Yield what was seen of each stretch of so many minutes."""
    rate, latency, hop_length = separator.sample_rate, separator.latency, separator.dictionary.stft.hop_length
    recordings = recordings_at(rate)
    past = np.zeros((latency, separator.n_channels), np.float32)
    for i in range(n_stretches):
        kind, seconds, n_hops, error, is_finite = KINDS[i % len(KINDS)], 0.0, 0, 0.0, True
        for _ in range(minutes_each):
            x, heard = minute_of(kind, rate, rng, recordings)
            cuts = np.cumsum(rng.integers(0, 4096, 2 * len(x) // 4096))
            blocks = np.split(x, cuts[cuts < len(x)])
            began = time.perf_counter()
            stems = [separator.process(block) for block in blocks]
            seconds += time.perf_counter() - began
            n_hops += len(x) // hop_length
            expected = np.concatenate([past, heard])
            past = expected[len(x) :]
            total = np.concatenate(stems, axis=1).sum(axis=0)
            is_finite &= bool(np.isfinite(total).all())
            error = max(error, float(np.abs(total - expected[: len(x)]).max()))
        yield {
            "stretch": i + 1,
            "kind": kind,
            "us_per_hop": 1e6 * seconds / n_hops,
            "resident_mb": resident_bytes() / 1e6,
            "largest_error": error,
            "is_finite": is_finite,
        }


def main():
    """Print a line for each hour of sound, and what it comes to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--latency-ms", type=float, help="at most so much (as the dictionary was learned)")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    arguments = parser.parse_args()
    dictionary = load_preset("speech").merge(load_preset("keyboard"))
    if arguments.latency_ms is not None:
        dictionary = dictionary.at_latency(arguments.latency_ms)
    rows = []
    print(f"{dictionary}\n{'hour':>4}  {'kind':8}{'us per hop':>12}{'MB':>9}{'largest error':>15}  finite")
    for row in soak(Separator(dictionary), arguments.hours, 60, np.random.default_rng(0)):
        rows.append(row)
        shown = f"{row['us_per_hop']:12.1f}{row['resident_mb']:9.1f}{row['largest_error']:15.1e}"
        print(f"{row['stretch']:4}  {row['kind']:8}{shown}  {row['is_finite']}", flush=True)
    memory, errors = ([row[name] for row in rows] for name in ("resident_mb", "largest_error"))
    print(f"memory from {memory[0]:.1f} to {memory[-1]:.1f} MB; largest error {max(errors):.1e}")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
