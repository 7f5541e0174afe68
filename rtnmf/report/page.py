"""The page: one HTML text that holds its own sound and pictures and asks for nothing from anywhere.

What strangers wrote into names and files stays text.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from numpy.typing import NDArray

from rtnmf import look
from rtnmf.frames.stft import STFT
from rtnmf.report import charts, pictures, scales, sounds, words
from rtnmf.report.description import Description, Row
from rtnmf.report.scales import Axis
from rtnmf.report.sounds import Sound

__all__ = ["Page", "render", "render_evaluation"]

Array = NDArray[np.float32]

_HERE = Path(__file__).parent
_NOTEBOOK_HEIGHT = 720
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Page(str):
    """A page: the text of an HTML file. A notebook shows the page itself where it is the last value of a cell."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        rights = 'sandbox="allow-scripts allow-downloads allow-modals" allow="autoplay; clipboard-write"'
        size = f'width="100%" height="{_NOTEBOOK_HEIGHT}" frameborder="0"'
        return f'<iframe srcdoc="{html.escape(self)}" {size} {rights} title="rtnmf report"></iframe>'


class _Sheet:
    """The sounds that a page has so far, and its frequency axis."""

    def __init__(self, axis: Axis) -> None:
        scales.check_axis(axis)
        self.axis = axis
        self._sounds: list[Sound] = []

    def add(self, signals: Sequence[Array], sample_rate: int) -> list[int]:
        """Keep sounds that are heard together, at the same scale, and return their numbers."""
        loudest = max([1.0, *(float(np.abs(x).max(initial=0)) for x in signals)])
        self._sounds += [Sound(x / np.float32(loudest), sample_rate) for x in signals]
        return list(range(len(self._sounds) - len(signals), len(self._sounds)))

    def html(self, **context: Any) -> Page:
        """Return the page."""
        rates = sorted({sounds.playable_rate(sound.sample_rate) for sound in self._sounds})
        encoded = sounds.encode([*self._sounds, *map(sounds.click, rates)])
        is_late = encoded and encoded[0][0] != "audio/wav"
        uris = [_uri(kind, data) for kind, data in encoded]
        n = len(self._sounds)
        script = "".join(_read(name) for name in ("player.js", "commands.js", "report.js"))
        style = look.style() + _read("report.css")
        environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
        environment.filters["fixed"] = words.with_fixed_spaces
        return _encodable(
            environment.from_string(_read("report.html")).render(
                uris=uris[:n],
                clicks=dict(zip(rates, uris[n:], strict=True)) if is_late else {},
                click_s=sounds.CLICK_S,
                rate=max(rates, default=0),
                range_db=pictures.RANGE_DB,
                level_ramp=_png_uri(pictures.ramp()),
                level_grey=_png_uri(pictures.ramp("source-8")),
                script=script,
                style=style,
                script_hash=_hash(script),
                style_hash=_hash(style),
                **context,
            )
        )


def _encodable(text: str) -> Page:
    """Return a page without what HTML has no place for: halves of surrogate pairs, and control characters."""
    return Page(_CONTROL.sub("_", text).encode("utf-8", "replace").decode("utf-8"))


def render(description: Description, *, axis: Axis = "hz") -> Page:
    """Return the page of a description, one self-contained HTML text; the same description gives the same page.

    Parameters
    ----------
    description : Description
    axis : {"hz", "mel", "note"}
        The frequency axis of the pictures: logarithmic in Hz, the mel scale, or logarithmic with notes.

    Returns
    -------
    Page
        A str, to be written into a file. In a notebook it is shown as the page that it is.

    Raises
    ------
    TypeError
        If it is not a `Description`.
    ValueError
        If there is no such axis.
    """
    if not isinstance(description, Description):
        raise TypeError(f"description is {description!r:.80}, expected a Description, as describe returns it")
    sheet = _Sheet(axis)
    scale = scales.frequencies(axis, description.sample_rate)
    names = tuple(row.name for row in description.sources)
    hues = {name: look.hue(name, names, description.rest) for name in names}
    player, tracks = _described_player(sheet, description, hues)
    return sheet.html(
        title=description.title,
        done=words.done(description),
        how=words.how_to_read(description),
        facts=_facts(description.facts),
        figures=description.figures,
        player=player,
        groups=_tile_groups(sheet, description, scale, hues, tracks),
        scale=scale,
        origin=description.origin,
        sources=names,
        singles=not description.components,
        n_unshown=_n_unshown(description),
        curves=_curves(description, hues),
        iterations=charts.iterations(description.divergences),
    )


