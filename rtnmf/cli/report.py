"""`rtnmf report`: one page to see and hear a dictionary, and what it finds in a recording."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtnmf.audio.names import is_there
from rtnmf.cli import arguments, pages, spelling, voices
from rtnmf.cli.progress_bar import progress_bar

if TYPE_CHECKING:
    from rtnmf.dictionary import Dictionary
    from rtnmf.frames.stft import STFT

__all__ = ["EXAMPLES", "SUMMARY", "add_arguments", "run"]

SUMMARY = "write a page to see and hear a dictionary, and what it finds in a recording"
EXAMPLES = """examples:
  rtnmf report clip.wav --components 3 -o report.html           blind
  rtnmf report mix.wav desk.safetensors -o report.html          what a dictionary finds in a recording
  rtnmf report desk.safetensors -o report.html                  a dictionary by itself"""

_LEARNING = ("n_components", "n_iter", "sample_rate", "seed", "n_fft", "hop_length")
_LEARNING_FLAGS = {  # that `rtnmf learn` has, too
    "n_components": "--components",
    "n_iter": "--iterations",
    "seed": "--seed",
    "sample_rate": "--rate",
    "n_fft": "--window",
}
_SHOWING = ("seconds", "start_s", "truth")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    whole, option = arguments.whole, arguments.option
    text = "a recording, a dictionary, or a recording and the dictionary to separate it with"
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help=text)
    parser.set_defaults(further="inputs")
    text = "page to write (default: report.html, or report-2.html and so on if there is one)"
    parser.add_argument("-o", "--output", metavar="FILE", help=text)
    arguments.add_overwrite(parser)
    arguments.add_rest_from(parser)
    arguments.add_experts(parser)
    arguments.add_strict(parser)
    option(parser, "--components", "n_components", whole(1), "N", "components to learn, blind (default: 3)")
    text = "iterations of the factorisation (default: until it converges, at most 100)"
    option(parser, "--iterations", "n_iter", whole(1), "N", text)
    option(parser, "--seed", "seed", whole(0), "N", "seed of the random start (default: 0)")
    option(parser, "--rate", "sample_rate", whole(1), "HZ", "sample rate to learn at (default: the clip's)")
    option(parser, "--window", "n_fft", whole(1), "SAMPLES", "window to learn with (default: 43 to 85 ms)")
    option(parser, "--hop", "hop_length", whole(1), "SAMPLES", "hop to learn with (default: a quarter of the window)")
    text = f"how much of the recording to show (default: {pages.SHOWN_S:g} s)"
    option(parser, "--seconds", "seconds", arguments.positive("seconds"), "S", text)
    text = "where in the recording to begin to show, in seconds or as 1:02.5 (default: its start)"
    option(parser, "--start", "start_s", spelling.time_s, "TIME", text)
    text = "frequency axis of the pictures: logarithmic in Hz (default), mel scale, or notes"
    parser.add_argument("--axis", choices=["hz", "mel", "note"], default="hz", help=text)
    parser.add_argument("--truth", nargs="+", metavar="NAME=FILE", help="true stems, to state the SI-SDR")


def run(options: argparse.Namespace) -> None:
    """Write the page of a clip, of a mix, or of a dictionary."""
    from rtnmf.audio.outputs import free_path

    options.output = options.output or ("report.html" if options.overwrite else str(free_path("report.html")))
    pages.check_page(options.output, overwrite=options.overwrite)
    if len(options.inputs) > 2:
        raise ValueError(f"{len(options.inputs)} inputs are too many: give a recording, a dictionary, or one of each")
    if len(options.inputs) == 2:
        name, words = arguments.dictionary_among(options.inputs)
        _report_mix(options, words[0], name)
    elif _is_dictionary(options.inputs[0]):
        _report_dictionary(options, options.inputs[0])
    else:
        _report_clip(options, options.inputs[0])


def _is_dictionary(name: str) -> bool:
    return name.endswith(".safetensors") or not (is_there(name) or "." in name)


def _report_mix(options: argparse.Namespace, mix: str, name: str) -> None:
    arguments.refuse(options, "nothing is learned with a dictionary", *_LEARNING)
    dictionary, x, facts = pages.mix(mix, name, *_part(options), rest=options.rest, strict=options.strict)
    voices.note_asked(dictionary, options.experts)
    truth = _truth(options.truth or [], dictionary, x, options.start_s or 0.0)
    experts = arguments.given(options, "experts")
    si_sdr_db = _si_sdr_db(truth, x, dictionary, **experts)
    origin = {"recording": pages.typed(mix), "start_s": options.start_s or 0.0, "dictionary": name}
    _write(options, Path(mix).name, dictionary, x, facts, si_sdr_db=si_sdr_db, origin=origin, **experts)


def _report_dictionary(options: argparse.Namespace, name: str) -> None:
    from rtnmf.learning.joining import load

    reason = "there is no recording to learn from or to show"
    arguments.refuse(options, reason, *_LEARNING, "seconds", "start_s", "truth", "rest", "experts")
    with progress_bar("loading", name) as progress:
        dictionary = load(name, progress=progress)
    _write(options, name, dictionary, origin={"dictionary": name})


def _report_clip(options: argparse.Namespace, clip: str) -> None:
    arguments.refuse(options, "needs a mix and a dictionary", "truth", "rest", "experts")
    _check_start(options, clip)
    began = time.perf_counter()
    dictionary = _learned(options, clip)
    learned = {"Time to learn": f"{time.perf_counter() - began:.1f} s"}
    x, facts = pages.shown(clip, dictionary.sample_rate, *_part(options))
    origin = {"recording": pages.typed(clip), "start_s": options.start_s or 0.0, **_learning_command(options, clip)}
    _write(options, Path(clip).name, dictionary, x, facts | learned, origin=origin)


def _learning_command(options: argparse.Namespace, clip: str) -> dict[str, Any]:
    """Return the name of a dictionary like that of the page, and the command that makes it."""
    if clip == "-" or options.hop_length:
        return {"is_blind": True}
    name = f"{Path(clip).stem}.safetensors"
    given = arguments.given(options, *_LEARNING_FLAGS)
    words = [word for field, value in given.items() for word in (_LEARNING_FLAGS[field], str(value))]
    learn = ("rtnmf", "learn", clip, "-o", name, *words)
    return {"dictionary": name, "learn": learn, "is_blind": True}


def _write(options: argparse.Namespace, title: str, dictionary: Dictionary, *shown: Any, **measured: Any) -> None:
    pages.write_report(
        options.output, title, dictionary, *shown, axis=options.axis, overwrite=options.overwrite, **measured
    )


def _learned(options: argparse.Namespace, clip: str) -> Dictionary:
    from rtnmf.learning.learn import learn

    settings = arguments.given(options, "n_components", "n_iter", "sample_rate", "seed", "strict")
    with progress_bar("learning") as progress:
        return learn(clip, stft=_window(options), **settings, progress=progress)


def _window(options: argparse.Namespace) -> STFT | None:
    from rtnmf.frames.stft import STFT

    if options.hop_length and not options.n_fft:
        raise ValueError(f"--hop {options.hop_length} needs a --window: give both or neither")
    return options.n_fft and STFT(options.n_fft, options.hop_length or max(1, options.n_fft // 4))


def _check_start(options: argparse.Namespace, clip: str) -> None:
    from rtnmf.learning.clips import Clip, check_files

    if options.start_s:
        check_files(Clip(clip, (options.start_s, None)))


def _part(options: argparse.Namespace) -> tuple[float, float]:
    """Return how many seconds to show, and from where."""
    return options.seconds or pages.SHOWN_S, options.start_s or 0.0


def _truth(words: list[str], dictionary: Dictionary, x: Any, start_s: float) -> dict[str, Any]:
    """Return {source: true stem of the shown clip} of words NAME=FILE."""
    from rtnmf.audio import files

    truth = {}
    for word in words:
        name, _, path = word.partition("=")
        if name not in dictionary.sources or not path:
            raise ValueError(
                f"{word!r} is not a true stem: write NAME=FILE with one of {', '.join(dictionary.sources)}"
            )
        stem, _ = files.read(path, dictionary.sample_rate, start_s=start_s)
        if len(stem) < len(x) or stem.shape[1] != x.shape[1]:
            raise ValueError(f"{path}: has shape {stem.shape}, the recording {x.shape}: expected a stem of it")
        truth[name] = stem[: len(x)]
    return truth


def _si_sdr_db(truth: dict[str, Any], x: Any, dictionary: Dictionary, **experts: Any) -> dict[str, float]:
    """Return the SI-SDR of the stems whose true ones are known."""
    from rtnmf.engine.separator import separate
    from rtnmf.measure.metrics import si_sdr

    if not truth:
        return {}
    stems = dictionary.by_source(separate(x, dictionary, **experts))
    return {source: si_sdr(stem, stems[source]) for source, stem in truth.items()}
