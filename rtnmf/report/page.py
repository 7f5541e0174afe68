"""The report: one HTML page on which a dictionary, and what it finds in a clip, can be seen and heard.

`describe` gathers what is shown, `render` makes the page, a pure function of it; `render_evaluation` does the
same for measured cases. The page holds its own sound and pictures, asks for nothing from anywhere, and what
strangers wrote into names and files stays text.

Pictures are drawn by matplotlib from arrays that are already on a log-frequency grid, because librosa's display
would draw each bin of each frame as a polygon. Griffin-Lim is `spectral.griffin_lim`, because librosa's cannot
use the low-latency windows.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np
import soundfile
import soxr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from rtnmf import nmf
from rtnmf.dictionary import Dictionary
from rtnmf.engine.separator import separate
from rtnmf.frames.stft import STFT, griffin_lim

__all__ = ["Description", "Row", "describe", "render", "render_evaluation"]

Array = NDArray[np.float32]

_LEFT, _RIGHT = 0.07, 0.98  # of the axes in a picture, which the page needs to turn a click into a moment
_RANGE_DB = 80
# Bytes of WAV on a page; more of it becomes Opus. Not FLAC: Chromium never ends a seek near the end of a short one.
_COMPACT_ABOVE = 3_000_000
_HIGHEST_RATE = 192_000  # that browsers play
_HERE = Path(__file__).parent


class Row(NamedTuple):
    """A source or a component: what is learned of it, and what it takes out of the clip, when there is one.

    spectrum is (n_bins,), activations (n_frames,), alone (n_samples,), filtered (n_samples, n_channels).
    """

    name: str
    spectrum: Array
    alone: Array
    share: float | None = None
    activations: Array | None = None
    filtered: Array | None = None
    si_sdr_db: float | None = None


class Description(NamedTuple):
    """All that a page shows. clip is (n_samples, n_channels), approximation (n_samples,)."""

    title: str
    sample_rate: int
    stft: STFT
    facts: Mapping[str, str]
    sources: list[Row]
    components: list[Row]
    divergences: Mapping[str, tuple[tuple[int, float], ...]]
    clip: Array | None = None
    approximation: Array | None = None


def describe(
    title: str,
    dictionary: Dictionary,
    clip: ArrayLike | None = None,
    *,
    facts: Mapping[str, str] | None = None,
    si_sdr_db: Mapping[str, float] | None = None,
    n_components: int = 8,
    n_iter: int = 5,
    mask_power: float = 1.0,
    progress: Callable[[str, int, int], object] | None = None,
) -> Description:
    """Gather what a page shows of a dictionary, and of a clip that it separates.

    Parameters
    ----------
    title : str
    dictionary : Dictionary
    clip : array, shape (n_samples, n_channels), optional
        At the dictionary's sample rate.
    facts : {name: text}, optional
        Figures to show beside those of the dictionary.
    si_sdr_db : {source: value}, optional
        Where the true stems are known.
    n_components : int
        Components with a row of their own at most, the strongest in the clip; without a clip all have one, and
        none when each is a source.
    n_iter, mask_power
        As for `Separator`.
    progress : callable, optional
        Called with the stage, the rows done and their number.

    Returns
    -------
    Description
        The filtered sounds of the sources sum to the clip within 1e-6 of full scale.
    """
    told = progress or (lambda *_: None)
    dictionary = dictionary.select(*dictionary.sources)
    W, stft = dictionary.components, _shown_stft(dictionary.stft)
    H = np.full((W.shape[1], 1), 1 / W.shape[1], np.float32)
    shown, x, approximation = _facts(dictionary), None, None
    if clip is not None:
        x = np.asarray(clip, np.float32)
        V = np.sum([np.abs(stft.forward(channel)) for channel in x.T], axis=0)
        H = nmf.activations(V, W, n_iter=n_iter)
        told("the whole approximation", 0, 1)
        approximation = griffin_lim(W @ H, stft, n_iter=16)
        shown |= _facts_of_clip(x, V, W @ H, dictionary.sample_rate)
    single = _single(dictionary)
    one_each = single.n_components == len(dictionary.sources)
    order = np.argsort(-H.sum(axis=1), kind="stable")[:n_components] if x is not None else range(single.n_components)
    strongest = [] if one_each else [single.sources[k] for k in order]
    options = {"n_iter": n_iter, "mask_power": mask_power}
    parts = [
        *_groups(dictionary, dictionary.sources, x, options),
        *_groups(single, strongest, x, options),
    ]
    rows = []
    for i, (name, columns, filtered) in enumerate(parts):
        told(name, i, len(parts))
        rows.append(_row(name, W[:, columns], H[columns], H.sum(), filtered, stft, dictionary.sample_rate))
    n = len(dictionary.sources)
    return Description(
        title=title,
        sample_rate=dictionary.sample_rate,
        stft=stft,
        facts=shown | dict(facts or {}),
        sources=[row._replace(si_sdr_db=(si_sdr_db or {}).get(row.name)) for row in rows[:n]],
        components=rows[n:],
        divergences=dictionary.divergences,
        clip=x,
        approximation=approximation,
    )


def render(description: Description) -> str:
    """Return the page of a description, one self-contained HTML text.

    The sound is WAV while the page stays small, else Opus.
    """
    sounds, clip = _Sounds(), description.clip
    context: dict[str, Any] = {"title": description.title, "facts": description.facts, "tracks": []}
    if clip is not None and description.approximation is not None:
        context["tracks"] = [
            _track(sounds, name, x, clip, description.sample_rate, description.stft.n_fft)
            for name, x in (
                ("the clip", clip),
                ("the whole approximation WH", description.approximation[:, None]),
            )
        ]
    context["tables"] = [
        {"name": name, "rows": [_shown(sounds, row, description) for row in rows]}
        for name, rows in (
            ("Sources", description.sources),
            ("Components" if clip is None else "The strongest components", description.components),
        )
        if rows
    ]
    context["divergence"] = _picture(_draw_divergences, description.divergences) if description.divergences else None
    return _page(context, sounds)


def render_evaluation(title: str, cases: Sequence[Any], facts: Mapping[str, str], n_players: int = 5) -> str:
    """Return the page of measured cases, the worst first, with players for the worst of them.

    Parameters
    ----------
    title : str
    cases : sequence of evaluation.CaseResult
    facts : {name: text}
        Figures to show above the table.
    n_players : int
        Cases that can be heard.
    """
    worst = sorted(cases, key=lambda case: float(case.improvement.mean()))
    rows = [
        {
            "name": case.id,
            "source": source,
            "before": before,
            "after": after,
            "gain": gain,
            "bound": bound - before,
        }
        for case in worst
        for source, before, after, gain, bound in zip(
            case.sources, case.before, case.after, case.improvement, case.bound, strict=True
        )
    ]
    sounds = _Sounds()
    heard = []
    for case in worst[:n_players]:
        tracks = {"the mixture": case.mixture, **dict(zip(case.sources, case.estimates, strict=True))}
        rate, n_fft = case.sample_rate, STFT.default(case.sample_rate).n_fft
        shown = [_track(sounds, name, signal, case.mixture, rate, n_fft) for name, signal in tracks.items()]
        heard.append({"name": case.id, "tracks": shown})
    return _page({"title": title, "facts": facts, "cases": rows, "heard": heard}, sounds)


def _single(dictionary: Dictionary) -> Dictionary:
    """Return the dictionary with each component as a source, named after its own: `voice 1`, `voice 2`, ..."""
    counts: dict[str, int] = {}
    labels = []
    for label in dictionary.labels:
        counts[label] = counts.get(label, 0) + 1
        labels.append(f"{label[:56]} {counts[label]}")
    if len(set(labels)) < len(labels):  # names that differ only where they were cut, or in a number at their end
        labels = [f"component-{k + 1}" for k in range(len(labels))]
    return Dictionary(dictionary.components, tuple(labels), dictionary.stft, dictionary.sample_rate)


def _groups(
    dictionary: Dictionary, sources: Sequence[str], clip: Array | None, options: Mapping[str, Any]
) -> list[tuple[str, list[int], Array | None]]:
    """Return the name, the columns, and the sound in the clip, of some sources of a dictionary."""
    columns = [[k for k, label in enumerate(dictionary.labels) if label == source] for source in sources]
    gains = np.array([[float(source == other) for other in dictionary.sources] for source in sources])
    if clip is None or not len(sources):
        return [(source, some, None) for source, some in zip(sources, columns, strict=True)]
    return list(zip(sources, columns, separate(clip, dictionary, gains=gains, **options), strict=True))


def _shown_stft(stft: STFT) -> STFT:
    """Return the same window at no more frames than an eye or ear needs: a low latency asks for many."""
    return stft if stft.latency == stft.n_fft else STFT(stft.n_fft, stft.n_fft // 4)


def _row(name: str, W: Array, H: Array, total: float, filtered: Array | None, stft: STFT, sample_rate: int) -> Row:
    """Return the row of the components of a source, or of one."""
    energies = H.sum(axis=1)
    weights = energies / max(float(energies.sum()), 1e-30)
    alone = _alone(W, weights, stft, sample_rate)
    if filtered is None:
        return Row(name, W @ weights, alone)
    share = float(energies.sum() / max(float(total), 1e-30))
    return Row(name, W @ weights, alone, share, H.sum(axis=0), filtered)


def _alone(W: Array, weights: Array, stft: STFT, sample_rate: int) -> Array:
    """Return the sound of a spectrum that stands still for one window, or a second when that is longer."""
    n_frames = -(-(max(stft.n_fft, sample_rate) + stft.latency) // stft.hop_length)
    y = griffin_lim(np.repeat((W @ weights)[:, None], n_frames, axis=1), stft, n_iter=16)
    return 0.5 * y / max(float(np.abs(y).max(initial=0)), 1e-9)


def _facts(dictionary: Dictionary) -> dict[str, str]:
    stft, rate = dictionary.stft, dictionary.sample_rate
    learned = {f"KL of {name}" if name else "KL": some for name, some in dictionary.divergences.items() if some}
    facts = {
        "Description": dictionary.description,
        "Sample rate": f"{rate} Hz",
        "STFT": f"window {stft.n_fft}, hop {stft.hop_length}, {dictionary.n_components} components",
        "Latency": f"{stft.latency} samples, {1000 * stft.latency / rate:.1f} ms",
        **{
            name: f"{100 * some[0][1]:.1f} % of the sum of V before, {100 * some[-1][1]:.1f} % after {some[-1][0]}"
            " iterations"
            for name, some in learned.items()
        },
        "Learned from": ", ".join(dictionary.learned_from),
        "Licence of the training sound": dictionary.licence,
        "Learned with": f"rtnmf {dictionary.rtnmf_version}" if dictionary.rtnmf_version else "",
        "Page made with": f"rtnmf {version('rtnmf')}",
    }
    return {name: text for name, text in facts.items() if text}


def _facts_of_clip(x: Array, V: Array, WH: Array, sample_rate: int) -> dict[str, str]:
    divergence = nmf.kl_divergence(V, WH + np.float32(1e-30)) / max(float(V.sum(dtype=np.float64)), 1e-30)
    return {
        "Clip": f"{len(x) / sample_rate:.1f} s, {x.shape[1]} channel{'s' if x.shape[1] > 1 else ''}",
        "KL of the clip from its model": f"{100 * divergence:.1f} % of the sum of V",
    }


class _Sounds:
    """The sounds of a page, encoded alike once it is known how large they are."""

    def __init__(self) -> None:
        self._signals: list[tuple[Array, int]] = []

    def add(self, x: Array, sample_rate: int) -> int:
        """Keep a sound and return its number."""
        self._signals.append((x, sample_rate))
        return len(self._signals) - 1

    def uris(self) -> list[str]:
        """Return the sounds as addresses that hold them."""
        wav = [_encoded(x, rate, "WAV") for x, rate in self._signals]
        if sum(map(len, wav)) <= _COMPACT_ABOVE:
            return [_uri("audio/wav", data) for data in wav]
        return [_uri("audio/ogg", _encoded(x, rate, "OPUS")) for x, rate in self._signals]


def _encoded(x: Array, sample_rate: int, coding: str) -> bytes:
    stereo = x[:, :2]
    limited = stereo / max(1.0, float(np.abs(stereo).max(initial=0)))
    file = io.BytesIO()
    if sample_rate > _HIGHEST_RATE:
        limited, sample_rate = soxr.resample(limited, sample_rate, 48000), 48000
    if coding == "WAV":
        soundfile.write(file, limited, sample_rate, format="WAV", subtype="PCM_16")
    else:  # Opus knows few rates, of which this one keeps everything
        soundfile.write(file, soxr.resample(limited, sample_rate, 48000), 48000, format="OGG", subtype="OPUS")
    return file.getvalue()


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _track(sounds: _Sounds, name: str, x: Array, clip: Array, sample_rate: int, n_fft: int) -> dict[str, Any]:
    """Return what the page shows of a sound that lies on the time axis of the clip, as long as the clip."""
    y = np.zeros((len(clip), x.shape[1]), np.float32)
    y[: len(x)] = x[: len(y)]
    picture = _picture(_draw_spectrogram, y, clip, sample_rate, n_fft)
    return {"name": name, "sound": sounds.add(y, sample_rate), "picture": picture}


def _shown(sounds: _Sounds, row: Row, description: Description) -> dict[str, Any]:
    spectrum = _picture(_draw_spectrum, row.spectrum, description.sample_rate, height=1.8, width=4)
    shown = {
        "name": row.name,
        "alone": sounds.add(row.alone[:, None], description.sample_rate),
        "spectrum": spectrum,
        "share": row.share,
        "si_sdr_db": row.si_sdr_db,
    }
    if row.filtered is not None and row.activations is not None and description.clip is not None:
        n_fft = description.stft.n_fft
        shown["track"] = _track(sounds, row.name, row.filtered, description.clip, description.sample_rate, n_fft)
        seconds = len(row.filtered) / description.sample_rate
        hop_s = description.stft.hop_length / description.sample_rate
        shown["activations"] = _picture(_draw_activations, row.activations, hop_s, seconds, height=1.2)
    return shown


def _page(context: dict[str, Any], sounds: _Sounds) -> str:
    script, style = ((_HERE / f"report.{kind}").read_text(encoding="utf-8") for kind in ("js", "css"))
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((_HERE / "report.html").read_text(encoding="utf-8"))
    hashes = {f"{name}_hash": _hash(text) for name, text in (("script", script), ("style", style))}
    layout = {"left": _LEFT, "right": _RIGHT, "script": script, "style": style}
    return template.render(uris=sounds.uris(), **hashes, **layout, **context)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _picture(draw: Callable[..., None], *arguments: Any, height: float = 2.4, width: float = 10) -> str:
    """Return a picture that suits a light and a dark page."""
    figure = Figure(figsize=(width, height), dpi=96)
    bottom = 0.4 / height
    narrow = 0.14 if width < 10 else _LEFT
    axes = figure.add_axes((narrow, bottom, _RIGHT - narrow, 0.96 - bottom))
    draw(axes, *arguments)
    axes.tick_params(colors="#808080", labelsize=8, which="both")
    for part in (axes.xaxis.label, axes.yaxis.label):
        part.set(color="#808080", fontsize=8)
    for spine in axes.spines.values():
        spine.set_color("#808080")
    file = io.BytesIO()
    figure.savefig(file, format="png", transparent=True, metadata={"Software": None})
    return _uri("image/png", file.getvalue())


def _draw_spectrogram(axes: Axes, x: Array, reference: Array, sample_rate: int, n_fft: int) -> None:
    image, top = (_log_frequency_image(signal, sample_rate, n_fft) for signal in (x, reference))
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
    grid = _grid_hz(sample_rate)
    marks = [hz for hz in (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000) if grid[0] <= hz <= grid[-1]]
    axes.set_yticks(np.interp(np.log(marks), np.log(grid), np.arange(len(grid)) + 0.5), [_hz(mark) for mark in marks])
    axes.set_ylabel("Hz")
    axes.set_xlabel("s", labelpad=0)


def _draw_spectrum(axes: Axes, spectrum: Array, sample_rate: int) -> None:
    hz = np.linspace(0, sample_rate / 2, len(spectrum))
    level = 20 * np.log10(np.maximum(spectrum / max(float(spectrum.max()), 1e-30), 10 ** (-_RANGE_DB / 20)))
    axes.fill_between(hz[1:], level[1:], -_RANGE_DB, color="#5b8def", linewidth=0)
    axes.set_xscale("log")
    axes.set_xlim(40, sample_rate / 2)
    axes.set_ylim(-_RANGE_DB, 3)
    marks = [mark for mark in (100, 1000, 10000) if mark < sample_rate / 2]
    axes.set_xticks(marks, [_hz(mark) for mark in marks])
    axes.set_xlabel("Hz", labelpad=0)
    axes.set_ylabel("dB")


def _draw_activations(axes: Axes, activations: Array, hop_s: float, seconds: float) -> None:
    axes.plot((np.arange(len(activations)) + 1) * hop_s, activations, color="#5b8def", linewidth=1)
    axes.set_xlim(0, seconds)
    axes.set_ylim(0, None)
    axes.set_yticks([])
    axes.set_xlabel("s", labelpad=0)


def _draw_divergences(axes: Axes, divergences: Mapping[str, tuple[tuple[int, float], ...]]) -> None:
    for some in divergences.values():
        axes.plot([i for i, _ in some], [value for _, value in some], marker=".", linewidth=1)
    if all(value > 0 for some in divergences.values() for _, value in some):
        axes.set_yscale("log")
    axes.set_xlabel("iteration", labelpad=0)
    axes.set_ylabel("KL / sum of V")


def _grid_hz(sample_rate: int) -> NDArray[np.float64]:
    return np.geomspace(min(40, sample_rate / 8), sample_rate / 2, 200)


def _hz(mark: int) -> str:
    return f"{mark // 1000}k" if mark >= 1000 else str(mark)


def _log_frequency_image(x: Array, sample_rate: int, n_fft: int) -> NDArray[np.float64]:
    """Return magnitudes on a log-frequency grid, with at most 900 columns, each the loudest of its frames."""
    stft = STFT(n_fft, n_fft // 4)
    magnitudes = np.sum([np.abs(stft.forward(channel)) for channel in x.T], axis=0)
    starts = np.unique(np.linspace(0, magnitudes.shape[1], min(900, magnitudes.shape[1]), endpoint=False).astype(int))
    columns = np.maximum.reduceat(magnitudes, starts, axis=1)
    position = np.minimum(_grid_hz(sample_rate) * n_fft / sample_rate, len(columns) - 1.001)
    below = position.astype(int)
    part = (position - below)[:, None]
    image: NDArray[np.float64] = (1 - part) * columns[below] + part * columns[below + 1]
    return image
