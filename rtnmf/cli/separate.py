"""`rtnmf separate`: recordings in, one file per source or one remix of each out."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtnmf import screen
from rtnmf.audio.names import is_folder
from rtnmf.cli import arguments, cluster, pages, voices
from rtnmf.cli.progress_bar import progress_bar

if TYPE_CHECKING:
    from rtnmf.audio.files import AudioReader

__all__ = ["EXAMPLES", "SUMMARY", "add_arguments", "run"]

SUMMARY = "separate recordings into one file per source, or remix them"
EXAMPLES = """examples:
  rtnmf separate mix.wav desk.safetensors -o out/               one file per source
  rtnmf separate mix.wav speech+keyboard -o out/                presets, combined
  rtnmf separate *.m4a desk.safetensors -o out/ --format flac   a folder for each recording
  rtnmf separate mix.wav desk.safetensors -o out/ --gain voice=0 fan=-20   one remix, gains in dB
  rtnmf separate - desk.safetensors --stdout voice <mix.wav >voice.wav     in a pipe"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    option = arguments.option
    text = "audio files, folders of them, or - for the standard input; and dictionary files and presets"
    parser.add_argument("inputs", nargs="*", metavar="MIX ... DICT[+DICT...]", help=text)
    parser.set_defaults(further="inputs")
    text = "folder for the files, or for a folder for each of several recordings (default: MIX-stems, beside MIX)"
    parser.add_argument("-o", "--output", metavar="DIR", help=text)
    text = "write one remix instead, with these gains; sources not mentioned: 0 dB"
    arguments.add_gain(parser, text)
    text = "wav, flac, aiff, mp3, ogg or opus (default: as the recording, WAV where that is compressed with loss)"
    option(parser, "--format", "format", str, "NAME", text)
    text = "pcm16, pcm24, pcm32, float or double (default: as the recording, at least 24 bits if that is compressed)"
    option(parser, "--subtype", "subtype", str, "NAME", text)
    arguments.add_overwrite(parser)
    text = "write the stem of this source to standard output, as WAV (or `remix`, with --gain)"
    parser.add_argument("--stdout", metavar="NAME", help=text)
    text = "learn the rest of the world from each recording first (mixture, the default), or leave it as it is (pool)"
    parser.add_argument("--rest", choices=["mixture", "pool"], help=text)  # `rest` in a message is a source
    cluster.add_scheduler(parser, "separate each of several recordings on a worker of a cluster of Dask")
    arguments.add_separation(parser)
    arguments.add_strict(parser)
    parser.add_argument("--report", metavar="FILE", help="also write a page to see and hear what was found")


def run(options: argparse.Namespace) -> None:
    """Separate files into stems or remixes, block by block."""
    from rtnmf.learning.joining import plain

    name, words = arguments.dictionary_among(options.inputs + arguments.not_gains(options.gain or []))
    mixes = _mixes(words)
    pages.check_page(options.report, overwrite=options.overwrite)
    settings = arguments.given(options, *arguments.SEPARATION, "rest", "subtype")
    settings |= {"gains": _gains(options, name), "strict": options.strict}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each comes again when the dictionary is loaded for a recording
        voices.note_asked(plain(name)[0], options.experts)
    if options.stdout is not None:
        _write_stem(options, mixes, name, settings)
        return
    settings |= {"format": options.format, "overwrite": options.overwrite}
    if mixes == words and len(mixes) == 1:
        arguments.refuse(options, "is for several recordings, or a folder", "scheduler")
        _separate_one(options, mixes[0], name, settings)
    else:
        arguments.refuse(options, "shows one recording, and several are separated", "report")
        _separate_all(options, mixes, name, settings)


def _separate_one(options: argparse.Namespace, path: str, name: str, settings: dict[str, Any]) -> None:
    from rtnmf.audio.files import AudioReader, printable
    from rtnmf.offline.separation import separate_file

    with AudioReader(path, strict=options.strict) as mix:  # once: it may be a pipe
        with progress_bar("separating", name) as progress:
            paths = separate_file(mix, name, options.output, progress=progress, **settings)
        for written in paths.values():
            screen.say(printable(written))
        if options.report:
            _write_report(options, mix, name, path)


def _separate_all(options: argparse.Namespace, mixes: list[str], name: str, settings: dict[str, Any]) -> None:
    from rtnmf.audio.files import printable
    from rtnmf.offline.many_files import separate_files

    written: list[Path] = []
    try:
        with cluster.connected(options.scheduler) as client, progress_bar("separating", name) as progress:
            settings |= {"progress": progress, "client": client}
            for _, paths in separate_files(mixes, name, options.output, **settings):
                written += paths.values()
    finally:
        for path in written:
            screen.say(printable(path))


def _write_stem(options: argparse.Namespace, mixes: list[str], name: str, settings: dict[str, Any]) -> None:
    from rtnmf.offline.separation import separate_to

    arguments.refuse(options, "nothing is written but one stem, as WAV", "output", "report", "format", "scheduler")
    if len(mixes) > 1:
        raise ValueError(f"--stdout writes one stem, and there are {len(mixes)} recordings: give one")
    if sys.stdout.isatty():
        raise ValueError("--stdout would write sound to the terminal: redirect it, as in >voice.wav")
    with progress_bar("separating", name) as progress:
        separate_to(sys.stdout.buffer, mixes[0], name, options.stdout, progress=progress, **settings)


def _write_report(options: argparse.Namespace, mix: AudioReader, name: str, path: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each came when the mixture was separated
        dictionary, x, facts = pages.mix(mix, name, rest=options.rest)
    settings = arguments.given(options, *arguments.SEPARATION)
    settings["origin"] = {"recording": pages.typed(path), "dictionary": name}
    pages.write_report(options.report, mix.path.name, dictionary, x, facts, overwrite=options.overwrite, **settings)


def _gains(options: argparse.Namespace, name: str) -> dict[str, float] | None:
    from rtnmf.learning.joining import plain

    if not options.gain:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each comes again when the dictionary is loaded for a recording
        return arguments.gains(options.gain, plain(name)[0].sources)


def _mixes(words: list[str]) -> list[str]:
    """Return the recordings, with those that are in a folder instead of the folder."""
    from rtnmf.audio.names import audio_files

    if not words:
        raise ValueError("there is no recording to separate: add an audio file, a folder, or - for standard input")
    return [mix for word in words for mix in (audio_files(word) if is_folder(word) else [word])]