def render_evaluation(
    title: str, cases: Sequence[Any], facts: Mapping[str, str], n_players: int = 5, *, axis: Axis = "hz"
) -> Page:
    """Return the page of measured cases, the worst first, with players for the worst of them.

    Parameters
    ----------
    title : str
    cases : sequence of evaluation.CaseResult
    facts : {name: text}
        Figures to show above the table.
    n_players : int
        Number of cases that can be heard.
    axis : {"hz", "mel", "note"}
        As for `render`.

    Returns
    -------
    Page
        As of `render`.

    Raises
    ------
    ValueError
        If there is no such axis.
    """
    sheet = _Sheet(axis)
    worst = sorted(cases, key=lambda case: float(case.improvement.mean()))
    heard = worst[:n_players]
    return sheet.html(
        title=title,
        done=words.done_of_cases(len(cases)),
        how=f"The worst come first, and can be heard below the table. {words.HOW_TO_READ}",
        facts=_facts(facts),
        cases=[row for case in worst for row in _case_rows(case)],
        players=[_case_player(sheet, case) for case in heard],
    )


def _described_player(
    sheet: _Sheet, description: Description, hues: Mapping[str, str]
) -> tuple[dict[str, Any] | None, dict[str, int]]:
    """Return the player of a clip, and the number of the sound of each row; none without a clip."""
    d = description
    if d.clip is None or d.approximation is None:
        return None, {}
    stems = [row.filtered for row in d.sources if row.filtered is not None]
    player = _player(sheet, d.title, d.clip, dict(zip(hues, stems, strict=False)), d.sample_rate, d.stft.n_fft, hues)
    for strip, row in zip(player["strips"], d.sources, strict=True):
        if row.activations is not None:
            strip |= {"activations": charts.activations(row.activations), "share": row.share}
        strip["si_sdr_db"] = row.si_sdr_db
    heard = [row for row in d.components if row.filtered is not None]
    numbers = sheet.add([row.filtered for row in heard if row.filtered is not None], d.sample_rate)
    player["components"] = numbers
    model = np.zeros_like(d.clip[:, :1])
    model[: len(d.approximation), 0] = d.approximation[: len(model)]
    (player["model"],) = sheet.add([model], d.sample_rate)
    tracks = {strip["name"]: strip["sound"] for strip in player["strips"]}
    return player, tracks | dict(zip([row.name for row in heard], numbers, strict=True))


def _player(
    sheet: _Sheet,
    name: str,
    clip: Array,
    stems: Mapping[str, Array],
    sample_rate: int,
    n_fft: int,
    hues: Mapping[str, str],
) -> dict[str, Any]:
    """Return what is shown of a recording and the stems that it was separated into, all on one time axis."""
    scale = scales.frequencies(sheet.axis, sample_rate)
    whole = pictures.image(clip, scale, sample_rate, n_fft)
    images = [pictures.image(stem, scale, sample_rate, n_fft) for stem in stems.values()]
    numbers = sheet.add([clip, *stems.values()], sample_rate)
    strips = [
        {
            "name": source,
            "hue": hues[source],
            "sound": number,
            "picture": _png_uri(pictures.levels(magnitudes, float(whole.max()))),
            "level_db": _level(stems[source], clip),
        }
        for source, number, magnitudes in zip(stems, numbers[1:], images, strict=True)
    ]
    picture = pictures.owners(images, whole, [hues[source] for source in stems]) if images else b""
    return {
        "name": name,
        "duration": len(clip) / sample_rate,
        "times": scales.times(len(clip) / sample_rate),
        "scale": scale,
        "sound": numbers[0],
        "picture": _png_uri(picture),
        "ramps": {hues[source]: _png_uri(pictures.ramp(hues[source])) for source in stems},
        "strips": strips,
    }


