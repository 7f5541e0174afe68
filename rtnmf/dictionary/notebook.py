"""What a notebook shows of a dictionary: a table, a figure, the sound of a component.

Matplotlib and IPython are imported when they are used.
"""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from rtnmf.bounds import MOST_DRAWN, check_product
from rtnmf.checks import check_whole
from rtnmf.frames.griffin_lim import steady_sound
from rtnmf.look import hue, hues

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

    from rtnmf.dictionary.value import Dictionary

__all__ = ["figure", "player", "table"]

_RANGE_DB = 60
_LOWEST_HZ = 40
_MARKS_HZ = (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)
_MOST_NUMBERS = 30  # of components below the figure, so that they do not overlap
_HEIGHT = 4.5  # in inches, as are the following
_WIDTHS = (6.0, 12.0)
_COLUMN, _SOURCE = 0.12, 0.35
_LETTER = 0.09
_GREY, _LINE = "#5c6470", "#e2e5ea"


def table(dictionary: Dictionary) -> str:
    """Return HTML with the sources of a dictionary and what it was made for: `Dictionary._repr_html_`."""
    colours = _colours(dictionary)
    rows = [
        f'<tr><td style="text-align: left"><span style="color: {colours[source]}">&#9679;</span> {escape(source)}</td>'
        f"<td>{n_components}</td>"
        f'<td style="text-align: left">{_kind(dictionary, source)}</td></tr>'
        for source, n_components in Counter(dictionary.labels).items()
    ]
    facts = "; ".join(_facts(dictionary))
    head = '<tr><th style="text-align: left">source</th><th>components</th><th></th></tr>'
    return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table><p>{escape(facts)}</p>"


def _colours(dictionary: Dictionary) -> dict[str, str]:
    """Return the colour of each source on a light ground, such as `#b87f00`."""
    known, sources = hues(light=True), dictionary.sources
    names = {source: hue(source, sources, dictionary.rest) for source in sources}
    return {source: "#{:02x}{:02x}{:02x}".format(*known[name]) for source, name in names.items()}


def _kind(dictionary: Dictionary, source: str) -> str:
    if source == dictionary.rest:
        return "all that was not taught"
    return "a voice" if source in dictionary.voices else ""


def _facts(dictionary: Dictionary) -> list[str]:
    stft, rate = dictionary.stft, dictionary.sample_rate
    return [
        *([dictionary.description] if dictionary.description else []),
        f"{rate} Hz",
        f"window {stft.n_fft} samples ({1000 * stft.n_fft / rate:.1f} ms), hop {stft.hop_length}",
        f"latency {stft.latency} samples ({1000 * stft.latency / rate:.1f} ms)",
        "trained to tell the sources apart" if dictionary.is_trained else "not trained to tell the sources apart",
    ]


def player(dictionary: Dictionary, component: int) -> Any:
    """Return IPython's player of the sound of a component: `Dictionary.play`."""
    number = check_whole("component", component, 0)
    if number >= dictionary.n_components:
        raise ValueError(f"component is {number}, expected 0 to {dictionary.n_components - 1}, a column of components")
    try:
        from IPython.display import Audio
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "play returns the player of a notebook, which needs IPython: pip install 'rtnmf[notebook]'"
        ) from error
    sound = steady_sound(dictionary.components[:, number], dictionary.stft, dictionary.sample_rate)
    return Audio(sound, rate=dictionary.sample_rate, normalize=False)  # type: ignore[no-untyped-call]


def figure(dictionary: Dictionary) -> Figure:
    """Return a figure of the components: `Dictionary.plot`."""
    from matplotlib import pyplot  # not Figure alone, which no notebook knows how to show

    n_components, n_bins = dictionary.n_components, dictionary.stft.n_bins
    remedy = "select fewer sources"
    check_product("the number of values drawn", MOST_DRAWN, remedy, n_bins=n_bins, n_components=n_components)
    width = float(np.clip(2 + max(_COLUMN * n_components, _SOURCE * len(dictionary.sources)), *_WIDTHS))
    drawn = pyplot.figure(figsize=(width, _HEIGHT), layout="constrained", facecolor="white")
    axes = drawn.subplots()
    colours = _colours(dictionary)
    begin = 0
    for source, columns in _groups(dictionary).items():
        _draw(axes, dictionary, columns, begin, _colours_of_levels(colours[source]))
        _name(axes, source, begin, len(columns), colours[source], width / n_components)
        begin += len(columns)
    _mark(axes, dictionary)
    _explain(drawn, axes)
    pyplot.close(drawn)  # a notebook would show it a second time at the end of the cell
    return drawn


