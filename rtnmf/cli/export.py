"""`rtnmf export`: components for FluCoMa."""

from __future__ import annotations

import argparse
import itertools

from rtnmf import screen
from rtnmf.cli import arguments, pages

__all__ = ["EXAMPLES", "SUMMARY", "add_arguments", "run"]

SUMMARY = "write the components of a dictionary as a buffer of bases for FluCoMa's BufNMF, NMFFilter and NMFMatch"
EXAMPLES = """examples:
  rtnmf export kick.safetensors -o bases.wav
  rtnmf export speech+keyboard -o bases.wav          a channel for each component, those of a source side by side
  rtnmf import bases.wav -o kick.safetensors         the way back"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("dictionary", metavar="DICT[+DICT...]", help="dictionary files and presets")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="bases to write, .wav")
    arguments.add_overwrite(parser)


def run(options: argparse.Namespace) -> None:
    """Write the components, and print which channels are which source's, and the settings to type in FluCoMa."""
    from rtnmf.dictionary import merged
    from rtnmf.dictionary.bases import write_bases

    pages.check_output(options.output, ".wav", overwrite=options.overwrite)
    dictionary = merged(options.dictionary)
    dictionary = dictionary.select(*dictionary.sources)
    write_bases(options.output, dictionary, overwrite=options.overwrite)
    if dictionary.is_trained:
        screen.note("trained columns are left out: FluCoMa has one set of bases")
    screen.say(f"{options.output}: {_channels(dictionary.labels)}")
    stft = dictionary.stft
    screen.say(f"in FluCoMa, at {dictionary.sample_rate} Hz: fftSettings {stft.n_fft} {stft.hop_length} {stft.n_fft}")


def _channels(labels: tuple[str, ...]) -> str:
    """Return which channels hold each source, whose components are side by side."""
    texts, first = [], 1
    for source, components in itertools.groupby(labels):
        last = first + len(list(components)) - 1
        texts.append(f"{source} {first}-{last}" if last > first else f"{source} {first}")
        first = last + 1
    return ", ".join(texts)
