"""What a long learning has reached after each pass, in a file beside the dictionary, to go on from there."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtnmf.audio import files
from rtnmf.audio.names import is_url, printable
from rtnmf.audio.replacing import not_written, replacing, why

__all__ = ["Checkpoint", "Reached", "identities"]

_HASHED = 2**16  # samples at a time: an array may be a file that is larger than memory
_DAMAGED = "damaged, or no unfinished learning: choose another place, or remove it to begin anew"

Curve = tuple[tuple[int, float], ...]


class Reached(NamedTuple):
    """Where the learning of a source was after a pass."""

    W: NDArray[np.float32]
    """Shape (n_components, n_bins)."""
    curve: Curve
    """Passes and divergences so far."""
    lost: Mapping[int, str]
    """The numbers of recordings that could not be read in one of them, and why."""


class Checkpoint:
    """A file with what was reached for each source, written anew after each pass, whole or not at all.

    Parameters
    ----------
    path : path
    facts : any
        All that the result depends on: what another one wrote is not gone on from. JSON.

    Raises
    ------
    ValueError
        If the file is there and is of another learning, or damaged, or nothing can be written beside it.
    """

    def __init__(self, path: Path, facts: Any) -> None:
        _check_place(path)
        self._path = path
        self._key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        self._reached: dict[str, Reached] = _read(path, self._key) if path.exists() else {}

    def reached(self, name: str) -> Reached | None:
        """Return what was reached for a source; None if that is nothing yet."""
        return self._reached.get(name)

    def keep(self, name: str, reached: Reached) -> None:
        """Write what was reached for a source, and for all others before."""
        from safetensors.numpy import save

        self._reached[name] = reached
        every = list(self._reached.items())
        tensors = {str(i): np.ascontiguousarray(one.W) for i, (_, one) in enumerate(every)}
        facts = json.dumps([[name, one.curve, list(one.lost.items())] for name, one in every])
        with replacing(self._path) as file:
            file.write(save(tensors, {"key": self._key, "reached": facts}))


def identities(recordings: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """Return what tells recordings from others: of files the paths, sizes and times, of arrays a digest."""
    return {name: [_identity(recording) for recording in given] for name, given in recordings.items()}


def _check_place(path: Path) -> None:
    """Raise ValueError, before hours of work, if nothing can be written beside a file."""
    try:
        tempfile.TemporaryFile(dir=path.absolute().parent).close()
    except (OSError, ValueError) as error:
        raise not_written(path, why(error)) from error


def _identity(recording: Any) -> list[Any]:
    if isinstance(recording, np.ndarray):
        digest = hashlib.sha256()
        for at in range(0, len(recording), _HASHED):
            digest.update(recording[at : at + _HASHED].tobytes())
        return [recording.shape, digest.hexdigest()]
    if is_url(recording):
        with files.opened(recording) as reader:
            return [recording, reader.n_bytes]
    found = Path(recording).stat()
    return [os.fspath(Path(recording).absolute()), found.st_size, found.st_mtime_ns]


def _read(path: Path, key: str) -> dict[str, Reached]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata()
            if metadata["key"] != key:
                raise ValueError(
                    f"{printable(path)}: is of another learning, of other recordings or settings or another version:"
                    " give the same ones again, or remove it to begin anew"
                )
            reached = _parsed(file, metadata["reached"])
    except (SafetensorError, OSError, TypeError, KeyError) as error:
        raise ValueError(f"{printable(path)}: {_DAMAGED}") from error
    if not all(np.isfinite(one.W).all() and (one.W >= 0).all() for one in reached.values()):
        raise ValueError(f"{printable(path)}: {_DAMAGED}")
    return reached


def _parsed(file: Any, text: str) -> dict[str, Reached]:
    try:
        return {
            name: Reached(file.get_tensor(str(i)), tuple((int(n), float(d)) for n, d in curve), dict(lost))
            for i, (name, curve, lost) in enumerate(json.loads(text))
        }
    except ValueError as error:
        raise TypeError(str(error)) from error