def _groups(dictionary: Dictionary) -> dict[str, list[int]]:
    """Return the columns of each source, together wherever they are."""
    groups: dict[str, list[int]] = {source: [] for source in dictionary.sources}
    for k, label in enumerate(dictionary.labels):
        groups[label].append(k)
    return groups


def _draw(axes: Axes, dictionary: Dictionary, columns: list[int], begin: int, cmap: Colormap) -> None:
    """Draw the components of a source, each as wide as 1, with every bin around its frequency."""
    spectra = dictionary.components[:, columns]
    level_db = 20 * np.log10(np.maximum(spectra / spectra.max(axis=0), 1e-9))
    hz_per_bin = dictionary.sample_rate / dictionary.stft.n_fft
    edges_hz = np.maximum(np.arange(-0.5, len(spectra)), 0.25) * hz_per_bin
    edges = begin + np.arange(len(columns) + 1)
    axes.pcolormesh(edges, edges_hz, level_db, cmap=cmap, vmin=-_RANGE_DB, vmax=0, rasterized=True)


def _name(axes: Axes, source: str, begin: int, n: int, colour: str, column: float) -> None:
    """Write the name of a source above its components, aslant where they are too narrow for it."""
    fits = len(source) * _LETTER < n * column
    axes.annotate(
        source,
        (begin + n / 2, 1),
        xytext=(0, 5),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="center" if fits else "left",
        rotation=0 if fits else 45,
        rotation_mode="anchor",
        color=colour,
        fontweight="bold",
        fontsize=10,
        parse_math=False,
    )
    axes.axvline(begin, color=_LINE, linewidth=1)


def _mark(axes: Axes, dictionary: Dictionary) -> None:
    """Mark frequencies, and the number that `Dictionary.play` knows each component by."""
    highest_hz = dictionary.sample_rate / 2
    axes.set(yscale="log", ylim=(min(_LOWEST_HZ, highest_hz / 4), highest_hz), xlabel="component")
    marks = [hz for hz in _MARKS_HZ if hz <= highest_hz]
    axes.set_yticks(marks, [f"{hz // 1000} kHz" if hz >= 1000 else f"{hz} Hz" for hz in marks])
    axes.minorticks_off()
    numbers = [k for columns in _groups(dictionary).values() for k in columns]
    step = -(-len(numbers) // _MOST_NUMBERS)
    axes.set_xticks(np.arange(len(numbers))[::step] + 0.5, [str(k) for k in numbers[::step]])
    axes.tick_params(colors=_GREY, labelsize=8, length=3, color=_LINE)
    axes.xaxis.label.set(color=_GREY, fontsize=9)
    for spine in axes.spines.values():
        spine.set_color(_LINE)


def _explain(drawn: Figure, axes: Axes) -> None:
    """Draw the scale of levels beside the components."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    levels = ScalarMappable(Normalize(-_RANGE_DB, 0), _colours_of_levels(_GREY))
    bar = drawn.colorbar(levels, ax=axes, pad=0.01, aspect=40)
    bar.set_label("dB below the peak of the component", color=_GREY, fontsize=9)
    bar.outline.set_color(_LINE)
    bar.ax.tick_params(colors=_GREY, labelsize=8, color=_LINE)


def _colours_of_levels(colour: str) -> Colormap:
    """Return a colour map from white through a colour to a darker one."""
    from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb

    red, green, blue = (0.4 * part for part in to_rgb(colour))
    return LinearSegmentedColormap.from_list("source", [(0, "white"), (0.75, colour), (1, to_hex((red, green, blue)))])
