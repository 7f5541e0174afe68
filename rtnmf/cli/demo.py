"""`rtnmf demo`: teach and separate bundled recordings, without a sound card."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtnmf import screen
from rtnmf.cli import arguments
from rtnmf.cli.progress_bar import progress_bar

if TYPE_CHECKING:
    from rtnmf.dictionary import Dictionary
    from rtnmf.engine.separator import Separator

__all__ = ["EXAMPLES", "SUMMARY", "add_arguments", "run"]

SUMMARY = "learn and separate real recordings, block by block as a live stream would"
EXAMPLES = """examples:
  rtnmf demo
  rtnmf demo /tmp/listen --block 256"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    text = "folder for the files, which gets a number if something is in it (default: rtnmf-demo)"
    parser.add_argument("output", nargs="?", default="rtnmf-demo", metavar="DIR", help=text)
    arguments.add_block(parser)


def run(options: argparse.Namespace) -> None:
    """Teach and separate the bundled recordings, write and print what came of it."""
    from rtnmf.audio.outputs import made_folder

    with made_folder(Path(options.output), is_new=True) as folder:
        _show(folder, options.block_length)


def _show(folder: Path, block_length: int) -> None:
    from rtnmf.dictionary import preset_folder
    from rtnmf.engine.separator import Separator
    from rtnmf.measure.benchmark import stream
    from rtnmf.measure.cases import load_case, read_cases, training_clips

    clips = preset_folder() / "demo"
    case = read_cases(clips)[0]
    mixture, stems, sources = load_case(clips, case)
    rate = case["sample_rate"]
    dictionary = _learned(training_clips(clips, case), rate)
    separator = Separator(dictionary)
    screen.say(f"streaming {len(mixture) / rate:.0f} s of both at once, {block_length} samples at a time ...")
    streamed = stream(separator, mixture, block_length)
    signals = dict(zip(["mixture", *sources], [mixture, *streamed.stems], strict=True))
    paths = _written(folder, signals, dictionary)
    _print_pace(separator, len(mixture), block_length, streamed.block_seconds)
    _print_quality(sources, mixture, stems, streamed.stems)
    for path in paths:
        screen.say(f"written      {path}")
    screen.say("next         rtnmf learn voice=me.wav noise=noise.wav -o mine.safetensors")


def _learned(clips: dict[str, list[Path]], sample_rate: int) -> Dictionary:
    from rtnmf.audio import files
    from rtnmf.learning.learn import learn

    seconds = sum(files.duration_s(path) for paths in clips.values() for path in paths)
    screen.say(f"learning {' and '.join(clips)} from {seconds:.0f} s of other recordings of them ...")
    with progress_bar("learning") as progress:
        return learn(clips, sample_rate, progress=progress)


def _written(folder: Path, signals: dict[str, Any], dictionary: Dictionary) -> list[Path]:
    """Write signals and the dictionary, and return the paths."""
    from rtnmf.audio import files

    paths = [folder / f"{name}.wav" for name in signals]
    for path, x in zip(paths, signals.values(), strict=True):
        files.write(path, x, dictionary.sample_rate)
    dictionary.save(folder / "demo.safetensors")
    return [*paths, folder / "demo.safetensors"]


def _print_pace(separator: Separator, n_samples: int, block_length: int, block_seconds: Any) -> None:
    import numpy as np

    from rtnmf.measure.benchmark import measured_latency

    rate, ms = separator.sample_rate, 1000 / separator.sample_rate
    speed, slowest = n_samples / rate / block_seconds.sum(), np.percentile(block_seconds, 99)
    screen.say(
        f"latency      {separator.latency} samples = {separator.latency * ms:.0f} ms at {rate} Hz, by a click sent"
    )
    screen.say(f"             through it: {measured_latency(separator)}; a sound card adds its own blocks")
    screen.say(f"speed        {speed:.0f} times real time; 99 % of the blocks took at most {1000 * slowest:.2f} ms,")
    screen.say(f"             and each holds {block_length * ms:.1f} ms of sound")


def _print_quality(sources: tuple[str, ...], mixture: Any, truth: Any, stems: Any) -> None:
    from rtnmf.measure.metrics import si_sdr

    for source, true, stem in zip(sources, truth, stems, strict=True):
        before, after = si_sdr(true, mixture), si_sdr(true, stem)
        screen.say(f"SI-SDR       {source}: {before:.1f} dB in the mixture, {after:.1f} dB in its stem")
