"""Many files, each into a folder of its own, one by one or on a cluster: the same files, to the bit."""

from __future__ import annotations

import functools
import os
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rtnmf.audio import files, outputs
from rtnmf.audio.names import is_there, is_url, printable, shortened
from rtnmf.dictionary import Dictionary
from rtnmf.learning.workers import Cluster
from rtnmf.offline.separation import AnyPath, loaded, separators_for, written_by
from rtnmf.progress import Progress

__all__ = ["separate_files"]

_alone = threading.Lock()


class _Job(NamedTuple):
    """A mixture, and the folder to make for its files."""

    path: Path
    wish: Path
    sample_rate: int


class _Settings(NamedTuple):
    """What is the same for all mixtures; see `separation.separate_file`."""

    gains: Mapping[str, float] | None
    rest: str
    format: str | None
    subtype: str | None
    overwrite: bool
    strict: bool
    separator_options: dict[str, Any]


Written = dict[str, Path]


def separate_files(
    paths: Iterable[AnyPath],
    dictionary: Dictionary | AnyPath,
    folder: AnyPath | None = None,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
    client: Any = None,
    **options: Any,
) -> Iterator[tuple[Path, dict[str, Path]]]:
    """Separate several audio files, each into a folder of its own; faster than one by one, and the same to the bit.

    Where one of them cannot be read or written, the others are separated before the error is raised.

    Parameters
    ----------
    paths : iterable of paths
        The mixtures.
    dictionary : Dictionary or str
        As for `separate_file`.
    folder : path, optional
        For the folders, which are called after the mixtures. None means `NAME-stems` beside each of them.
    overwrite : bool
        Replace files that are there. By default folders that are not empty are left alone, and new ones get a number.
    progress : Progress, optional
        One for all; its stage is the name of a mixture and the time of it that was reached, its steps are bytes;
        on a cluster, mixtures.
    client : distributed.Client, optional
        Cluster of Dask that separates each mixture on one of its workers, one at a time in each process; None means
        this process. All machines need the files and folders at the same paths. The files are the same.
    **options
        Those of `separate_file`.

    Yields
    ------
    path, {source: path}
        A mixture and the files that were written of it, as soon as they are there.

    Raises
    ------
    TypeError, ValueError
        Before anything is separated, if a mixture is missing or an option is not usable; in the end, if one or more
        could not be separated.
    """
    given = list(paths)
    for path in given:
        if is_url(path):
            raise ValueError(f"{printable(path)}: is on a server: separate it alone, or download it first")
    mixes = [Path(path) for path in given]
    for mix in mixes:
        if os.fspath(mix) != "-" and not is_there(mix):
            raise ValueError(f"{printable(mix)}: no such file")
    settings = _settings(overwrite=overwrite, **options)
    if client is None:
        return _finished(len(mixes), _one_by_one(mixes, dictionary, folder, settings, progress))
    return _finished(len(mixes), _on_a_cluster(Cluster(client), mixes, dictionary, folder, settings, progress))


def _settings(
    *,
    overwrite: bool,
    gains: Mapping[str, float] | None = None,
    rest: str = "mixture",
    format: str | None = None,
    subtype: str | None = None,
    strict: bool = False,
    **separator_options: Any,
) -> _Settings:
    return _Settings(gains, rest, format, subtype, overwrite, strict, separator_options)


def _finished(n: int, results: Iterator[tuple[Path, Written | ValueError]]) -> Iterator[tuple[Path, Written]]:
    """Yield what was separated; warn of what was not, and raise ValueError in the end."""
    failures = []
    for path, result in results:
        if isinstance(result, ValueError):
            failures.append(str(result))
            warnings.warn(f"not separated: {result}", stacklevel=2)
        else:
            yield path, result
    if failures:
        raise ValueError(f"{len(failures)} of {n} files could not be separated, the first: {failures[0]}")


def _one_by_one(
    mixes: Sequence[Path],
    dictionary: Dictionary | AnyPath,
    folder: AnyPath | None,
    settings: _Settings,
    progress: Progress | None,
) -> Iterator[tuple[Path, Written | ValueError]]:
    outputs.check_kind(settings.format, settings.subtype)
    separators = separators_for(dictionary, settings.gains, settings.rest, settings.separator_options, progress)
    taken = set[str]()
    result: Written | ValueError
    for path, advance in zip(mixes, _shares(mixes, progress), strict=True):
        try:
            with files.AudioReader(path, strict=settings.strict) as mix:
                result = _separated(mix, _folder(mix.path, folder, taken), separators, settings, advance)
        except ValueError as error:
            result = error
        yield path, result


