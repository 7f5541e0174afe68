"""Cases to measure: the stems of a mixture and the training clips of its sources, as `cases.json` lists them.

Nothing here separates or measures.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtnmf.audio import files
from rtnmf.audio.names import is_file, printable
from rtnmf.bounds import MOST_CASE_VALUES, MOST_TAPS, check_product, most_values
from rtnmf.checks import MOST_CHANNELS, check_whole, few, whole_hz
from rtnmf.engine.separator import usable
from rtnmf.kernels.hop import QUIETEST
from rtnmf.measure.metrics import FILTER_LENGTH
from rtnmf.words import plain

__all__ = ["check_files", "load_case", "named", "read_cases", "sources", "training_clips"]

Array = NDArray[np.float32]


_LARGEST = 1e7
_MOST_BYTES = 2**23  # of the list of cases: some ten thousand


def _is_text(value: object) -> bool:
    """Return whether it is text that can be written into a file, which half of a surrogate pair cannot."""
    return isinstance(value, str) and not any("\ud800" <= c <= "\udfff" for c in value)


def _is_number(value: object, least: float = -_LARGEST) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value < _LARGEST


def _is_count(value: object) -> bool:
    return isinstance(value, int) and _is_number(value, 1)


def _is_gain(value: object) -> bool:
    return _is_number(value) or (isinstance(value, list) and bool(value) and all(map(_is_number, value)))


_Fields = Mapping[str, tuple[Callable[[object], bool], str]]
_CASE: _Fields = {
    "id": (_is_text, "a text"),
    "sample_rate": (_is_count, "a whole number of Hz"),
    "channels": (_is_count, "a whole number"),
    "seconds": (lambda value: _is_number(value, 1e-3), "a number from 0.001"),
    "stems": (lambda value: isinstance(value, list) and bool(value), "a list of stems"),
    "condition": (lambda value: value is None or _is_text(value), "a text"),
}
_STEM: _Fields = {
    "name": (_is_text, "a text"),
    "path": (_is_text, "a text"),
    "start": (lambda value: _is_number(value, 0), "a number of seconds from 0"),
    "gain": (_is_gain, "a number, or a list of one per channel"),
}


def read_cases(folder: Path, *, allow_outside: bool = False) -> list[dict[str, Any]]:
    """Return the cases of `cases.json` in a folder.

    Parameters
    ----------
    folder : path
    allow_outside : bool
        Whether they may name files that are not in this folder: a folder of unknown origin could name any file of this
        machine, and its sound would be in what is written.

    Raises
    ------
    ValueError
        If it cannot be read, a case lacks what it takes to be loaded, or names a file outside the folder.
    """
    path = folder / "cases.json"
    try:
        cases = list(json.loads(_text(path))["cases"])
        for i, case in enumerate(cases, 1):
            _check_fields(f"case {i}", case, _CASE)
            _check_size(f"case {i}", case)
            for j, stem in enumerate(case["stems"], 1):
                _check_fields(f"case {i}, stem {j}", stem, _STEM)
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror}): name a folder with a cases.json") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f'{path}: not a list of cases, expected {{"cases": [...]}} ({error})') from error
    for case in cases if not allow_outside else []:
        with named(case):
            _check_inside(folder, case)
    return cases


def _text(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ValueError(f"it has more than {_MOST_BYTES >> 20} MiB")
    return data.decode()


def _check_inside(folder: Path, case: Mapping[str, Any]) -> None:
    """Raise ValueError if a case names a file that is not in its folder, by its path or by a link."""
    train, top = case.get("train"), folder.resolve()
    lists = train.values() if isinstance(train, dict) else []
    clips = [path for paths in lists if isinstance(paths, list) for path in paths if isinstance(path, str)]
    for path in [stem["path"] for stem in case["stems"]] + clips:
        try:
            is_inside = (folder / path).resolve().is_relative_to(top)
        except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a NUL
            raise ValueError(f"{printable(folder / path)}: cannot be looked up ({plain(str(error))})") from error
        if not is_inside:
            remedy = "pass allow_outside=True if you trust it"
            raise ValueError(f"{printable(folder / path)}: is not in the folder of cases.json: {remedy}")


def sources(case: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the sources of a case, in the order of its stems."""
    return tuple(stem["name"] for stem in case["stems"])


