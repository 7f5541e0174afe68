"""`rtnmf learn`: recordings in, a dictionary out."""

from __future__ import annotations

import argparse
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from rtnmf import screen
from rtnmf.cli import arguments, cluster, microphone_takes, pages, passes, spelling
from rtnmf.cli.progress_bar import progress_bar

if TYPE_CHECKING:
    from rtnmf.dictionary import Dictionary
    from rtnmf.live.microphone import Microphone

__all__ = ["EXAMPLES", "SUMMARY", "add_arguments", "run"]

SUMMARY = "learn a dictionary from recordings of each sound"
EXAMPLES = """examples:
  rtnmf learn voice=me.wav -o me.safetensors                    one sound; all else is the rest, which is there already
  rtnmf learn voice=me.wav,me2.wav fan=fan.wav -o desk.safetensors
  rtnmf learn voice=me.wav keyboard=keyboard -o desk.safetensors   a preset, or a dictionary, instead of recordings
  rtnmf learn voice=me.wav fan=fan.wav -o quick.safetensors --latency-ms 3
  rtnmf learn voice=episode.m4a@12.5-15.5@1:20-1:31 music=theme.mp3 -o show.safetensors
  rtnmf learn drums=drums.wav 'rest=bass.wav&keys.wav' -o song.safetensors
  rtnmf learn birds=archive/ -o birds.safetensors --passes 2 --memory 2GB   all of hours that do not fit in memory
  rtnmf learn clip.wav -o clip.safetensors --components 3       blind: each component is a source
  rtnmf learn voice=mic:10 fan=mic:10 -o desk.safetensors       ten seconds each from the microphone"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    whole, option = arguments.whole, arguments.option
    text = (
        "a source and its recordings, each a FILE or URL, stretches of one (FILE@START-STOP, in seconds or as 1:02.5),"
        " several that sound together ('FILE&FILE'), a FOLDER of them, or mic:SECONDS; or the preset or"
        " dictionary that it was learned in before; a single FILE is learned blind"
    )
    parser.add_argument("recordings", nargs="+", metavar="NAME=FILE[,FILE]", help=text)
    parser.set_defaults(further="recordings")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="dictionary to write, .safetensors")
    arguments.add_overwrite(parser)
    arguments.add_learning(parser)
    passes.add_arguments(parser)
    arguments.add_rest(parser)
    text = "this source is a person who speaks; may be repeated (default: those named like voice or speech)"
    parser.add_argument("--voice", dest="voices", action="append", metavar="NAME", help=text)
    text = "folder of your own backgrounds to learn the rest from, beside the pool (rtnmf pool); may be repeated"
    parser.add_argument("--pool", action="append", metavar="DIR", help=text)
    text = "iterations of the factorisation (default: 40; blind: until it converges, at most 100)"
    option(parser, "--iterations", "n_iter", whole(1), "N", text)
    option(parser, "--rate", "sample_rate", whole(1), "HZ", "sample rate (default: the highest among the files)")
    text = "upper limit on the latency of the separation (default: the window, 43 to 85 ms); `low`: a sixteenth of it"
    option(parser, "--latency-ms", "latency_ms", arguments.latency_ms, "MS", text)
    text = "samples of the window (default: 43 to 85 ms); a longer one suits tonal music, and is later by as much"
    option(parser, "--window", "n_fft", whole(4), "N", text)
    parser.add_argument("--description", metavar="TEXT", help="what it is, kept in the dictionary")
    parser.add_argument("--licence", metavar="TEXT", help="licence of the recordings, kept in the dictionary")
    arguments.add_device(parser, "--input", "microphone")
    option(parser, "--channels", "n_channels", whole(1), "N", "channels of the microphone (default: 1)")
    arguments.add_strict(parser)
    parser.add_argument("--report", metavar="FILE", help="also write a page to see and hear what was learned")


def run(options: argparse.Namespace) -> None:
    """Learn a dictionary from recordings, and write it."""
    pages.check_page(options.report, overwrite=options.overwrite)
    options.rest = _rest(options)
    options.frames = _frames(options)
    recordings = spelling.recordings(options.recordings)
    pages.check_dictionary(options.output, overwrite=options.overwrite)
    checkpoint = passes.checkpoint(options)
    passes.check_device(options)
    if not microphone_takes.asked_for(recordings):
        arguments.refuse(options, "no recording is mic:SECONDS", "input", "n_channels")
    beside = Path(options.output).with_suffix("")
    recordings = microphone_takes.recorded(recordings, beside, lambda: _microphone(options))
    with passes.resumable(checkpoint):
        dictionary = _learned(recordings, options, checkpoint)
        path = pages.written(options.output, dictionary.save, overwrite=options.overwrite)
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    screen.say(f"{path}: {_described(dictionary)}")
    if options.report:
        _write_report(options, path, dictionary, recordings)
    for line in _next_steps(path, dictionary):
        screen.say(line)


def _microphone(options: argparse.Namespace) -> Microphone:
    from rtnmf.live.microphone import Microphone

    return Microphone(options.input, options.n_channels or 1)


def _rest(options: argparse.Namespace) -> Any:
    """Return whether there is to be a rest, or the backgrounds to learn it from where there are some of one's own."""
    if not options.pool:
        return options.rest
    from rtnmf.learning.backgrounds import own, pool

    if options.rest is False:
        raise ValueError("--pool: there are no backgrounds to learn with --no-rest, leave one of them out")
    return (*pool(), *(background for folder in options.pool for background in own(folder)))


