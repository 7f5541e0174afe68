#!/usr/bin/env python3
"""Check that the files of a live recording are whole, equally long, and as a replay gives them.

    .venv/bin/python scripts/check_recording.py FOLDER [--cut]

All WAV files have to be read without a note, to be equally long, and the stems have to sum to the input. Each time that
the separation began anew it is replayed with the dictionaries, experts and updates that lie beside the files, and the
stems have to have the same samples, to the bit: up to the end, or, where the process was killed, to `latency` samples
before it, as the last input has no stems then. `--cut` says that it was killed at the end of the recording. A recording
that began while it sounded already, or in which some blocks were not separated, does not hold what a replay needs.
Mono recordings of one sample rate only.
"""

import argparse
import itertools
import json
import warnings
from pathlib import Path

import numpy as np

import rtnmf
from rtnmf.audio import files

ROUNDING = 1e-5


def faults_of(folder, *, is_cut, is_replayed=True):
    """Return what is wrong with a recording, in words, its length in samples, and how many were replayed.

    Where `is_cut`, the process that recorded was killed.
    """
    got, faults = read(folder)
    faults += [f"{path.name} is half written" for path in folder.glob(".*")]
    lengths = {name: len(x) for name, x in got.items()}
    if len(set(lengths.values())) != 1 or not lengths.get("input"):
        return [*faults, f"lengths in samples: {lengths}"], max(lengths.values(), default=0), 0
    n_replayed = 0
    for stretch in stretches(folder, lengths["input"]) if is_replayed else ():
        n_held, more = compared(folder, got, stretch, is_cut=is_cut or stretch.stop < lengths["input"])
        n_replayed, faults = n_replayed + n_held, faults + more
    return faults, lengths["input"], n_replayed


def read(folder):
    """Return {name: samples} of the WAV files in a folder, and what was odd about them."""
    got, faults = {}, []
    for path in sorted(folder.glob("*.wav")):
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            try:
                got[path.stem] = files.read(path, strict=True)[0][:, 0]
            except ValueError as error:
                faults.append(str(error))
        faults += [str(note.message) for note in notes]
    return got, faults


def entries(folder, name):
    """Return what a list of a recording says; nothing where there is none."""
    path = folder / name
    return json.loads(path.read_text()) if path.exists() else []


def stretches(folder, n_samples):
    """Return the ranges of samples of each process that sounded, the silence after it included."""
    begins = [use["sample"] for use in entries(folder, "dictionaries.json") if use["begins_anew"]]
    return [range(*ends) for ends in itertools.pairwise([*(n for n in begins if n < n_samples), n_samples])]


def compared(folder, got, stretch, *, is_cut):
    """Return how many samples of a stretch are as in a replay, and what is wrong with it.

    The last input that a process heard before it was killed has no stems; without a kill there are all.
    """
    x = got["input"][stretch.start : stretch.stop]
    again, latency = replayed(folder, x, stretch)
    heard = np.flatnonzero(x)
    n_held = max(0, int(heard[-1] + 1 if len(heard) else 0) - latency) if is_cut else len(x)
    stems = {name: got[files.safe_names([name])[0]][stretch.start :][:n_held] for name in again}
    faults, what = [], f"from sample {stretch.start} on"
    error = float(np.abs(sum(stems.values()) - x[:n_held]).max(initial=0))
    if error > ROUNDING:
        faults.append(f"{what}, stems differ from the input by {error:.1e} in sum")
    for name, stem in stems.items():
        wrong = np.flatnonzero(stem != again[name][:n_held])
        if len(wrong):
            text = f"{len(wrong)} of {n_held} samples of {name} differ from a replay, the first at {wrong[0]}"
            faults.append(f"{what}, {text}")
    return n_held, faults


def replayed(folder, x, stretch):
    """Return {source: stem} as a replay of a stretch gives them, aligned with its input, and its latency."""
    uses, turns = entries(folder, "dictionaries.json"), entries(folder, "updates.json")
    changes = {entry["sample"] - stretch.start for entry in uses + turns if entry["sample"] in stretch}
    first = next(use for use in uses if use["begins_anew"] and use["sample"] == stretch.start)
    separator = rtnmf.Separator(rtnmf.Dictionary.load(folder / first["file"]), experts=first["experts"])
    stems = []
    for start, stop in itertools.pairwise(sorted({0, len(x), *changes})):
        for use in uses:
            if use["sample"] == stretch.start + start and not use["begins_anew"]:
                separator.dictionary = rtnmf.Dictionary.load(folder / use["file"])
        for turn in turns:
            if turn["sample"] == stretch.start + start:
                separator.n_iter, separator.asks = turn["n_iter"], turn["asks"]
        stems.append(separator.process(x[start:stop]))
    whole = np.concatenate([*stems, separator.flush()], axis=1)[:, separator.latency :]
    return dict(zip(separator.sources, whole, strict=True)), separator.latency


def main():
    """Print what is wrong with a recording, and how much of it is as replayed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cut", action="store_true", help="the process that recorded was killed")
    options = parser.parse_args()
    faults, n_samples, n_replayed = faults_of(options.folder, is_cut=options.cut)
    print("\n".join([*faults, f"{n_samples} samples, {n_replayed} of them as in a replay"]))
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    main()
