#!/usr/bin/env python3
"""Time one iteration of learning against the plain numpy loop and scikit-learn, interleaved, from the same start.

    .venv/bin/python scripts/bench_learn.py [--rounds N]

The loop is the two updates of Lee and Seung with sums of columns and rows in the denominators. It gets V as an
STFT returns it, librosa's as well as ours: frame after frame in memory (column-major). numpy is faster when V is
first copied to row-major order; both are shown. scikit-learn gets the order that suits it.
"""

import argparse
import os
import platform
import time
import warnings

import numpy as np
from sklearn.decomposition import NMF

from rtnmf import STFT, nmf

CASES = {  # name: (seconds, sample rate, window, components, iterations per timing)
    "20 s, 22050 Hz, window 8192, hop 512, K=3": (20, 22050, 8192, 3, 40),
    "60 s, 44100 Hz, window 2048, hop 512, K=32": (60, 44100, 2048, 32, 20),
}


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
    V, W, H = V.astype(dtype, order=order), W.astype(dtype), H.astype(dtype)
    return lambda: timed(lambda: iteration(V, W, H))


def ours(V, W, H, n_iter):
    """Return a function that times the iterations of a fit, the checks of the divergence among them included."""

    def run():
        ticks = []
        nmf.fit(
            V,
            W.shape[1],
            n_iter=n_iter,
            tolerance=0,
            start=(W, H),
            progress=lambda *_: ticks.append(time.perf_counter()),
        )
        return (ticks[-1] - ticks[0]) / (n_iter - 1)

    return run


def scikit_learn(V, W, H, n_iter):
    """Return a function that times an iteration as the difference of a longer and a shorter fit."""
    frames = np.ascontiguousarray(V.T)

    def run(n):
        model = NMF(W.shape[1], beta_loss="kullback-leibler", solver="mu", init="custom", max_iter=n, tol=0)
        return timed(lambda: model.fit_transform(frames, W=H.T.copy(), H=W.T.copy()))

    return lambda: (run(n_iter + 1) - run(1)) / n_iter


def medians(runs, rounds):
    """Return the median milliseconds of each, measured in turn, round by round."""
    times = {name: [] for name in runs}
    for _ in range(rounds + 1):
        for name, run in runs.items():
            times[name].append(1000 * run())
    return {name: float(np.median(some[1:])) for name, some in times.items()}


def main():
    """Print a table for each case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    warnings.simplefilter("ignore")
    print(f"{platform.machine()}, {os.cpu_count()} processors, numpy {np.__version__}, median of {rounds} rounds")
    for title, (seconds, sample_rate, n_fft, n_components, n_iter) in CASES.items():
        rng = np.random.default_rng(0)
        V = np.abs(STFT(n_fft, 512).forward(rng.standard_normal(seconds * sample_rate))) + np.float32(1e-6)
        W, H = rng.random((len(V), n_components), np.float32), rng.random((n_components, V.shape[1]), np.float32)
        runs = {
            "float64 loop": numpy_loop(V, W, H, np.float64),
            "float64 loop, row-major": numpy_loop(V, W, H, np.float64, "C"),
            "float32 loop, row-major": numpy_loop(V, W, H, np.float32, "C"),
            "scikit-learn, float32": scikit_learn(V, W, H, n_iter),
            "rtnmf": ours(V, W, H, n_iter),
        }
        print(f"\n{title}\n{'':25}{'ms per iteration':>18}{'rtnmf is faster by':>22}")
        found = medians(runs, rounds)
        for name, ms in found.items():
            print(f"{name:25}{ms:18.2f}{ms / found['rtnmf']:21.1f}x")


if __name__ == "__main__":
    main()
