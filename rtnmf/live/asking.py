"""What a separation is asked for, checked before anything starts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from rtnmf.checks import check_channels, check_number, check_whole, single, whole_hz
from rtnmf.dictionary import Dictionary
from rtnmf.experts.named import chosen
from rtnmf.live.link.protocol import OUTPUTS, Settings

__all__ = ["asked", "check_folder"]

_LONGEST_BLOCK = 2**16
_LONGEST_LATENCY_MS = 10_000


def asked(
    dictionary: Dictionary,
    *,
    sample_rate: int | None,
    n_channels: int,
    block_length: int,
    latency_ms: float | None,
    experts: Sequence[str] | None,
    **others: Any,
) -> Settings:
    """Return the settings of a sounding process; raises TypeError or ValueError if one is out of its range."""
    if not isinstance(dictionary, Dictionary):
        raise TypeError(f"dictionary is {type(dictionary).__name__}, expected a Dictionary: load or learn one")
    settings = Settings(
        dictionary=dictionary.select(*dictionary.sources),
        sample_rate=None if sample_rate is None else whole_hz(sample_rate),
        n_channels=check_channels(n_channels),
        block_length=check_whole("block_length", block_length, 0, _LONGEST_BLOCK),
        latency_ms=latency_ms,
        experts=chosen(experts, dictionary if latency_ms is None else dictionary.at_latency(latency_ms)),
        **others,
    )
    _check(settings)
    return settings


def check_folder(record: object) -> None:
    """Raise TypeError if this is no path, nor None."""
    if not isinstance(record, str | os.PathLike | None):
        raise TypeError(f"record is {record!r:.80}, expected the path of a folder")


def _check(settings: Settings) -> None:
    if settings.outputs not in OUTPUTS:
        raise ValueError(f"outputs is {settings.outputs!r}, expected one of {', '.join(OUTPUTS)}")
    if settings.outputs == "mono-stems" and settings.n_channels != 1:
        raise ValueError(
            f"outputs is 'mono-stems' with n_channels={settings.n_channels}, expected n_channels=1: use 'stems'"
        )
    if settings.latency_ms is not None and not 1 <= settings.latency_ms <= _LONGEST_LATENCY_MS:
        raise ValueError(f"latency_ms is {settings.latency_ms}, expected 1 to {_LONGEST_LATENCY_MS}")
    if not 0 < single(check_number("mask_power", settings.mask_power)) < 100:
        raise ValueError(f"mask_power is {settings.mask_power}, expected a positive number below 100")
    for name in ("input", "output"):
        wish = getattr(settings, name)
        if wish is not None and not isinstance(wish, str):
            check_whole(name, wish, 0)
