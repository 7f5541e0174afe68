"""Is this argument usable? Whole numbers, sample rates, names: each check raises with what was got and expected."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtnmf.words import is_plain, is_seen, plain

__all__ = [
    "LONGEST_NAME",
    "MOST_CHANNELS",
    "check_channels",
    "check_magnitudes",
    "check_number",
    "check_real",
    "check_single",
    "check_source_name",
    "check_text",
    "check_whole",
    "few",
    "single",
    "whole_hz",
]

LONGEST_NAME = 64
"""Characters of the name of a source."""

_HIGHEST_RATE = 10**7
MOST_CHANNELS = 64
_LONGEST_TEXT = 10_000
_TOO_LONG = 1e40  # to be printed in full
_MOST_NAMED = 20


def check_whole(name: str, value: object, least: int, most: int | None = None) -> int:
    """Return an argument as an int if it is an integer from `least` to `most`.

    Raises
    ------
    TypeError
        If it is not an integer.
    ValueError
        If it is out of range.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} is {value!r:.80}, expected a whole number")
    if value < least or (most is not None and value > most):
        raise ValueError(
            f"{name} is {_short(value)}, expected {f'at least {least}' if most is None else f'{least} to {most}'}"
        )
    return int(value)


def check_number(name: str, value: object) -> float:
    """Return an argument as a float if it is a real number; -0.0 becomes 0.0, so that equal values are the same bytes.

    Raises
    ------
    TypeError
        If it is not.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} is {value!r:.80}, expected a number")
    try:
        return float(value) + 0.0
    except OverflowError:  # an int with more than 308 digits
        return math.inf if value > 0 else -math.inf


def _short(number: object) -> str:
    """Return a number as it is, or rounded where it has very many digits."""
    value = check_number("number", number)
    return f"{number}" if abs(value) < _TOO_LONG else f"{value:.3g}"


def single(number: float) -> float:
    """Return a number as single precision has it, for what is used in that: infinite or 0 where it is out of range."""
    with np.errstate(over="ignore", under="ignore"):
        return float(np.float32(number))


def whole_hz(sample_rate: object) -> int:
    """Return a sample rate as an int, whether it was given as one or as a float without a fraction.

    Raises
    ------
    TypeError
        If it is not a number.
    ValueError
        If it is not a whole number of Hz from 1 to 10 million.
    """
    if isinstance(sample_rate, bool) or not isinstance(sample_rate, (int, float, np.integer, np.floating)):
        raise TypeError(f"sample_rate is {sample_rate!r:.80}, expected a whole number of Hz")
    if not 1 <= sample_rate <= _HIGHEST_RATE or sample_rate != int(sample_rate):
        raise ValueError(f"sample_rate is {_short(sample_rate)}, expected a whole number of Hz from 1 to 10 million")
    return int(sample_rate)


def check_channels(n_channels: int) -> int:
    """Return a number of channels if it is 1 to 64; more are nearly always an array the other way round.

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    try:
        return check_whole("n_channels", n_channels, 1, MOST_CHANNELS)
    except ValueError as error:
        if n_channels < 1:
            raise
        advice = "signals are (n_samples, n_channels), pass x.T if yours is the other way round"
        raise ValueError(f"{error}: {advice}") from error


def check_single(**settings: object) -> None:
    """Raise ValueError if more than one of several settings that exclude each other is given, that is, not None."""
    given = {name: value for name, value in settings.items() if value is not None}
    if len(given) > 1:
        values = ", ".join(map(str, given.values()))
        raise ValueError(f"{' and '.join(given)} are given together ({values}): leave all but one of them out")


def check_source_name(name: str) -> None:
    """Raise an error if a name cannot be that of a source: 1 to 64 printable characters, at least one to be seen.

    Raises
    ------
    TypeError
        If it is not text.
    ValueError
        If it is not usable.
    """
    if not isinstance(name, str):
        raise TypeError(f"source name is {name!r:.80}, expected text")
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise ValueError(f"source name {name!r:.80} is not usable: expected 1 to {LONGEST_NAME} printable characters")
    if not is_seen(name):
        raise ValueError(f"source name {name!a:.80} is not usable: nothing of it can be seen, use letters or digits")


def few(names: Collection[str]) -> str:
    """Return names in one line fit for a screen, and of many only the first ones and the number of the others."""
    others = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return plain(", ".join(list(names)[:_MOST_NAMED])) + others


def check_text(name: str, text: object) -> None:
    """Raise ValueError if an argument is not one line of text without control characters."""
    if not isinstance(text, str) or len(text) > _LONGEST_TEXT or not is_plain(text):
        raise ValueError(f"{name} {text!r:.80} is not usable: expected one line of text without control characters")


def check_real(name: str, x: ArrayLike) -> ArrayLike:
    """Return an array unless it is complex."""
    if np.iscomplexobj(x):
        raise TypeError(f"{name} is complex, expected magnitudes: pass abs({name})")
    return x


def check_magnitudes(name: str, x: ArrayLike, shape: tuple[int | str, int | str]) -> NDArray[np.float32]:
    """Return an array as float32 if it is of a shape, in which names stand for any number, and holds magnitudes."""
    if np.asarray(x).dtype.kind not in "biufc":
        raise TypeError(f"{name} is of type {np.asarray(x).dtype}, expected an array of numbers")
    with np.errstate(over="ignore", invalid="ignore"):  # a number too large for float32 is reported as non-finite
        array = np.asarray(check_real(name, x), np.float32)
    if array.ndim != 2 or any(isinstance(n, int) and n != m for n, m in zip(shape, array.shape, strict=True)):
        raise ValueError(f"{name} has shape {array.shape}, expected ({shape[0]}, {shape[1]})")
    if not (array.min(initial=0.0) >= 0 and array.max(initial=0.0) < np.inf):  # NaN is neither
        raise ValueError(f"{name} holds negative or non-finite values, expected a magnitude spectrogram")
    return array
