"""The pictures of a page, PNG on a transparent ground, which suits a light and a dark page.

They are drawn from arrays that are already on the frequency grid of the picture: librosa's display would draw each
bin of each frame as a polygon. Its conversions place the mel and the note axis, and are loaded only for these.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rtnmf.frames.stft import STFT

__all__ = ["LEFT", "RIGHT", "Axis", "activations", "check_axis", "divergences", "spectrogram", "spectrum"]

Array = NDArray[np.float32]
Axis = Literal["hz", "mel", "note"]

LEFT, RIGHT = 0.07, 0.98  # of the axes in a picture, which the page needs to turn a click into a moment
_NARROW_LEFT = 0.14
_RANGE_DB = 80
_GRID = 200  # rows of a spectrogram
_MOST_COLUMNS = 900
_LOWEST_HZ = 40
_MARKS_HZ = (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)
_FEW_MARKS_HZ = (100, 1000, 10000)
_MEL_MARKS_HZ = (500, 1000, 2000, 5000, 10000, 20000)  # lower ones would overlap
_GREY, _BLUE = "#808080", "#5b8def"


class _Scale(NamedTuple):
    """A frequency axis: the rows of a spectrogram in Hz, and where its ticks are and how they are called."""

    label: str
    grid_hz: NDArray[np.float64]
    ticks: dict[float, str]


def check_axis(axis: str) -> None:
    """Raise ValueError if there is no such frequency axis."""
    if axis not in ("hz", "mel", "note"):
        raise ValueError(f"axis is {axis!r}, expected 'hz', 'mel' or 'note'")


def spectrogram(x: Array, reference: Array, sample_rate: int, n_fft: int, axis: Axis = "hz") -> bytes:
    """Draw the spectrogram of a signal, in dB below the peak of a reference.

    Parameters
    ----------
    x, reference : array, shape (n_samples, n_channels)
    sample_rate : int
        In Hz.
    n_fft : int
        Length of the window.
    axis : {"hz", "mel", "note"}
        Frequencies on a logarithmic axis in Hz, on the mel scale, or on a logarithmic axis with the notes C.

    Returns
    -------
    bytes
        A PNG file.
    """
    return _png(_draw_spectrogram, x, reference, sample_rate, n_fft, axis)


def spectrum(magnitudes: Array, sample_rate: int, axis: Axis = "hz") -> bytes:
    """Draw a magnitude spectrum, shape (n_bins,), in dB below its peak; see `spectrogram` for the axis."""
    return _png(_draw_spectrum, magnitudes, sample_rate, axis, height=1.8, width=4)


def activations(h: Array, hop_s: float, duration_s: float) -> bytes:
    """Draw activations, shape (n_frames,), on the time axis of the spectrograms."""
    return _png(_draw_activations, h, hop_s, duration_s, height=1.2)


def divergences(curves: Mapping[str, tuple[tuple[int, float], ...]]) -> bytes:
    """Draw the divergence of each source over the iterations, in matplotlib's colours, which the page's style names."""
    return _png(_draw_divergences, curves)


def _png(draw: Callable[..., None], *arguments: Any, height: float = 2.4, width: float = 10) -> bytes:
    figure = Figure(figsize=(width, height), dpi=96)
    bottom = 0.4 / height
    left = _NARROW_LEFT if width < 10 else LEFT
    axes = figure.add_axes((left, bottom, RIGHT - left, 0.96 - bottom))
    draw(axes, *arguments)
    axes.tick_params(colors=_GREY, labelsize=8, which="both")
    for part in (axes.xaxis.label, axes.yaxis.label):
        part.set(color=_GREY, fontsize=8)
    for spine in axes.spines.values():
        spine.set_color(_GREY)
    file = io.BytesIO()
    figure.savefig(file, format="png", transparent=True, metadata={"Software": None})
    return file.getvalue()


def _draw_spectrogram(axes: Axes, x: Array, reference: Array, sample_rate: int, n_fft: int, axis: Axis) -> None:
    scale = _scale(axis, sample_rate)
    image, top = (_image(signal, scale.grid_hz, sample_rate, n_fft) for signal in (x, reference))
    level = 20 * np.log10(np.maximum(image / max(float(top.max()), 1e-9), 1e-9))
    axes.imshow(
        level,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=-_RANGE_DB,
        vmax=0,
        extent=(0, len(x) / sample_rate, 0, len(level)),
        interpolation="nearest",
    )
    rows = np.interp(np.log(list(scale.ticks)), np.log(scale.grid_hz), np.arange(_GRID) + 0.5)
    axes.set_yticks(rows, list(scale.ticks.values()))
    axes.set_ylabel(scale.label)
    axes.set_xlabel("s", labelpad=0)


def _draw_spectrum(axes: Axes, magnitudes: Array, sample_rate: int, axis: Axis) -> None:
    scale = _scale(axis, sample_rate)
    hz = np.linspace(0, sample_rate / 2, len(magnitudes))
    level = 20 * np.log10(np.maximum(magnitudes / max(float(magnitudes.max()), 1e-30), 10 ** (-_RANGE_DB / 20)))
    axes.fill_between(hz[1:], level[1:], -_RANGE_DB, color=_BLUE, linewidth=0)
    ticks = scale.ticks
    if axis == "hz":
        ticks = {hz: name for hz, name in ticks.items() if hz in _FEW_MARKS_HZ}
    if axis == "mel":
        import librosa

        axes.set_xscale("function", functions=(librosa.hz_to_mel, librosa.mel_to_hz))
    else:
        axes.set_xscale("log")
    axes.set_xlim(scale.grid_hz[0], scale.grid_hz[-1])
    axes.set_ylim(-_RANGE_DB, 3)
    axes.set_xticks(list(ticks), list(ticks.values()))
    if axis == "note":
        axes.minorticks_off()
    axes.set_xlabel(scale.label, labelpad=0)
    axes.set_ylabel("dB")


def _draw_activations(axes: Axes, h: Array, hop_s: float, duration_s: float) -> None:
    axes.plot((np.arange(len(h)) + 1) * hop_s, h, color=_BLUE, linewidth=1)
    axes.set_xlim(0, duration_s)
    axes.set_ylim(0, None)
    axes.set_yticks([])
    axes.set_xlabel("s", labelpad=0)


def _draw_divergences(axes: Axes, curves: Mapping[str, tuple[tuple[int, float], ...]]) -> None:
    for curve in curves.values():
        axes.plot([i for i, _ in curve], [value for _, value in curve], marker=".", linewidth=1)
    if all(value > 0 for curve in curves.values() for _, value in curve):
        axes.set_yscale("log")
    axes.set_xlabel("iteration", labelpad=0)
    axes.set_ylabel("KL / sum of V")


def _scale(axis: Axis, sample_rate: int) -> _Scale:
    low, high = min(_LOWEST_HZ, sample_rate / 8), sample_rate / 2
    if axis == "hz":
        return _Scale("Hz", np.geomspace(low, high, _GRID), _hz_ticks(_MARKS_HZ, low, high))
    import librosa

    if axis == "mel":
        grid_hz = librosa.mel_frequencies(_GRID, fmin=low, fmax=high)
        return _Scale("Hz, mel scale", grid_hz, _hz_ticks(_MEL_MARKS_HZ, low, high))
    octaves = librosa.midi_to_hz(np.arange(0, 128, 12))
    octaves = octaves[(octaves >= low) & (octaves <= high)]
    notes = librosa.hz_to_note(octaves, unicode=False) if len(octaves) else []
    return _Scale("note", np.geomspace(low, high, _GRID), dict(zip(octaves.tolist(), notes, strict=True)))


def _hz_ticks(marks: tuple[int, ...], low: float, high: float) -> dict[float, str]:
    return {mark: f"{mark // 1000}k" if mark >= 1000 else str(mark) for mark in marks if low <= mark <= high}


def _image(x: Array, grid_hz: NDArray[np.float64], sample_rate: int, n_fft: int) -> NDArray[np.float64]:
    """Return magnitudes on a grid of frequencies, with at most 900 columns, each the loudest of its frames."""
    stft = STFT(n_fft, n_fft // 4)
    magnitudes = np.sum([np.abs(stft.forward(channel)) for channel in x.T], axis=0)
    n_columns = min(_MOST_COLUMNS, magnitudes.shape[1])
    starts = np.unique(np.linspace(0, magnitudes.shape[1], n_columns, endpoint=False).astype(int))
    columns = np.maximum.reduceat(magnitudes, starts, axis=1)
    position = np.minimum(grid_hz * n_fft / sample_rate, len(columns) - 1.001)
    below = position.astype(int)
    part = (position - below)[:, None]
    image: NDArray[np.float64] = (1 - part) * columns[below] + part * columns[below + 1]
    return image
