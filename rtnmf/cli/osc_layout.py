"""`rtnmf osc-layout`: faders for the sources of a dictionary, on a phone or a tablet."""

from __future__ import annotations

import argparse

from rtnmf import screen
from rtnmf.cli import arguments, pages

__all__ = ["EXAMPLES", "SUMMARY", "add_arguments", "run"]

SUMMARY = "write a session for Open Stage Control, with a strip for each source of a dictionary"
EXAMPLES = """examples:
  rtnmf osc-layout desk.safetensors -o desk.json
  rtnmf osc-layout speech+keyboard -o faders.json --to 192.168.1.20:9000"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("dictionary", metavar="DICT[+DICT...]", help="dictionary files and presets")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="session to write, a .json file")
    text = "where `rtnmf live DICT --osc` listens (default: this machine, at its usual port)"
    parser.add_argument("--to", metavar="HOST:PORT", help=text)
    arguments.add_overwrite(parser)


def run(options: argparse.Namespace) -> None:
    """Write the session."""
    import json

    from rtnmf.audio.replacing import replacing
    from rtnmf.control import osc
    from rtnmf.control.osc_layout import layout
    from rtnmf.dictionary.shelf import merged

    host, port = osc.host_and_port(options.to) if options.to else ("127.0.0.1", osc.PORT)
    pages.check_output(options.output, ".json", overwrite=options.overwrite)
    dictionary = merged(options.dictionary)
    with replacing(options.output, overwrite=options.overwrite) as file:
        file.write(json.dumps(layout(dictionary, f"{host}:{port}"), indent=1).encode() + b"\n")
    screen.say(f"{options.output}: strips for {', '.join(dictionary.sources)}")
    screen.say(f"next: open it in Open Stage Control, and start: rtnmf live {options.dictionary} --osc {port}")
