"""Dictionaries by name: the presets that ship with rtnmf, files, and several of them merged."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from pathlib import Path

from rtnmf.audio.names import is_file, split
from rtnmf.checks import whole_hz
from rtnmf.dictionary.value import Dictionary

__all__ = ["load_preset", "merged", "preset_folder", "presets"]


def merged(name: str | os.PathLike[str], sample_rate: int | None = None) -> Dictionary:
    """Return the dictionary of a name, untrained where it joins several; see `learning.joining.load`, which trains it.

    Parameters
    ----------
    name : str or path
        What to load.
    sample_rate : int, optional
        In Hz; None means that of the first dictionary.

    Raises
    ------
    TypeError, ValueError
        If a part of the name is neither a file nor a preset, a file is not a dictionary, two parts have a source of
        the same name, or one cannot be converted.
    """
    if not isinstance(name, (str, os.PathLike)):
        raise TypeError(f"name is {name!r:.80}, expected a preset, a file or several joined with +")
    rate = None if sample_rate is None else whole_hz(sample_rate)
    names = split(os.fspath(name), "+")
    opened = [_opened(part) for part in names]
    rate = rate or opened[0].sample_rate
    fitting: list[Dictionary] = []
    for part, dictionary in zip(names, opened, strict=True):
        fitted = _fitted(part, dictionary, rate, names[0], *fitting[:1])
        fitting.append(_without_second_rest(part, fitted, fitting))
    return fitting[0].merge(*fitting[1:])


def _without_second_rest(name: str, dictionary: Dictionary, before: list[Dictionary]) -> Dictionary:
    """Return a dictionary without its rest where another one before it has one, with a warning."""
    if not dictionary.rest or not any(other.rest for other in before):
        return dictionary
    taught = [source for source in dictionary.sources if source != dictionary.rest]
    if not taught:
        raise ValueError(f"{name} is a rest, and there is one already: leave one of them out")
    _warn(f"the rest of {name} is left out: that of the dictionary before it stands for all that was not taught")
    return dictionary.select(*taught)


def presets() -> tuple[str, ...]:
    """Return the names of the presets that ship with rtnmf."""
    return tuple(sorted(path.stem for path in preset_folder().glob("*.safetensors")))


def load_preset(name: str) -> Dictionary:
    """Return a preset, whatever files there are of that name.

    Raises
    ------
    ValueError
        If there is no such preset.
    """
    if name not in presets():
        raise ValueError(f"there is no preset {name!r}: choose from {', '.join(presets())}")
    return Dictionary.load(preset_folder() / f"{name}.safetensors")


def preset_folder() -> Path:
    """Return the folder of the presets, of an installed package or of a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "preset_data"
    return installed if installed.is_dir() else package.parent / "presets"


def _opened(name: str) -> Dictionary:
    if is_file(name):
        return Dictionary.load(name)
    if name not in presets():
        raise ValueError(f"{name!r} is neither a dictionary file nor a preset: the presets are {', '.join(presets())}")
    return load_preset(name)


def _fitted(
    name: str, dictionary: Dictionary, sample_rate: int, first_name: str, first: Dictionary | None = None
) -> Dictionary:
    """Return a dictionary at a rate, with the STFT and the model of the first one; warn of each conversion."""
    converted = dictionary.at_rate(sample_rate)
    if dictionary.sample_rate != sample_rate:
        _warn(f"{name} was learned at {dictionary.sample_rate} Hz and is converted to {sample_rate} Hz")
    if first is not None and converted.stft != first.stft:
        _warn(f"{name} is converted to the window and latency of {first_name}")
        converted = dictionary.at_rate(sample_rate, first.stft)
    if first is not None and converted.model != first.model:
        _warn(f"{name} is used with the model of {first_name}, {first.model}, instead of {dictionary.model}")
        converted = replace(converted, model=first.model)
    return converted


def _warn(message: str) -> None:
    """Warn as if from the line that calls `merged`."""
    warnings.warn(message, stacklevel=4)
