"""`rtnmf separate`: a recording in, one file per source or one remix out."""

from __future__ import annotations

import argparse

from rtnmf.cli import arguments, pages
from rtnmf.cli.progress_bar import progress_bar

__all__ = ["EXAMPLES", "SUMMARY", "add_arguments", "run"]

SUMMARY = "separate a recording into one file per source, or remix it"
EXAMPLES = """examples:
  rtnmf separate mix.wav desk.safetensors -o out/               one file per source
  rtnmf separate mix.wav speech+keyboard -o out/                presets, combined
  rtnmf separate mix.wav desk.safetensors -o out/ --gain voice=0 fan=-20   one remix, gains in dB"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("mix", metavar="MIX", help="audio file")
    parser.add_argument("dictionary", metavar="DICT[+DICT...]", help="dictionary files and presets")
    parser.add_argument("-o", "--output", metavar="DIR", help="folder for the files (default: MIX-stems, beside MIX)")
    text = "write one remix instead, with these gains, dB; sources that are not mentioned keep their level"
    parser.add_argument("--gain", nargs="+", metavar="NAME=DB", help=text)
    arguments.add_separation(parser)
    parser.add_argument("--report", metavar="FILE", help="also write a page to see and hear what was found")


def run(options: argparse.Namespace) -> None:
    """Separate a file into stems or a remix, block by block."""
    from rtnmf.audio import files
    from rtnmf.dictionary import load
    from rtnmf.engine.streaming import separate_file

    pages.check_page(options.report)
    if options.mix.endswith(".safetensors"):
        raise ValueError(f"{options.mix} is a dictionary: write the recording first, rtnmf separate MIX DICT")
    with files.AudioReader(options.mix) as mix:
        dictionary = load(options.dictionary, mix.sample_rate)
        arguments.check_sources(options.dictionary, dictionary)
        settings = arguments.given(options, *arguments.SEPARATION)
        gains = arguments.gains(options.gain, dictionary.sources) if options.gain else None
        with progress_bar("separating") as progress:
            paths = separate_file(mix, dictionary, options.output, gains=gains, progress=progress, **settings)
        for path in paths.values():
            print(files.printable(path))
        if options.report:
            x, facts = pages.shown(mix, dictionary.sample_rate)
            pages.write_report(options.report, mix.path.name, dictionary, x, facts, **settings)
