"""What a page shows of a dictionary, and of a clip that it separates: figures, spectra, activations, sounds.

Nothing here draws, encodes, or writes HTML.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtnmf import nmf
from rtnmf.checks import check_whole, few
from rtnmf.dictionary import Dictionary
from rtnmf.engine.separator import Separator
from rtnmf.engine.streaming import aligned
from rtnmf.frames.griffin_lim import N_ITER_HEARD, griffin_lim, steady_sound
from rtnmf.frames.stft import STFT
from rtnmf.kernels.hop import LOUDEST
from rtnmf.progress import Progress
from rtnmf.report import facts as known
from rtnmf.report import figures, room
from rtnmf.report.figures import Figure

__all__ = ["Description", "Origin", "Row", "describe"]

Array = NDArray[np.float32]

_VALUES_AT_ONCE = 2**22  # of the stems of a block, whatever their number


class Row(NamedTuple):
    """A source or a component: what was learned of it, and what it takes out of the clip, where there is one.

    name : str
    spectrum : array, shape (n_bins,)
    alone : array, shape (n_samples,)
        The sound of the spectrum.
    share : float, optional
        Of the activations of all sources, from 0 to 1.
    activations : array, shape (n_frames,), optional
    filtered : array, shape (n_samples, n_channels), optional
        Its stem of the clip.
    si_sdr_db : float, optional
        Of the stem, where the true one is known.
    source : str
        Which a component belongs to; of a source, its own name.
    """

    name: str
    spectrum: Array
    alone: Array
    share: float | None = None
    activations: Array | None = None
    filtered: Array | None = None
    si_sdr_db: float | None = None
    source: str = ""


class Origin(NamedTuple):
    """Where it all comes from, in the words that a shell is given: a page makes commands of them.

    recording : str, optional
        Of which the clip is a part.
    start_s : float
        Where in the recording the clip begins.
    dictionary : str, optional
        The name of a file, a preset, or several joined with +.
    learn : tuple of str
        The command that makes the dictionary, where there is none yet.
    is_blind : bool
        Whether the dictionary was learned from this very clip, and nothing was taught.
    """

    recording: str | None = None
    start_s: float = 0.0
    dictionary: str | None = None
    learn: tuple[str, ...] = ()
    is_blind: bool = False


class Description(NamedTuple):
    """All that a page shows.

    title : str
    sample_rate : int
        In Hz.
    stft : STFT
        Of the activations and spectra.
    facts : {name: text}
    sources, components : list of Row
    divergences : {source: sequence of (iteration, divergence)}
        See `Dictionary`.
    clip : array, shape (n_samples, n_channels), optional
    approximation : array, shape (n_samples,), optional
        The sound of the model of the clip, W H.
    experts : tuple of str
        Those that were asked about the voices of the clip.
    voices : tuple of str
    rest : str
        The source that stands for all that was not taught.
    figures : list of Figure
        How good, how sure.
    origin : Origin
    """

    title: str
    sample_rate: int
    stft: STFT
    facts: Mapping[str, str]
    sources: list[Row]
    components: list[Row]
    divergences: Mapping[str, tuple[tuple[int, float], ...]]
    clip: Array | None = None
    approximation: Array | None = None
    experts: tuple[str, ...] = ()
    voices: tuple[str, ...] = ()
    rest: str = ""
    figures: Sequence[Figure] = ()
    origin: Origin = Origin()


class _Part(NamedTuple):
    """A source or a component with its columns of W and its stem of the clip."""

    name: str
    source: str
    columns: list[int]
    filtered: Array | None


class _Modelled(NamedTuple):
    """The model of a clip, W H, after `n_iter` updates per frame."""

    n_iter: int
    activations: Array
    approximation: Array | None
    facts: dict[str, str]
    explained: float = 0.0


class _Stems(NamedTuple):
    """Stems, and the experts that were asked for them."""

    stems: Sequence[Array | None]
    experts: tuple[str, ...] = ()


def describe(
    title: str,
    dictionary: Dictionary,
    clip: ArrayLike | None = None,
    *,
    facts: Mapping[str, str] | None = None,
    si_sdr_db: Mapping[str, float] | None = None,
    n_components: int = 8,
    origin: Origin | None = None,
    progress: Progress | None = None,
    **separator_options: Any,
) -> Description:
    """Gather what a page shows of a dictionary, and of a clip that it separates.

    Parameters
    ----------
    title : str
    dictionary : Dictionary
    clip : array of floats, shape (n_samples,) or (n_samples, n_channels), optional
        At the sample rate of the dictionary; not changed.
    facts : {name: text}, optional
        Figures to show beside those of the dictionary.
    si_sdr_db : {source: value}, optional
        Of the sources whose true stems are known.
    n_components : int
        Upper limit on the components with a row of their own, the strongest in the clip, and of each source some.
        Without a clip all have one, and none when each is a source. Of very many sources or components the first ones
        have one.
    origin : Origin, optional
        Names of files, for the commands that the page gives; without it there are none.
    progress : callable, optional
        Called with the stage, the rows done and their number; returning False ends with the rows done.
    **separator_options
        `n_iter`, `mask_power` and `experts`, as for `Separator`.

    Returns
    -------
    Description
        The stems of the sources sum to the clip to 1e-6 of full scale.

    Raises
    ------
    TypeError, ValueError
        Before any long work, if the clip is not usable, an option is out of its range, or a source is unknown.
    """
    check_whole("n_components", n_components, 0)
    _check_options(separator_options, clip)
    x = None if clip is None else _samples(clip)
    dictionary = dictionary.select(*dictionary.sources)
    stft = room.shown_stft(dictionary, x)
    fitting = room.fitting(dictionary, x, stft, n_components)
    shown = dictionary.sources[: fitting.n_sources]
    truth = _checked_truth(si_sdr_db or {}, dictionary)
    report: Progress = progress or (lambda *_: None)
    report("the stems", 0, 1)
    stems = _stems(dictionary, shown, x, separator_options)
    report("the whole approximation", 0, 1)
    modelled = _modelled(dictionary, x, stft, **separator_options)
    H, n = modelled.activations, len(shown)
    parts = _parts(dictionary, shown, shown, stems.stems)
    parts += _component_parts(dictionary, shown, H, x, fitting.n_components, separator_options)
    rows = _rows(parts, dictionary, H, stft, fitting.seconds, report)
    return Description(
        title=title,
        sample_rate=dictionary.sample_rate,
        stft=stft,
        facts={
            **known.of_dictionary(dictionary, modelled.n_iter),
            **room.facts(dictionary, fitting),
            **modelled.facts,
            **(facts or {}),
        },
        sources=[row._replace(si_sdr_db=truth.get(row.name)) for row in rows[:n]],
        components=rows[n:],
        divergences=dictionary.divergences,
        clip=x,
        approximation=modelled.approximation,
        experts=stems.experts,
        voices=dictionary.voices,
        rest=dictionary.rest,
        figures=_figures(
            dictionary,
            x,
            stems._replace(stems=stems.stems if n == len(dictionary.sources) else ()),
            modelled.explained,
            stft,
        ),
        origin=origin or Origin(),
    )


def _figures(dictionary: Dictionary, x: Array | None, stems: _Stems, share: float, stft: STFT) -> list[Figure]:
    learned = figures.of_learning(dictionary.divergences)
    if x is None:
        return learned
    all_shown = len(stems.stems) == len(dictionary.sources)
    found = figures.of_clip(x, stems.stems if all_shown else (), share, dictionary.n_components, stft)  # type: ignore[arg-type]
    return [*found, figures.of_experts(dictionary, stems.experts), *learned]


def _check_options(options: Mapping[str, Any], clip: ArrayLike | None) -> None:
    names = ", ".join(sorted(options))
    if not set(options) <= {"n_iter", "mask_power", "experts"}:
        raise TypeError(f"options are {names}, expected n_iter, mask_power and experts of the Separator at most")
    if options and clip is None:
        raise ValueError(f"{names}: there is no clip to separate, leave it out")


def _checked_truth(si_sdr_db: Mapping[str, float], dictionary: Dictionary) -> Mapping[str, float]:
    for source in si_sdr_db:
        if source not in dictionary.sources:
            raise ValueError(f"si_sdr_db is of {source!r}, expected one of {few(dictionary.sources)}")
    return si_sdr_db


def _samples(clip: ArrayLike) -> Array:
    """Return a clip as float32 of shape (n_samples, n_channels)."""
    x = np.asarray(clip)
    if not np.issubdtype(x.dtype, np.floating):
        raise TypeError(f"clip has samples of type {x.dtype}, expected floats with full scale 1")
    if x.ndim not in (1, 2) or not x.size:
        raise ValueError(f"clip has shape {x.shape}, expected (n_samples,) or (n_samples, n_channels), not empty")
    if not (np.abs(x) < LOUDEST).all():  # NaN is not
        raise ValueError(f"clip holds samples that are NaN or infinite, or beyond {LOUDEST:g}, expected full scale 1")
    return np.asarray(x[:, None] if x.ndim == 1 else x, np.float32)


def _modelled(dictionary: Dictionary, x: Array | None, stft: STFT, n_iter: int | None = None, **_: Any) -> _Modelled:
    """Explain the clip by the components; without one all are equally active."""
    W, model = dictionary.components, dictionary.model
    n_iter = model.n_iter if n_iter is None else n_iter
    if x is None:
        return _Modelled(n_iter, np.full((W.shape[1], 1), 1 / W.shape[1], np.float32), None, {})
    trend = stft.trend(dictionary.sample_rate, model.audible_hz)
    V = np.sum([np.abs(stft.forward(channel, trend=trend)) for channel in x.T], axis=0)
    H = nmf.activations(V, W, n_iter=n_iter, relaxation=model.relaxation, memory=model.memory)
    WH = W @ H
    approximation = griffin_lim(WH, stft, n_iter=N_ITER_HEARD)
    total = float(V.sum(dtype=np.float64))
    divergence = nmf.kl_divergence(V, WH + np.float32(1e-30)) / total if total else 0.0
    facts = known.of_clip(x, divergence, dictionary.sample_rate)
    return _Modelled(n_iter, H, approximation, facts, figures.explained(divergence))


def _component_parts(
    dictionary: Dictionary,
    shown: Sequence[str],
    H: Array,
    x: Array | None,
    n_most: int,
    options: Mapping[str, Any],
) -> list[_Part]:
    """Return the components that get a row: the strongest in the clip, all without one, none if each is a source.

    All are of sources that are shown; where they are very many, each source has its first ones.
    """
    if dictionary.n_components == len(dictionary.sources):
        return []
    single, kept = _single(dictionary), set(shown)
    usable = [k for k, label in enumerate(dictionary.labels) if label in kept]
    labels = [dictionary.labels[k] for k in usable]
    places = room.first(labels, n_most) if x is None else room.strongest(H[usable].sum(axis=1), labels, n_most)
    order = [usable[place] for place in places]
    names = [single.sources[k] for k in order]
    return _parts(single, names, [dictionary.labels[k] for k in order], _stems(single, names, x, options).stems)


def _single(dictionary: Dictionary) -> Dictionary:
    """Return the dictionary with each component as a source, named after its own: `voice 1`, `voice 2`, ..."""
    counts: dict[str, int] = {}
    labels = []
    for label in dictionary.labels:
        counts[label] = counts.get(label, 0) + 1
        labels.append(f"{label[:56]} {counts[label]}")
    if len(set(labels)) < len(labels):  # names that differ only where they were cut, or in a number at their end
        labels = [f"component-{k + 1}" for k in range(len(labels))]
    return replace(dictionary.untrained(), labels=tuple(labels), divergences={}, rest="", voices=(), frames={})


def _parts(
    dictionary: Dictionary, names: Sequence[str], sources: Sequence[str], stems: Sequence[Array | None]
) -> list[_Part]:
    columns: dict[str, list[int]] = {}
    for k, label in enumerate(dictionary.labels):
        columns.setdefault(label, []).append(k)
    return [_Part(*part) for part in zip(names, sources, [columns[name] for name in names], stems, strict=True)]


def _stems(dictionary: Dictionary, sources: Sequence[str], x: Array | None, options: Mapping[str, Any]) -> _Stems:
    """Return the stems of some sources, each of the clip's shape; those of others are not kept."""
    if x is None or not sources:
        return _Stems([None] * len(sources))
    separator = Separator(dictionary, n_channels=x.shape[1], **options)
    places = {source: i for i, source in enumerate(separator.sources)}
    kept = [places[source] for source in sources]
    length = max(1, _VALUES_AT_ONCE // (len(separator.sources) * x.shape[1]))
    blocks = (x[i : i + length] for i in range(0, len(x), length))
    stems, end = np.empty((len(kept), *x.shape), np.float32), 0
    for outputs in aligned(separator, blocks):
        begin, end = end, end + outputs.shape[1]
        stems[:, begin:end] = outputs[kept]
    return _Stems(list(stems), separator.experts)


def _rows(
    parts: list[_Part], dictionary: Dictionary, H: Array, stft: STFT, seconds: float, report: Progress
) -> list[Row]:
    rows: list[Row] = []
    for part in parts:
        if report(part.name, len(rows), len(parts)) is False:
            break
        rows.append(_row(part, dictionary.components, H, stft, dictionary.sample_rate, seconds))
    return rows


def _row(part: _Part, W: Array, H: Array, stft: STFT, sample_rate: int, seconds: float) -> Row:
    name, source, columns, filtered = part
    energies = H[columns].sum(axis=1)
    spectrum = W[:, columns] @ (energies / max(float(energies.sum()), 1e-30))
    alone = steady_sound(spectrum, stft, sample_rate, seconds)
    if filtered is None:
        return Row(name, spectrum, alone, source=source)
    share = float(energies.sum() / max(float(H.sum()), 1e-30))
    return Row(name, spectrum, alone, share, H[columns].sum(axis=0), filtered, source=source)
