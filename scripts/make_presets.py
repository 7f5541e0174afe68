#!/usr/bin/env python3
"""Learn the presets that ship from the clips in presets/clips, and cut the clips of the demo.

Run from anywhere: `.venv/bin/python scripts/make_presets.py`. The same clips give the same components, to the bit on
one machine. `presets/README.md` says whose the clips are.
"""

import csv
from pathlib import Path

from rtnmf import STFT, learn
from rtnmf.audio import files

PRESETS = Path(__file__).parent.parent / "presets"
CLIPS = PRESETS / "clips"
SAMPLE_RATE = 44100  # one rate and one STFT for all, so that any of them combine
STFT_SETTINGS = STFT(2048, 512)
DEMO = {"voice": ("speech_it_m_carlo", 10), "keyboard": ("noise_keyboard_kbsim", 10)}  # what to cut, seconds of it


def main() -> None:
    """Write a dictionary for each preset named in the list of clips, and the training clips of the demo."""
    with (CLIPS / "clips.csv").open(encoding="utf-8") as file:
        clips = list(csv.DictReader(file))
    for name in dict.fromkeys(clip["preset"] for clip in clips):
        own = [clip for clip in clips if clip["preset"] == name]
        dictionary = learn(
            {name: [CLIPS / clip["file"] for clip in own]},
            SAMPLE_RATE,
            stft=STFT_SETTINGS,
            description="; ".join(clip["sound"] for clip in own),
            licence=", ".join(dict.fromkeys(clip["licence"] for clip in own)),
            rest=False,
        )
        dictionary.save(PRESETS / f"{name}.safetensors")
        print(f"{name}: {dictionary.n_components} components from {', '.join(dictionary.learned_from)}")
    for source, (clip, seconds) in DEMO.items():
        x, rate = files.read(CLIPS / f"{clip}.flac")
        files.write(PRESETS / "demo" / f"{source}-train.flac", x[: seconds * rate], rate)


if __name__ == "__main__":
    main()
