"""`rtnmf evaluate`: how well the cases of a folder are separated."""

from __future__ import annotations

import argparse
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from rtnmf import screen
from rtnmf.cli import arguments, pages, voices
from rtnmf.cli.progress_bar import progress_bar

if TYPE_CHECKING:
    from rtnmf.measure.alone import AloneResult
    from rtnmf.measure.evaluation import CaseResult, Comparison

__all__ = ["EXAMPLES", "SUMMARY", "add_arguments", "run"]

SUMMARY = "learn, separate and measure the cases of a folder"
EXAMPLES = """examples:
  rtnmf evaluate audio/                                         audio/cases.json lists the cases
  rtnmf evaluate audio/ --latency-ms 3                          learned as usual, used at 3 ms
  rtnmf evaluate audio/ --dictionary speech+keyboard --json
  rtnmf evaluate audio/ --only speech                           one sound is taught, the rest learned meanwhile"""


_PIPE_WIDTH = 120


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    option = arguments.option
    parser.add_argument("folder", metavar="FOLDER", help="folder with a cases.json")
    text = "learn nothing, use these for the cases whose sources they have"
    parser.add_argument("--dictionary", metavar="DICT[+DICT...]", help=text)
    text = "teach this source only; all else is the rest, learned from the pool and from each mixture"
    parser.add_argument("--only", metavar="SOURCE", help=text)
    arguments.add_learning(parser)
    arguments.add_rest(parser)
    text = "upper limit on the latency to learn for (default: the window); `low`: a sixteenth of it"
    option(parser, "--learn-latency-ms", "learn_latency_ms", arguments.latency_ms, "MS", text)
    text = "upper limit on the latency of the separation, by a shorter synthesis window (default: as learned)"
    option(parser, "--latency-ms", "latency_ms", arguments.positive("milliseconds"), "MS", text)
    arguments.add_experts(parser)
    text = "let cases.json name files outside its folder: only where you know who wrote it"
    arguments.switch(parser, "--allow-outside", "allow_outside", text)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--report", metavar="FILE", help="also write a page of the cases, to hear the worst of them")
    arguments.add_overwrite(parser)


def run(options: argparse.Namespace) -> None:
    """Print how well the cases of a folder are separated, as tables or as JSON."""
    pages.check_page(options.report, overwrite=options.overwrite)
    if options.only is not None:
        _run_alone(options)
        return
    results = _evaluated(options)
    if options.json:
        _print_json(results)
    else:
        _print_results(results)
        _print_comparisons(results)
        _print_experts(results)
    if options.report:
        _write_report(options, results)


def _run_alone(options: argparse.Namespace) -> None:
    """Print how well one source is separated where nothing else was taught."""
    from rtnmf.learning.joining import load
    from rtnmf.measure.alone import evaluate_alone

    reason = "has no meaning where only one source is taught"
    arguments.refuse(options, reason, "latency_ms", "learn_latency_ms", "report", "rest")
    dictionary = load(options.dictionary) if options.dictionary else None
    with progress_bar("evaluating") as progress:
        learning = arguments.given(options, *arguments.LEARNING, "experts", "allow_outside")
        results = evaluate_alone(options.folder, options.only, dictionary, progress=progress, **learning)
    if options.json:
        screen.say_json(_finite({"cases": [result._asdict() for result in results]}))
    else:
        _print_alone(results)
        _print_experts(results)


def _print_alone(results: list[AloneResult]) -> None:
    from rich.table import Table

    from rtnmf.measure.alone import FIRST_S

    first, source = f"{FIRST_S:g} s", results[0].source
    table = Table("case", title=f"improvement of the SI-SDR of {source} in dB, nothing else being taught")
    heads = ("pool", "live", f"live, first {first}", "live, then", "pool, then", "mixture known")
    for head in heads:
        table.add_column(head, justify="right")
    rows = [(r.id, (r.pool, r.live, r.first, r.later, r.later_pool, r.known)) for r in results]
    means = [_mean([figures[i] for _, figures in rows]) for i in range(len(heads))]
    for name, figures in [*rows, ("mean", means)]:
        if name == "mean":
            table.add_section()
        table.add_row(name, *("" if math.isnan(value) else f"{value:.1f}" for value in figures))
    screen.console(_PIPE_WIDTH).print(table)


