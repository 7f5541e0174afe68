"""The sounds of a page, encoded so that every browser plays them, Safari too, and the page stays small."""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

__all__ = ["CLICK_S", "Sound", "click", "encode", "playable_rate"]

Array = NDArray[np.float32]

CLICK_S = 0.125
"""Where the click of `click` is."""

# Bytes of WAV on a page; more of it becomes MP3, which libsndfile writes with the delay of the encoder in its header.
_COMPACT_ABOVE = 3_000_000
_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # that MP3 and all browsers know
_COMPRESSION = 0.2  # of the quality from 0, the best, to 1; about 60 kbit/s for speech, 160 for stereo music


class Sound(NamedTuple):
    """A signal, shape (n_samples, n_channels), and its rate in Hz."""

    signal: Array
    sample_rate: int


def playable_rate(sample_rate: int) -> int:
    """Return the next higher rate that every browser plays, in Hz, or 48000."""
    return next((rate for rate in _RATES if rate >= sample_rate), _RATES[-1])


def encode(sounds: list[Sound]) -> list[tuple[str, bytes]]:
    """Return the media type and the bytes of each sound: WAV while they are small together, else MP3.

    A page plays the first two channels. What is above full scale is cut off: scale sounds that belong together first.
    """
    converted = [_converted(sound) for sound in sounds]
    n_bytes = sum(2 * sound.signal.size for sound in converted)
    if n_bytes <= _COMPACT_ABOVE or "MP3" not in soundfile.available_formats():
        return [("audio/wav", _written(sound, "WAV", "PCM_16")) for sound in converted]
    compact = {"compression_level": _COMPRESSION, "bitrate_mode": "VARIABLE"}
    return [("audio/mpeg", _written(sound, "MP3", "MPEG_LAYER_III", **compact)) for sound in converted]


def click(sample_rate: int) -> Sound:
    """Return a click at `CLICK_S` in silence, by which a page finds how late its browser decodes sounds of a rate."""
    signal = np.zeros((3 * int(CLICK_S * sample_rate), 1), np.float32)
    signal[round(CLICK_S * sample_rate)] = 0.9
    return Sound(signal, sample_rate)


def _converted(sound: Sound) -> Sound:
    """Return at most two channels at a rate that browsers play, within full scale."""
    rate, stereo = playable_rate(sound.sample_rate), sound.signal[:, :2]
    if rate != sound.sample_rate:
        stereo = soxr.resample(stereo, sound.sample_rate, rate)
    return Sound(np.clip(stereo, -1, 1), rate)


def _written(sound: Sound, kind: str, subtype: str, **options: object) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound.signal, sound.sample_rate, format=kind, subtype=subtype, **options)
    return file.getvalue()
