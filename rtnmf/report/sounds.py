"""The sounds of a page, encoded so that browsers play them and the page stays small."""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

__all__ = ["Sound", "encode"]

Array = NDArray[np.float32]

# Bytes of WAV on a page; more of it becomes Opus. Not FLAC: Chromium never ends a seek near the end of a short one.
_COMPACT_ABOVE = 3_000_000
_HIGHEST_RATE = 192_000  # that browsers play
_OPUS_RATE = 48_000  # the highest of the few that Opus knows


class Sound(NamedTuple):
    """A signal, shape (n_samples, n_channels), and its rate in Hz."""

    signal: Array
    sample_rate: int


def encode(sounds: list[Sound]) -> list[tuple[str, bytes]]:
    """Return the media type and the bytes of each sound: WAV while they are small together, else Opus.

    A page plays the first two channels; what is above full scale is made quieter, not clipped.
    """
    wav = [_wav(sound) for sound in sounds]
    if sum(map(len, wav)) <= _COMPACT_ABOVE:
        return [("audio/wav", data) for data in wav]
    return [("audio/ogg", _opus(sound)) for sound in sounds]


def _wav(sound: Sound) -> bytes:
    signal, rate = _limited(sound.signal), sound.sample_rate
    if rate > _HIGHEST_RATE:
        signal, rate = soxr.resample(signal, rate, _OPUS_RATE), _OPUS_RATE
    file = io.BytesIO()
    soundfile.write(file, signal, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _opus(sound: Sound) -> bytes:
    signal = soxr.resample(_limited(sound.signal), sound.sample_rate, _OPUS_RATE)
    file = io.BytesIO()
    soundfile.write(file, signal, _OPUS_RATE, format="OGG", subtype="OPUS")
    return file.getvalue()


def _limited(signal: Array) -> Array:
    stereo = signal[:, :2]
    return stereo / max(1.0, float(np.abs(stereo).max(initial=0)))
