"""Curves of a page, as paths of SVG in a box of 1000 by 100 that the page stretches as it likes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rtnmf.report import scales
from rtnmf.report.scales import Scale, Tick

__all__ = ["activations", "divergences", "iterations", "spectrum"]

Array = NDArray[np.float32]

_WIDTH, _HEIGHT = 1000, 100
_MOST_POINTS = 240
_SPECTRUM_DB = 60


def spectrum(magnitudes: Array, scale: Scale, sample_rate: int) -> str:
    """Return the area under a spectrum, shape (n_bins,), from 60 dB below its peak, on a frequency axis."""
    rows = scales.on_rows(magnitudes, scale, sample_rate)
    level = 20 * np.log10(np.maximum(rows / max(float(magnitudes.max()), 1e-30), 1e-9))
    return _area(_thinned(np.clip(1 + level / _SPECTRUM_DB, 0, 1)))


def activations(h: Array) -> str:
    """Return the area under activations, shape (n_frames,), on the time axis, relative to their peak."""
    return _area(_thinned(h / max(float(h.max(initial=0)), 1e-30)))


def divergences(curves: Mapping[str, Sequence[tuple[int, float]]]) -> dict[str, str]:
    """Return the line of each source's divergence over the iterations, from 0 at the bottom to the largest."""
    most = max((value for curve in curves.values() for _, value in curve), default=1.0) or 1.0
    last = max((i for curve in curves.values() for i, _ in curve), default=1) or 1
    return {
        source: "M" + "L".join(_point(i / last, value / most) for i, value in curve)
        for source, curve in curves.items()
        if curve
    }


def iterations(curves: Mapping[str, Sequence[tuple[int, float]]]) -> list[Tick]:
    """Return the ticks of the axis of the iterations."""
    return scales.times(max((i for curve in curves.values() for i, _ in curve), default=1) or 1)


def _thinned(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return at most 240 values, each the largest of its neighbours."""
    starts = np.unique(np.linspace(0, len(values), min(_MOST_POINTS, len(values)), endpoint=False).astype(int))
    return np.maximum.reduceat(values, starts) if len(values) else np.zeros(1)


def _area(values: NDArray[np.floating]) -> str:
    places = (np.arange(len(values)) + 0.5) / len(values)
    line = "L".join(_point(x, y) for x, y in zip(places, values, strict=True))
    return f"M{_point(0, 0)}L{line}L{_point(1, 0)}Z"


def _point(x: float, y: float) -> str:
    return f"{x * _WIDTH:.0f},{(1 - y) * _HEIGHT:.1f}"
