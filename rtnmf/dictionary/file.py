"""The file of a dictionary: the parts of one in, bytes of a `.safetensors` file out, and back.

The columns are float32, the frames bytes; all else is metadata, which `.safetensors` keeps as strings. The same parts
always give the same bytes. Files are not trusted: size and work are bounded, and whatever is not expected is refused.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtnmf.audio.names import is_file
from rtnmf.audio.replacing import not_written, replacing
from rtnmf.bounds import MOST_HEADER_BYTES
from rtnmf.dictionary.parts import TRAINED, strings
from rtnmf.frames.model import Model
from rtnmf.frames.stft import STFT

__all__ = ["parts_of", "read", "refusing", "write"]

_FORMAT = "4"
_LARGEST_FILE = 512 * 2**20
_MOST_FRAMES = 10**7
_TEXTS = ("description", "licence", "rtnmf_version")
_STFT = ("n_fft", "hop_length", "latency")
_KEYS = {"1": {"format", "labels", "learned_from", "divergences", "sample_rate", *_STFT, *_TEXTS}}
_KEYS["2"] = _KEYS["1"] | {"model"}
_KEYS["3"] = _KEYS["2"] | {"rest", "frames"}
_KEYS["4"] = _KEYS["3"] | {"voices"}
_COLUMNS = ("components", *TRAINED)
_DTYPES: dict[str, Any] = {**dict.fromkeys(_COLUMNS, np.float32), "frames": np.uint8}

Tensors = dict[str, NDArray[Any]]


def write(path: str | os.PathLike[str], parts: Mapping[str, Any], *, overwrite: bool = True) -> None:
    """Write the parts of a dictionary, named as its fields are, to a file: whole or not at all.

    Raises
    ------
    ValueError
        If the file cannot be written, or would be too large to be read again.
    """
    metadata = {
        "format": _FORMAT,
        "labels": json.dumps(parts["labels"]),
        "learned_from": json.dumps(parts["learned_from"]),
        "divergences": json.dumps(dict(parts["divergences"])),
        "model": json.dumps(asdict(parts["model"])),
        "rest": parts["rest"],
        "voices": json.dumps(parts["voices"]),
        "frames": json.dumps({source: frames.shape[1] for source, frames in parts["frames"].items()}),
        "sample_rate": str(parts["sample_rate"]),
        **{name: str(getattr(parts["stft"], name)) for name in _STFT},
        **{name: parts[name] for name in _TEXTS},
    }
    tensors = {name: parts[name] for name in _COLUMNS if parts[name] is not None}
    if parts["frames"]:
        tensors["frames"] = np.hstack(list(parts["frames"].values()))
    data = _encoded(metadata, tensors)
    if len(data) > _LARGEST_FILE:
        raise not_written(path, f"a dictionary file has at most {_LARGEST_FILE >> 20} MiB: use fewer components")
    if struct.unpack("<Q", data[:8])[0] > MOST_HEADER_BYTES:
        raise not_written(path, f"texts and divergences of a dictionary have at most {MOST_HEADER_BYTES >> 20} MiB")
    with replacing(path, overwrite=overwrite) as file:
        file.write(data)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, str], Tensors]:
    """Return the metadata and the arrays of a `.safetensors` file, not yet checked.

    Raises
    ------
    ValueError
        If there is no such file, or it is too large, damaged or of another kind.
    """
    from safetensors import SafetensorError, safe_open

    if not is_file(path):
        raise ValueError(f"{path}: no such file, expected a dictionary file (presets are loaded with rtnmf.load)")
    if Path(path).stat().st_size > _LARGEST_FILE:
        raise ValueError(f"{path}: larger than {_LARGEST_FILE >> 20} MiB, too much for a dictionary")
    _check_header(path)
    try:
        with safe_open(path, framework="numpy") as file:
            return file.metadata() or {}, {
                name: file.get_tensor(name) for name in list(file.keys())[: len(_DTYPES) + 1]
            }
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError, MemoryError) as error:
        reason = ascii(str(error)[:200])[1:-1] or type(error).__name__
        raise ValueError(
            f"{path}: not a dictionary, or a damaged one ({reason}): expected a file that rtnmf learned or saved"
        ) from error


def parts_of(metadata: Mapping[str, str], tensors: Tensors) -> dict[str, Any]:
    """Return what a file holds as the arguments of `Dictionary`, which checks their values.

    Raises
    ------
    TypeError, ValueError, OverflowError, RecursionError
        If the format is unknown, an entry is missing or unknown, or a value cannot be read.
    """
    _check_entries(metadata, tensors)
    n_fft, hop_length, latency = (_whole(name, metadata[name]) for name in _STFT)
    return {
        **{name: array for name, array in tensors.items() if name != "frames"},
        "rest": metadata.get("rest", ""),
        "voices": strings("voices", json.loads(metadata["voices"])) if "voices" in metadata else None,
        "frames": _frames(metadata, tensors.get("frames")),
        "labels": strings("labels", json.loads(metadata["labels"])),
        "stft": STFT(n_fft, hop_length, latency=latency),
        "sample_rate": _whole("sample_rate", metadata["sample_rate"]),
        "model": _model(metadata["model"]) if "model" in metadata else Model(),
        "learned_from": strings("learned_from", json.loads(metadata["learned_from"])),
        "divergences": json.loads(metadata["divergences"]),
        **{name: metadata[name] for name in _TEXTS},
    }


def _check_header(path: str | os.PathLike[str]) -> None:
    """Raise ValueError if the header of a file says that it is larger than what is read; others are damaged."""
    with contextlib.suppress(OSError, struct.error), Path(path).open("rb") as file:
        n_bytes = struct.unpack("<Q", file.read(8))[0]
        if MOST_HEADER_BYTES < n_bytes < Path(path).stat().st_size:
            raise ValueError(
                f"{path}: its header has {n_bytes} bytes, expected at most {MOST_HEADER_BYTES}: keep fewer texts and"
                " divergences in it"
            )


@contextlib.contextmanager
def refusing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Raise every error of what a file holds as one ValueError that names the file."""
    try:
        yield
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path}: not a dictionary of this version of rtnmf ({error})") from error


