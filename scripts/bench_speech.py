#!/usr/bin/env python3
"""Compare what becomes of a voice in noise: by rtnmf, taught both, and by RNNoise, which was trained on many voices.

    .venv/bin/pip install pyrnnoise
    .venv/bin/python scripts/bench_speech.py FOLDER [--json FILE]

From a folder with a `cases.json`, as `rtnmf evaluate` reads it, takes the cases of "speech" and one other source, and
prints by how many dB each of the two raises the SI-SDR of the speech, for each case and in the mean of those whose
condition begins alike. RNNoise runs at its 48 kHz, and its delay is taken off.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import soxr

from rtnmf import learn, separate
from rtnmf.measure.evaluation import load_case, si_sdr

RNNOISE_RATE = 48000
LONGEST_DELAY_S = 0.05


def rnnoise_separate(mixture, rate):
    """Return what RNNoise leaves of a mixture, shape (n_samples,), without its delay."""
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
    mixture, stems, sources = load_case(folder, case)
    clips = {name: [folder / path for path in case["train"][name]] for name in sources}
    ours = separate(mixture, learn(clips, case["sample_rate"]))[sources.index("speech")]
    theirs = rnnoise_separate(mixture.mean(axis=1), case["sample_rate"])
    speech = stems[sources.index("speech")].mean(axis=1)
    before = si_sdr(speech, mixture.mean(axis=1))
    return [si_sdr(speech, one) - before for one in (ours.mean(axis=1), theirs)]


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    cases = json.loads((options.folder / "cases.json").read_text())["cases"]
    groups = {}
    found = []
    print(f"{'improvement of the speech, dB':44}{'rtnmf':>8}{'RNNoise':>9}")
    for case in cases:
        names = [stem["name"] for stem in case["stems"]]
        if "speech" not in names or len(names) != 2:
            continue
        ours, theirs = measured(options.folder, case)
        print(f"{case['id']:44.44}{ours:8.1f}{theirs:9.1f}", flush=True)
        groups.setdefault(case["condition"].split(",")[0], []).append((ours, theirs))
        found.append({"id": case["id"], "condition": case["condition"], "rtnmf": ours, "rnnoise": theirs})
    for name, some in groups.items():
        ours, theirs = np.mean(some, axis=0)
        print(f"mean of {len(some)}, {name:33.33}{ours:8.2f}{theirs:9.2f}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
