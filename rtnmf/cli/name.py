"""`rtnmf name`: names for what was found in a clip that was learned blind."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import TYPE_CHECKING

from rtnmf import screen
from rtnmf.cli import arguments, pages

if TYPE_CHECKING:
    from rtnmf.dictionary import Dictionary

__all__ = ["EXAMPLES", "SUMMARY", "add_arguments", "run"]

SUMMARY = "name the components of a clip that was learned blind, several of them as one source"
EXAMPLES = """examples:
  rtnmf name clip.safetensors voice=1,2,5 typing=3,4 -o named.safetensors
  rtnmf learn podcast.m4a -o clip.safetensors --components 8    before it: blind, component-1 to component-8
  rtnmf report podcast.m4a clip.safetensors                     to hear which is which"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("dictionary", metavar="DICT", help="dictionary file")
    text = "a name, and the sources that get it: numbers of components, or names; others keep theirs"
    parser.add_argument("groups", nargs="+", metavar="NAME=N[,N]", help=text)
    parser.set_defaults(further="groups")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="dictionary to write, .safetensors")
    arguments.add_overwrite(parser)


def run(options: argparse.Namespace) -> None:
    """Write a dictionary with other names."""
    from rtnmf.learning.joining import load

    pages.check_dictionary(options.output, overwrite=options.overwrite)
    dictionary = load(options.dictionary)
    groups = _groups(options.groups, dictionary)
    named = dictionary.regroup(groups)
    path = pages.written(options.output, named.save, overwrite=options.overwrite)
    kept = [source for source in named.sources if source not in groups]
    if kept:
        screen.note(f"{', '.join(kept)}: not mentioned, kept as it was named")
    counts = ", ".join(f"{source} ({n})" for source, n in Counter(named.labels).items())
    screen.say(f"{path}: {counts}")


def _groups(words: list[str], dictionary: Dictionary) -> dict[str, list[str]]:
    """Return {new name: sources} of words NAME=N,N."""
    from rtnmf.audio.names import split

    found: dict[str, list[str]] = {}
    for word in words:
        name, _, text = word.partition("=")
        if not name or not text:
            raise ValueError(f"{word!r} names no component: write NAME=N,N, as in voice=1,2,5")
        if name in found:
            raise ValueError(f"source {name!r} is named twice: write {name}=N,N")
        found[name] = [_source(part, dictionary) for part in split(text, ",")]
    return found


def _source(text: str, dictionary: Dictionary) -> str:
    numbered = f"component-{text}"
    return numbered if text not in dictionary.sources and numbered in dictionary.sources else text
