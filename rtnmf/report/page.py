"""The page: one HTML text that holds its own sound and pictures and asks for nothing from anywhere.

What strangers wrote into names and files stays text.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from numpy.typing import NDArray

from rtnmf.frames.stft import STFT
from rtnmf.report import pictures
from rtnmf.report.description import Description, Row
from rtnmf.report.pictures import Axis
from rtnmf.report.sounds import Sound, encode

__all__ = ["render", "render_evaluation"]

Array = NDArray[np.float32]

_HERE = Path(__file__).parent


class _Page:
    """The sounds that a page has so far, and how its pictures are drawn."""

    def __init__(self, axis: Axis) -> None:
        pictures.check_axis(axis)
        self._axis = axis
        self._sounds: list[Sound] = []

    def sound(self, x: Array, sample_rate: int) -> int:
        """Keep a sound and return its number."""
        self._sounds.append(Sound(x, sample_rate))
        return len(self._sounds) - 1

    def track(self, name: str, x: Array, clip: Array, sample_rate: int, n_fft: int) -> dict[str, Any]:
        """Return what is shown of a sound that lies on the time axis of the clip, as long as the clip."""
        y = np.zeros((len(clip), x.shape[1]), np.float32)
        y[: len(x)] = x[: len(y)]
        picture = pictures.spectrogram(y, clip, sample_rate, n_fft, self._axis)
        return {"name": name, "sound": self.sound(y, sample_rate), "picture": _png_uri(picture)}

    def row(self, row: Row, description: Description) -> dict[str, Any]:
        """Return what is shown of a source or a component."""
        rate, stft, clip = description.sample_rate, description.stft, description.clip
        shown = {
            "name": row.name,
            "alone": self.sound(row.alone[:, None], rate),
            "spectrum": _png_uri(pictures.spectrum(row.spectrum, rate, self._axis)),
            "share": row.share,
            "si_sdr_db": row.si_sdr_db,
        }
        if row.filtered is not None and row.activations is not None and clip is not None:
            shown["track"] = self.track(row.name, row.filtered, clip, rate, stft.n_fft)
            drawn = pictures.activations(row.activations, stft.hop_length / rate, len(row.filtered) / rate)
            shown["activations"] = _png_uri(drawn)
        return shown

    def html(self, **context: Any) -> str:
        """Return the page."""
        script, style = ((_HERE / f"report.{kind}").read_text(encoding="utf-8") for kind in ("js", "css"))
        environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
        template = environment.from_string((_HERE / "report.html").read_text(encoding="utf-8"))
        return template.render(
            uris=[_uri(kind, data) for kind, data in encode(self._sounds)],
            left=pictures.LEFT,
            right=pictures.RIGHT,
            script=script,
            style=style,
            script_hash=_hash(script),
            style_hash=_hash(style),
            **context,
        )


def render(description: Description, *, axis: Axis = "hz") -> str:
    """Return the page of a description, one self-contained HTML text; the same description gives the same page.

    Parameters
    ----------
    description : Description
    axis : {"hz", "mel", "note"}
        The frequency axis of the pictures: logarithmic in Hz, the mel scale, or logarithmic with notes.

    Raises
    ------
    ValueError
        If there is no such axis.
    """
    page = _Page(axis)
    divergences = description.divergences
    return page.html(
        title=description.title,
        facts=description.facts,
        tracks=_tracks(page, description),
        tables=_tables(page, description),
        divergence=_png_uri(pictures.divergences(divergences)) if divergences else None,
        curves=list(divergences),
    )


def render_evaluation(
    title: str, cases: Sequence[Any], facts: Mapping[str, str], n_players: int = 5, *, axis: Axis = "hz"
) -> str:
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

    Raises
    ------
    ValueError
        If there is no such axis.
    """
    page = _Page(axis)
    worst = sorted(cases, key=lambda case: float(case.improvement.mean()))
    rows = [row for case in worst for row in _case_rows(case)]
    heard = [_heard(page, case) for case in worst[:n_players]]
    return page.html(title=title, facts=facts, cases=rows, heard=heard)


def _tracks(page: _Page, description: Description) -> list[dict[str, Any]]:
    clip, approximation = description.clip, description.approximation
    if clip is None or approximation is None:
        return []
    tracks = {"the clip": clip, "the whole approximation WH": approximation[:, None]}
    rate, n_fft = description.sample_rate, description.stft.n_fft
    return [page.track(name, x, clip, rate, n_fft) for name, x in tracks.items()]


def _tables(page: _Page, description: Description) -> list[dict[str, Any]]:
    components = "Components" if description.clip is None else "The strongest components"
    tables = {"Sources": description.sources, components: description.components}
    return [
        {"name": name, "rows": [page.row(row, description) for row in rows]} for name, rows in tables.items() if rows
    ]


def _case_rows(case: Any) -> list[dict[str, Any]]:
    figures = zip(case.sources, case.before, case.after, case.improvement, case.bound, strict=True)
    return [
        {"name": case.id, "source": source, "before": before, "after": after, "gain": gain, "bound": bound - before}
        for source, before, after, gain, bound in figures
    ]


def _heard(page: _Page, case: Any) -> dict[str, Any]:
    tracks = {"the mixture": case.mixture, **dict(zip(case.sources, case.estimates, strict=True))}
    rate, n_fft = case.sample_rate, STFT.default(case.sample_rate).n_fft
    return {"name": case.id, "tracks": [page.track(name, x, case.mixture, rate, n_fft) for name, x in tracks.items()]}


def _png_uri(picture: bytes) -> str:
    return _uri("image/png", picture)


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
