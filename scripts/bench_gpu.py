#!/usr/bin/env python3
"""Time passes and the training with torch against the compiled kernels, torchnmf and scikit-learn, interleaved.

    .venv/bin/python scripts/bench_gpu.py [--device cuda] [--seconds N] [--components N] [--rounds N] [--json FILE]

Needs torch; torchnmf is measured where it is installed. With `--device cpu` it shows that all of it runs, and no more:
torch is not meant to be faster there. Where there is no such device, it says so and measures nothing.

All times are seconds per hour of audio, at 16 kHz, a window of 2048 and a hop of 512. A pass updates the activations
eight times and W once; an iteration of torchnmf and scikit-learn updates each once, with all of V in memory, and on the
device from the beginning. Both do the plain updates of Lee and Seung, so they need as many iterations as `nmf.fit` does
when it is not accelerated, from the same random start. The last column is the time to the divergence that the passes
end with. The W that these begin with takes as long whatever the length: it is a line of its own, and not in it.

Passes read their recordings each time. That stays on the processors, and is a line of its own, too: a device saves what
is beside it at most. Mixtures and steps of the training stay there as well.

V is made from the clips of the presets one after the other, in which nothing repeats in the first minutes.
"""

import argparse
import functools
import importlib.util
import json
import os
import platform
import tempfile
from pathlib import Path

import numpy as np
from bench_learn import ALL_CLIPS, medians, scikit_learn, timed, torch_nmf

from rtnmf import STFT, Model, nmf
from rtnmf.audio import files
from rtnmf.learning import discriminative
from rtnmf.learning.archive import Archive, Known
from rtnmf.nmf import passes
from rtnmf.nmf.torch_sums import check_device

RATE, SETTINGS = 16000, STFT(2048, 512)
N_PASSES = 2
MOST_ITERATIONS = 200
N_TIMED = 5  # iterations of the others
N_STEPS = 50  # of the training
PARTITION_VALUES = 2**24  # as of an archive


def clips(seconds):
    """Return so many seconds of all clips, one after the other, shape (n_samples,)."""
    most = 3 * seconds * RATE // len(ALL_CLIPS)
    x = np.concatenate([files.read(path, RATE)[0].mean(axis=1)[:most] for path in ALL_CLIPS])
    return np.resize(x, seconds * RATE)


def reading(path, n_samples):
    """Return a function that reads and transforms a recording as a pass does."""
    archive = Archive([Known(path, n_samples, 1.0, 0.0, None)], RATE, SETTINGS, 20.0)

    def read(i):
        for _ in archive.blocks(i, {}):
            pass

    return lambda: list(passes.in_order(read, range(len(archive))))


def total(parts, device, W):
    """Return the sums over all parts."""
    return passes.added(passes.in_order(lambda part: passes.sums_of([part], W, device), parts))


def begun(parts, n_components):
    """Return the W that passes begin with."""
    return passes.started(passes.representatives(np.vstack([passes.representatives(p) for p in parts])), n_components)


def after_passes(parts, device, W):
    """Return the divergence after the passes, which the next one finds, as a fraction of the sum of V."""
    found = passes.passes(functools.partial(total, parts, device), W)
    return [next(found).divergence for _ in range(N_PASSES + 1)][-1]


def iterations(V, divergence, start):
    """Return how many plain iterations reach a divergence; None if too many would be needed."""
    options = {"tolerance": 0, "start": start, "accelerated": False}
    fitted = nmf.fit(V, start[0].shape[1], n_iter=MOST_ITERATIONS, **options)
    enough = fitted.iterations[fitted.divergences <= divergence * V.sum(dtype=np.float64)]
    return int(enough[0]) if len(enough) else None


def training(V, device):
    """Return a function that trains the components of two halves of the frames against each other."""
    halves = np.array_split(np.ascontiguousarray(V.T), 2)
    halves = [half / half.sum(axis=1).mean() for half in halves]
    W = np.vstack([half[np.linspace(0, len(half) - 1, 32).astype(int)] for half in halves]) + 1e-9
    W /= W.sum(axis=1, keepdims=True)
    sounds, options = [[half] for half in halves], {"model": Model(), "n_steps": N_STEPS, "seed": 0}
    return lambda: discriminative.trained(W, [0, 32, 64], sounds, device=device, **options)