def _separated(
    mix: files.AudioReader, wish: Path, separators: Any, settings: _Settings, progress: Progress | None
) -> Written:
    """Separate a mixture into a new folder of a name, or of one with a number."""
    with outputs.made_folder(wish, is_new=not settings.overwrite) as place:
        separator = separators(mix, progress)  # which may take a while
        form = settings.gains is not None, settings.format, settings.subtype, settings.overwrite
        return written_by(mix, separator, place, *form, progress)


def _on_a_cluster(
    cluster: Cluster,
    mixes: Sequence[Path],
    dictionary: Dictionary | AnyPath,
    folder: AnyPath | None,
    settings: _Settings,
    progress: Progress | None,
) -> Iterator[tuple[Path, Written | ValueError]]:
    outputs.check_kind(settings.format, settings.subtype)
    separators_for(dictionary, settings.gains, settings.rest, settings.separator_options, progress)  # which checks them
    jobs = _jobs(mixes, folder, settings.strict)
    able = [job for job in jobs if isinstance(job, _Job)]
    learned = {
        rate: dictionary if isinstance(dictionary, Dictionary) else loaded(dictionary, rate, progress)
        for rate in sorted({job.sample_rate for job in able})
    }
    absolute = [job._replace(path=job.path.absolute(), wish=job.wish.absolute()) for job in able]
    results = cluster.each(functools.partial(_on_a_worker, settings=settings), absolute, dictionaries=learned)
    for i, (path, job) in enumerate(zip(mixes, jobs, strict=True), 1):
        yield path, _as_here(job, *next(results)) if isinstance(job, _Job) else job
        if progress is not None:
            progress(printable(path.name), i, len(mixes))


def _jobs(mixes: Sequence[Path], folder: AnyPath | None, strict: bool) -> list[_Job | ValueError]:
    """Return what to do for each mixture, or why it cannot be read."""
    jobs, taken = list[_Job | ValueError](), set[str]()
    for path in mixes:
        if files.is_pipe(path):
            raise ValueError(f"{printable(path)}: a pipe cannot be read on another machine: give files")
        try:
            with files.AudioReader(path, strict=strict) as mix:
                jobs.append(_Job(path, _folder(mix.path, folder, taken), mix.sample_rate))
        except ValueError as error:
            jobs.append(error)
    return jobs


def _on_a_worker(
    job: _Job, dictionaries: Mapping[int, Dictionary], settings: _Settings
) -> tuple[Written | ValueError, list[str]]:
    """Return the files of a mixture, or why there are none, and all warnings."""
    result: Written | ValueError
    # Warnings are those of the whole process, so that only one thread can gather them at a time.
    with _alone, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        try:
            gains, rest, *_, options = settings
            separators = separators_for(dictionaries[job.sample_rate], gains, rest, options, None)
            with files.AudioReader(job.path, strict=settings.strict) as mix:
                result = _separated(mix, job.wish, separators, settings, None)
        except (ValueError, OSError) as error:
            result = ValueError(str(error))
    return result, [str(one.message) for one in told if issubclass(one.category, UserWarning)]


def _as_here(job: _Job, result: Written | ValueError, notes: Sequence[str]) -> Written | ValueError:
    """Return what a worker did, and warn of what it warned of, with the paths that were given here."""
    absolute, given = printable(job.path.absolute()), printable(job.path)
    for note in notes:
        warnings.warn(note.replace(absolute, given), stacklevel=4)
    if isinstance(result, ValueError):
        return ValueError(str(result).replace(absolute, given))
    top = job.wish.parent
    return {name: top / path.relative_to(top.absolute()) for name, path in result.items()}


def _folder(mix: Path, folder: AnyPath | None, taken: set[str]) -> Path:
    """Return a folder for a mixture, and add it to those that are taken by other mixtures."""
    name = files.safe_names([mix.stem])[0]
    wish = mix.with_name(f"{shortened(mix.stem)}-stems") if folder is None else Path(folder) / name
    free = next(path for path in outputs.numbered(wish) if str(path).lower() not in taken)
    taken.add(str(free).lower())
    return free


def _shares(mixes: Sequence[Path], progress: Progress | None) -> Iterator[Progress | None]:
    """Yield the progress of each mixture, as its part of that of all."""
    sizes = [1 if os.fspath(mix) == "-" else max(1, mix.stat().st_size) for mix in mixes]
    for i, mix in enumerate(mixes):
        yield progress and functools.partial(
            _advance, progress, printable(mix.name), sum(sizes[:i]), sizes[i], sum(sizes)
        )


def _advance(
    progress: Progress, name: str, before: int, size: int, all_sizes: int, stage: str, done: int, total: int
) -> None:
    progress(f"{name} {stage}", before + size * done // max(1, total), all_sizes)
