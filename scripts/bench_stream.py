#!/usr/bin/env python3
"""Time the streaming engine against the same in plain numpy, interleaved: microseconds per hop, medians of rounds.

    .venv/bin/python scripts/bench_stream.py [--rounds N] [--json FILE]

Both get noise, hop by hop, on one thread. The second table is of whole hops over window, components, updates and
outputs (hop a quarter of the window, or of the latency where it is shorter); `p99` is of single hops of ours, as a
multiple of their median. The table before it is of the updates of one frame alone, against numpy's two matrix-vector
products per update and the limit: reading W once per update from the cache that holds it, or the arithmetic. The last
table is of a dictionary with trained columns, against the same without.
"""

import argparse
import json
import os
import platform
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from plain_engine import PlainSeparator
from threadpoolctl import threadpool_limits

from rtnmf import STFT, Dictionary, Separator
from rtnmf.measure.benchmark import benchmark

HOPS = 100
COLD = 5  # hops in which the caches still hold what the other engine needed
CASES = [  # window, latency, components in all, updates, outputs
    (n_fft, None, n_components, n_iter, n_outputs)
    for n_fft in (1024, 2048, 4096)
    for n_components in (16, 64, 128)
    for n_iter in (1, 5, 10)
    for n_outputs in (1, 2)
] + [(2048, 128, 64, 5, 2), (2048, 96, 64, 5, 2)]
TRAINED = [(1024, None), (2048, None), (2048, 128)]
UPDATES = [(1024, 64, 10), (2048, 16, 10), (2048, 64, 5), (2048, 64, 10), (2048, 128, 10)]


def dictionary_of(n_fft, latency, n_components):
    """Return a dictionary of two sources with random spiky spectra."""
    stft = STFT(n_fft, (latency or n_fft) // 4, latency=latency)
    components = np.random.default_rng(0).random((stft.n_bins, n_components)) ** 8 + 1e-6
    return Dictionary(components, ("a",) * (n_components // 2) + ("b",) * (n_components // 2), stft, 48000)


def hop_times(separator, x, hop_length):
    """Return the seconds of each hop."""
    blocks = [x[i : i + hop_length] for i in range(0, len(x), hop_length)]
    times = [time.perf_counter()]
    for block in blocks:
        separator.process(block)
        times.append(time.perf_counter())
    return np.diff(times)


def measured_hops(rounds):
    """Yield for each case its settings, and medians of both engines."""
    for n_fft, latency, n_components, n_iter, n_outputs in CASES:
        dictionary = dictionary_of(n_fft, latency, n_components)
        hop_length = dictionary.stft.hop_length
        x = np.random.default_rng(1).uniform(-1, 1, (HOPS * hop_length, 1)).astype(np.float32)
        gains = None if n_outputs == 2 else np.eye(2)[:1]
        engines = [make(dictionary, n_iter=n_iter, gains=gains) for make in (Separator, PlainSeparator)]
        for engine in engines:
            hop_times(engine, x, hop_length)
        found = [[hop_times(engine, x, hop_length) for engine in engines] for _ in range(rounds)]
        ours, plain = (np.array([one[i] for one in found]) for i in range(2))
        yield {
            "n_fft": n_fft,
            "latency": dictionary.stft.latency,
            "n_components": n_components,
            "n_iter": n_iter,
            "n_outputs": n_outputs,
            "ours_us": 1e6 * float(np.median(ours)),
            "numpy_us": 1e6 * float(np.median(plain)),
            "ratio": float(np.median(np.median(plain, axis=1) / np.median(ours, axis=1))),
            "p99": float(np.percentile(ours[:, COLD:], 99) / np.median(ours[:, COLD:])),
            "real_time_factor": 48000 / hop_length * float(np.median(ours)),
        }


def numpy_updates(dictionary, n_iter):
    """Return a function that does the updates of a frame in numpy, two matrix-vector products each."""
    W = np.ascontiguousarray(dictionary.components)
    WT, v = np.ascontiguousarray(W.T), np.random.default_rng(1).random(len(W), np.float32)

    def run():
        h = np.full(W.shape[1], 1 / W.shape[1], np.float32)
        for _ in range(n_iter):
            h *= WT @ (v / (W @ h))

    return run


def measured_updates(n_fft, n_components, n_iter, rounds):
    """Return medians of the updates of a frame: ours, the limit, numpy's."""
    dictionary = dictionary_of(n_fft, None, n_components)
    separator, run = Separator(dictionary, n_iter=n_iter), numpy_updates(dictionary, n_iter)
    found = []
    for _ in range(rounds):
        ours = benchmark(separator, 512, 0.1)
        began = time.perf_counter()
        for _ in range(HOPS):
            run()
        found.append((ours.part_s["updates"], ours.limit_s, (time.perf_counter() - began) / HOPS))
    ours, limit, plain = np.array(found).T
    return {
        "n_bins": len(dictionary.components),
        "n_components": n_components,
        "n_iter": n_iter,
        "ours_us": 1e6 * float(np.median(ours)),
        "limit_us": 1e6 * float(np.median(limit)),
        "numpy_us": 1e6 * float(np.median(plain)),
        "over_limit": float(np.median(ours / limit)),
        "ratio": float(np.median(plain / ours)),
    }


def measured_trained(n_fft, latency, rounds):
    """Return medians of a hop with and without trained columns, two sources of 32 components, 5 updates."""
    plain = dictionary_of(n_fft, latency, 64)
    reverse = plain.components[:, ::-1]
    trained = replace(plain, update_components=reverse, mask_components=reverse)
    hop_length = plain.stft.hop_length
    x = np.random.default_rng(1).uniform(-1, 1, (HOPS * hop_length, 1)).astype(np.float32)
    separators = [Separator(dictionary) for dictionary in (plain, trained)]
    found = [[np.median(hop_times(separator, x, hop_length)) for separator in separators] for _ in range(rounds)]
    without, trained_s = np.array(found).T
    return {
        "n_fft": n_fft,
        "latency": plain.stft.latency,
        "plain_us": 1e6 * float(np.median(without)),
        "trained_us": 1e6 * float(np.median(trained_s)),
        "ratio": float(np.median(trained_s / without)),
    }


def show(rows, columns):
    """Print a table."""
    print("\n" + "".join(f"{name:>{max(9, len(name) + 2)}}" for name in columns))
    for row in rows:
        cells = (f"{row[name]:.2f}" if isinstance(row[name], float) else str(row[name]) for name in columns)
        print(
            "".join(f"{cell:>{max(9, len(name) + 2)}}" for cell, name in zip(cells, columns, strict=True)), flush=True
        )


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    arguments = parser.parse_args()
    machine = f"{platform.machine()}, {os.cpu_count()} processors"
    print(f"{machine}, numpy {np.__version__}, one thread, medians of {arguments.rounds} rounds")
    with threadpool_limits(1):  # more of them only slow such small products
        updates = [measured_updates(*case, arguments.rounds) for case in UPDATES]
        show(updates, list(updates[0]))
        hops = list(measured_hops(arguments.rounds))
        show(hops, list(hops[0]))
        trained = [measured_trained(*case, arguments.rounds) for case in TRAINED]
        show(trained, list(trained[0]))
    if arguments.json:
        Path(arguments.json).write_text(json.dumps({"updates": updates, "hops": hops, "trained": trained}, indent=1))


if __name__ == "__main__":
    main()
