#!/usr/bin/env python3
"""Compare two ways to free speech from noise: rtnmf, taught both sounds, and RNNoise, trained on many voices.

    .venv/bin/pip install pyrnnoise
    .venv/bin/python scripts/bench_speech.py FOLDER [--json FILE]

It takes the cases of "speech" and one other source from a folder with a `cases.json`, as `rtnmf evaluate` does, and
prints the SI-SDR improvement of the speech by each of the two, for every case and as the mean of the cases whose
conditions are alike up to the first comma. RNNoise runs at its 48 kHz; its delay is measured and removed.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import soxr

from rtnmf import learn, separate
from rtnmf.measure.cases import load_case, read_cases, sources, training_clips
from rtnmf.measure.metrics import si_sdr

RNNOISE_RATE = 48000
LONGEST_DELAY_S = 0.05


def rnnoise_separate(mixture, rate):
    """Return the speech that RNNoise finds in a mixture, shape (n_samples,), with its delay removed."""
    from pyrnnoise import rnnoise

    x = np.clip(soxr.resample(mixture, rate, RNNOISE_RATE), -1, 1)
    longest_delay = int(LONGEST_DELAY_S * RNNOISE_RATE)
    n_frames = -(-(len(x) + longest_delay) // rnnoise.FRAME_SIZE)
    padded = np.append(x, np.zeros(n_frames * rnnoise.FRAME_SIZE - len(x), np.float32))
    state = rnnoise.create()
    frames = [rnnoise.process_mono_frame(state, frame)[0] for frame in np.split(padded, n_frames)]
    rnnoise.destroy(state)
    y = np.concatenate(frames).astype(np.float64) / 32767
    delay = max(range(longest_delay), key=lambda d: y[d : d + len(x)] @ x)
    return soxr.resample(y[delay : delay + len(x)], RNNOISE_RATE, rate)[: len(mixture)]


def measured(folder, case):
    """Return the improvements of the speech in dB, by rtnmf and by RNNoise."""
    mixture, stems, names = load_case(folder, case)
    dictionary = learn(training_clips(folder, case), case["sample_rate"])
    ours = dictionary.by_source(separate(mixture, dictionary))["speech"].mean(axis=1)
    mono = mixture.mean(axis=1)
    theirs = rnnoise_separate(mono, case["sample_rate"])
    speech = stems[names.index("speech")].mean(axis=1)
    return [si_sdr(speech, estimate) - si_sdr(speech, mono) for estimate in (ours, theirs)]


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    groups, found = {}, []
    print(f"{'improvement of the speech, dB':44}{'rtnmf':>8}{'RNNoise':>9}")
    cases = read_cases(options.folder)
    for case in (case for case in cases if "speech" in sources(case) and len(sources(case)) == 2):
        ours, theirs = measured(options.folder, case)
        print(f"{case['id']:44.44}{ours:8.1f}{theirs:9.1f}", flush=True)
        groups.setdefault(case["condition"].split(",")[0], []).append((ours, theirs))
        found.append({"id": case["id"], "condition": case["condition"], "rtnmf": ours, "rnnoise": theirs})
    for name, improvements in groups.items():
        ours, theirs = np.mean(improvements, axis=0)
        print(f"mean of {len(improvements)}, {name:33.33}{ours:8.2f}{theirs:9.2f}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
