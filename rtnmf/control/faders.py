"""One law for faders and meters: how far up the scale a level in dB stands."""

from __future__ import annotations

import bisect
import math

__all__ = ["HIGHEST_DB", "LOWEST_DB", "MARKS_DB", "db_text", "gain_db", "level", "position"]

LOWEST_DB, HIGHEST_DB = -60.0, 6.0
"""The ends of the scale; a fader at its lower end is off."""

MARKS_DB = (-60, -40, -30, -20, -12, -6, 0, 6)
"""Levels that a scale names."""

_POINTS_DB = (-60.0, -50.0, -40.0, -30.0, -20.0, 6.0)
_DEFLECTIONS = (2.5, 7.5, 15.0, 30.0, 50.0, 115.0)
"""Of IEC 60268-18, in per cent of that at full scale."""
_LOW, _HIGH = _DEFLECTIONS[0], _DEFLECTIONS[-1]


def position(level_db: float) -> float:
    """Return where a level stands on the scale of IEC 60268-18, from 0 (-60 dB and less) to 1 (6 dB and more)."""
    return (_between(level_db, _POINTS_DB, _DEFLECTIONS) - _LOW) / (_HIGH - _LOW)


def level(position: float) -> float:
    """Return the level in dB at a place on the scale; at 0 and below it is off, minus infinity."""
    if not position > 0:
        return -math.inf
    return _between(_LOW + position * (_HIGH - _LOW), _DEFLECTIONS, _POINTS_DB)


def gain_db(gain: float) -> float:
    """Return a linear gain in dB; that of 0 is minus infinity."""
    return 20 * math.log10(abs(gain)) if gain else -math.inf


def db_text(level_db: float) -> str:
    """Return a level in words, such as `-6.0 dB` or `off`."""
    return f"{level_db:+.1f} dB".replace("+0.0", "0.0").replace("-0.0", "0.0") if level_db >= -120 else "off"


def _between(x: float, xs: tuple[float, ...], ys: tuple[float, ...]) -> float:
    """Interpolate between points, in straight lines, and stay at the ends beyond them."""
    x = min(xs[-1], max(xs[0], x))
    i = max(1, bisect.bisect_left(xs, x))
    return ys[i - 1] + (ys[i] - ys[i - 1]) * (x - xs[i - 1]) / (xs[i] - xs[i - 1])
