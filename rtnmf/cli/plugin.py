"""`rtnmf plugin`: a dictionary as a plugin for digital audio workstations."""

from __future__ import annotations

import argparse

from rtnmf import screen
from rtnmf.cli import arguments
from rtnmf.cli.progress_bar import progress_bar

__all__ = ["EXAMPLES", "SUMMARY", "add_arguments", "run"]

SUMMARY = "make CLAP, VST3 and LV2 plugins of a dictionary, which run without Python"
EXAMPLES = """examples:
  rtnmf plugin desk.safetensors -o Desk                         Desk.clap, Desk.vst3 and Desk.lv2 here
  rtnmf plugin speech+keyboard -o "Quiet desk" --install        where hosts look for them
  rtnmf plugin desk.safetensors -o Desk --formats lv2 --folder plugins/
  rtnmf plugin -o rtnmf --formats lv2                           generic: its host loads any dictionary into it"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    text = "dictionary files and presets (default: none, for the generic plugin)"
    parser.add_argument("dictionary", nargs="?", metavar="DICT[+DICT...]", help=text)
    parser.add_argument("-o", "--output", required=True, metavar="NAME", help="name of the plugin, as hosts show it")
    text = "clap, vst3, lv2, and jack, which is a program (default: the first three)"
    parser.add_argument("--formats", nargs="+", choices=["clap", "vst3", "lv2", "jack"], metavar="FORMAT", help=text)
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--folder", metavar="DIR", default=".", help="where to put them (default: this folder)")
    text = "put each where hosts look for it: ~/.clap, ~/.vst3 and ~/.lv2"
    place.add_argument("--install", action="store_true", help=text)
    arguments.add_overwrite(parser)


def run(options: argparse.Namespace) -> None:
    """Make the plugins, and say where they are."""
    from rtnmf.learning.joining import load
    from rtnmf.plugins.bundles import FORMATS, lv2_uri, make

    dictionary = None
    if options.dictionary:
        with progress_bar("loading", options.dictionary) as progress:
            dictionary = load(options.dictionary, progress=progress)
    folder = None if options.install else options.folder
    formats = options.formats or FORMATS[:3]
    paths = make(dictionary, options.output, folder, formats, overwrite=options.overwrite)
    for kind, path in paths.items():
        screen.say(f"wrote {path}" + (f", {lv2_uri(dictionary, options.output)}" if kind == "lv2" else ""))
    if dictionary is not None:
        latency_ms = 1000 * dictionary.stft.latency / dictionary.sample_rate
        screen.say(
            f"sources: {', '.join(dictionary.sources)}; latency {latency_ms:.0f} ms at {dictionary.sample_rate} Hz"
        )
