"""`rtnmf import`: bases of FluCoMa as a dictionary."""

from __future__ import annotations

import argparse

from rtnmf import screen
from rtnmf.cli import arguments, pages

__all__ = ["EXAMPLES", "SUMMARY", "add_arguments", "run"]

SUMMARY = "make a dictionary of the bases that FluCoMa's BufNMF found"
EXAMPLES = """examples:
  rtnmf import bases.wav -o drums.safetensors --rate 44100
  rtnmf name drums.safetensors kick=1,4 snare=2,3 -o named.safetensors    after it: the channels of each source"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("bases", metavar="FILE", help="audio file with a channel for each component")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="dictionary to write, .safetensors")
    text = "sample rate of the sound in Hz (default: that of the file)"
    arguments.option(parser, "--rate", "sample_rate", arguments.whole(1), "HZ", text)
    text = "hop in samples (default: a quarter of the window)"
    arguments.option(parser, "--hop", "hop_length", arguments.whole(1), "SAMPLES", text)
    arguments.add_overwrite(parser)


def run(options: argparse.Namespace) -> None:
    """Write a dictionary with a source for each channel."""
    from rtnmf.dictionary.bases import read_bases

    pages.check_dictionary(options.output, overwrite=options.overwrite)
    dictionary = read_bases(options.bases, **arguments.given(options, "sample_rate", "hop_length"))
    path = pages.written(options.output, dictionary.save, overwrite=options.overwrite)
    stft, n = dictionary.stft, dictionary.n_components
    settings = f"window {stft.n_fft}, hop {stft.hop_length}, {dictionary.sample_rate} Hz"
    screen.say(f"{path}: {n} components, named after their channels, {settings}")
