"""Write small dictionary files for the fuzzer to begin with: every format, trained and not, and some that are refused.

python tests/plugin/fuzz_seeds.py FOLDER
"""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np

from rtnmf import STFT, Dictionary
from rtnmf.frames.model import Model

_LATER = {"1": ("model", "rest", "frames", "voices"), "2": ("rest", "frames", "voices"), "3": ("voices",), "4": ()}


def made(stft: STFT, *, trained: bool) -> Dictionary:
    """Return a small dictionary of two sources in which hardly any part has its default value."""
    components, *others = np.random.default_rng(0).random((3, stft.n_bins, 4)).astype(np.float32) + np.float32(0.1)
    more: dict[str, Any] = dict(zip(("update_components", "mask_components"), others, strict=True)) if trained else {}
    return Dictionary(
        components,
        ("a", "é", "a", "é"),
        stft,
        8000,
        **more,
        rest="é",
        voices=("a",),
        frames={"a": np.ones((stft.n_bins, 2), np.uint8), "é": np.full((stft.n_bins, 1), 9, np.uint8)}
        if trained
        else {},
        model=Model(8, 1.5, 0.5, 1e-3, (0.5, 0.75)),
        description="d",
        learned_from=("é.wav",),
        divergences={"a": [(0, 0.5), (10, 0.25)], "": [(1, 1e-3)]},
    )


def as_format(data: bytes, number: str) -> bytes:
    """Return the bytes of a dictionary file with the entries of an older format."""
    n_bytes = struct.unpack("<Q", data[:8])[0]
    header, arrays = json.loads(data[8 : 8 + n_bytes]), data[8 + n_bytes :]
    metadata = {k: v for k, v in header["__metadata__"].items() if k not in _LATER[number]}
    text = json.dumps(header | {"__metadata__": metadata | {"format": number}}).encode()
    return struct.pack("<Q", len(text)) + text + arrays


def write(folder: Path) -> None:
    """Write all of them to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, stft in enumerate((STFT(8, 2), STFT(14, 3, latency=8), STFT(74, 8, latency=16))):
        for trained in (False, True):
            path = folder / f"{i}-{trained}"
            made(stft, trained=trained).save(path)
            data = path.read_bytes()
            for number in "1234":
                if number == "4" or not trained:
                    (folder / f"{i}-{trained}-{number}").write_bytes(as_format(data, number))
            (folder / f"{i}-{trained}-cut").write_bytes(data[:-4])
            (folder / f"{i}-{trained}-unframed").write_bytes(data[8:])  # the target adds the length of the header


if __name__ == "__main__":
    write(Path(sys.argv[1]))
