"""What a long learning has reached after each pass, in a file beside the dictionary, to go on from there."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtnmf.audio import files
from rtnmf.audio.identity import identity
from rtnmf.audio.names import is_url, printable
from rtnmf.audio.replacing import not_written, replacing, why
from rtnmf.checks import few
from rtnmf.learning.clips import title
from rtnmf.nmf.passes import in_order

__all__ = ["Checkpoint", "Reached", "identities"]

_HASHED = 2**16  # samples at a time: an array may be a file that is larger than memory
_MOST_BYTES = 2**30  # of the names of recordings, of which a file that is not ours could say anything
_UNREADABLE = (zlib.error, OSError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)
_DAMAGED = "damaged, or no unfinished learning: choose another place, or remove it to begin anew"

Curve = tuple[tuple[int, float], ...]
Identities = Mapping[str, Sequence[tuple[str, str]]]
"""Of the recordings of each source, what each is called, and what tells it from others of that name."""


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
    settings : {str: any}
        All that the result of a pass depends on beside the recordings. JSON; `n_components` is among them.
    recordings : Identities
        As from `identities`: where they or the settings are others, nothing is gone on from.
    n_bins : int

    Raises
    ------
    ValueError
        If the file is there and is of another learning, which differences are then named, or damaged, or nothing can
        be written beside it.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any], recordings: Identities, n_bins: int) -> None:
        _check_place(path)
        self._path = path
        self._about = json.loads(json.dumps([settings, recordings]))
        self._packed = np.frombuffer(zlib.compress(json.dumps(self._about).encode()), np.uint8)
        self._reached: dict[str, Reached] = {}
        if path.exists():
            about, self._reached = _read(path, settings["n_components"], n_bins)
            _check_same(path, about, self._about)

    def check_passes(self, n_passes: int) -> None:
        """Raise ValueError if there are more passes already than are asked for."""
        most = max((len(one.curve) for one in self._reached.values()), default=0)
        if most > n_passes:
            raise ValueError(
                f"{printable(self._path)}: {most} passes are done already, and n_passes is {n_passes}: ask for {most}"
                " or more, or remove it to begin anew"
            )

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
            file.write(save({**tensors, "about": self._packed}, {"reached": facts}))


def identities(recordings: Mapping[str, Sequence[Any]]) -> dict[str, list[tuple[str, str]]]:
    """Return the names and identities of recordings: see `audio.identity` for files; of arrays it is a digest."""
    titled = [(title(name, i), one) for name, given in recordings.items() for i, one in enumerate(given, 1)]
    found = in_order(_identity, titled)
    return {name: [next(found) for _ in given] for name, given in recordings.items()}


def _check_place(path: Path) -> None:
    """Raise ValueError, before hours of work, if nothing can be written beside a file."""
    try:
        tempfile.TemporaryFile(dir=path.absolute().parent).close()
    except (OSError, ValueError) as error:
        raise not_written(path, why(error)) from error


def _identity(titled: tuple[str, Any]) -> tuple[str, str]:
    name, recording = titled
    if isinstance(recording, np.ndarray):
        digest = hashlib.sha256(str(recording.shape).encode())
        for at in range(0, len(recording), _HASHED):
            digest.update(recording[at : at + _HASHED].tobytes())
        return name, digest.hexdigest()
    with files.opened(recording) as reader:
        found = identity(recording, reader)
    if is_url(recording):  # with its key, which is not to be written down, but may be what tells it from others
        return printable(recording), found + hashlib.sha256(recording.encode()).hexdigest()[: len(found)]
    return os.fspath(Path(recording).absolute()), found


def _check_same(path: Path, before: Any, now: Any) -> None:
    """Raise ValueError if a learning was another one, in words that say in what."""
    (old_settings, old), (settings, new) = before, now
    differences = [
        f"{name} is {settings.get(name)} and was {old_settings.get(name)}"
        for name in dict.fromkeys([*settings, *old_settings])
        if settings.get(name) != old_settings.get(name)
    ]
    remedies = ["give the same settings"] if differences else []
    others = [text for name in dict.fromkeys([*old, *new]) for text in _others(name, old.get(name), new.get(name))]
    remedies += ["bring the same recordings back"] if others else []
    if remedies:
        raise ValueError(
            f"{printable(path)}: is of another learning ({few([f'{one:.200}' for one in differences])}"
            f"{'; ' if differences and others else ''}{'; '.join(others)}): {' and '.join(remedies)}, or remove it to"
            " begin anew"
        )


def _others(source: str, old: Any, new: Any) -> list[str]:
    """Return in which recordings of a source two learnings differ, in words."""
    before, now = (Counter(map(tuple, some or [])) for some in (old, new))
    gone, added = before - now, now - before
    names_gone, names_added = ({name: None for name, _ in some} for some in (gone, added))
    kinds = {
        "are new": [name for name in names_added if name not in names_gone],
        "are gone": [name for name in names_gone if name not in names_added],
        "have changed": [name for name in names_added if name in names_gone],
    }
    of = f"recordings{f' of {source}' if source else ''}"
    texts = [
        f"{of} that {kind}, {len(some)}: {few(list(map(printable, some)))}" for kind, some in kinds.items() if some
    ]
    return texts or ([] if old == new else [f"{of} are in another order"])


def _read(path: Path, n_components: int, n_bins: int) -> tuple[Any, dict[str, Reached]]:
    """Return settings and recordings, and what was reached."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            about = _unpacked(file.get_tensor("about"))
            reached = _parsed(file, file.metadata()["reached"])
    except (SafetensorError, *_UNREADABLE) as error:
        raise ValueError(f"{printable(path)}: {_DAMAGED}") from error
    if about[0].get("n_components") == n_components and not all(
        _is_usable(one, n_components, n_bins) for one in reached.values()
    ):
        raise ValueError(f"{printable(path)}: {_DAMAGED}")
    return about, reached


def _unpacked(packed: NDArray[Any]) -> Any:
    """Return settings and recordings as they were written; ValueError and the like if they are none."""
    stream = zlib.decompressobj()
    settings, recordings = json.loads(stream.decompress(packed.tobytes(), _MOST_BYTES))
    pairs = [pair for given in dict(recordings).values() for pair in given]
    if not all(isinstance(text, str) for name, digest in pairs for text in (name, digest)):
        raise ValueError("expected names and identities")
    return dict(settings), dict(recordings)


def _is_usable(reached: Reached, n_components: int, n_bins: int) -> bool:
    W, curve = reached.W, reached.curve
    is_shape = W.ndim == 2 and 1 <= len(W) <= n_components and W.shape[1] == n_bins and W.dtype == np.float32
    is_counted = [i for i, _ in curve] == list(range(len(curve)))
    return bool(is_shape and is_counted and np.isfinite(W).all() and (W >= 0).all())


def _parsed(file: Any, text: str) -> dict[str, Reached]:
    return {
        name: Reached(
            file.get_tensor(str(i)),
            tuple((int(n), float(d)) for n, d in curve),
            {int(number): str(reason) for number, reason in lost},
        )
        for i, (name, curve, lost) in enumerate(json.loads(text))
    }
