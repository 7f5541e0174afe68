"""The parts of a dictionary: each is checked and frozen here before a dictionary is made of them."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtnmf.bounds import MOST_COLUMN_VALUES, MOST_POINTS, MOST_SHARES, check_product
from rtnmf.checks import check_number, check_source_name, check_whole, few

__all__ = [
    "TRAINED",
    "Curve",
    "Divergences",
    "check_adaptable",
    "check_known",
    "check_size",
    "frozen_columns",
    "frozen_divergences",
    "frozen_labels",
    "frozen_voices",
    "says_voice",
    "strings",
]

TRAINED = ("update_components", "mask_components")
"""The fields that hold the columns of discriminative training."""

_LAST_ITERATION = 10**9
_LARGEST_DIVERGENCE = 1e12

_VOICES = {"voice", "voices", "speech", "speaker", "speakers", "talker"}

Curve = tuple[tuple[int, float], ...]
"""Iterations and the divergence that each reached."""


class Divergences(Mapping[str, Curve]):
    """A read-only mapping that compares, hashes, copies and pickles by content.

    `types.MappingProxyType` can neither be copied nor pickled.
    """

    __slots__ = ("_curves",)

    def __init__(self, curves: Mapping[str, Curve]) -> None:
        self._curves = MappingProxyType(dict(curves))

    def __getitem__(self, source: str) -> Curve:
        return self._curves[source]

    def __iter__(self) -> Iterator[str]:
        return iter(self._curves)

    def __len__(self) -> int:
        return len(self._curves)

    def __hash__(self) -> int:
        return hash(frozenset(self._curves.items()))

    def __reduce__(self) -> tuple[type[Divergences], tuple[dict[str, Curve]]]:
        return Divergences, (dict(self._curves),)

    def __repr__(self) -> str:
        return f"Divergences({dict(self._curves)})"


def check_size(n_bins: int, n_components: int, n_sets: int) -> None:
    """Raise ValueError if all columns of a dictionary together are too many values to work with."""
    remedy = "use fewer components, a shorter window or a lower sample rate"
    sizes = {"n_bins": n_bins, "n_components": n_components, "sets of columns": n_sets}
    check_product("the number of values of the dictionary", MOST_COLUMN_VALUES, remedy, **sizes)


def frozen_columns(name: str, columns: ArrayLike, n_bins: int) -> NDArray[np.float32]:
    """Return a read-only copy of an array whose columns are divided by their sums, shape (n_bins, n_components).

    Raises
    ------
    TypeError, ValueError
        If it has another shape, values that are no magnitudes, or a column of zeros.
    """
    if np.asarray(columns).dtype.kind not in "biuf":
        raise TypeError(f"{name} are of type {np.asarray(columns).dtype}, expected magnitudes, which are real numbers")
    with np.errstate(over="ignore", invalid="ignore"):  # a number too large for float32 is reported as non-finite
        copy = np.array(columns, np.float32, order="F")
    if copy.ndim != 2 or len(copy) != n_bins or not copy.shape[1]:
        raise ValueError(f"{name} have shape {copy.shape}, expected ({n_bins}, at least 1)")
    if not np.isfinite(copy).all() or copy.min() < 0:
        raise ValueError(f"{name} hold negative or non-finite values, expected magnitudes")
    np.abs(copy, out=copy)  # -0.0 equals 0.0 but has other bytes
    sums = copy.sum(axis=0, dtype=np.float64)
    if not (sums > 0).all():
        raise ValueError(f"column {int(np.argmin(sums))} of {name} is all zero: leave it out")
    sums[np.abs(sums - 1) < 1e-6] = 1  # so that a saved dictionary is loaded unchanged to the bit
    np.divide(copy, sums, out=copy, casting="unsafe")  # computed in float64, as sums are
    copy.flags.writeable = False
    return copy


def frozen_labels(labels: object, n_components: int) -> tuple[str, ...]:
    """Return the labels as a tuple if they are usable names, one for each component.

    Raises
    ------
    TypeError, ValueError
        If they are not.
    """
    checked = strings("labels", labels)
    if len(checked) != n_components:
        raise ValueError(f"there are {len(checked)} labels for {n_components} components, expected one each")
    for label in dict.fromkeys(checked):
        check_source_name(label)
    return checked


def frozen_voices(voices: object, sources: tuple[str, ...], rest: str) -> tuple[str, ...]:
    """Return the sources that are voices, in the order of the sources; None stands for those that are named like one.

    Raises
    ------
    TypeError, ValueError
        If one is not the name of a source, or is that of the rest.
    """
    if voices is None:
        return tuple(source for source in sources if source != rest and says_voice(source))
    named = strings("voices", voices)
    check_known(named, sources)
    if rest and rest in named:
        raise ValueError(f"voices are {few(named)}, but {rest} stands for all that was not taught: leave it out")
    return tuple(filter(set(named).__contains__, sources))


def says_voice(name: str) -> bool:
    """Return whether the name of a source says that it is a person who speaks."""
    return not _VOICES.isdisjoint(re.findall(r"[^\W\d_]+", name.lower()))


def check_known(sources: Iterable[str], known: tuple[str, ...]) -> None:
    """Raise ValueError if one of the sources is not among those of a dictionary."""
    names = set(known)
    for source in sources:
        if source not in names:
            raise ValueError(f"there is no source {source!r:.80}: choose from {few(known)}")


def strings(name: str, values: object) -> tuple[str, ...]:
    """Return a list or tuple of strings as a tuple, or raise TypeError."""
    if not isinstance(values, (list, tuple)) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"{name} is {values!r:.80}, expected a sequence of strings")
    return tuple(values)


def frozen_divergences(given: Mapping[str, Iterable[Iterable[Any]]], sources: tuple[str, ...]) -> Divergences:
    """Return the divergences of sources as a read-only copy, in the order of the sources.

    Raises
    ------
    TypeError
        If it is not a mapping of sources to pairs of an iteration and a divergence.
    ValueError
        If a source is unknown or a divergence is not finite.
    """
    try:
        listed = {name: list(pairs) for name, pairs in given.items()}
        n_points = sum(map(len, listed.values()))
        checked = {name: _curve(pairs) for name, pairs in listed.items()} if n_points <= MOST_POINTS else {}
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise TypeError(
            f"divergences are {reprlib.repr(given):.80}, expected {{source: [(iteration, divergence)]}}"
        ) from error
    if n_points > MOST_POINTS:
        raise ValueError(
            f"divergences are {n_points} points, expected at most {MOST_POINTS}: keep fewer of each source"
        )
    unknown = set(checked) - {"", *sources}
    if unknown:
        raise ValueError(
            f"divergences are given for {min(unknown, key=str)!r:.80}, which is not a source: leave them out"
        )
    for name, curve in checked.items():
        if not all(abs(value) <= _LARGEST_DIVERGENCE for _, value in curve):  # NaN is not
            raise ValueError(
                f"divergences of {name!r} are not finite numbers of at most {_LARGEST_DIVERGENCE:g}: leave them out"
            )
    return Divergences({name: checked[name] for name in ("", *sources) if name in checked})


def _curve(pairs: Iterable[Iterable[Any]]) -> Curve:
    """Return pairs of an iteration and a divergence as a tuple."""
    return tuple(
        (check_whole("iteration", i, 0, _LAST_ITERATION), check_number("divergence", value)) for i, value in pairs
    )


def check_adaptable(dictionary: Any) -> None:
    """Raise ValueError if a dictionary has no rest to be learned from a mixture, no frames, or too many sources."""
    if not dictionary.rest:
        raise ValueError(
            f"dictionary of {few(dictionary.sources)} has no rest to be learned from a mixture: learn it with rest=True"
        )
    sizes = {"n_sources": len(dictionary.sources), "n_bins": dictionary.stft.n_bins}
    what, remedy = "the number of shares in a frame that the rest is learned with", "use fewer sources"
    check_product(what, MOST_SHARES, remedy, **sizes)
    missing = [source for source in dictionary.sources if source not in dictionary.frames]
    if missing or len(dictionary.sources) < 2:
        raise ValueError(
            f"dictionary holds no frames of {few(missing) or 'another source'}, which the training needs: learn"
            " it again with this version"
        )
