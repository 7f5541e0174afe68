"""`rtnmf presets`: the dictionaries that ship with rtnmf."""

from __future__ import annotations

import argparse

from rtnmf import screen

__all__ = ["EXAMPLES", "SUMMARY", "add_arguments", "run"]

SUMMARY = "list the dictionaries that ship with rtnmf"
EXAMPLES = """examples:
  rtnmf presets
  rtnmf info speech                                             more on one of them"""


def add_arguments(_: argparse.ArgumentParser) -> None:
    """Declare no arguments."""


def run(_: argparse.Namespace) -> None:
    """Print each preset with its description and licence."""
    from rtnmf import dictionary

    for name in dictionary.presets():
        preset = dictionary.load_preset(name)
        screen.say(f"{name:10} {preset.description} [{preset.licence}]")
    screen.say("combine them with +, for example: rtnmf separate mix.wav speech+keyboard -o out/")
