#!/usr/bin/env python3
"""Time the hop of the plugin's engine beside that of the Python engine, or send hours of sound through it.

    .venv/bin/python scripts/bench_plugin.py [--repeats N] [--json FILE]
    .venv/bin/python scripts/bench_plugin.py --hours H [--json FILE]

Both engines take turns with the same sound in one process. The times are medians of processor time, in microseconds per
hop; in brackets is how many times that of the Python engine it is. The plugin's hop is timed as each kind of processor
runs it that this one is of.

With --hours, it does with the plugin's engine what scripts/soak.py does with the Python engine.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from plugin_engine import PROCESSORS, Engine, library
from soak import soak

from rtnmf import STFT, Dictionary, load_preset
from rtnmf.dictionary.planning import planned
from rtnmf.kernels import hop

N_HOPS = 16


def random_dictionary(stft, sources, n_each, trained):
    """Return a dictionary of spiky random spectra for 48 kHz: how long a hop takes does not depend on them."""
    columns = np.random.default_rng(0).random((3, stft.n_bins, n_each * len(sources))) ** 8 + 1e-6
    more = {"update_components": columns[1], "mask_components": columns[2]} if trained else {}
    return Dictionary(columns[0], tuple(s for s in sources for _ in range(n_each)), stft, 48000, **more)


def cases():
    """Yield the name of each dictionary, and it."""
    for trained in (False, True):
        kind = "trained" if trained else "plain"
        yield f"{kind}, 2 x 32, window 2048", random_dictionary(STFT(2048, 512), "ab", 32, trained)
        yield f"{kind}, 2 x 32, latency 128", random_dictionary(STFT(2048, 32, latency=128), "ab", 32, trained)
        yield f"{kind}, 4 x 24, window 1024", random_dictionary(STFT(1024, 256), "abcd", 24, trained)
    yield "plain, 2 x 32, window 1920", random_dictionary(STFT(1920, 480), "ab", 32, trained=False)


def engines(dictionary, path, block):
    """Return {name: function} of what takes a block of planes: the Python engine, and the plugin's on each kind."""
    plan, n_channels = planned(dictionary, 1.0), len(block)
    stream, n_iter, samples = hop.started(plan, n_channels), dictionary.model.n_iter, np.ascontiguousarray(block.T)
    rows = np.empty((len(dictionary.sources), *samples.shape), np.float32)
    stems = np.empty((len(dictionary.sources), *block.shape), np.float32)
    known = [name for name, kind in PROCESSORS.items() if kind <= library().rtnmf_processor()]
    plugins = [Engine(path, n_channels, processor=name) for name in known]
    return {"python": lambda: hop.process(plan, stream, samples, rows, n_iter)} | {
        name: lambda engine=engine: engine.call("process", block, stems, block.shape[1])
        for name, engine in zip(known, plugins, strict=True)
    }


def timed(dictionary, n_channels, n_repeats):
    """Return the median time of a hop of each engine, in microseconds."""
    shape = n_channels, N_HOPS * dictionary.stft.hop_length
    block = np.random.default_rng(0).uniform(-0.3, 0.3, shape).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        dictionary.save(Path(folder) / "x")
        functions = engines(dictionary, Path(folder) / "x", block)
    times = {name: [] for name in functions}
    for _ in range(n_repeats + 1):
        for name, function in functions.items():
            begin = time.thread_time()
            function()
            times[name].append((time.thread_time() - begin) / N_HOPS * 1e6)
    return {name: float(np.median(found[1:])) for name, found in times.items()}  # the first one warms up


def bench(n_repeats):
    """Print and return the times of all cases."""
    results = []
    for name, dictionary in cases():
        for n_channels in (1, 2):
            times = timed(dictionary, n_channels, n_repeats)
            results.append({"dictionary": name, "n_channels": n_channels, **times})
            shown = ", ".join(f"{key} {us:.1f}" + ratio(us, times) for key, us in times.items())
            print(f"{name}, {n_channels} channels: {shown}", flush=True)
    return results


def ratio(us, times):
    """Return how many times that of the Python engine a time is, in brackets."""
    return "" if us == times["python"] else f" ({us / times['python']:.2f})"


class Plugin(Engine):
    """The engine with what scripts/soak.py asks of a separator."""

    def __init__(self, dictionary, path):
        dictionary.save(path)
        super().__init__(path)
        self.dictionary, self.sample_rate, self.n_channels = dictionary, dictionary.sample_rate, 1
        self.latency = self.call("latency")
        self.seconds, self.n_samples = 0.0, 0

    def process(self, block):
        """Return the stems of a block, and add up the processor time that it took."""
        began = time.thread_time()
        stems = super().process(block)
        self.seconds += time.thread_time() - began
        self.n_samples += len(block)
        return stems

    def us_per_hop(self):
        """Return the processor time of a hop since the last call."""
        us = 1e6 * self.seconds / self.n_samples * self.dictionary.stft.hop_length
        self.seconds, self.n_samples = 0.0, 0
        return us


def send(n_hours):
    """Print and return what each hour of sound was like."""
    rows = []
    dictionary = load_preset("speech").merge(load_preset("keyboard"))
    with tempfile.TemporaryDirectory() as folder, Plugin(dictionary, Path(folder) / "x") as engine:
        for row in soak(engine, n_hours, 60, np.random.default_rng(0)):
            rows.append(row | {"us_per_hop": engine.us_per_hop()})
            print(
                ", ".join(
                    f"{key} {value:.4g}" if type(value) is float else f"{key} {value}"
                    for key, value in rows[-1].items()
                ),
                flush=True,
            )
    return rows


def main():
    """Time or soak, as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=100, help="turns of each engine (default: 100)")
    parser.add_argument("--hours", type=int, help="send so many hours of sound through the engine instead")
    parser.add_argument("--json", type=Path, help="write the figures to a file")
    options = parser.parse_args()
    results = bench(options.repeats) if options.hours is None else send(options.hours)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
