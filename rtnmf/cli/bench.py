"""`rtnmf bench`: how late and how fast a dictionary separates on this machine."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import TYPE_CHECKING, Any

from rtnmf import screen
from rtnmf.cli import arguments, voices

if TYPE_CHECKING:
    from rtnmf.engine.separator import Separator
    from rtnmf.measure.benchmark import Benchmark

__all__ = ["EXAMPLES", "SUMMARY", "add_arguments", "run"]

SUMMARY = "measure the latency and the speed of a dictionary on this machine"
EXAMPLES = """examples:
  rtnmf bench                                                   speech+keyboard in blocks of 512
  rtnmf bench desk.safetensors --block 128 --latency-ms 3
  rtnmf bench desk.safetensors --json"""

_PERCENTILES = {"p50": 50, "p99": 99, "p99.9": 99.9, "max": 100}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    whole, positive, option = arguments.whole, arguments.positive, arguments.option
    text = "dictionary files and presets (default: speech+keyboard)"
    parser.add_argument("dictionary", nargs="?", default="speech+keyboard", metavar="DICT[+DICT...]", help=text)
    arguments.add_block(parser)
    option(parser, "--rate", "sample_rate", whole(1), "HZ", "sample rate (default: the dictionary's)")
    text = "upper limit on the latency of the separation (default: the dictionary's)"
    option(parser, "--latency-ms", "latency_ms", positive("milliseconds"), "MS", text)
    option(parser, "--channels", "n_channels", whole(1), "N", "channels of the stream (default: 1)")
    arguments.add_separation(parser)
    option(parser, "--seconds", "duration_s", positive("seconds"), "S", "length of the noise (default: 20)", 20.0)
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> None:
    """Print the latency and the speed of a separator, and how near it is to the limit of the machine."""
    from rtnmf.measure.benchmark import benchmark
    from rtnmf.nmf.blas import one_blas_thread

    separator = _separator(options)
    with one_blas_thread():
        measured = benchmark(separator, options.block_length, options.duration_s)
    figures = _figures(separator, measured)
    if options.json:
        screen.say_json(figures)
    else:
        _print_figures(separator, figures, voices.asked(separator.dictionary, options.experts))


def _separator(options: argparse.Namespace) -> Separator:
    from rtnmf.engine.separator import Separator
    from rtnmf.learning.joining import load

    dictionary = load(options.dictionary, options.sample_rate)
    if options.latency_ms is not None:
        dictionary = dictionary.at_latency(options.latency_ms)
    return Separator(dictionary, **arguments.given(options, "n_channels", *arguments.SEPARATION))


def _figures(separator: Separator, measured: Benchmark) -> dict[str, Any]:
    """Return everything that is printed, in the units that are printed."""
    import numpy as np

    stft = separator.dictionary.stft
    blocks = {name: float(np.percentile(measured.block_seconds, p)) for name, p in _PERCENTILES.items()}
    return {
        "sources": dict(Counter(separator.dictionary.labels)),
        "sample_rate": separator.sample_rate,
        "n_fft": stft.n_fft,
        "hop_length": stft.hop_length,
        "n_channels": separator.n_channels,
        "n_iter": separator.n_iter,
        "experts": list(separator.experts),
        "latency": separator.latency,
        "measured_latency": measured.measured_latency,
        "is_same_for_any_blocks": measured.is_same_for_any_blocks,
        "block_length": measured.block_length,
        "n_blocks": len(measured.block_seconds),
        "budget_us": 1e6 * measured.budget_s,
        "block_us": {name: 1e6 * seconds for name, seconds in blocks.items()},
        "share_of_budget": {name: seconds / measured.budget_s for name, seconds in blocks.items()},
        "real_time_factor": measured.real_time_factor,
        "hop_us": 1e6 * sum(measured.part_s.values()),
        "hop_budget_us": 1e6 * measured.hop_s,
        "part_us": {part: 1e6 * seconds for part, seconds in measured.part_s.items()},
        "limit_of_updates_us": 1e6 * measured.limit_s,
        "updates_over_limit": measured.part_s["updates"] / measured.limit_s,
    }


def _print_figures(separator: Separator, f: dict[str, Any], about_voices: str) -> None:
    for name, text in (_facts(separator, f) | {"voices": about_voices}).items():
        if text:
            screen.say(f"{name:12}{text}")
    _print_times("a block", f["block_us"], f["budget_us"])
    _print_times("a hop", {**f["part_us"], "all": f["hop_us"]}, f["hop_budget_us"])
    limit, ratio = f["limit_of_updates_us"], f["updates_over_limit"]
    screen.say(
        "",
        f"The updates take {ratio:.1f} times as long as the least that this core needs, {limit:.1f} us: to read the",
        "components once per update from the cache that holds them, or to do the arithmetic, whichever is longer.",
    )


def _facts(separator: Separator, f: dict[str, Any]) -> dict[str, str]:
    rate, n_channels = f["sample_rate"], f["n_channels"]
    counts = ", ".join(f"{n} of {name}" for name, n in f["sources"].items())
    return {
        "components": f"{counts}; {separator.dictionary.stft.n_bins} bins, {f['n_iter']} updates per hop",
        "stream": f"{rate} Hz, {n_channels} channel{'s' * (n_channels > 1)}, window {f['n_fft']},"
        f" hop {f['hop_length']}",
        "latency": f"{f['latency']} samples = {1000 * f['latency'] / rate:.1f} ms, of a click: {f['measured_latency']}",
        "any blocks": "bit-identical stems" if f["is_same_for_any_blocks"] else "NOT the same stems",
        "blocks": f"{f['n_blocks']} of {f['block_length']} samples = {f['budget_us'] / 1000:.2f} ms each",
        "speed": f"{1 / f['real_time_factor']:.0f} times real time on one core (real-time factor"
        f" {f['real_time_factor']:.3f})",
    }


def _print_times(title: str, times_us: dict[str, float], budget_us: float) -> None:
    screen.say("", f"{title:30}{'us':>9}{'of its time':>14}")
    for name, us in times_us.items():
        screen.say(f"  {name:28}{us:9.1f}{100 * us / budget_us:13.1f}%")
