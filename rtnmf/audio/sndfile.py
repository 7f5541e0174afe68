"""Decoding with libsndfile: WAV in all its sizes, FLAC, AIFF, CAF, AU and the like."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtnmf.audio import headers, media
from rtnmf.audio.sound import BLOCK_VALUES, SAMPLE_BYTES, Notes, Sound, clock, container_for, without_start
from rtnmf.bounds import most_values

__all__ = ["NotOpenedError", "opened", "reason"]

Array = NDArray[np.float32]

_HEADERLESS = {".vox", ".gsm", ".ul", ".al"}
_LOSSLESS = {"WAV", "WAVEX", "RF64", "W64", "AIFF", "CAF", "AU", "FLAC"}
_SIZES = re.compile(r": (\d+) \(should be (\d+)\)")  # in libsndfile's log, stated and found
_SLACK_BYTES = 64  # by which careless programs are wrong


class NotOpenedError(ValueError):
    """What libsndfile does not open."""


def opened(file: BinaryIO, path: str | os.PathLike[str], notes: Notes) -> Sound:
    """Open a file.

    Parameters
    ----------
    file : binary file
        It must be possible to go back in it.
    path : path
        Of the file; its extension decides where nothing in the file does.
    notes : Notes

    Raises
    ------
    NotOpenedError
        If libsndfile cannot read it.
    """
    found = headers.wave(file)
    spliced = headers.SplicedWave(file, found) if found and found.is_misstated else None
    sound = _soundfile(file, path, spliced)
    sound.seekable = lambda: False  # so that soundfile asks decoders that cannot go back for nothing but more
    most = most_values(os.fstat(file.fileno()).st_size)  # what claims more is as long as its decoder says
    is_known = 0 <= sound.frames * sound.channels <= most and not sound.subtype.startswith("MPEG")
    container, subtype = ("WAV" if spliced else sound.format), sound.subtype
    if container not in _LOSSLESS or subtype not in SAMPLE_BYTES:
        container, subtype = "WAV", "PCM_24"
    n_samples = sound.frames if is_known else None
    container = container_for(container, subtype, (n_samples or 0) * sound.channels)
    missing_s = _missing_s(sound, found) if n_samples else 0.0

    can_seek = bool(n_samples) and sound.subtype in SAMPLE_BYTES and sound.format != "FLAC"

    def blocks(start: int) -> Iterator[Array]:
        first = min(start, n_samples) if can_seek and n_samples else 0
        first = _sought(sound, first)
        return without_start(_blocks(sound, file, first, n_samples, missing_s, notes), start - first)

    return Sound(sound.samplerate, sound.channels, n_samples, container, subtype, blocks, sound.close, can_seek)


def _sought(sound: Any, start: int) -> int:
    """Go to a sample, where the header allows that, and return where the sound goes on: there or at the beginning."""
    try:
        return sound.seek(start) if start else 0
    except soundfile.SoundFileError:
        return 0


def _soundfile(file: BinaryIO, path: str | os.PathLike[str], spliced: headers.SplicedWave | None) -> Any:
    file.seek(0)
    try:
        return soundfile.SoundFile(spliced or file.fileno(), closefd=False)
    except (soundfile.SoundFileError, OSError, TypeError, ValueError) as error:
        if Path(path).suffix.lower() in _HEADERLESS:
            with contextlib.suppress(soundfile.SoundFileError, OSError):
                return soundfile.SoundFile(os.fsencode(path))
        raise NotOpenedError(reason(error)) from error


def _missing_s(sound: Any, found: headers.Wave | None) -> float:
    """Return how many seconds are missing at the end, by the sizes in the header."""
    if found is not None:
        pairs = [(found.stated, found.there)] if found.is_cut else []
    else:
        pairs = [(int(stated), int(there)) for stated, there in _SIZES.findall(sound.extra_info)]
    lost = [
        stated / max(there, 1) - 1
        for stated, there in pairs
        if there + _SLACK_BYTES * (found is None) < stated < headers.PLACEHOLDER
    ]
    return max(lost, default=0.0) * sound.frames / sound.samplerate


def _blocks(
    sound: Any, file: BinaryIO, done: int, n_samples: int | None, missing_s: float, notes: Notes
) -> Iterator[Array]:
    length = max(1, BLOCK_VALUES // sound.channels)
    while True:
        try:
            block = sound.read(length, dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            yield from _rest(file, done, sound, reason(error), notes)
            return
        if not len(block):
            break
        done += len(block)
        yield block
    end_s = done / sound.samplerate
    if n_samples is not None and done < n_samples:
        notes.damage(f"ends at {clock(end_s)} of {clock(n_samples / sound.samplerate)}")
    elif missing_s:
        notes.damage(f"is cut off at {clock(end_s)}, {missing_s:.1f} s are missing")


def _rest(file: BinaryIO, done: int, sound: Any, error: str, notes: Notes) -> Iterator[Array]:
    """Yield what another decoder reads behind a place where libsndfile gave up."""
    remedy = "" if media.is_installed() else f" ({media.INSTALL} may read more)"
    if not remedy:
        with contextlib.suppress(media.NotDecodedError):
            other = media.opened(file, notes)
            if (other.sample_rate, other.n_channels) == (sound.samplerate, sound.channels):
                yield from other.blocks(done)
                return
    notes.damage(f"cannot be decoded from {clock(done / sound.samplerate)} on: {error}{remedy}")


def reason(error: Exception) -> str:
    """Return what libsndfile says of an error."""
    return str(getattr(error, "error_string", error)).strip(" .")
