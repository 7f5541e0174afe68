"""How good is the separation? Learn, separate and measure the cases of a folder, and compare groups of them.

The measures themselves are in `metrics` and offered here too. Nothing here prints.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtnmf.checks import few
from rtnmf.dictionary import Dictionary
from rtnmf.engine.separator import separate
from rtnmf.experts.named import checked, chosen
from rtnmf.frames.stft import latency_samples
from rtnmf.learning.learn import learn
from rtnmf.measure.cases import check_files, load_case, named, read_cases, sources, training_clips
from rtnmf.measure.metrics import BSSEval, bss_eval, finite_si_sdr, ideal_separate, si_sdr
from rtnmf.progress import Progress

__all__ = [
    "BSSEval",
    "CaseResult",
    "Comparison",
    "bss_eval",
    "compare",
    "evaluate",
    "ideal_separate",
    "load_case",
    "si_sdr",
    "summary",
]

Array = NDArray[np.float32]

_DRAWS = 2000
_VOICE = re.compile("voices?|vocals?|speech|speak(er|ers|ing)|spk|talk(er|ers|ing)?|sing(er|ers|ing)|choir|(fe)?male")


class CaseResult(NamedTuple):
    """Measures of one case, one value per source, and its signals.

    id, condition : str
        As the case states them.
    sources : tuple of str
    before, after, untrained, bound : array, shape (n_sources,)
        SI-SDR in dB of the mixture, of the stems, of the stems without discriminative training, and of the ideal
        ratio mask, each within 150 dB.
    bss : BSSEval
        Of the stems.
    sample_rate : int
        In Hz.
    mixture : array, shape (n_samples, n_channels)
    estimates : array, shape (n_sources, n_samples, n_channels)
        The stems.
    experts : tuple of str
        Those that were asked about voices.
    """

    id: str
    condition: str
    sources: tuple[str, ...]
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    untrained: NDArray[np.float64]
    bound: NDArray[np.float64]
    bss: BSSEval
    sample_rate: int
    mixture: Array
    estimates: Array
    experts: tuple[str, ...] = ()

    @property
    def improvement(self) -> NDArray[np.float64]:
        """SI-SDR improvement in dB, shape (n_sources,)."""
        return self.after - self.before


class Comparison(NamedTuple):
    """SI-SDR improvement of a group of cases, and what discriminative training adds to it, in dB.

    name : str
        Of the group.
    n_cases : int
    untrained_db : float
        Mean improvement without the training.
    gained_db : float
        What the training adds to that mean.
    low_db, high_db : float
        95 % bootstrap interval of `gained_db`; NaN for a single case, which has none.
    least_db : float
        What the training adds to the case that it serves worst.
    bound_db : float
        Mean improvement by the ideal ratio mask.
    share_of_stems_worse : float
        Fraction of stems with lower SI-SDR than the mixture.
    """

    name: str
    n_cases: int
    untrained_db: float
    gained_db: float
    low_db: float
    high_db: float
    least_db: float
    bound_db: float
    share_of_stems_worse: float


def evaluate(
    folder: str | os.PathLike[str],
    dictionary: Dictionary | None = None,
    *,
    latency_ms: float | None = None,
    learn_latency_ms: float | Literal["low"] | None = None,
    experts: Sequence[str] | None = None,
    allow_outside: bool = False,
    progress: Progress | None = None,
    **learn_options: Any,
) -> list[CaseResult]:
    """Separate and measure the cases of a folder, each with a dictionary learned from its own training clips.

    Parameters
    ----------
    folder : path
        With a `cases.json`: `{"cases": [{"id", "condition", "sample_rate", "channels", "seconds", "stems": [{"name",
        "path", "start", "gain"}], "train": {name: [path]}}]}`; paths are relative to the folder, and lie in it.
    dictionary : Dictionary, optional
        To use for all cases instead of learning; cases with a source that it lacks are left out.
    latency_ms : float, optional
        Upper limit on the latency of the separation, in ms; see `Dictionary.at_latency`.
    learn_latency_ms : float or "low", optional
        Upper limit on the latency to learn for, in ms: `latency_ms` of `learn`, or its `latency="low"`.
    experts : sequence of str, optional
        As for `Separator`.
    allow_outside : bool
        Whether the cases may name files outside the folder.
    progress : callable, optional
        Called after each case with its id, the number of cases done, and the number of all; returning False ends the
        evaluation with the cases done.
    **learn_options
        Passed on to `learn`; neither these nor `learn_latency_ms` with a dictionary.

    Returns
    -------
    list of CaseResult
        In the order of the cases.

    Raises
    ------
    TypeError, ValueError
        Before any case is separated: if there is no `cases.json`, it is not in this format, no case is left, a file
        is missing, or an option makes no sense. A case is named in the message.
    """
    learning = _learning(learn_options, learn_latency_ms, dictionary)
    wished = None if experts is None else checked(experts)
    cases = _chosen(Path(folder), dictionary, allow_outside=allow_outside)
    for limit_ms in (latency_ms, learning.get("latency_ms")):
        if limit_ms is not None:
            latency_samples(limit_ms, min(case["sample_rate"] for case in cases))
    for case in cases:
        with named(case):
            check_files(Path(folder), case, needs_training=dictionary is None)
    results = []
    for i, case in enumerate(cases, 1):
        with named(case):
            results.append(_evaluated(Path(folder), case, dictionary, latency_ms, wished, learning))
        if progress is not None and progress(case["id"], i, len(cases)) is False:
            break
    return results


def summary(results: list[CaseResult]) -> dict[str, float]:
    """Return the SI-SDR improvement of the cases, mean, median and least, and how many stems got worse.

    `share_of_stems_worse` is the fraction of stems with lower SI-SDR than the mixture.

    Raises
    ------
    ValueError
        If there is no result.
    """
    _check_some(results)
    per_case = [float(result.improvement.mean()) for result in results]
    return {
        "cases": len(results),
        "mean_improvement_db": float(np.mean(per_case)),
        "median_improvement_db": float(np.median(per_case)),
        "least_improvement_db": min(per_case),
        "mean_bound_db": _mean_bound_db(results),
        "share_of_stems_worse": _share_of_stems_worse(results),
    }


def compare(results: list[CaseResult]) -> list[Comparison]:
    """Return what discriminative training adds, for all cases and for each group of them.

    Cases whose conditions are alike up to the first comma, semicolon, colon or parenthesis are a group, and so are,
    by the names of the sources, those of voices only, of a voice and other sounds, and of no voice.

    Raises
    ------
    ValueError
        If there is no result.
    """
    _check_some(results)
    groups = {"all": results}
    for name_of in (_condition, _kind):
        for result in results:
            groups.setdefault(name_of(result), []).append(result)
    return [_compared(name, members) for name, members in groups.items()]


def _condition(result: CaseResult) -> str:
    return re.split(r"[,;:(]", result.condition)[0].strip() or "no condition"


def _kind(result: CaseResult) -> str:
    """Return the kind of mixture, by the names of the sources."""
    n_voices = sum(map(_is_voice, result.sources))
    if n_voices == 0:
        return "no voice"
    if n_voices == len(result.sources):
        return "voices only"
    return "a voice and other sounds"


def _is_voice(source: str) -> bool:
    """Return whether a whole word of a name says that the source is a voice, as in `leadVocal` and `spk-1`."""
    words = re.findall("[A-Z]?[a-z]+|[A-Z]+", source)
    return any(_VOICE.fullmatch(word.lower()) for word in words)


def _compared(name: str, results: list[CaseResult]) -> Comparison:
    gained = np.array([(result.after - result.untrained).mean() for result in results])
    low_db, high_db = _interval(gained)
    return Comparison(
        name=name,
        n_cases=len(results),
        untrained_db=float(np.mean([(result.untrained - result.before).mean() for result in results])),
        gained_db=float(gained.mean()),
        low_db=low_db,
        high_db=high_db,
        least_db=float(gained.min()),
        bound_db=_mean_bound_db(results),
        share_of_stems_worse=_share_of_stems_worse(results),
    )


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a mean, NaN for a single value."""
    if len(values) == 1:
        return np.nan, np.nan
    draws = np.random.default_rng(0).integers(len(values), size=(_DRAWS, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def _mean_bound_db(results: list[CaseResult]) -> float:
    return float(np.mean([(result.bound - result.before).mean() for result in results]))


def _share_of_stems_worse(results: list[CaseResult]) -> float:
    return float(np.mean(np.concatenate([result.improvement for result in results]) < 0))


def _check_some(results: list[CaseResult]) -> None:
    if not results:
        raise ValueError("results are empty, expected those of at least one case")


def _learning(
    options: Mapping[str, Any], latency_ms: float | Literal["low"] | None, dictionary: Dictionary | None
) -> dict[str, Any]:
    """Return the options of `learn`; raise ValueError if there are any and a dictionary."""
    given = {**options} if latency_ms is None else {**options, "learn_latency_ms": latency_ms}
    if dictionary is not None and given:
        raise ValueError(f"{', '.join(given)}: nothing is learned with a dictionary, leave one of them out")
    if latency_ms is None:
        return given
    return {**options, "latency" if latency_ms == "low" else "latency_ms": latency_ms}


def _chosen(folder: Path, dictionary: Dictionary | None, *, allow_outside: bool) -> list[dict[str, Any]]:
    """Return the cases of a folder of which the dictionary, if there is one, has all sources."""
    cases = read_cases(folder, allow_outside=allow_outside)
    if not cases:
        raise ValueError(f"{folder}: no case to evaluate, the list of cases is empty")
    if dictionary is None:
        return cases
    known = dictionary.sources
    chosen = [case for case in cases if set(sources(case)) <= set(known)]
    if not chosen:
        raise ValueError(
            f"{folder}: no case to evaluate has only sources of the dictionary: {few(known)}; the first has"
            f" {few(sources(cases[0]))}: rename the sources of the dictionary, or leave it out to learn"
        )
    return chosen


def _evaluated(
    folder: Path,
    case: Mapping[str, Any],
    dictionary: Dictionary | None,
    latency_ms: float | None,
    experts: Sequence[str] | None,
    learn_options: Mapping[str, Any],
) -> CaseResult:
    mixture, stems, names = load_case(folder, case)
    rate = case["sample_rate"]
    if dictionary is None:
        dictionary = learn(training_clips(folder, case), rate, **learn_options)
    rest = (dictionary.rest,) if dictionary.rest and dictionary.rest not in names else ()
    dictionary = dictionary.at_rate(rate).select(*names, *rest)
    if latency_ms is not None:
        dictionary = dictionary.at_latency(latency_ms)
    estimates = separated = separate(mixture, dictionary, experts=experts)[: len(names)]
    if dictionary.is_trained:
        separated = separate(mixture, dictionary.untrained(), experts=experts)[: len(names)]
    return CaseResult(
        id=case["id"],
        condition=str(case.get("condition", "")),
        sources=names,
        before=_si_sdrs(stems, [mixture] * len(stems)),
        after=_si_sdrs(stems, estimates),
        untrained=_si_sdrs(stems, separated),
        bound=_si_sdrs(stems, ideal_separate(mixture, stems, dictionary.stft)),
        bss=bss_eval(stems, estimates),
        sample_rate=rate,
        mixture=mixture,
        estimates=estimates,
        experts=chosen(experts, dictionary),
    )


def _si_sdrs(stems: Iterable[Array], estimates: Iterable[Array]) -> NDArray[np.float64]:
    return np.array([finite_si_sdr(stem, estimate) for stem, estimate in zip(stems, estimates, strict=True)])
