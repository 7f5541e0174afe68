#!/usr/bin/env python3
"""Time learning against the plain numpy loop and its rivals, interleaved, from the same V, W and H.

    .venv/bin/python scripts/bench_learn.py [--rounds N] [--seed N] [--audio FILE] [--json FILE]

The loop is the two updates of Lee and Seung with sums of columns and rows in the denominators. It gets V as an
STFT returns it, librosa's as well as ours: frame after frame in memory (column-major). numpy is faster when V is
first copied to row-major order; both are shown. scikit-learn and torchnmf (where installed) do the same updates, so
their divergence after the same number of iterations is that of the loop; what differs is the time that each takes.
So does `librosa.decompose.decompose` with the same divergence and number of components, but from a random start of its
own: it takes none.

The time of rtnmf is that of the whole call, set-up included, up to the first check at which the divergence is as low.
What a coreset loses is shown too: the divergence over all frames after learning from a part of them, against learning
from all with as many iterations.

V is made from a file, or from the clips of the presets one after the other, in which nothing repeats but 10 of the
300 seconds. Different starts end in different minima: try --seed.
"""

import argparse
import importlib.util
import json
import os
import platform
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.decomposition import NMF

from rtnmf import STFT, nmf
from rtnmf.audio import files

CLIPS = sorted((Path(__file__).parent.parent / "presets" / "clips").glob("inst_*.flac"))
ALL_CLIPS = sorted(CLIPS[0].parent.glob("*.flac"))
CASES = {  # name: (clips, seconds, sample rate, window, components, iterations per timing)
    "20 s, 22050 Hz, window 8192, hop 512, K=3": (CLIPS, 20, 22050, 8192, 3, 20),
    "60 s, 44100 Hz, window 2048, hop 512, K=32": (CLIPS, 60, 44100, 2048, 32, 10),
    "5 min, 44100 Hz, window 2048, hop 512, K=64": (ALL_CLIPS, 300, 44100, 2048, 64, 1),
}
TARGETS = (50, 100, 200)
PARTS = (4, 8)  # decimation factors of the frames that are learned from
PART_ITERATIONS = 50


def spectrogram(paths, seconds, sample_rate, n_fft):
    """Return the magnitudes of that many seconds of the clips, one after the other, repeated where they are short."""
    most = 3 * seconds * sample_rate // len(paths)
    x = np.concatenate([files.read(path, sample_rate)[0].mean(axis=1)[:most] for path in paths])
    return np.abs(STFT(n_fft, 512).forward(np.resize(x, seconds * sample_rate)))


def iteration(V, W, H):
    """Return W and H after one iteration."""
    H = H * (W.T @ (V / (W @ H))) / W.sum(axis=0)[:, None]
    return W * ((V / (W @ H)) @ H.T) / H.sum(axis=1), H


