"""What the commands that measure do, and how they print it: `bench` how late and fast, `evaluate` how good."""

from __future__ import annotations

import argparse
import json
import math
import sys
from typing import TYPE_CHECKING, Any

from rtnmf.cli import arguments
from rtnmf.cli.commands import check_page, write_page
from rtnmf.control import terminal

if TYPE_CHECKING:
    from rtnmf.engine.separator import Separator
    from rtnmf.measure.benchmark import Benchmark
    from rtnmf.measure.evaluation import CaseResult, Comparison

__all__ = ["bench", "evaluate"]

_PERCENTILES = {"p50": 50, "p99": 99, "p99.9": 99.9, "max": 100}


def bench(options: argparse.Namespace) -> None:
    """Print how late, how fast and how near the limit a separator is."""
    from threadpoolctl import threadpool_limits

    from rtnmf.engine.separator import Separator
    from rtnmf.measure.benchmark import benchmark

    dictionary = arguments.loaded(options.dictionary, options.rate)
    if options.latency_ms is not None:
        dictionary = dictionary.at_latency(options.latency_ms)
    separator = Separator(dictionary, n_channels=options.channels, n_iter=options.updates, mask_power=options.power)
    with threadpool_limits(1):
        found = benchmark(separator, options.block, options.seconds)
    figures = _figures(separator, found)
    if options.json:
        print(json.dumps(figures, indent=1))
    else:
        _print_figures(separator, figures)


def _figures(separator: Separator, found: Benchmark) -> dict[str, Any]:
    """Return what was measured, for people and for machines."""
    import numpy as np

    stft = separator.dictionary.stft
    blocks = {name: float(np.percentile(found.block_seconds, p)) for name, p in _PERCENTILES.items()}
    updates_s = found.part_s["updates"]
    return {
        "sources": {name: separator.dictionary.labels.count(name) for name in separator.sources},
        "sample_rate": separator.sample_rate,
        "n_fft": stft.n_fft,
        "hop_length": stft.hop_length,
        "n_channels": separator.n_channels,
        "n_iter": separator.n_iter,
        "latency": separator.latency,
        "measured_latency": found.measured_latency,
        "is_same_for_any_blocks": found.is_same_for_any_blocks,
        "block_length": found.block_length,
        "n_blocks": len(found.block_seconds),
        "budget_us": 1e6 * found.budget_s,
        "block_us": {name: 1e6 * seconds for name, seconds in blocks.items()},
        "share_of_budget": {name: seconds / found.budget_s for name, seconds in blocks.items()},
        "real_time_factor": found.real_time_factor,
        "hop_us": 1e6 * sum(found.part_s.values()),
        "hop_budget_us": 1e6 * found.hop_s,
        "part_us": {part: 1e6 * seconds for part, seconds in found.part_s.items()},
        "limit_of_updates_us": 1e6 * found.limit_s,
        "updates_over_limit": updates_s / found.limit_s,
    }


def _print_figures(separator: Separator, f: dict[str, Any]) -> None:
    rate, parts = f["sample_rate"], f["part_us"]
    counts = ", ".join(f"{n} of {name}" for name, n in f["sources"].items())
    same = "the same stems to the bit" if f["is_same_for_any_blocks"] else "NOT the same stems"
    rows = {
        "components": f"{counts}; {separator.dictionary.stft.n_bins} bins, {f['n_iter']} updates per hop",
        "stream": f"{rate} Hz, {f['n_channels']} channel{'s' * (f['n_channels'] > 1)}, window {f['n_fft']},"
        f" hop {f['hop_length']}",
        "latency": f"{f['latency']} samples = {1000 * f['latency'] / rate:.1f} ms, by a click: {f['measured_latency']}",
        "any blocks": same,
        "blocks": f"{f['n_blocks']} of {f['block_length']} samples = {f['budget_us'] / 1000:.2f} ms each",
        "speed": f"{1 / f['real_time_factor']:.0f} times real time on one core (real-time factor"
        f" {f['real_time_factor']:.3f})",
    }
    for name, text in rows.items():
        print(f"{name:12}{text}")
    print(f"\n{'a block':30}{'us':>9}{'of its time':>14}")
    for name, us in f["block_us"].items():
        print(f"  {name:28}{us:9.1f}{100 * f['share_of_budget'][name]:13.1f}%")
    print(f"\n{'a hop':30}{'us':>9}{'of its time':>14}")
    for name, us in [*parts.items(), ("all", f["hop_us"])]:
        print(f"  {name:28}{us:9.1f}{100 * us / f['hop_budget_us']:13.1f}%")
    limit, ratio = f["limit_of_updates_us"], f["updates_over_limit"]
    print(f"\nThe updates take {ratio:.1f} times what this core needs at least, {limit:.1f} us: to read the components")
    print("once per update from the cache that holds them, or to do the arithmetic, whichever is longer.")


