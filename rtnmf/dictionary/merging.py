"""One dictionary of the sources of several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rtnmf.checks import few

if TYPE_CHECKING:
    from rtnmf.dictionary.parts import Curve
    from rtnmf.dictionary.value import Dictionary

__all__ = ["merged"]


def merged(first: Dictionary, *others: Dictionary) -> Dictionary:
    """Return an untrained dictionary of the sources of all of them: `Dictionary.merge`."""
    for other in others:
        _check_fits(first, other)
    if not others:
        return first
    every = (first, *others)
    for name, n_same in Counter(source for part in every for source in part.sources).items():
        if n_same > 1:
            raise ValueError(
                f"source {name!r} is in more than one of the dictionaries: leave one out, or rename it in one of"
                " them with Dictionary.rename"
            )
    return replace(
        first.untrained(),
        components=np.hstack([part.components for part in every]),
        labels=tuple(label for part in every for label in part.labels),
        rest="".join(part.rest for part in every),
        voices=tuple(voice for part in every for voice in part.voices),
        frames={source: frames for part in every for source, frames in part.frames.items()},
        description=_joined(part.description for part in every),
        licence=_joined(part.licence for part in every),
        learned_from=tuple(dict.fromkeys(name for part in every for name in part.learned_from)),
        divergences={source: curve for part in every for source, curve in _curves(part).items()},
    )


def _check_fits(first: Dictionary, second: Dictionary) -> None:
    """Raise an error that says how to mend it if a dictionary cannot be merged with the first one."""
    if type(second) is not type(first):
        raise TypeError(f"one of the dictionaries to merge is {type(second).__name__}, expected a Dictionary")
    if second.sample_rate != first.sample_rate:
        raise ValueError(
            f"sample rates {first.sample_rate} and {second.sample_rate} differ:"
            f" use .at_rate({first.sample_rate}) on the second first"
        )
    if second.stft != first.stft:
        raise ValueError(
            f"settings {first.stft} and {second.stft} differ: learn both with the same stft, or convert the second"
            " with .at_rate(sample_rate, stft)"
        )
    if second.model != first.model:
        raise ValueError(
            f"models {first.model} and {second.model} differ: learn both with the same model, or give the second"
            " that of the first with dataclasses.replace(second, model=first.model)"
        )
    if first.rest and second.rest:
        raise ValueError(
            "both dictionaries have a rest, the source of all that was not taught: leave that of the second out, with"
            f" .select of {few([source for source in second.sources if source != second.rest])}"
        )


def _curves(dictionary: Dictionary) -> dict[str, Curve]:
    """Return the divergences with those of a blind recording under the name of each of its sources."""
    blind = dictionary.divergences.get("")
    curves = {source: dictionary.divergences.get(source, blind) for source in dictionary.sources}
    return {source: curve for source, curve in curves.items() if curve is not None}


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))
