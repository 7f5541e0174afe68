"""Dictionaries: the components of a few sounds, whose they are, and the STFT they belong to.

A dictionary is a value: it never changes, and it is valid from birth. This room makes no sound and learns
nothing; it keeps, combines, converts and stores what was learned.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtnmf.audio.replacing import replacing
from rtnmf.checks import check_source_name, is_plain, whole_hz
from rtnmf.frames.stft import STFT

__all__ = ["Dictionary", "load_preset", "preset_folder", "presets"]

_FORMAT = "1"
_LARGEST_FILE = 512 * 2**20
_TRAINED = ("update_components", "mask_components")
_TEXTS = ("description", "licence", "rtnmf_version")
_SIZES = ("n_fft", "hop_length", "latency", "sample_rate")
_KEYS = {"format", "labels", "learned_from", "divergences", *_SIZES, *_TEXTS}


@dataclass(frozen=True, eq=False, repr=False)
class Dictionary:
    """Components with a source each, and the settings of the STFT that they belong to.

    Parameters
    ----------
    components : array, shape (n_bins, n_components)
        Magnitude spectra as columns, finite, non-negative; each column is divided by its sum. Copied, read-only.
    labels : sequence of str
        The source of each column: printable, at most 64 characters.
    stft : STFT
        With `n_bins` rows of `components`.
    sample_rate : int
        In Hz.
    update_components, mask_components : array, shape (n_bins, n_components), optional
        Columns trained to tell these very sources apart, one for each of `components`: a `Separator` finds the
        activations with the first and makes the masks of the second. Both or none; treated as `components`.
    description, licence : str, optional
        What this is, and under which licence the recordings may be used.
    learned_from : sequence of str, optional
        The recordings that it was learned from.
    rtnmf_version : str, optional
        The version that learned it.
    divergences : {source: sequence of (iteration, divergence)}, optional
        How each source was learned: the KL divergence as a part of the sum of V. Sources that were learned
        together, blind, stand under the empty name.

    Raises
    ------
    TypeError, ValueError
        If anything does not fit together: the message says what.
    """

    components: NDArray[np.float32]
    labels: tuple[str, ...]
    stft: STFT
    sample_rate: int
    _: KW_ONLY
    update_components: NDArray[np.float32] | None = None
    mask_components: NDArray[np.float32] | None = None
    description: str = ""
    licence: str = ""
    learned_from: tuple[str, ...] = ()
    rtnmf_version: str = ""
    divergences: Mapping[str, tuple[tuple[int, float], ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.stft, STFT):
            raise TypeError(f"stft is {type(self.stft).__name__}, expected an STFT")
        sample_rate = whole_hz(self.sample_rate)
        labels, learned_from = _strings("labels", self.labels), _strings("learned_from", self.learned_from)
        components = _normalised(self.components, self.stft.n_bins)
        if len(labels) != components.shape[1]:
            raise ValueError(f"there are {len(labels)} labels for {components.shape[1]} components, expected one each")
        for label in set(labels):
            check_source_name(label)
        for text in (self.description, self.licence, self.rtnmf_version, *learned_from):
            if not isinstance(text, str) or len(text) > 10_000 or not is_plain(text):
                raise ValueError(f"text {text!r:.80} is not usable: expected one line without control characters")
        object.__setattr__(self, "components", components)
        if (self.update_components is None) != (self.mask_components is None):
            raise ValueError("only one of update_components and mask_components is given, expected both or none")
        for name in _TRAINED if self.is_trained else ():
            columns = _normalised(getattr(self, name), self.stft.n_bins)
            if columns.shape != components.shape:
                raise ValueError(f"{name} have shape {columns.shape}, expected that of components, {components.shape}")
            object.__setattr__(self, name, columns)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "learned_from", learned_from)
        object.__setattr__(self, "divergences", _checked_divergences(self.divergences, labels))
        object.__setattr__(self, "sample_rate", sample_rate)

    def __repr__(self) -> str:
        counts = ", ".join(f"{self.labels.count(source)} {source}" for source in self.sources)
        return f"<Dictionary of {counts}; {self.sample_rate} Hz, {self.stft}>"

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the sources, in the order of their first component."""
        return tuple(dict.fromkeys(self.labels))

    @property
    def is_trained(self) -> bool:
        """Whether there are columns trained to tell the sources apart."""
        return self.update_components is not None

    def untrained(self) -> Dictionary:
        """Return the dictionary without the columns that were trained to tell the sources apart."""
        return replace(self, update_components=None, mask_components=None)

    @property
    def n_components(self) -> int:
        """Number of components of all sources together."""
        return self.components.shape[1]

    def select(self, *sources: str) -> Dictionary:
        """Return a dictionary with only these sources, in this order.

        With fewer sources it is untrained: columns trained against a sound that is not there are of no use.

        Raises
        ------
        ValueError
            If one is unknown or named twice, or none is named.
        """
        if not sources or len(set(sources)) != len(sources):
            raise ValueError(f"sources to select are {list(sources)}, expected one or more different names")
        for source in sources:
            if source not in self.sources:
                raise ValueError(f"there is no source {source!r}: choose from {', '.join(self.sources)}")
        columns = [k for source in sources for k, label in enumerate(self.labels) if label == source]
        return replace(
            self._with_columns(columns) if len(columns) == self.n_components else self.untrained(),
            components=self.components[:, columns],
            labels=tuple(self.labels[k] for k in columns),
            divergences={name: some for name, some in self.divergences.items() if name in ("", *sources)},
        )

    def _with_columns(self, columns: list[int]) -> Dictionary:
        """Return the dictionary with the trained columns in another order, if it has some."""
        changed: Any = {name: getattr(self, name)[:, columns] for name in _TRAINED if self.is_trained}
        return replace(self, **changed)

    def merge(self, *others: Dictionary) -> Dictionary:
        """Return a dictionary with the sources of this one and of others that have the same STFT and rate; untrained.

        Raises
        ------
        ValueError
            If a rate or an STFT differs, or a source name is in two of them.
        """
        parts = (self, *others)
        for part in others:
            if part.sample_rate != self.sample_rate:
                raise ValueError(
                    f"sample rates {self.sample_rate} and {part.sample_rate} differ:"
                    f" use .at_rate({self.sample_rate}) first"
                )
            if part.stft != self.stft:
                raise ValueError(f"settings {self.stft} and {part.stft} differ: learn both with the same stft")
        names = [source for part in parts for source in part.sources]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"source {name!r} is in more than one of the dictionaries: name it once")
        return replace(
            self.untrained() if others else self,
            components=np.hstack([part.components for part in parts]),
            labels=tuple(label for part in parts for label in part.labels),
            description=_joined(part.description for part in parts),
            licence=_joined(part.licence for part in parts),
            learned_from=tuple(dict.fromkeys(name for part in parts for name in part.learned_from)),
            divergences={name: some for part in parts for name, some in part.divergences.items()},
        )

    def at_rate(self, sample_rate: int, stft: STFT | None = None) -> Dictionary:
        """Return the dictionary for another sample rate.

        The STFT keeps its length in time as nearly as a factor of a power of two can, and the columns are
        re-binned: the content of each new bin is the integral of the old column over it. Bins above the old
        Nyquist frequency stay empty; components that lie above the new one are left out.

        Parameters
        ----------
        sample_rate : int
            In Hz.
        stft : STFT, optional
            To use instead, for a dictionary that is to be merged with another one. A window of another length or
            shape fits the components less well.

        Raises
        ------
        ValueError
            If a source has no component left, or the STFT cannot be made so short.
        """
        sample_rate = whole_hz(sample_rate)
        if stft is None:
            factor = 2.0 ** round(np.log2(sample_rate / self.sample_rate))
            lengths = (self.stft.n_fft, self.stft.hop_length, self.stft.latency)
            n_fft, hop_length, latency = (_scaled(length, factor, sample_rate) for length in lengths)
            stft = STFT(n_fft, hop_length, latency=latency)
        if sample_rate == self.sample_rate and stft == self.stft:
            return self
        hz = self.sample_rate / self.stft.n_fft, sample_rate / stft.n_fft
        columns = {
            name: _rebinned(getattr(self, name), *hz, stft) for name in ("components", *_TRAINED * self.is_trained)
        }
        kept = np.flatnonzero(np.min([some.sum(axis=0) for some in columns.values()], axis=0) > 1e-6)
        labels = tuple(self.labels[k] for k in kept)
        lost = [source for source in self.sources if source not in labels]
        if lost:
            raise ValueError(f"{', '.join(lost)}: nothing is left at {sample_rate} Hz: use a higher sample rate")
        kept_columns: Any = {name: some[:, kept] for name, some in columns.items()}
        return replace(self, **kept_columns, labels=labels, stft=stft, sample_rate=sample_rate)

    def at_latency(self, latency_ms: float) -> Dictionary:
        """Return the dictionary with at most this latency: the same window and columns, a shorter synthesis.

        In the mean of 32 mixtures that cost 0.8 dB of SI-SDR at 12 ms, 1.3 dB at 6 ms, 1.7 dB at 3 ms, and untrained
        0.5, 0.8 and 1.1 dB; learning with the short latency was hardly better. One that is as quick already is returned
        as it is.

        Parameters
        ----------
        latency_ms : float
            In milliseconds.

        Raises
        ------
        ValueError
            If there are less than two samples in that time.
        """
        latency = 2 * int(latency_ms * self.sample_rate / 2000)
        if self.stft.latency <= latency:
            return self
        if latency < 2:
            raise ValueError(f"latency_ms is {latency_ms}, expected at least {2000 / self.sample_rate:.3g}")
        return replace(self, stft=STFT(self.stft.n_fft, max(1, latency // 4), latency=latency))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the dictionary to a `.safetensors` file, whole or not at all.

        Raises
        ------
        ValueError
            If the file cannot be written.
        """
        from safetensors.numpy import save

        metadata = {
            "format": _FORMAT,
            "labels": json.dumps(self.labels),
            "learned_from": json.dumps(self.learned_from),
            "divergences": json.dumps(dict(self.divergences)),
            "sample_rate": str(self.sample_rate),
            "n_fft": str(self.stft.n_fft),
            "hop_length": str(self.stft.hop_length),
            "latency": str(self.stft.latency),
            **{name: getattr(self, name) for name in _TEXTS},
        }
        names = ("components", *_TRAINED * self.is_trained)
        data = save({name: np.ascontiguousarray(getattr(self, name)) for name in names}, metadata)
        with replacing(path) as beside:
            beside.write_bytes(data)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Dictionary:
        """Read a dictionary from a file. Safe with a file from a stranger: nothing in it is ever run.

        Raises
        ------
        ValueError
            If the file is not a dictionary of a format that this version knows, whole and valid.
        """
        if not Path(path).is_file():
            raise ValueError(f"{path}: no such file: name a dictionary file or a preset")
        if Path(path).stat().st_size > _LARGEST_FILE:
            raise ValueError(f"{path}: more than {_LARGEST_FILE >> 20} MiB are too much for a dictionary")
        metadata, tensors = _parsed(path)
        try:
            return cls._from_parts(metadata, tensors)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise ValueError(f"{path}: not a dictionary of this version of rtnmf ({error})") from error

    @classmethod
    def _from_parts(cls, metadata: dict[str, str], tensors: dict[str, NDArray[np.float32]]) -> Dictionary:
        if metadata.get("format") != _FORMAT:
            raise ValueError(f"format is {metadata.get('format')!r}, expected {_FORMAT!r}")
        expected = {"components", *_TRAINED} if len(tensors) > 1 else {"components"}
        if set(metadata) != _KEYS or set(tensors) != expected:
            odd = sorted(set(metadata) ^ _KEYS | set(tensors) ^ expected)
            raise ValueError(f"missing or unknown entries: {', '.join(odd)}")
        for name, columns in tensors.items():
            if columns.dtype != np.float32:
                raise ValueError(f"{name} are {columns.dtype}, expected float32")
        sizes = {name: _whole(name, metadata[name]) for name in _SIZES}
        return cls(
            tensors["components"],
            _strings("labels", json.loads(metadata["labels"])),
            STFT(sizes["n_fft"], sizes["hop_length"], latency=sizes["latency"]),
            sizes["sample_rate"],
            update_components=tensors.get("update_components"),
            mask_components=tensors.get("mask_components"),
            learned_from=_strings("learned_from", json.loads(metadata["learned_from"])),
            divergences=json.loads(metadata["divergences"]),
            **{name: metadata[name] for name in _TEXTS},
        )


def presets() -> tuple[str, ...]:
    """Return the names of the presets that ship with rtnmf."""
    return tuple(sorted(path.stem for path in preset_folder().glob("*.safetensors")))


def load_preset(name: str) -> Dictionary:
    """Return a preset, a dictionary that ships with rtnmf.

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
    inside = package / "preset_data"
    return inside if inside.is_dir() else package.parent / "presets"


def _normalised(components: ArrayLike, n_bins: int) -> NDArray[np.float32]:
    """Return a read-only copy whose columns sum to 1."""
    copy = np.array(components, np.float32, order="F")
    if copy.ndim != 2 or len(copy) != n_bins or not copy.shape[1]:
        raise ValueError(f"components have shape {copy.shape}, expected ({n_bins}, at least 1)")
    if not np.isfinite(copy).all() or copy.min() < 0:
        raise ValueError("components hold negative or non-finite values, expected magnitudes")
    sums = copy.sum(axis=0, dtype=np.float64)
    if not (sums > 0).all():
        raise ValueError(f"component {int(np.argmin(sums))} is all zero: leave it out")
    sums[np.abs(sums - 1) < 1e-6] = 1  # what was saved comes back to the bit
    normalised = (copy / sums).astype(np.float32)
    normalised.flags.writeable = False
    return normalised


def _rebinned(components: NDArray[np.float32], from_hz: float, to_hz: float, stft: STFT) -> NDArray[np.float32]:
    """Integrate columns, whose bins are `from_hz` apart, over bins that are `to_hz` apart."""
    edges = (np.arange(len(components) + 1) - 0.5) * from_hz
    new_edges = (np.arange(stft.n_bins + 1) - 0.5) * to_hz
    integrals = np.cumsum(np.vstack([np.zeros_like(components[:1]), components]), axis=0, dtype=np.float64)
    at_edges = np.column_stack([np.interp(new_edges, edges, column) for column in integrals.T])
    return np.diff(at_edges, axis=0).astype(np.float32)


def _scaled(length: int, factor: float, sample_rate: int) -> int:
    scaled = length * factor
    if scaled != int(scaled):
        raise ValueError(f"the STFT cannot be made short enough for {sample_rate} Hz: resample the signal instead")
    return int(scaled)


def _parsed(path: str | os.PathLike[str]) -> tuple[dict[str, str], dict[str, NDArray[np.float32]]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in list(file.keys())[:4]}
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError, MemoryError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise ValueError(f"{path}: not a dictionary, or a damaged one ({reason}): learn it anew") from error


def _whole(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ValueError(f"{name} is {text[:40]!r}, expected a whole number")
    return int(text)


def _strings(name: str, values: object) -> tuple[str, ...]:
    if not isinstance(values, (list, tuple)) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"{name} is {values!r:.80}, expected a sequence of strings")
    return tuple(values)


def _checked_divergences(
    given: Mapping[str, tuple[tuple[int, float], ...]], labels: tuple[str, ...]
) -> Mapping[str, tuple[tuple[int, float], ...]]:
    """Return a copy of the divergences of sources."""
    try:
        checked = {name: tuple((int(i), float(value)) for i, value in some) for name, some in given.items()}
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"divergences are {given!r:.80}, expected {{source: [(iteration, divergence)]}}") from error
    if not set(checked) <= {"", *labels} or not all(np.isfinite(v) for some in checked.values() for _, v in some):
        raise ValueError("divergences are of other sources, or not finite")
    return checked


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))
