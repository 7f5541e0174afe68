"""What a long learning has reached after each pass, in a file beside the dictionary, to go on from there."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtnmf.audio.replacing import replacing

__all__ = ["Checkpoint", "Reached"]

Curve = tuple[tuple[int, float], ...]


class Reached(NamedTuple):
    """Where the learning of a source was after a pass."""

    W: NDArray[np.float32]
    """Shape (n_components, n_bins)."""
    curve: Curve
    """Passes and divergences so far."""


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
        If the file is there and is of another learning, or damaged.
    """

    def __init__(self, path: Path, facts: Any) -> None:
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
        names = list(self._reached)
        tensors = {str(i): np.ascontiguousarray(self._reached[name].W) for i, name in enumerate(names)}
        curves = json.dumps([[name, self._reached[name].curve] for name in names])
        with replacing(self._path) as file:
            file.write(save(tensors, {"key": self._key, "curves": curves}))


def _read(path: Path, key: str) -> dict[str, Reached]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            curves = json.loads(metadata.get("curves", "[]"))
            found = {
                name: Reached(file.get_tensor(str(i)), tuple((int(n), float(d)) for n, d in curve))
                for i, (name, curve) in enumerate(curves)
            }
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path}: damaged, or no unfinished learning ({type(error).__name__}): remove it") from error
    if metadata.get("key") != key:
        raise ValueError(
            f"{path}: is of another learning, of other recordings or settings: remove it, or give the same ones again"
        )
    return found
