"""`rtnmf plugin`: a dictionary as a plugin for digital audio workstations."""

from __future__ import annotations

import argparse
from pathlib import Path
from shlex import quote

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
    text = "of clap, vst3, lv2, and jack, which is a program (default: the first three)"
    parser.add_argument("--formats", metavar="FORMAT[,FORMAT]", help=text)
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--folder", metavar="DIR", help="where to put them (default: this folder)")
    text = "put each where hosts look for it: ~/.clap, ~/.vst3 and ~/.lv2"
    place.add_argument("--install", action="store_true", help=text)
    arguments.add_overwrite(parser)


def run(options: argparse.Namespace) -> None:
    """Make the plugins, and say where they are."""
    from rtnmf.checks import few
    from rtnmf.learning.joining import load
    from rtnmf.plugins.bundles import FORMATS, lv2_uri, make

    name, folder = _place(options)
    formats = options.formats.lower().split(",") if options.formats else FORMATS[:3]
    dictionary = None
    if options.dictionary:
        with progress_bar("loading", options.dictionary) as progress:
            dictionary = load(options.dictionary, progress=progress)
    paths = make(dictionary, name, folder, formats, overwrite=options.overwrite)
    for kind, path in paths.items():
        screen.say(f"wrote {path}" + (f", {lv2_uri(dictionary, name)}" if kind == "lv2" else ""))
    if dictionary is not None:
        latency_ms = 1000 * dictionary.stft.latency / dictionary.sample_rate
        screen.say(f"sources: {few(dictionary.sources)}; latency {latency_ms:.0f} ms at {dictionary.sample_rate} Hz")


def _place(options: argparse.Namespace) -> tuple[str, str | Path | None]:
    """Return the name of the plugin, and the folder to put it into; None is where hosts look for plugins."""
    output = Path(options.output)
    if output.suffix[1:].lower() in ("clap", "vst3", "lv2"):
        raise ValueError(
            f"--output is {options.output!r}, expected a name, each format has an ending of its own: write"
            f" -o {quote(output.stem)} --formats {output.suffix[1:].lower()}"
        )
    if options.install or options.folder is not None or len(output.parts) < 2:
        return options.output, None if options.install else options.folder or "."
    return output.name, output.parent
