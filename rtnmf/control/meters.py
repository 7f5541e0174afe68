"""What a meter shows besides the level: the peak that it holds for a moment, and a mark that something went over."""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["Marks"]

_HOLD_S = 1.5


class Marks:
    """Peaks that are held for 1.5 s, and marks of what went over full scale, until they are reset.

    Levels may be given as often as one likes, by several displays in turn.
    """

    def __init__(self) -> None:
        self._held: dict[str, tuple[float, float]] = {}
        self._over: set[str] = set()

    @property
    def over(self) -> frozenset[str]:
        """The names of what went over full scale since the last reset."""
        return frozenset(self._over)

    def note(self, levels_db: Mapping[str, float], now_s: float) -> dict[str, float]:
        """Take the levels of this moment, in seconds of any clock, and return the levels that are held."""
        for name, level_db in levels_db.items():
            held_db, since_s = self._held.get(name, (-math.inf, 0.0))
            if level_db >= held_db or now_s - since_s > _HOLD_S:
                self._held[name] = level_db, now_s
            if level_db > 0:
                self._over.add(name)
        return {name: self._held[name][0] for name in levels_db}

    def reset(self) -> None:
        """Take the marks and the held peaks away."""
        self._held.clear()
        self._over.clear()
