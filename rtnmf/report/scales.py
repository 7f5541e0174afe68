"""The axes of the pictures: which row is which frequency, and where the ticks are.

librosa's conversions place the mel and the note axis, and are loaded only for these.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Axis", "Scale", "Tick", "check_axis", "frequencies", "on_rows", "times"]

Axis = Literal["hz", "mel", "note"]

_ROWS = 400  # of a spectrogram: twice what is shown
_LOWEST_HZ = 40
_MARKS_HZ = (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)
_FEW_MARKS_HZ = (100, 1000, 10000)
_MEL_MARKS_HZ = (500, 1000, 2000, 5000, 10000, 20000)  # lower ones would overlap
_STEPS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
_MOST_TIMES = 13


class Tick(NamedTuple):
    """A tick of an axis: where it is, from 0 to 1, what it says, and whether a narrow picture has room for it."""

    at: float
    text: str
    is_major: bool = True


class Scale(NamedTuple):
    """A frequency axis.

    label : str
        What it shows, in words.
    unit : str
        That goes with a tick.
    rows_hz : array, shape (n_rows,)
        The frequency of each row of a spectrogram, the lowest first.
    ticks : list of Tick
    """

    label: str
    unit: str
    rows_hz: NDArray[np.float64]
    ticks: list[Tick]


def check_axis(axis: str) -> None:
    """Raise ValueError if there is no such frequency axis."""
    if axis not in ("hz", "mel", "note"):
        raise ValueError(f"axis is {axis!r}, expected 'hz', 'mel' or 'note'")


def frequencies(axis: Axis, sample_rate: int) -> Scale:
    """Return the frequency axis of sound of a sample rate: logarithmic in Hz, the mel scale, or notes."""
    low, high = min(_LOWEST_HZ, sample_rate / 8), sample_rate / 2
    if axis == "hz":
        return _scale("frequency", " Hz", np.geomspace(low, high, _ROWS), _named_hz(_MARKS_HZ, low, high))
    import librosa

    if axis == "mel":
        rows_hz = librosa.mel_frequencies(_ROWS, fmin=low, fmax=high)
        return _scale("frequency on the mel scale", " Hz", rows_hz, _named_hz(_MEL_MARKS_HZ, low, high))
    octaves = librosa.midi_to_hz(np.arange(0, 128, 12))
    octaves = octaves[(octaves >= low) & (octaves <= high)]
    notes = librosa.hz_to_note(octaves, unicode=False) if len(octaves) else []
    return _scale(
        "frequency, as notes", "", np.geomspace(low, high, _ROWS), dict(zip(octaves.tolist(), notes, strict=True))
    )


def _named_hz(marks: tuple[int, ...], low: float, high: float) -> dict[float, str]:
    return {mark: f"{mark // 1000}k" if mark >= 1000 else str(mark) for mark in marks if low <= mark <= high}


def _scale(label: str, unit: str, rows_hz: NDArray[np.float64], names: dict[float, str]) -> Scale:
    rows = np.interp(np.log(list(names)), np.log(rows_hz), np.arange(_ROWS) + 0.5) if names else []
    is_few = set(_FEW_MARKS_HZ).isdisjoint(names)
    ticks = [
        Tick(float(row) / _ROWS, name, is_few or hz in _FEW_MARKS_HZ)
        for row, (hz, name) in zip(rows, names.items(), strict=True)
    ]
    return Scale(label, unit, rows_hz, ticks)


def on_rows(magnitudes: NDArray[np.floating], scale: Scale, sample_rate: int) -> NDArray[np.float64]:
    """Return the bins of an STFT on the rows of an axis: the loudest bin of each row, or what lies between two.

    Parameters
    ----------
    magnitudes : array, shape (n_bins, ...)
    scale : Scale
    sample_rate : int
        In Hz.

    Returns
    -------
    array, shape (n_rows, ...)
    """
    last = len(magnitudes) - 1
    position = np.minimum(scale.rows_hz * 2 * last / sample_rate, last - 0.001)
    below = position.astype(int)
    part = (position - below).reshape(-1, *[1] * (magnitudes.ndim - 1))
    between: NDArray[np.float64] = (1 - part) * magnitudes[below] + part * magnitudes[below + 1]
    starts = np.ceil(np.concatenate([position[:1], (position[1:] + position[:-1]) / 2])).astype(int)
    loudest = np.maximum.reduceat(magnitudes, np.minimum(starts, last), axis=0)
    has_bins = np.diff(starts, append=last) > 0
    return np.where(has_bins.reshape(part.shape), np.maximum(loudest, between), between)


def times(duration_s: float) -> list[Tick]:
    """Return the ticks of the time axis of a sound: round seconds, every second one for wide pictures only."""
    fits = [step for step in _STEPS_S if duration_s / step < _MOST_TIMES]
    step = fits[0] if fits else max(duration_s, 1e-9)
    n_steps = int(duration_s / step + 1e-9)
    return [Tick(i * step / max(duration_s, 1e-9), f"{i * step:g}", i % 2 == 0) for i in range(n_steps + 1)]
