#!/usr/bin/env python3
"""Learn the presets that ship from the clips in presets/clips and the pool, and cut the clips of the demo.

Run from anywhere: `.venv/bin/python scripts/make_presets.py [PRESET ...]`. The same clips give the same presets, to the
bit on one machine. `presets/README.md` says whose the clips are.
"""

import csv
import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from rtnmf import STFT, Dictionary, learn
from rtnmf.audio import files
from rtnmf.dictionary import examples
from rtnmf.learning.recordings import frames
from rtnmf.learning.rest import REST

PRESETS = Path(__file__).parent.parent / "presets"
CLIPS = PRESETS / "clips"
SAMPLE_RATE = 44100  # one rate and one STFT for all, so that any of them combine
STFT_SETTINGS = STFT(2048, 512)
N_FRAMES_OF_MANY = 1900  # of many voices or backgrounds, to train with again: 2 MB, where `learn` keeps 0.5
DEMO = {"voice": ("speech_it_m_carlo", 10), "keyboard": ("noise_keyboard_kbsim", 10)}  # what to cut, seconds of it
OF_REST = {"CC0-1.0", "LicenseRef-public-domain", "MIT", "CC-BY-3.0", "CC-BY-SA-3.0"}  # together: CC-BY-SA-3.0


class Plan(NamedTuple):
    """What a preset is learned from, and how."""

    clips: list[Path]
    description: str
    licence: str
    n_components: int | None = None
    n_frames: int | None = None


def main() -> None:
    """Write the presets, all or those that are named, and the training clips of the demo."""
    plans = {"speech": speech(), REST: rest(), **single()}
    unknown = set(sys.argv[1:]) - set(plans)
    if unknown:
        sys.exit(f"there is no preset {min(unknown)}: choose from {', '.join(plans)}")
    for name in sys.argv[1:] or plans:
        dictionary = learned(name, plans[name])
        dictionary.save(PRESETS / f"{name}.safetensors")
        print(f"{name}: {dictionary.n_components} components from {len(dictionary.learned_from)} clips")
    for source, (clip, seconds) in DEMO.items():
        x, rate = files.read(CLIPS / f"{clip}.flac")
        files.write(PRESETS / "demo" / f"{source}-train.flac", x[: seconds * rate], rate)


def learned(name: str, plan: Plan) -> Dictionary:
    """Return the dictionary of a preset."""
    dictionary = learn(
        {name: plan.clips},
        SAMPLE_RATE,
        rest=False,
        stft=STFT_SETTINGS,
        n_components=plan.n_components,
        description=plan.description,
        licence=plan.licence,
    )
    if plan.n_frames:
        V = frames(name, plan.clips, SAMPLE_RATE, STFT_SETTINGS, dictionary.model.audible_hz).magnitudes
        kept = V[:, examples.spread(V.shape[1], plan.n_frames)]
        dictionary = replace(dictionary, frames={name: examples.coded(kept)})
    return replace(dictionary, rest=REST if name == REST else "")


def speech() -> Plan:
    """Return the plan of the preset speech: its voices are all under the GPL, of which version 2 alone suits them all.

    Its 48 components were measured: 0.3 dB more than 32 and 0.1 more than 64, trained against the rest.
    """
    voices = table(CLIPS / "voices" / "manifest.csv")
    clips = [CLIPS / "voices" / voice["file"] for voice in voices]
    text = f"{len(clips)} sets of voices in 27 languages, words and short sentences"
    return Plan(clips, text, "GPL-2.0-only", 48, N_FRAMES_OF_MANY)


def rest() -> Plan:
    """Return the plan of the preset rest, learned from the backgrounds whose licences fit together."""
    backgrounds = [row for row in table(PRESETS / "pool" / "manifest.csv") if row["licence"] in OF_REST]
    clips = [PRESETS / "pool" / row["file"] for row in backgrounds]
    text = f"{len(clips)} backgrounds: machines, weather, animals, traffic, kitchens, crowds, music and more"
    return Plan(clips, text, "CC-BY-SA-3.0", 64, N_FRAMES_OF_MANY)


def single() -> dict[str, Plan]:
    """Return the plans of the presets of one sound or two, as the list of clips has them."""
    clips = table(CLIPS / "clips.csv")
    plans = {}
    for name in dict.fromkeys(clip["preset"] for clip in clips):
        own = [clip for clip in clips if clip["preset"] == name]
        description = "; ".join(clip["sound"] for clip in own)
        licence = ", ".join(dict.fromkeys(clip["licence"] for clip in own))
        plans[name] = Plan([CLIPS / clip["file"] for clip in own], description, licence)
    return plans


def table(path: Path) -> list[dict[str, str]]:
    """Return the lines of a table."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