def _mean(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _evaluated(options: argparse.Namespace) -> list[CaseResult]:
    from rtnmf.learning.joining import load
    from rtnmf.measure import evaluation

    learning = arguments.given(options, *arguments.LEARNING, "rest", "learn_latency_ms", "experts", "allow_outside")
    dictionary = load(options.dictionary) if options.dictionary else None
    with progress_bar("evaluating") as progress:
        return evaluation.evaluate(
            options.folder, dictionary, latency_ms=options.latency_ms, progress=progress, **learning
        )


def _write_report(options: argparse.Namespace, results: list[CaseResult]) -> None:
    from rtnmf import report

    page = report.render_evaluation(f"Evaluation of {options.folder}", results, _summary_lines(results))
    pages.write_page(options.report, page, overwrite=options.overwrite)


def _print_json(results: list[CaseResult]) -> None:
    from rtnmf.measure import evaluation

    printed = {
        "summary": evaluation.summary(results),
        "training": [group._asdict() for group in evaluation.compare(results)],
        "cases": [_plain(case) for case in results],
    }
    screen.say_json(_finite(printed))


def _plain(case: CaseResult) -> dict[str, Any]:
    figures = {
        "before": case.before,
        "after": case.after,
        "untrained": case.untrained,
        "bound": case.bound,
        **case.bss._asdict(),
        "improvement": case.improvement,
    }
    return {
        "id": case.id,
        "condition": case.condition,
        "sources": list(case.sources),
        "experts": list(case.experts),
        **{name: value.tolist() for name, value in figures.items()},
    }


def _finite(value: Any) -> Any:
    """Return a value with None for each number that is not finite, which JSON has no word for."""
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _print_results(results: list[CaseResult]) -> None:
    from rich.table import Table

    table = Table("case", "source", title="dB; gain is the improvement of SI-SDR, bound that by the ideal ratio mask")
    for column in ("SI-SDR in", "out", "gain", "bound", "SDR", "SIR", "SAR"):
        table.add_column(column, justify="right")
    for case in results:
        figures = zip(case.before, case.after, case.improvement, case.bound - case.before, *case.bss, strict=True)
        for i, (source, row) in enumerate(zip(case.sources, figures, strict=True)):
            table.add_row("" if i else case.id, source, *(f"{value:.1f}" for value in row))
    screen.console(_PIPE_WIDTH).print(table)
    screen.say(*(f"{name}: {text}" for name, text in _summary_lines(results).items()))


def _summary_lines(results: list[CaseResult]) -> dict[str, str]:
    from rtnmf.measure.evaluation import summary

    s = summary(results)
    return {
        "Cases": f"{s['cases']}",
        "SI-SDR gained, mean": f"{s['mean_improvement_db']:.2f} dB",
        "SI-SDR gained, median": f"{s['median_improvement_db']:.2f} dB",
        "SI-SDR gained, least": f"{s['least_improvement_db']:.2f} dB",
        "The ideal ratio mask gains, mean": f"{s['mean_bound_db']:.2f} dB",
        "Stems that got worse": f"{100 * s['share_of_stems_worse']:.0f} %",
    }


def _print_experts(results: list[CaseResult] | list[AloneResult]) -> None:
    """Print which experts were asked, and in how many cases."""
    for experts, n_cases in Counter(result.experts for result in results).items():
        if experts:
            screen.say(f"{voices.with_experts(experts)}: {n_cases} of {len(results)} cases")


def _print_comparisons(results: list[CaseResult]) -> None:
    """Print what the discriminative training adds, if there was any."""
    from rtnmf.measure.evaluation import compare

    groups = compare(results)
    if not any(group.gained_db or group.least_db for group in groups):
        return
    heads = f"{'cases':>6}{'untrained':>11}{'training adds':>15}{'95 %':>14}{'least':>7}{'bound':>7}{'worse':>7}"
    screen.say("", f"{'SI-SDR gained, dB':30}{heads}")
    for group in groups:
        screen.say(f"{group.name:30.30}{_comparison(group)}")
    screen.say("bound: what the ideal ratio mask gains; worse: share of the stems that are worse than the mixture")


def _comparison(g: Comparison) -> str:
    interval = "" if math.isnan(g.low_db) else f"{g.low_db:.2f} to {g.high_db:.2f}"  # one case has none
    figures = f"{g.n_cases:6}{g.untrained_db:11.2f}{g.gained_db:15.2f}{interval:>14}{g.least_db:7.2f}{g.bound_db:7.2f}"
    return f"{figures}{f'{100 * g.share_of_stems_worse:.0f} %':>7}"