def _learned(recordings: Any, options: argparse.Namespace, checkpoint: Path | None) -> Dictionary:
    from rtnmf.learning.learn import learn

    settings = arguments.given(
        options, *arguments.LEARNING, "rest", "voices", "n_iter", "sample_rate", "description", "licence", "strict"
    )
    settings |= arguments.given(options, "n_passes", "memory", "device")
    with cluster.connected(options.scheduler) as client, progress_bar("learning") as progress:
        settings |= {"client": client, "checkpoint": checkpoint}
        return learn(recordings, **settings, **options.frames, progress=progress)


def _frames(options: argparse.Namespace) -> dict[str, Any]:
    """Return the window or the latency that is asked for."""
    if options.n_fft is None:
        return {"latency" if options.latency_ms == "low" else "latency_ms": options.latency_ms}
    from rtnmf.frames.stft import STFT

    if options.latency_ms is not None:
        raise ValueError("--window: the latency is that of the window, leave --latency-ms out")
    return {"stft": STFT(options.n_fft, max(1, options.n_fft // 4))}


def _write_report(options: argparse.Namespace, path: str, dictionary: Dictionary, recordings: Any) -> None:
    """Write the page of a dictionary, with the clip that it was learned from when that was one."""
    is_blind = not isinstance(recordings, dict)
    x, facts = pages.shown(recordings, dictionary.sample_rate) if is_blind else (None, {})
    origin = {"dictionary": path, "is_blind": is_blind, **(_place(recordings) if is_blind else {})}
    title = Path(path).name
    pages.write_report(options.report, title, dictionary, x, facts, overwrite=options.overwrite, origin=origin)


def _place(recording: Any) -> dict[str, Any]:
    """Return the file of a recording and where in it that begins; nothing where there is no single place."""
    from rtnmf.learning.clips import Clip

    if isinstance(recording, str):
        return {"recording": pages.typed(recording)}
    if isinstance(recording, Clip) and len(recording.stretches) == 1 and isinstance(recording.path, str):
        return {"recording": pages.typed(recording.path), "start_s": recording.stretches[0][0]}
    return {}


def _described(dictionary: Dictionary) -> str:
    sources = ", ".join(dictionary.sources)
    latency_ms = 1000 * dictionary.stft.latency / dictionary.sample_rate
    return f"{sources}; {dictionary.n_components} components, {dictionary.sample_rate} Hz, latency {latency_ms:.1f} ms"


def _next_steps(path: str, dictionary: Dictionary) -> list[str]:
    """Return commands that work as they stand, but for the name of the recording to separate."""
    if len(dictionary.sources) > 1:
        return [f"next: rtnmf separate MIX {quote(path)} -o out/ or: rtnmf live {quote(path)}"]
    return [
        f"next: rtnmf separate MIX {quote(path)}+rest -o out/",
        "      rest is all that was not taught; any preset (rtnmf presets) or other dictionary may take its place",
    ]