def _level(x: Array, reference: Array) -> str:
    """Return the level of a signal beside that of another one in words; empty where either is silent."""
    energies = [float(np.sum(np.square(y, dtype=np.float64))) for y in (x, reference)]
    if min(energies) <= 0:
        return ""
    level = round(10 * float(np.log10(energies[0] / energies[1])), 1) + 0.0
    return f"{level:+.1f} dB".replace("-", "\N{MINUS SIGN}") if level else "0.0 dB"


def _tile_groups(
    sheet: _Sheet, description: Description, scale: scales.Scale, hues: Mapping[str, str], tracks: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Return the tiles of each source: its components, or itself where it is one."""
    rows = _shown(description)
    alone = [sheet.add([row.alone[:, None]], description.sample_rate)[0] for row in rows]
    tiles = [_tile(row, scale, description.sample_rate, tracks) for row in rows]  # of a source first that of all of it
    groups: dict[str, list[dict[str, Any]]] = {source: [] for source in hues}
    for row, tile, number in zip(rows, tiles, alone, strict=True):
        groups.setdefault(row.source, []).append(tile | {"alone": number})
    return [{"source": source, "hue": hue, "tiles": groups[source]} for source, hue in hues.items()]


def _shown(description: Description) -> list[Row]:
    """Return the sources, and their components where they have several."""
    return [*description.sources, *description.components]


def _tile(row: Row, scale: scales.Scale, sample_rate: int, tracks: Mapping[str, int]) -> dict[str, Any]:
    return {
        "name": row.name,
        "title": "together" if row.name == row.source else row.name,
        "spectrum": charts.spectrum(row.spectrum, scale, sample_rate),
        "activations": None if row.activations is None else charts.activations(row.activations),
        "share": row.share,
        "heard": tracks.get(row.name),
    }


def _n_unshown(description: Description) -> int:
    total = int(description.facts.get("Components", "0"))
    return total - (len(description.components) or total)


def _curves(description: Description, hues: Mapping[str, str]) -> list[dict[str, str]]:
    lines = charts.divergences(description.divergences)
    return [{"name": name, "hue": hues.get(name, "source-rest"), "path": path} for name, path in lines.items()]


def _facts(facts: Mapping[str, str]) -> list[tuple[str, str, str]]:
    return [(name, text, words.meaning(name)) for name, text in facts.items()]


def _case_rows(case: Any) -> list[dict[str, Any]]:
    figures = zip(case.sources, case.before, case.after, case.improvement, case.bound, strict=True)
    return [
        {"name": case.id, "source": source, "before": before, "after": after, "gain": gain, "bound": bound - before}
        for source, before, after, gain, bound in figures
    ]


def _case_player(sheet: _Sheet, case: Any) -> dict[str, Any]:
    rate, stems = case.sample_rate, dict(zip(case.sources, map(_columns, case.estimates), strict=True))
    hues = {source: look.hue(source, tuple(case.sources)) for source in case.sources}
    clip = _columns(case.mixture)
    player = _player(sheet, case.id, clip, stems, rate, STFT.default(rate).n_fft, hues)
    return player | {"note": words.asked(case.experts)}


def _columns(x: Array) -> Array:
    return x if x.ndim == 2 else x[:, None]


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _png_uri(picture: bytes) -> str:
    return _uri("image/png", picture)


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
