"""What each source of a dictionary is learned from becomes its part of the dictionary here.

A source is given as recordings, as backgrounds, or as a dictionary in which it was learned before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtnmf.checks import check_source_name
from rtnmf.dictionary import Dictionary
from rtnmf.dictionary.examples import coded, decoded, spread
from rtnmf.dictionary.parts import check_known, says_voice
from rtnmf.frames.stft import STFT
from rtnmf.learning.archive import Archive, first_reading
from rtnmf.learning.bandwidth import continued
from rtnmf.learning.checkpoint import Checkpoint
from rtnmf.learning.columns import Columns, Stopped, blind_columns, columns, columns_of_all
from rtnmf.learning.recordings import Frames, joined
from rtnmf.learning.workers import Workers
from rtnmf.nmf.passes import Sums
from rtnmf.progress import Progress
from rtnmf.words import plain

__all__ = [
    "LostRecordingsError",
    "Part",
    "Passes",
    "dictionary_of",
    "from_archive",
    "from_dictionary",
    "from_frames",
    "licences_of",
    "rest_among",
    "split",
    "voices_among",
]

_MOST_EXAMPLES = 512  # frames of a source that travel with a dictionary
_MOST_BYTES = 2**21  # of the frames of all sources together
_MOST_LOST = 0.1  # of the frames, in a pass: few files go while one learns; more are a disk or a server that went


class LostRecordingsError(ValueError):
    """Too much of an archive cannot be read any more: what the passes before have reached stays as it is."""


class Part(NamedTuple):
    """What a dictionary gets of one source."""

    columns: Columns
    spectra: Sequence[NDArray[Any]]
    """Of each of its different sounds, complex or as magnitudes, shape (n_frames, n_bins): see `discriminative`."""
    examples: NDArray[np.uint8]
    """Coded frames, shape (n_bins, n_frames)."""
    left_out: frozenset[int] = frozenset()
    """Which of the recordings that were given were not learned from."""


def split(recordings: Any) -> tuple[Any, dict[str, Dictionary]]:
    """Return the recordings of those sources that are to be learned, and the dictionaries of those that were.

    Raises
    ------
    ValueError
        If a dictionary does not hold exactly one sound that was taught, or no frames of it.
    """
    if not isinstance(recordings, Mapping):
        return recordings, {}
    known = {name: given for name, given in recordings.items() if isinstance(given, Dictionary)}
    unknown = {name: given for name, given in recordings.items() if name not in known}
    return unknown, {name: _taught(name, dictionary) for name, dictionary in known.items()}


def _taught(name: str, dictionary: Dictionary) -> Dictionary:
    """Return the one source of a dictionary that was taught, under another name."""
    check_source_name(name)
    sources = [source for source in dictionary.sources if source != dictionary.rest] or list(dictionary.sources)
    if len(sources) > 1:
        raise ValueError(
            f"{name!r} is given as a dictionary of {', '.join(sources)}, expected one source: choose it with .select"
        )
    if sources[0] not in dictionary.frames:
        raise ValueError(
            f"{name!r} is given as a dictionary without frames of its recordings, which the training needs: learn it"
            " again with this version"
        )
    return dictionary.select(*sources).rename({sources[0]: name})


def rest_among(known: Mapping[str, Dictionary]) -> str:
    """Return which of the sources that were learned before is a rest; empty if none is.

    Raises
    ------
    ValueError
        If there are several.
    """
    found = [name for name, dictionary in known.items() if dictionary.rest]
    if len(found) > 1:
        raise ValueError(
            f"{' and '.join(map(repr, found))} are each given as what stands for all that was not taught: leave one out"
        )
    return "".join(found)


def licences_of(licence: str, known: Mapping[str, Dictionary]) -> str:
    """Return a licence, and those of the sources that were learned before."""
    return "; ".join(dict.fromkeys(filter(None, (licence, *(part.licence for part in known.values())))))


def from_dictionary(dictionary: Dictionary) -> Part:
    """Return the part of a source that was learned before, the only one of this dictionary."""
    dictionary = continued(dictionary)
    (name,) = dictionary.sources
    examples = dictionary.frames[name]
    curve = dictionary.divergences.get(name, ())
    return Part(Columns(dictionary.components, curve), [np.ascontiguousarray(decoded(examples).T)], examples)


def from_frames(name: str, read: Frames, n_sources: int, **settings: Any) -> Part:
    """Return the part of a source that is learned from frames now, blind where it has no name.

    Parameters
    ----------
    name : str
    read : Frames
    n_sources : int
        That share the room for frames in the file.
    **settings
        Those of `columns`.
    """
    V = read.magnitudes
    learned = columns(V, name, **settings) if name else blind_columns(V, **settings)
    return _part(read, learned, n_sources)


class Passes(NamedTuple):
    """How all frames of recordings are learned from."""

    n: int
    workers: Workers
    checkpoint: Checkpoint | None
    strict: bool


def from_archive(
    name: str,
    recordings: Sequence[Any],
    sample_rate: int,
    stft: STFT,
    audible_hz: float,
    n_sources: int,
    passes: Passes,
    *,
    progress: Progress | None = None,
    **settings: Any,
) -> Part:
    """Return the part of a source that is learned from all frames of its recordings, blind where it has no name.

    Parameters
    ----------
    name : str
    recordings : sequence of arrays and paths
    sample_rate, stft, audible_hz
        As for `archive.Archive`.
    n_sources : int
        That share the room for frames in the file.
    passes : Passes
    progress : Progress, optional
        Its stages are a first reading, whose steps are recordings, and the passes, whose steps are seconds of sound.
    **settings
        Those of `columns_of_all`.

    Raises
    ------
    LostRecordingsError
        If more than a tenth of the frames that the first reading found could not be read in a pass; where `strict`, if
        any could not.
    """
    some, archive = first_reading(
        name,
        recordings,
        sample_rate,
        stft,
        audible_hz,
        passes.workers.each,
        strict=passes.strict,
        done=lambda n: progress and progress(f"{name or 'components'}, first reading", n, len(recordings)),
    )
    read = joined(some)
    del some  # which may be as large

    lengths_s = [archive.seconds(i) for i in range(len(archive))]

    def total(W: NDArray[np.float32], stage: str) -> Sums:
        left_s = sum(lengths_s)
        all_s = left_s

        def done(i: int) -> None:
            nonlocal left_s
            left_s -= lengths_s[i]
            hours = f"{(all_s - left_s) / 3600:.1f} of {all_s / 3600:.1f} h"
            if progress is not None and progress(f"{stage}, {hours}", round(all_s - left_s), round(all_s)) is False:
                raise Stopped

        sums = passes.workers.total(archive, W, done)
        _check_lost(stage, sums, archive, 0.0 if passes.strict else _MOST_LOST)
        return sums

    settings |= {"n_passes": passes.n, "checkpoint": passes.checkpoint}
    part = _part(read, columns_of_all(read.magnitudes, name, total, **settings), n_sources)
    return part._replace(left_out=frozenset(range(len(recordings))).difference(archive.places))


def _check_lost(stage: str, sums: Sums, archive: Archive, most: float) -> None:
    """Raise LostRecordingsError if more than a share of the frames of an archive could not be read."""
    if sums.n_lost > most * archive.n_frames:
        lost = dict(sums.lost)
        raise LostRecordingsError(
            f"{stage}: {len(lost)} of {len(archive.recordings)} recordings could not be read any more, the first of"
            f" them {plain(lost[min(lost)])}: bring them back"
        )


def _part(read: Frames, learned: Columns, n_sources: int) -> Part:
    V = read.magnitudes
    most = max(1, min(_MOST_EXAMPLES, _MOST_BYTES // (len(V) * n_sources)))
    return Part(learned, read.spectra, coded(V[:, spread(V.shape[1], most)]))


def voices_among(
    voices: Sequence[str] | None, names: Sequence[str], known: Mapping[str, Dictionary], rest: str
) -> tuple[str, ...]:
    """Return the sources that are voices: those that are given, or else those that are named so or known as such.

    Raises
    ------
    ValueError
        If one that is given is no source, or the rest, or there are no named sources.
    """
    if voices is not None:
        if list(names) == [""]:
            raise ValueError("voices are given, but sources that are learned blind have no names yet")
        check_known(voices, tuple(names))
        if rest in voices:
            raise ValueError(f"{rest} is given as a voice, but stands for all that was not taught: leave it out")
        return tuple(voices)
    return tuple(name for name in names if says_voice(name) or (name in known and known[name].voices))


def dictionary_of(parts: Mapping[str, Part], stft: Any, sample_rate: int, **facts: Any) -> Dictionary:
    """Return the untrained dictionary of sources; each component of one without a name becomes a source."""
    if list(parts) == [""]:
        ((_, part),) = parts.items()
        labels = tuple(f"component-{k + 1}" for k in range(part.columns.W.shape[1]))
        frames = {}
    else:
        labels = tuple(name for name, part in parts.items() for _ in range(part.columns.W.shape[1]))
        frames = {name: part.examples for name, part in parts.items()}
    W = np.hstack([part.columns.W for part in parts.values()])
    curves = {name: part.columns.divergences for name, part in parts.items() if part.columns.divergences}
    return Dictionary(W, labels, stft, sample_rate, frames=frames, divergences=curves, **facts)
