"""Which dictionary may replace another one while that is used."""

from __future__ import annotations

from rtnmf.checks import few
from rtnmf.dictionary import Dictionary

__all__ = ["fitting"]


def fitting(dictionary: Dictionary, before: Dictionary) -> Dictionary:
    """Return a dictionary that may replace another one while it is used, with its sources in the other's order.

    Raises
    ------
    TypeError, ValueError
        If it has other sources, another sample rate or another STFT.
    """
    if not isinstance(dictionary, Dictionary):
        raise TypeError(f"dictionary is {type(dictionary).__name__}, expected a Dictionary: load or learn one")
    if set(dictionary.sources) != set(before.sources):
        raise ValueError(
            f"dictionary has the sources {few(dictionary.sources)}, expected {few(before.sources)}:"
            " use .rename or .select"
        )
    if (dictionary.sample_rate, dictionary.stft) != (before.sample_rate, before.stft):
        raise ValueError(
            f"dictionary is for {dictionary.sample_rate} Hz and {dictionary.stft}, expected {before.sample_rate} Hz"
            f" and {before.stft}: convert it with .at_rate(sample_rate, stft)"
        )
    return dictionary.select(*before.sources)
