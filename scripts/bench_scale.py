#!/usr/bin/env python3
"""Measure learning from archives that do not fit in memory: time, memory, and what scikit-learn does in that time.

    .venv/bin/python scripts/bench_scale.py [--hours 1 10 100] [--passes N] [--memory BYTES] [--seed N]
                                            [--audio FOLDER] [--folder FOLDER] [--json FILE]

All of it takes 22 minutes on two idle cores, 6 GB of memory and 1.2 GB of disk; `--hours 0.01 0.1 1` takes a
minute. Each figure is printed, and written to the JSON file, as soon as it is known.

The audio is made from the clips of the presets, or of a folder: three layers of clips drawn at random, one after the
other, at random gains and speeds, so that no frame repeats; mono, 16 kHz, 16 bits, in files of an hour, or of the
smallest size where that is less. Ten files are made. Larger sizes are ten links to each: so the divergence of 50 full
passes over 100 h is, as a fraction of the sum of V, that of 50 over the ten hours, as each frame merely weighs ten
times as much, and can be computed. For ours, links are no help: of each file in a hundred a hundredth of the frames
that W starts from is taken, of the ten links to one file the same ones. The files stay in the cache of the system
after they were made: from a disk that reads less than about 100 MB/s it would take longer.

The columns of the tables:

- reading, start + pass 1, pass 2: seconds per hour of audio of `rtnmf.learn(n_passes=..., memory=...)`, in a process
  of its own. The start is learned from few frames, in the same time whatever the size: it counts where hours are few.
- MB: the most memory that this process had (VmHWM), Python and all libraries included.
- start, pass 1, pass 2: KL divergence of all frames with the W that each has reached, above or below that of 50 full
  passes; of sizes of fewer files than those passes were over, as a fraction of the sum of V. A pass tells the
  divergence of the W that it begins with; that of the last W is computed afterwards, over the files without their
  links, and its time does not count. It is that of W before learning mixes the mean spectrum into it.

The 50 full passes are plain updates of Lee and Seung over all frames of the ten files in memory, of activations that
are kept and of W in turn, from one random start (--seed). Then activations are found anew from the W that they end
with, once from the files and once from the frames in memory, in the same partitions: the divergence and the update of
W must agree.

MiniBatchNMF gets the frames of the partitions by `partial_fit`, partitions in random order and frames shuffled within
them, for as long as learning from the largest size took, with as many threads of BLAS as there are processors and one
that reads ahead: once with its defaults, and once as was best among several batch sizes, forget factors and numbers of
updates in 45 s of an hour. The first reading, which tells it how loud each file is, is not counted. Its divergence is
that of its W with activations found as ours are.
"""

import argparse
import itertools
import json
import multiprocessing
import os
import platform
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
from safetensors.numpy import load_file

from rtnmf import STFT, Model, learn
from rtnmf.audio import files
from rtnmf.kernels.compiling import zeros
from rtnmf.learning.archive import first_reading
from rtnmf.learning.hearing import hop_length
from rtnmf.learning.workers import Here
from rtnmf.nmf import descent, passes

CLIPS = Path(__file__).parent.parent / "presets" / "clips"
RATE = 16000
FORM = STFT(2048, 512)
HOP = hop_length(FORM)
NAME = "archive"
N_COMPONENTS = 32
N_FULL = 50
N_FILES = 10  # that differ
N_LAYERS = 3
SPEEDS = (0.8, 1.25)
GAINS_DB = (-30, 0)
LONGEST_S = 60  # of a clip
EVERY_S = 30  # what is done is told
RIVALS = {  # settings of MiniBatchNMF, beside its defaults
    "default, batches of 1024": {"batch_size": 1024},
    "tuned, batches of 4096, 8 updates": {"batch_size": 4096, "fresh_restarts_max_iter": 8},
}


def say(text):
    """Print a line at once."""
    print(text, flush=True)


