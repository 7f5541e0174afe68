"""Dictionaries by name, several of them trained to be told apart; what was trained once is kept in the user's cache."""

from __future__ import annotations

import contextlib
import hashlib
import os
import warnings
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from rtnmf.audio.names import split
from rtnmf.dictionary import Dictionary, merged
from rtnmf.dictionary.examples import decoded
from rtnmf.learning.bandwidth import continued
from rtnmf.learning.training import N_STEPS, trained
from rtnmf.progress import Progress
from rtnmf.version import version

__all__ = ["joined", "known", "load", "plain"]

_MOST_KEPT = 64  # trained dictionaries in the cache


def load(
    name: str | os.PathLike[str], sample_rate: int | None = None, *, progress: Progress | None = None
) -> Dictionary:
    r"""Return the dictionary of a name: a preset, a file, or several of either joined with `+`.

    `speech` is a preset, `desk.safetensors` a file, and `desk.safetensors+speech` a dictionary of both, which are
    trained to be told apart, as `learn` does. That takes some seconds the first time, and is kept in the cache of the
    user. Where a dictionary has no frames of its recordings, they are merged without training, with a warning. A file
    of a preset's name is preferred to the preset, a folder of that name is ignored. Where the name or a part of it
    that contains `+` is that of a file, it stands for that file; `\+` is a `+` within a name.

    Dictionaries are merged at one sample rate and with one STFT and model, those of the first; `sample_rate` overrides
    the rate. There is one rest at most, the first. A warning reports whatever is converted or left out.

    Parameters
    ----------
    name : str or path
        What to load.
    sample_rate : int, optional
        In Hz; None means that of the first dictionary.
    progress : Progress, optional
        Of the training; its stage is "training".

    Raises
    ------
    TypeError, ValueError
        If a part of the name is neither a file nor a preset, a file is not a dictionary, two parts have a source of
        the same name, or one cannot be converted.
    """
    dictionary, is_to_be_joined = plain(name, sample_rate)
    return joined(dictionary, progress=progress) if is_to_be_joined else dictionary


def plain(name: str | os.PathLike[str], sample_rate: int | None = None) -> tuple[Dictionary, bool]:
    """Return the dictionary of a name without further training, and whether `load` would give it to `joined`."""
    dictionary = merged(name, sample_rate)
    if len(split(os.fspath(name), "+")) == 1:
        return dictionary, False
    missing = [source for source in dictionary.sources if source not in dictionary.frames]
    if missing:
        message = f"there are no frames of {', '.join(missing)}: {os.fspath(name)} is not trained to be told apart"
        warnings.warn(message, stacklevel=3)
    return dictionary, not missing


def joined(dictionary: Dictionary, *, progress: Progress | None = None) -> Dictionary:
    """Return a merged dictionary trained from the frames that it carries, or as it was trained before."""
    before = known(dictionary)
    if before is not None:
        return before
    whole = continued(dictionary.select(*dictionary.sources))
    frames = {source: [np.ascontiguousarray(decoded(codes).T)] for source, codes in whole.frames.items()}
    found = trained(whole, frames, n_steps=N_STEPS, progress=progress)
    with contextlib.suppress(OSError, ValueError):  # no room for a cache: it is trained again the next time
        path = _place(dictionary)
        path.parent.mkdir(parents=True, exist_ok=True)
        found.save(path)
        for old in sorted(path.parent.iterdir(), key=lambda kept: kept.stat().st_mtime)[:-_MOST_KEPT]:
            old.unlink()
    return found


def known(dictionary: Dictionary) -> Dictionary | None:
    """Return a merged dictionary as it was trained before; None where the cache holds none, or one of other sources."""
    with contextlib.suppress(ValueError, OSError):  # not there, damaged, or gone meanwhile
        found = Dictionary.load(_place(dictionary))
        if found.is_trained and _facts(found) == _facts(dictionary.select(*dictionary.sources)):
            return found
    return None


def _facts(dictionary: Dictionary) -> tuple[object, ...]:
    return dictionary.labels, dictionary.stft, dictionary.sample_rate, dictionary.model, dictionary.rest


def _place(dictionary: Dictionary) -> Path:
    """Return the path in the cache of what a merged dictionary is trained to: by all that the training depends on."""
    content = hashlib.sha256(dictionary.components.tobytes())
    for source, codes in dictionary.frames.items():
        content.update(source.encode() + codes.tobytes())
    texts = dictionary.description, dictionary.licence, dictionary.learned_from
    content.update(repr((_facts(dictionary), texts, N_STEPS, version())).encode())
    try:
        folder = user_cache_path("rtnmf") / "joined"
    except RuntimeError as error:
        raise ValueError(f"there is no folder for a cache: {error}") from error
    return folder / f"{content.hexdigest()}.safetensors"