def timed(run):
    """Return the seconds that a function takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def numpy_loop(V, W, H, dtype, order="K"):
    """Return a function that times one iteration."""
    V, W, H = V.astype(dtype, order=order) + dtype(1e-12), W.astype(dtype), H.astype(dtype)
    return lambda: timed(lambda: iteration(V, W, H))


def longer(run, n_iter):
    """Return a function that times an iteration as the difference of a longer and a shorter fit."""
    return lambda: (timed(lambda: run(n_iter + 1)) - timed(lambda: run(1))) / n_iter


def scikit_learn(V, W, H, n_iter):
    """Return a function that times one iteration."""
    frames = np.ascontiguousarray(V.T)

    def run(n):
        model = NMF(W.shape[1], beta_loss="kullback-leibler", solver="mu", init="custom", max_iter=n, tol=0)
        model.fit_transform(frames, W=H.T.copy(), H=W.T.copy())

    return longer(run, n_iter)


def librosa_decompose(V, n_components, n_iter, seed):
    """Return a function that times one iteration."""
    import librosa

    options = {"init": "random", "random_state": seed, "solver": "mu", "beta_loss": "kullback-leibler", "tol": 0}

    def run(n):
        librosa.decompose.decompose(V, n_components=n_components, max_iter=n, **options)

    return longer(run, n_iter)


def torch_nmf(V, W, H, n_iter, device="cpu"):
    """Return a function that times one iteration, all of V being on the device before."""
    import torch
    import torchnmf.nmf

    frames = torch.from_numpy(np.ascontiguousarray(V.T)).to(device)

    def run(n):
        model = torchnmf.nmf.NMF(W=torch.from_numpy(W.copy()), H=torch.from_numpy(H.T.copy())).to(device)
        model.fit(frames, beta=1, tol=0, max_iter=n)
        model.W.sum().item()  # which waits for the device

    return longer(run, n_iter)


def ours(V, W, H, n_iter, **options):
    """Return a function that makes and times a whole fit."""
    return lambda: timed(lambda: nmf.fit(V, W.shape[1], n_iter=n_iter, tolerance=0, start=(W, H), **options))


def reached(fitted, target):
    """Return the iterations after which the divergence is at most the target, or None."""
    enough = fitted.iterations[fitted.divergences <= target]
    return int(enough[0]) if len(enough) else None


def medians(runs, rounds):
    """Return the median time of each in seconds, measured in turn; the first of the rounds only warms up."""
    times = {name: [] for name in runs}
    for _ in range(rounds + 1):
        for name, run in runs.items():
            times[name].append(run())
    return {name: float(np.median(seconds[1:])) for name, seconds in times.items()}


def losses(V, n_components, few, reference, options):
    """Return by which part the divergence is higher when W is learned from few frames."""
    found = {}
    for one_in, n in few.items():
        fitted = nmf.fit(V, n_components, n_iter=PART_ITERATIONS, most_frames=n, **options)
        found[one_in] = fitted.divergences[-1] / reference - 1
    return found


def measured(V, n_components, n_iter, rounds, seed):
    """Return all figures of a case: times per iteration, divergences and times to reach them, and the coresets."""
    rng = np.random.default_rng(seed)
    W = rng.uniform(0.1, 1, (len(V), n_components)).astype(np.float32)
    H = rng.uniform(0.1, 1, (n_components, V.shape[1])).astype(np.float32) * (V.sum() / W.sum() / V.shape[1])
    options = {"tolerance": 0, "start": (W, H)}
    plain = nmf.fit(V, n_components, n_iter=max(TARGETS), accelerated=False, **options)
    fast = nmf.fit(V, n_components, n_iter=max(TARGETS), **options)
    if (np.diff(fast.divergences) > 0).any():
        raise SystemExit("the divergence rose")
    divergences = {n: float(plain.divergences[plain.iterations == n][0]) for n in TARGETS}
    needed = {n: reached(fast, divergence) for n, divergence in divergences.items()}
    runs = {
        "float64 loop": numpy_loop(V, W, H, np.float64),
        "float64 loop, row-major": numpy_loop(V, W, H, np.float64, "C"),
        "float32 loop, row-major": numpy_loop(V, W, H, np.float32, "C"),
        "scikit-learn, float32": scikit_learn(V, W, H, n_iter),
        "librosa.decompose": librosa_decompose(V, n_components, n_iter, seed),
        "rtnmf, plain": longer(lambda n: nmf.fit(V, n_components, n_iter=n, accelerated=False, **options), n_iter),
    }
    if importlib.util.find_spec("torchnmf"):
        runs["torchnmf, float32"] = torch_nmf(V, W, H, n_iter)
    runs |= {n: ours(V, W, H, needed[n]) for n in TARGETS if needed[n] is not None}
    few = {one_in: V.shape[1] // one_in for one_in in (1, *PARTS)}
    runs |= {("part", one_in): ours(V, W, H, PART_ITERATIONS, most_frames=n) for one_in, n in few.items()}
    seconds = medians(runs, rounds)
    total = float(V.sum(dtype=np.float64))
    all_frames = fast.divergences[fast.iterations == PART_ITERATIONS][0]
    return {
        "seconds_per_iteration": {name: s for name, s in seconds.items() if isinstance(name, str)},
        "divergence": {n: divergence / total for n, divergence in divergences.items()},
        "rtnmf_divergence": {n: float(fast.divergences[fast.iterations == n][0]) / total for n in TARGETS},
        "rtnmf_iterations": needed,
        "rtnmf_seconds": {n: seconds.get(n) for n in TARGETS},
        "coreset_seconds": {one_in: seconds["part", one_in] for one_in in few},
        "coreset_loss": losses(V, n_components, few, all_frames, options),
    }


def show(title, found):
    """Print a table."""
    print(f"\n{title}\n{'':25}{'ms per iteration':>18}", *(f"{f'{n} its: s':>14}{'ratio':>8}" for n in TARGETS))
    for name, s in found["seconds_per_iteration"].items():
        columns = []
        for n, ours_s in found["rtnmf_seconds"].items():
            columns.append(f"{n * s:14.2f}{n * s / ours_s if ours_s else np.nan:7.1f}x")
        print(f"{name:25}{1000 * s:18.2f}", *columns)
    times = [f"{s:14.3f}" if s else f"{'not reached':>14}" for s in found["rtnmf_seconds"].values()]
    print(f"{'rtnmf':43}", *(f"{s}{'':8}" for s in times))
    print(f"{'its iterations over all':43}", *(f"{n!s:>14}{'':8}" for n in found["rtnmf_iterations"].values()))
    for name, key in (("KL / sum(V) of the loop", "divergence"), ("KL / sum(V) of rtnmf", "rtnmf_divergence")):
        print(f"{name:43}", *(f"{d:14.5f}{'':8}" for d in found[key].values()))
    print(f"coreset, {PART_ITERATIONS} iterations:", end="")
    for one_in, s in found["coreset_seconds"].items():
        print(f"   1 frame in {one_in} {s:.2f} s, divergence {100 * found['coreset_loss'][one_in]:+.1f} %", end="")
    print()


def main():
    """Print a table for each case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="of the start")
    parser.add_argument("--audio", metavar="FILE", help="learn from this instead of the clips of the presets")
    parser.add_argument("--cases", type=int, nargs="+", default=range(len(CASES)), help="numbers from 0")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    machine = f"{platform.machine()}, {os.cpu_count()} processors"
    print(f"{machine}, numpy {np.__version__}, median of {arguments.rounds} rounds")
    results = {}
    for title in (title for i, title in enumerate(CASES) if i in arguments.cases):
        clips, seconds, sample_rate, n_fft, n_components, n_iter = CASES[title]
        V = spectrogram([arguments.audio] if arguments.audio else clips, seconds, sample_rate, n_fft)
        results[title] = measured(V, n_components, n_iter, arguments.rounds, arguments.seed)
        show(title, results[title])
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