def evaluate(options: argparse.Namespace) -> None:
    """Print what was measured of the cases of a folder."""
    from rtnmf.measure import evaluation

    check_page(options.report)
    for name in ("components", "latency", "steps"):
        if options.dictionary and getattr(options, name) is not None:
            raise ValueError(f"--{name}: nothing is learned with --dictionary, leave one of them out")
    dictionary = None if options.dictionary is None else arguments.loaded(options.dictionary)
    learn_options = {
        "n_components": options.components,
        "seed": options.seed,
        "latency": options.latency,
        "n_steps": options.steps,
    }
    with terminal.progress_bar("evaluating") as progress:
        results = evaluation.evaluate(
            options.folder,
            dictionary,
            latency_ms=options.latency_ms,
            progress=progress,
            **({} if dictionary else learn_options),
        )
    if options.json:
        cases = [{**_plain(case), "improvement": case.improvement.tolist()} for case in results]
        training = [group._asdict() for group in evaluation.compare(results)]
        printed = {"summary": evaluation.summary(results), "training": training, "cases": cases}
        print(json.dumps(_finite(printed), indent=1, allow_nan=False))
    else:
        _print_results(results)
        _print_comparisons(evaluation.compare(results))
    if options.report:
        from rtnmf import report

        facts = _summary_lines(evaluation.summary(results))
        write_page(options.report, report.render_evaluation(f"Evaluation of {options.folder}", results, facts))


def _print_comparisons(groups: list[Comparison]) -> None:
    """Print what the training gained, if there was any."""
    if not any(group.gained_db or group.least_db for group in groups):
        return
    heads = f"{'cases':>6}{'untrained':>11}{'training adds':>15}{'95 %':>14}{'least':>7}{'bound':>7}{'worse':>7}"
    print(f"\n{'SI-SDR gained, dB':30}{heads}")
    for g in groups:
        interval = "" if math.isnan(g.low_db) else f"{g.low_db:.2f} to {g.high_db:.2f}"  # one case has none
        worse = f"{100 * g.share_of_stems_worse:.0f} %"
        figures = (
            f"{g.n_cases:6}{g.untrained_db:11.2f}{g.gained_db:15.2f}{interval:>14}{g.least_db:7.2f}{g.bound_db:7.2f}"
        )
        print(f"{g.name:30.30}{figures}{worse:>7}")
    print("bound: what the ideal ratio mask gains; worse: stems that are worse than the mixture")


def _summary_lines(s: dict[str, float]) -> dict[str, str]:
    return {
        "Cases": f"{s['cases']}",
        "SI-SDR gained, mean": f"{s['mean_improvement_db']:.2f} dB",
        "median": f"{s['median_improvement_db']:.2f} dB",
        "least": f"{s['least_improvement_db']:.2f} dB",
        "ideal ratio mask, mean": f"{s['mean_bound_db']:.2f} dB",
        "stems that got worse": f"{100 * s['share_of_stems_worse']:.0f} %",
    }


def _plain(case: CaseResult) -> dict[str, Any]:
    figures = {
        "before": case.before,
        "after": case.after,
        "untrained": case.untrained,
        "bound": case.bound,
        **case.bss._asdict(),
    }
    return {
        "id": case.id,
        "condition": case.condition,
        "sources": list(case.sources),
        **{name: value.tolist() for name, value in figures.items()},
    }


def _finite(value: Any) -> Any:
    """Return a value for JSON, which has no word for infinite."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _print_results(results: list[CaseResult]) -> None:
    from rich.console import Console
    from rich.table import Table

    from rtnmf.measure.evaluation import summary

    table = Table("case", "source", title="dB; gain is what SI-SDR gained, bound the gain of the ideal ratio mask")
    for column in ("SI-SDR in", "out", "gain", "bound", "SDR", "SIR", "SAR"):
        table.add_column(column, justify="right")
    for case in results:
        figures = zip(case.before, case.after, case.improvement, case.bound - case.before, *case.bss, strict=True)
        for i, (source, row) in enumerate(zip(case.sources, figures, strict=True)):
            table.add_row("" if i else case.id, source, *(f"{value:.1f}" for value in row))
    console = Console(width=None if sys.stdout.isatty() else 120, markup=False, highlight=False)
    console.print(table)
    print(", ".join(f"{name}: {text}" for name, text in _summary_lines(summary(results)).items()))