def clips(folder):
    """Return all clips of a folder, mono, in pieces of a minute at most."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix in {".flac", ".ogg", ".wav", ".mp3"})
    every = [files.read(path, RATE)[0].mean(axis=1) for path in paths]
    if not every:
        raise SystemExit(f"{folder} has no audio files (.flac, .ogg, .wav, .mp3) to make audio from")
    return [x[at : at + LONGEST_S * RATE] for x in every for at in range(0, len(x), LONGEST_S * RATE)]


def layer(rng, given, n_samples):
    """Return clips drawn at random, one after the other, at random gains and speeds."""
    parts, n = [], 0
    while n < n_samples:
        x = soxr.resample(given[rng.integers(len(given))], RATE * rng.uniform(*SPEEDS), RATE, quality="LQ")
        parts.append(x * np.float32(10 ** (rng.uniform(*GAINS_DB) / 20)))
        n += len(x)
    return np.concatenate(parts)[:n_samples]


def made(folder, given, n_files, n_samples, seed):
    """Write files of so many samples, unless they are there, and return their paths."""
    paths = [folder / f"seed_{seed}_{i}.wav" for i in range(n_files)]

    def make(i):
        if paths[i].exists() and soundfile.info(paths[i]).frames == n_samples:
            say(f"{paths[i]} is taken as it is")
            return
        rng = np.random.default_rng([seed, i])
        x = sum(layer(rng, given, n_samples) for _ in range(N_LAYERS))
        soundfile.write(paths[i], x * (0.9 / np.abs(x).max()), RATE, "PCM_16")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(make, range(n_files)))
    return paths


def linked(paths, n_files):
    """Return so many paths: those given, and links to them beside them."""
    every = list(paths[:n_files])
    for i in range(len(paths), n_files):
        link = paths[0].with_stem(f"{paths[i % len(paths)].stem}_link_{i}")
        link.unlink(missing_ok=True)
        try:
            link.hardlink_to(paths[i % len(paths)])
        except OSError:
            link.symlink_to(paths[i % len(paths)])
        every.append(link)
    return every


def learned(paths, checkpoint, n_passes, memory, seed):
    """Learn as a user does; return the seconds after each stage, the divergences and the most memory in bytes."""
    began, ends, said = time.perf_counter(), {}, 0.0

    def progress(stage, done, total):
        nonlocal said
        name = stage.split(", ")[1]
        ends[name] = time.perf_counter() - began
        if ends[name] - said > EVERY_S:
            said = ends[name]
            say(f"  {stage}: {done} of {total}, {said:.0f} s")

    settings = {"stft": FORM, "n_components": N_COMPONENTS, "rest": False, "seed": seed, "progress": progress}
    found = learn({NAME: paths}, n_passes=n_passes, memory=memory, checkpoint=checkpoint, **settings)
    ends["all"] = time.perf_counter() - began
    n_bytes = 1024 * int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
    return {"seconds": ends, "curve": [d for _, d in found.divergences[NAME]], "bytes": n_bytes}


@cache
def archive_of(paths):
    """Return the archive of some files."""
    return first_reading(NAME, paths, RATE, FORM, Model().audible_hz, Here().each)[1]


def sums(archive, W):
    """Return what all frames of an archive add to an update of W."""
    return Here().total(archive, W, lambda _: None)


def divergence(archive, W):
    """Return the divergence of all frames, as a fraction of the sum of V."""
    found = sums(archive, W)
    return found.divergence / found.level


def frames_of(archive, i):
    """Return the frames of a partition, shape (n_frames, n_bins)."""
    return np.concatenate(list(archive.blocks(i, {})))


def in_memory(archive):
    """Return all frames, padded as the descent takes them, at most 1, and how many each partition has."""
    n_most = sum(round(archive.seconds(i) * RATE / HOP) for i in range(len(archive)))
    V = zeros(-(-n_most // descent.FRAMES) * descent.FRAMES, -(-FORM.n_bins // descent.LANES) * descent.LANES)
    lengths = []
    for part in passes.in_order(lambda i: frames_of(archive, i), range(len(archive))):
        n = sum(lengths)
        V[n : n + len(part), : part.shape[1]] = part
        lengths.append(len(part))
    V /= np.float32(2 ** np.ceil(np.log2(max(part.max() for part in np.array_split(V, 64)))))  # exact
    return V[: -(-sum(lengths) // descent.FRAMES) * descent.FRAMES], lengths


def full_passes(V, seed):
    """Return the W of 50 plain updates and the divergence after each tenth, as a fraction of the sum of V."""
    rng = np.random.default_rng(seed)
    levels = V.sum(axis=1, keepdims=True)
    W = zeros(N_COMPONENTS, V.shape[1])
    W[:, : FORM.n_bins] = rng.uniform(0.1, 1, (N_COMPONENTS, FORM.n_bins))
    W /= W.sum(axis=1, keepdims=True)
    H = rng.uniform(0.1, 1, (len(V), N_COMPONENTS)).astype(np.float32) * levels / N_COMPONENTS
    began = time.perf_counter()

    def progress(_, done, total):
        if not done % 10:
            say(f"  {done} of {total} full passes, {time.perf_counter() - began:.0f} s")

    options = {"accelerated": False, "tolerance": 0, "most_frames": None, "progress": progress}
    divergences, iterations = descent.descend(V, W, H, 0, N_FULL, **options)
    shares = divergences / levels.sum(dtype=np.float64)
    return W[:, : FORM.n_bins], dict(zip(iterations.tolist(), shares.tolist(), strict=True))


def differences(archive, V, lengths, W):
    """Return how far sums from files are from sums from memory: of the divergence and of the update of W."""
    W = W / W.sum(axis=1, keepdims=True)
    parts = np.split(V[:, : FORM.n_bins], np.cumsum(lengths))[: len(lengths)]
    here = passes.added(passes.in_order(lambda part: passes.sums_of([part], W), parts))
    there = sums(archive, W)
    rows, other = (W * x.numerator / (W * x.numerator).sum(axis=1, keepdims=True) for x in (here, there))
    one = abs(here.divergence / here.level * there.level / there.divergence - 1)
    return {"divergence": one, "W": float(np.abs(rows - other).sum() / rows.sum())}


def reference(paths, seed):
    """Return the divergences of the full passes, and how far sums from memory differ from those from files."""
    archive = archive_of(paths)
    V, lengths = in_memory(archive)
    W, curve = full_passes(V, seed)
    return {"curve": curve, "n_frames": sum(lengths), "differences": differences(archive, V, lengths, W)}


def hours_of(n_frames):
    """Return how much audio frames are of."""
    return n_frames * HOP / RATE / 3600


def batches(archive, size, rng):
    """Yield batches of frames without end, of partitions in random order, shuffled, with their seconds of audio."""
    order = itertools.chain.from_iterable(rng.permutation(len(archive)) for _ in itertools.count())

    def shuffled(i):
        return rng.permutation(frames_of(archive, i))

    for part in passes.in_order(shuffled, order, 1):
        yield from (part[at : at + size] for at in range(0, len(part), size))


def mini_batch(paths, settings, seconds, seed):
    """Return the divergence that MiniBatchNMF reaches in so many seconds, and the hours of audio that it saw."""
    from sklearn.decomposition import MiniBatchNMF

    archive, rng = archive_of(paths), np.random.default_rng(seed)
    options = {"init": "random", "beta_loss": "kullback-leibler", "random_state": seed}
    model = MiniBatchNMF(N_COMPONENTS, **options, **settings)
    began, said, n_frames = time.perf_counter(), 0.0, 0
    for batch in batches(archive, settings["batch_size"], rng):
        model.partial_fit(batch)
        n_frames += len(batch)
        spent = time.perf_counter() - began
        if spent > seconds:
            break
        if spent - said > EVERY_S:
            said = spent
            say(f"  MiniBatchNMF: {spent:.0f} of {seconds:.0f} s, {hours_of(n_frames):.2f} h")
    W = model.components_.astype(np.float32)
    W /= np.maximum(W.sum(axis=1, keepdims=True), np.float32(1e-30))
    return {"divergence": divergence(archive, W), "hours": hours_of(n_frames)}


def counts(hours):
    """Return how many samples a file has, and how many files each size is of; stop if it is of no number of them."""
    file_hours = min(1.0, *hours)
    n_files = [round(h / file_hours) for h in hours]
    for h, n in zip(hours, n_files, strict=True):
        if abs(n * file_hours - h) > 1e-6 * h or (n > N_FILES and n % N_FILES):
            raise SystemExit(f"{h:g} hours are no number of files of {file_hours:g} h up to {N_FILES}, or tens of them")
    return round(file_hours * 3600 * RATE), n_files


def stages(n_passes):
    """Return what to call the stages that are timed."""
    return ["reading", "start + pass 1", *(f"pass {i}" for i in range(2, n_passes + 1)), "all"]


def seconds_of(found, n_passes):
    """Return the seconds of each of the stages."""
    ends = [found["seconds"][f"pass {i + 1} of {n_passes}"] for i in range(n_passes)]
    return [*np.diff([0, found["seconds"]["first reading"], *ends]).tolist(), found["seconds"]["all"]]


def show_full(found):
    """Print what the full passes have reached, and whether files and memory give the same."""
    reached = ", ".join(f"{d:.5f} after {i}" for i, d in found["curve"].items())
    say(f"full passes over {found['n_frames']} frames: divergence / sum of V {reached}")
    words = ", ".join(f"{name} {difference:.1e}" for name, difference in found["differences"].items())
    say(f"a pass over files against one over memory, relative differences: {words}")


def heading(n_passes, memory):
    """Print what is in the rows of `show`."""
    names = "".join(f"{name:>10}" for name in ("start", *(f"pass {i + 1}" for i in range(n_passes))))
    say(f"\nrtnmf, memory={memory}: seconds per hour of audio, MB, divergence after each against {N_FULL} full passes")
    say(f"{'':10}{''.join(f'{stage:>15}' for stage in stages(n_passes))}{'MB':>8}{names}")


def show(found, target, n_passes):
    """Print a row."""
    times = "".join(f"{s / found['hours']:15.3f}" for s in seconds_of(found, n_passes))
    ends = "".join(f"{100 * (d / target - 1):+9.2f}%" if target else f"{d:10.5f}" for d in found["curve"])
    say(f"{found['hours']:8g} h{times}{found['bytes'] / 1e6:8.0f}{ends}")


def show_linearity(results, n_passes):
    """Print by how much an hour of audio takes longer in the largest size than in each of the others."""
    *smaller, largest = results
    for found in smaller:
        pairs = zip(seconds_of(largest, n_passes), seconds_of(found, n_passes), strict=True)
        ratios = [a / b * found["hours"] / largest["hours"] for a, b in pairs]
        words = ", ".join(f"{name} {100 * (r - 1):+.1f} %" for name, r in zip(stages(n_passes), ratios, strict=True))
        say(f"an hour of {largest['hours']:g} against one of {found['hours']:g}: {words}")


def show_time(found, target, n_passes):
    """Print whether and when the divergence is within 1 % of the target, and how long it took until then."""
    enough = [i for i, d in enumerate(found["curve"]) if d <= 1.01 * target]
    reading, *each, _ = seconds_of(found, n_passes)
    n = max(enough[0], 1) if enough else n_passes  # the end of the start is not told apart from the first pass
    is_within = f"{'' if enough else 'not '}within 1 % of {N_FULL} full passes"
    when = f"{'after the start already, and with' if 0 in enough else 'after'} pass {n}"
    say(f"{found['hours']:g} h: {is_within} {when}: {(reading + sum(each[:n])) / found['hours']:.2f} s per hour")


def measured(options, folder, temporary, keep):
    """Measure one thing after the other, with the audio in a folder; print and keep each at once."""
    hours = sorted(options.hours)
    n_samples, n_files = counts(hours)
    began = time.perf_counter()
    paths = made(folder, clips(options.audio), min(N_FILES, max(n_files)), n_samples, options.seed)
    say(f"{len(paths)} files of {n_samples / RATE / 3600:g} h made in {time.perf_counter() - began:.0f} s")
    full = keep("full_passes", reference(tuple(paths), options.seed))
    show_full(full)
    heading(options.passes, options.memory)
    ours = []
    for size, n in zip(hours, n_files, strict=True):
        kept = temporary / f"reached_{n}.safetensors"
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            given = linked(paths, n), kept, options.passes, options.memory, options.seed
            found = pool.submit(learned, *given).result()
        W = load_file(kept)["0"]
        found["curve"].append(divergence(archive_of(tuple(paths[:n])), W))
        ours.append({"hours": size, **found})
        keep("rtnmf", ours)
        show(ours[-1], full["curve"][N_FULL] if n >= len(paths) else None, options.passes)
    show_linearity(ours, options.passes)
    show_time(ours[-1], full["curve"][N_FULL], options.passes)
    rivals = {}
    for name, settings in RIVALS.items():
        rivals[name] = mini_batch(tuple(paths), settings, ours[-1]["seconds"]["all"], options.seed)
        keep("mini_batch", rivals)
        show_rival(name, rivals[name], ours[-1], full["curve"][N_FULL])


def show_rival(name, found, ours, target):
    """Print what MiniBatchNMF has reached."""
    say(
        f"MiniBatchNMF, {name}: {100 * (found['divergence'] / target - 1):+.2f} % in {ours['seconds']['all']:.0f} s,"
        f" in which it saw {found['hours']:.3g} h; rtnmf {100 * (ours['curve'][-1] / target - 1):+.2f} %, all"
        f" {ours['hours']:g} h"
    )


def main():
    """Measure, in a folder that is removed unless one is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, nargs="+", default=[1, 10, 100])
    parser.add_argument("--passes", type=int, default=2)
    parser.add_argument("--memory", type=lambda text: int(float(text)), default=10**9, metavar="BYTES")
    parser.add_argument("--seed", type=int, default=0, help="of the audio and of all starts")
    parser.add_argument("--audio", type=Path, default=CLIPS, metavar="FOLDER", help="make the audio from these clips")
    parser.add_argument("--folder", type=Path, help="keep the audio here, and take what is there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    results = {"machine": f"{platform.machine()}, {os.cpu_count()} processors", "numpy": np.__version__}
    say(f"{results['machine']}, numpy {np.__version__}; window {FORM.n_fft}, {N_COMPONENTS} components, {RATE} Hz")

    def keep(name, found):
        results[name] = found
        if options.json:
            options.json.write_text(json.dumps(results, indent=1))
        return found

    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        measured(options, folder, Path(temporary), keep)


if __name__ == "__main__":
    main()
