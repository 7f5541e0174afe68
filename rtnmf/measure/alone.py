"""How good the separation is where only one source of a mixture was taught, and all else is the rest.

The rest begins as it was learned from a pool of backgrounds, without those that are like the other sources of the case;
then it is learned from the mixture: while it sounds, as `live` does, or from all of it beforehand, as `separate` does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtnmf.dictionary import Dictionary
from rtnmf.engine.separator import Separator, separate
from rtnmf.experts.named import checked, chosen
from rtnmf.learning.adapting import adapted
from rtnmf.learning.backgrounds import pool, without_kin
from rtnmf.learning.learn import learn
from rtnmf.learning.listening import Listening
from rtnmf.measure.cases import check_files, load_case, named, read_cases, sources, training_clips
from rtnmf.measure.metrics import finite_si_sdr
from rtnmf.progress import Progress

__all__ = ["FIRST_S", "LEARNING_S", "AloneResult", "evaluate_alone"]

Array = NDArray[np.float32]

FIRST_S = 7.0
"""Seconds at the start of a mixture that are measured apart, in which the rest is hardly learned yet."""
LEARNING_S = 1.7
"""Seconds from when learning is due to when its dictionary takes over, as the worker of `live` needs them."""

_BLOCK_S = 0.05
_LEAST_S = 1.0  # after the first seconds, for a figure of what follows


class AloneResult(NamedTuple):
    """SI-SDR improvement of the one source that was taught, in dB.

    id, condition, source : str
    pool : float
        With the rest as it was learned from the pool.
    live : float
        With the rest learned while it sounds.
    first, later : float
        The same on the first seconds and on what follows them; NaN where the mixture is too short.
    later_pool : float
        That of `pool` on what follows the first seconds.
    known : float
        With the rest learned from the whole mixture beforehand.
    experts : tuple of str
        Those that were asked about voices.
    """

    id: str
    condition: str
    source: str
    pool: float
    live: float
    first: float
    later: float
    later_pool: float
    known: float
    experts: tuple[str, ...] = ()


def evaluate_alone(
    folder: str | os.PathLike[str],
    source: str,
    dictionary: Dictionary | None = None,
    *,
    experts: Sequence[str] | None = None,
    allow_outside: bool = False,
    progress: Progress | None = None,
    **learn_options: Any,
) -> list[AloneResult]:
    """Separate and measure the cases of a folder that have a source, with only that one taught.

    Parameters
    ----------
    folder : path
        As for `evaluation.evaluate`.
    source : str
    dictionary : Dictionary, optional
        With this source and a rest, to use instead of learning from the clips of each case.
    experts : sequence of str, optional
        As for `Separator`.
    allow_outside : bool
        As for `evaluation.evaluate`.
    progress : Progress, optional
        Called after each case with its id.
    **learn_options
        Passed on to `learn`; not with a dictionary.

    Raises
    ------
    TypeError, ValueError
        Before any case is separated: as `evaluation.evaluate` does; if no case has the source, or the dictionary lacks
        it, or a rest.
    """
    cases = _chosen(Path(folder), source, dictionary, learn_options, allow_outside=allow_outside)
    wished = None if experts is None else checked(experts)
    results = []
    for i, case in enumerate(cases, 1):
        with named(case):
            results.append(_evaluated(Path(folder), case, source, dictionary, wished, learn_options))
        if progress is not None and progress(case["id"], i, len(cases)) is False:
            break
    return results


def _chosen(
    folder: Path,
    source: str,
    dictionary: Dictionary | None,
    learn_options: Mapping[str, Any],
    *,
    allow_outside: bool,
) -> list[dict[str, Any]]:
    if dictionary is not None and learn_options:
        raise ValueError(f"{', '.join(learn_options)}: nothing is learned with a dictionary, leave one of them out")
    if dictionary is not None and (source not in dictionary.sources or not dictionary.rest):
        raise ValueError(
            f"dictionary has the sources {', '.join(dictionary.sources)}, expected {source} and a rest, such as"
            f" {source}+rest"
        )
    cases = [case for case in read_cases(folder, allow_outside=allow_outside) if source in sources(case)]
    if not cases:
        raise ValueError(f"{folder}: no case has a source {source!r}")
    for case in cases:
        with named(case):
            check_files(folder, case, needs_training=dictionary is None)
    return cases


def _evaluated(
    folder: Path,
    case: Mapping[str, Any],
    source: str,
    dictionary: Dictionary | None,
    experts: Sequence[str] | None,
    learn_options: Mapping[str, Any],
) -> AloneResult:
    mixture, stems, names = load_case(folder, case)
    rate = case["sample_rate"]
    if dictionary is None:
        dictionary = _taught(folder, case, source, learn_options)
    dictionary = dictionary.at_rate(rate)
    truth, number = stems[names.index(source)], dictionary.sources.index(source)
    first = slice(0, round(FIRST_S * rate))
    later = slice(first.stop, None) if len(mixture) > first.stop + _LEAST_S * rate else slice(0, 0)

    def gained(stem: Array, part: slice = slice(None)) -> float:
        x, reference = mixture[part], truth[part]
        if not len(x) or not reference.any():
            return float("nan")
        return finite_si_sdr(reference, stem[part]) - finite_si_sdr(reference, x)

    from_pool = separate(mixture, dictionary, experts=experts)[number]
    live = _listened(mixture, dictionary, experts)[number]
    return AloneResult(
        id=case["id"],
        condition=str(case.get("condition", "")),
        source=source,
        pool=gained(from_pool),
        live=gained(live),
        first=gained(live, first),
        later=gained(live, later),
        later_pool=gained(from_pool, later),
        known=gained(separate(mixture, adapted(dictionary, mixture), experts=experts)[number]),
        experts=chosen(experts, dictionary),
    )


def _taught(folder: Path, case: Mapping[str, Any], source: str, learn_options: Mapping[str, Any]) -> Dictionary:
    """Return a dictionary of one source of a case and of backgrounds that are like none of the others."""
    backgrounds = pool()
    for other in sources(case):
        if other != source:
            backgrounds = without_kin(backgrounds, other)
    clips = {source: training_clips(folder, case)[source]}
    return learn(clips, case["sample_rate"], rest=backgrounds, **learn_options)


def _listened(mixture: Array, dictionary: Dictionary, experts: Sequence[str] | None) -> Array:
    """Return the stems of a mixture whose rest is learned while it sounds, aligned with it."""
    separator = Separator(dictionary, n_channels=mixture.shape[1], experts=experts)
    listening = Listening(dictionary, n_channels=mixture.shape[1])
    rate, learned, outputs = dictionary.sample_rate, dict[int, Dictionary | None](), []
    length, delay = round(_BLOCK_S * rate), round(LEARNING_S * rate)
    padded = np.pad(mixture, ((0, separator.latency), (0, 0)))
    for start in range(0, len(padded), length):
        ready = [at for at in learned if at <= start]
        for at in ready:
            separator.dictionary = learned.pop(at) or separator.dictionary
        block = padded[start : start + length]
        outputs.append(separator.process(block))
        listening.hear(block)
        if not learned and listening.is_due:
            learned[start + delay] = listening.learn()
    return np.concatenate(outputs, axis=1)[:, separator.latency :]
