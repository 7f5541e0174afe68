"""What a decoder gives to the reader: sound in blocks, what is known of it, and notes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCK_VALUES", "SAMPLE_BYTES", "Notes", "Sound", "clock", "container_for", "without_start"]

Array = NDArray[np.float32]

_MOST_NOTES = 10

SAMPLE_BYTES = {"PCM_U8": 1, "PCM_S8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}
"""Bytes of a sample in each coding without compression, in libsndfile's words."""

_MOST_WAV_BYTES = 4e9  # sizes in a WAV file have 32 bits

BLOCK_VALUES = 2**15
"""Values that a decoder is asked for at a time, over all channels: no header makes it more."""


@dataclass
class Notes:
    """Plain sentences on what was odd in a file; damage is an error where `strict`.

    Parameters
    ----------
    name : str
        Of the file.
    strict : bool
    """

    name: str
    strict: bool = False
    texts: list[str] = field(default_factory=list)
    n_left_out: int = 0

    def add(self, text: str) -> None:
        """Note something that takes nothing away from the sound."""
        if text in self.texts:
            return
        if len(self.texts) < _MOST_NOTES:
            self.texts.append(text)
        else:
            self.n_left_out += 1

    def damage(self, text: str) -> None:
        """Note what was lost.

        Raises
        ------
        ValueError
            With this text, where `strict`.
        """
        if self.strict:
            raise ValueError(f"{self.name}: {text}: make a new copy of it, or leave out strict")
        self.add(text)


class Sound(NamedTuple):
    """An open file that is decoded block by block."""

    sample_rate: int
    n_channels: int
    n_samples: int | None
    """Length by the header, right unless the file is damaged; None where headers of its kind are often wrong."""
    container: str
    """A lossless format to write the like of it in, in libsndfile's words."""
    subtype: str
    """The coding of samples there: as deep as here, and 24 bits where this one is compressed with loss."""
    blocks: Callable[[int], Iterator[Array]]
    """Give the blocks from a sample on, of any length, shape (n_samples, n_channels), until the decoder ends."""
    close: Callable[[], object]
    can_seek: bool = False
    """Whether blocks from a sample on cost nothing for what is before it."""


def container_for(container: str, subtype: str, n_values: int) -> str:
    """Return a container that has room for so many values, over all channels: RF64 for a WAV that would be too long."""
    is_too_long = n_values * SAMPLE_BYTES.get(subtype, 1) > _MOST_WAV_BYTES
    return "RF64" if container == "WAV" and is_too_long else container


def without_start(blocks: Iterator[Array], n_samples: int) -> Iterator[Array]:
    """Yield blocks without the first samples."""
    for block in blocks:
        kept = block[n_samples:]
        n_samples = max(0, n_samples - len(block))
        if len(kept):
            yield kept


def clock(seconds: float) -> str:
    """Return a time as `m:ss.s`, with hours before it where there are any."""
    tenths = round(10 * seconds)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{tenths / 10:04.1f}" if hours else f"{minutes}:{tenths / 10:04.1f}"
