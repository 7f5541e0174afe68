"""How loud each source is in what goes out: a value, which whoever controls a separation replaces by another one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtnmf.checks import check_number, few
from rtnmf.dictionary.parts import strings

__all__ = ["HIGHEST_GAIN", "Mixer"]

Array = NDArray[np.float32]

HIGHEST_GAIN = 1000.0
"""In magnitude, of any source in any output: 60 dB."""


@dataclass(frozen=True)
class Mixer:
    """Gains, solo, mute, bypass and dry/wet of a separation.

    Change it with `dataclasses.replace`.

    Parameters
    ----------
    sources : sequence of str
        All sources of the separation, in their order.
    gains : {source: gain}
        Linear, at most 1000 in magnitude; sources that are not in it get 1. Kept for all sources, read-only.
    soloed : sequence of str
        If not empty, only these are heard.
    muted : sequence of str
        The sources that are not heard, soloed or not.
    bypass : bool
        Let the input out unchanged, with the delay of the stems.
    wet : float
        Fraction of separated sound in the output, from 0 to 1; the rest is the input, with the delay of the stems.

    Raises
    ------
    TypeError, ValueError
        If a source is unknown or given twice, or a value is out of its range.
    """

    sources: tuple[str, ...]
    gains: Mapping[str, float] = field(default_factory=dict)
    soloed: tuple[str, ...] = ()
    muted: tuple[str, ...] = ()
    bypass: bool = False
    wet: float = 1.0

    def __post_init__(self) -> None:
        self._keep(**{name: strings(name, getattr(self, name)) for name in ("sources", "soloed", "muted")})
        if len(set(self.sources)) < len(self.sources):
            raise ValueError(f"sources are {few(self.sources)}, expected different names")
        if not isinstance(self.gains, Mapping):
            raise TypeError(f"gains are {self.gains!r:.80}, expected {{source: gain}}")
        self._check_sources([*self.gains, *self.soloed, *self.muted])
        gains = {s: check_number(f"the gain of {s!r}", self.gains.get(s, 1.0)) for s in self.sources}
        if not all(abs(gain) <= HIGHEST_GAIN for gain in gains.values()):  # NaN is not
            odd = next(f"{s}={gain:g}" for s, gain in gains.items() if not abs(gain) <= HIGHEST_GAIN)
            raise ValueError(f"gains are {odd}, expected numbers such as 0, 0.5 or 1, at most {HIGHEST_GAIN:g}")
        wet = check_number("wet", self.wet)
        if not 0 <= wet <= 1:
            raise ValueError(f"wet is {self.wet}, expected 0 to 1")
        if not isinstance(self.bypass, (bool, np.bool_)):
            raise TypeError(f"bypass is {self.bypass!r:.80}, expected True or False")
        self._keep(gains=MappingProxyType(gains), bypass=bool(self.bypass), wet=wet)

    def __reduce__(self) -> tuple[Any, ...]:
        return Mixer, (self.sources, dict(self.gains), self.soloed, self.muted, self.bypass, self.wet)

    def __hash__(self) -> int:
        return hash((self.sources, *self.gains.values(), self.soloed, self.muted, self.bypass, self.wet))

    def _keep(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _check_sources(self, names: Iterable[str]) -> None:
        known = set(self.sources)
        for name in names:
            if name not in known:
                raise ValueError(f"there is no source {name!r}: choose from {few(self.sources)}")

    @property
    def heard(self) -> tuple[str, ...]:
        """The sources that neither solo nor mute keeps out, whatever their gains."""
        heard = set(self.soloed or self.sources) - set(self.muted)
        return tuple(s for s in self.sources if s in heard)

    @property
    def weights(self) -> Array:
        """Weight of each stem, and last of the aligned input, in the output, shape (n_sources + 1,)."""
        wet, heard = 0.0 if self.bypass else self.wet, set(self.heard)
        return np.array([*(wet * self.gains[s] * (s in heard) for s in self.sources), 1 - wet], np.float32)
