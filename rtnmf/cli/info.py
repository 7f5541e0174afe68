"""`rtnmf info`: what a dictionary holds."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import TYPE_CHECKING

from rtnmf import screen

if TYPE_CHECKING:
    from rtnmf.dictionary import Dictionary

__all__ = ["EXAMPLES", "SUMMARY", "add_arguments", "run"]

SUMMARY = "show what a dictionary holds"
EXAMPLES = """examples:
  rtnmf info desk.safetensors
  rtnmf info speech+keyboard"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("dictionary", metavar="DICT[+DICT...]", help="dictionary files and presets")


def run(options: argparse.Namespace) -> None:
    """Print what a dictionary holds, a fact per line."""
    from rtnmf.learning.joining import load

    for name, text in _facts(load(options.dictionary)).items():
        if text:
            screen.say(f"{name:13}{text}")


def _facts(dictionary: Dictionary) -> dict[str, str]:
    stft, n_iter = dictionary.stft, dictionary.model.n_iter
    counts = ", ".join(f"{source} ({n})" for source, n in Counter(dictionary.labels).items())
    n_bytes = sum(codes.nbytes for codes in dictionary.frames.values())
    frames = ", ".join(f"{codes.shape[1]} of {source}" for source, codes in dictionary.frames.items())
    updates = f"{n_iter} update{'s' * (n_iter > 1)}"
    return {
        "sources": f"{counts} components",
        "description": dictionary.description,
        "sample rate": f"{dictionary.sample_rate} Hz",
        "STFT": f"window {stft.n_fft}, hop {stft.hop_length}, {stft.n_bins} bins",
        "latency": f"{stft.latency} samples, {1000 * stft.latency / dictionary.sample_rate:.1f} ms",
        "separation": f"{updates} per frame, {f'trained for {updates}' if dictionary.is_trained else 'untrained'}",
        "voices": ", ".join(dictionary.voices),
        "rest": dictionary.rest and f"{dictionary.rest}, for all that was not taught",
        "frames": frames and f"{frames}; {n_bytes / 2**20:.1f} MiB, to train it again",
        "learned from": ", ".join(dictionary.learned_from),
        "licence": dictionary.licence,
        "made by": f"rtnmf {dictionary.rtnmf_version}" if dictionary.rtnmf_version else "",
    }