def _encoded(metadata: Mapping[str, str], tensors: Tensors) -> bytes:
    """Return the bytes of a file; `safetensors` itself orders the metadata at random."""
    header: dict[str, Any] = {"__metadata__": metadata}
    data = b""
    for name in sorted(
        tensors, key=lambda name: (name == "frames", name)
    ):  # bytes last, or floats would not be aligned
        dtype, kind = ("u1", "U8") if name == "frames" else ("<f4", "F32")
        array = np.ascontiguousarray(tensors[name], dtype).tobytes()
        offsets = [len(data), len(data) + len(array)]
        header[name] = {"dtype": kind, "shape": tensors[name].shape, "data_offsets": offsets}
        data += array
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format wants the arrays aligned
    return struct.pack("<Q", len(text)) + text + data


def _check_entries(metadata: Mapping[str, str], tensors: Tensors) -> None:
    keys = _KEYS.get(metadata.get("format", ""))
    if keys is None:
        known = " or ".join(map(repr, _KEYS))
        raise ValueError(f"'format' is {metadata.get('format')!r:.40}, expected {known}: a newer rtnmf may know it")
    names = {"components"} | (set(TRAINED) if set(tensors) & set(TRAINED) else set())
    names |= {"frames"} if metadata.get("frames", "{}") != "{}" else set()
    odd = sorted(set(metadata) ^ keys | set(tensors) ^ names)
    if odd:
        raise ValueError(f"missing or unknown entries: {', '.join(ascii(name)[:80] for name in odd[:20])}")
    for name, array in tensors.items():
        if array.dtype != _DTYPES[name]:
            raise ValueError(f"{name} are {array.dtype}, expected {np.dtype(_DTYPES[name])}")


def _frames(metadata: Mapping[str, str], frames: NDArray[np.uint8] | None) -> dict[str, NDArray[np.uint8]]:
    """Return the frames of each source, which lie side by side."""
    counts = json.loads(metadata.get("frames", "{}"))
    numbers: list[int] = list(counts.values()) if isinstance(counts, dict) else [0]
    if not all(type(number) is int and 0 < number < _MOST_FRAMES for number in numbers):
        raise ValueError(f"frames are {metadata['frames']!r:.80}, expected the number of frames of each source")
    if frames is None:
        return {}
    if frames.ndim != 2 or sum(numbers) != frames.shape[1]:
        raise ValueError(f"frames have shape {frames.shape}, expected {sum(numbers)} as columns")
    return dict(zip(counts, np.split(frames, np.cumsum(numbers)[:-1], axis=1), strict=True))


def _model(text: str) -> Model:
    given = json.loads(text)
    names = [field.name for field in fields(Model)]
    if not isinstance(given, dict) or set(given) != set(names):
        raise ValueError(f"model is {text!r:.80}, expected the entries {', '.join(names)}")
    weights = given["weights"]
    numbers = [*weights, *(given[name] for name in names if name != "weights")] if isinstance(weights, list) else [None]
    if not all(type(number) in (int, float) for number in numbers):
        raise ValueError(f"model is {text!r:.200}, expected numbers, and two of them as weights")
    return Model(**given)


def _whole(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ValueError(f"{name} is {text[:40]!r}, expected a whole number")
    return int(text)