def measured(x, n_components, rounds, device):
    """Return all figures, times in seconds per hour of audio."""
    V = np.abs(SETTINGS.forward(x))
    rows = np.ascontiguousarray(V.T)
    parts = [rows[i : i + PARTITION_VALUES // len(V)] for i in range(0, len(rows), PARTITION_VALUES // len(V))]
    W = begun(parts, n_components)
    rng = np.random.default_rng(0)
    start = rng.uniform(0.1, 1, (len(V), n_components)), rng.uniform(0.1, 1, (n_components, len(rows)))
    start = start[0].astype(np.float32), (start[1] * (V.sum() / start[0].sum() / len(rows))).astype(np.float32)
    devices = {"rtnmf, kernels": None, f"rtnmf, torch on {device}": device}
    reached = {name: after_passes(parts, device, W) for name, device in devices.items()}
    others = {"scikit-learn": scikit_learn(V, *start, N_TIMED)}
    if importlib.util.find_spec("torchnmf"):
        others[f"torchnmf on {device}"] = torch_nmf(V, *start, N_TIMED, device)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clips.wav")
        files.write(path, x.astype(np.float32), RATE)
        runs = {
            "reading": functools.partial(timed, reading(path, len(x))),
            "start": lambda: timed(lambda: begun(parts, n_components)),
            **{name: lambda d=d: timed(lambda: total(parts, d, W)) for name, d in devices.items()},
            **others,
            **{("training", name): functools.partial(timed, training(V, d)) for name, d in devices.items()},
        }
        times = medians(runs, rounds)
    steps = {name: times.pop(("training", name)) / N_STEPS for name in devices}
    start_s = times.pop("start")
    per_hour = {name: s * 3600 * RATE / len(x) for name, s in times.items()}
    return {
        "seconds_per_hour": per_hour,
        "seconds_of_start": start_s,
        "divergence": reached,
        "iterations": iterations(V, max(reached.values()), start),
        "seconds_per_step": steps,
    }


def show(found):
    """Print a table."""
    per_hour, n = dict(found["seconds_per_hour"]), found["iterations"]
    print(f"reading and transforming, in each pass: {per_hour.pop('reading'):.2f} s/h")
    print(f"the W to begin with, once: {found['seconds_of_start']:.2f} s")
    print(f"{'':26}{'s/h':>10}   {'to the same divergence, s/h':>30}")
    for name, s in per_hour.items():
        if name in found["divergence"]:
            what, whole = f"pass, {N_PASSES} of them", f"{N_PASSES * s:.2f}"
        else:
            what = f"iteration, {n} of them" if n else "iteration"
            whole = f"{n * s:.2f}" if n else f"not in {MOST_ITERATIONS}"
        print(f"{name:26}{s:10.2f}   {whole:>10} ({what})")
    print("KL / sum(V) after the passes:", ", ".join(f"{name} {d:.6f}" for name, d in found["divergence"].items()))
    steps = (f"{name} {1000 * s:.2f} ms" for name, s in found["seconds_per_step"].items())
    print("a step of the training of 2 x 32 components:", ", ".join(steps))


def machine(device):
    """Return what it was measured on."""
    import torch

    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    name = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
    card = f", {torch.cuda.get_device_name(device)}" if device.startswith("cuda") else ""
    return f"{os.cpu_count()} processors ({name}){card}, torch {torch.__version__}, numpy {np.__version__}"


def main():
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="as torch calls it (default: cuda)")
    parser.add_argument("--seconds", type=int, default=900, help="of audio")
    parser.add_argument("--components", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    arguments = parser.parse_args()
    try:
        check_device("--device", arguments.device)
    except ValueError as error:
        raise SystemExit(f"nothing is measured: {error}") from error
    about = machine(arguments.device)
    print(f"{about}; {arguments.seconds} s of audio, K={arguments.components}, median of {arguments.rounds} rounds")
    found = measured(clips(arguments.seconds), arguments.components, arguments.rounds, arguments.device)
    show(found)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps({"machine": about, **found}, indent=1))


if __name__ == "__main__":
    main()