@contextlib.contextmanager
def named(case: Mapping[str, Any]) -> Iterator[None]:
    """Put the id of the case before the message of a ValueError."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"case {case['id']!r}: {error}") from error


def check_files(folder: Path, case: Mapping[str, Any], *, needs_training: bool) -> None:
    """Raise ValueError if a case names a source twice or a file that is missing, or lacks training clips it needs."""
    if len(set(sources(case))) < len(case["stems"]):
        raise ValueError(f"two stems have the same name: {few(sources(case))}")
    paths = [folder / stem["path"] for stem in case["stems"]]
    if needs_training:
        paths += [path for clips in training_clips(folder, case).values() for path in clips]
    for path in paths:
        if not is_file(path):
            raise ValueError(f"{printable(path)}: no such file")


def training_clips(folder: Path, case: Mapping[str, Any]) -> dict[str, list[Path]]:
    """Return the paths of the training clips of each source of a case.

    Raises
    ------
    ValueError
        If a source has none.
    """
    train, clips = case.get("train"), {}
    for source in sources(case):
        paths = train.get(source) if isinstance(train, dict) else None
        if not isinstance(paths, list) or not paths or not all(map(_is_text, paths)):
            raise ValueError(f'no training clips of {source!r}, expected "train": {{name: [path]}}')
        clips[source] = [folder / path for path in paths]
    return clips


def load_case(folder: str | os.PathLike[str], case: Mapping[str, Any]) -> tuple[Array, Array, tuple[str, ...]]:
    """Return the mixture, the true stems that sum to it, and the names of the sources of a case of `cases.json`.

    Returns
    -------
    array, shape (n_samples, n_channels); array, shape (n_sources, n_samples, n_channels); tuple of str

    Raises
    ------
    ValueError
        If a stem cannot be read, their mixture is silent, or the case is large and longer than all of them.
    """
    n_samples, n_channels = int(case["seconds"] * case["sample_rate"]), case["channels"]
    read = [_read(Path(folder), stem, case) for stem in case["stems"]]
    if len(read) * n_samples * n_channels > most_values(0) and n_samples > max(map(len, read)):
        longest = max(map(len, read)) / case["sample_rate"]
        raise ValueError(f"seconds is {case['seconds']:g}, but the longest stem has {longest:.3g} s: make it shorter")
    stems = np.zeros((len(read), n_samples, n_channels), np.float32)
    for stem, x, out in zip(case["stems"], read, stems, strict=True):
        out[: len(x)] = x[:n_samples] * np.asarray(stem["gain"], np.float32)
    mixture = stems.sum(axis=0)
    if not (np.abs(mixture) > QUIETEST).any():
        raise ValueError("the mixture of the stems is silent: raise their gains, or choose another part of them")
    return mixture, stems, sources(case)


def _read(folder: Path, stem: Mapping[str, Any], case: Mapping[str, Any]) -> Array:
    """Return the part of a file that is a stem of a case, at its rate, and mono where the case is."""
    x, rate = files.read(folder / stem["path"])
    x = usable(x[round(stem["start"] * rate) :][: round((case["seconds"] + 0.05) * rate)])
    return files.resample(x.mean(axis=1, keepdims=True) if case["channels"] == 1 else x, rate, case["sample_rate"])


def _check_size(name: str, case: Mapping[str, Any]) -> None:
    """Raise ValueError if a case is larger than what can be measured."""
    whole_hz(case["sample_rate"])
    check_whole(f"{name}: channels", case["channels"], 1, MOST_CHANNELS)
    sizes = {"stems": len(case["stems"]), **{name: case[name] for name in ("seconds", "sample_rate", "channels")}}
    check_product(f"{name}: the number of values", MOST_CASE_VALUES, "measure a shorter part of it", **sizes)
    taps = {"stems": len(case["stems"]), "channels": case["channels"], "filter": FILTER_LENGTH}
    check_product(f"{name}: the number of taps of BSS-eval", MOST_TAPS, "use fewer channels or fewer stems", **taps)


def _check_fields(name: str, given: Any, fields: _Fields) -> None:
    if not isinstance(given, dict):
        raise TypeError(f"{name} is {given!r:.80}, expected an object with {', '.join(fields)}")
    for field, (is_valid, expected) in fields.items():
        if not is_valid(given.get(field)):
            raise ValueError(f"{name}: {field} is {given.get(field)!r:.80}, expected {expected}")
