"""Recordings to learn from: which there are, at which rate, and the frames of them that are learned from."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtnmf.audio import files
from rtnmf.checks import check_channels, check_source_name, is_plain, whole_hz
from rtnmf.frames.stft import STFT
from rtnmf.kernels.hop import LOUDEST

__all__ = ["Frames", "Recording", "common_rate", "description", "frames", "listed"]

Array = NDArray[np.float32]
Recording = NDArray[np.floating] | str | os.PathLike[str]

_SILENCE_DB = -60.0
_MOST_FRAMES = 16384  # of a source: three minutes at 44.1 kHz; longer recordings are sampled more sparsely


class Frames(NamedTuple):
    """The frames of a source, at a mean level of 1 of those that sound."""

    magnitudes: Array
    """Of the frames that sound, summed over the channels, shape (n_bins, n_frames)."""
    spectra: NDArray[np.complex64]
    """Of all frames, each channel's one after the other, shape (n_frames, n_bins)."""


def listed(recordings: Mapping[str, Recording | Sequence[Recording]] | Recording) -> dict[str, list[Recording]]:
    """Return the recordings of each source; those of a blind one stand under the empty name.

    Raises
    ------
    TypeError, ValueError
        If there is none, a source name is not usable, or something is neither an array nor a path.
    """
    if not isinstance(recordings, Mapping):
        return {"": _listed("", recordings)}
    if not recordings:
        raise ValueError("recordings are empty, expected {source name: recording}")
    for name in recordings:
        check_source_name(name)
    return {name: _listed(name, given) for name, given in recordings.items()}


def _listed(name: str, given: Recording | Sequence[Recording]) -> list[Recording]:
    recordings: list[Any] = list(given) if isinstance(given, (list, tuple)) else [given]
    if not recordings:
        raise ValueError(f"source {name!r} has no recording, expected at least one")
    for i, recording in enumerate(recordings, 1):
        if isinstance(recording, np.ndarray):
            _check_array(_title(name, i), recording)
        elif not isinstance(recording, (str, os.PathLike)):
            raise TypeError(f"{_title(name, i)} is of type {type(recording).__name__}, expected an array or a path")
    return recordings


def _check_array(title: str, recording: NDArray[Any]) -> None:
    if recording.ndim not in (1, 2) or not np.issubdtype(recording.dtype, np.floating):
        raise ValueError(
            f"{title} is an array of {recording.dtype} of shape {recording.shape},"
            " expected floats, (n_samples,) or (n_samples, n_channels)"
        )
    if recording.ndim == 2:
        try:
            check_channels(recording.shape[1])
        except ValueError as error:
            raise ValueError(f"{title} has shape {recording.shape}: {error}") from error
    _check_loudness(title, recording)


def _check_loudness(title: str, x: NDArray[np.floating]) -> None:
    if not np.abs(x).max(initial=0) < LOUDEST:  # NaN is not
        raise ValueError(f"{title} holds samples that are NaN or infinite, or above {LOUDEST:g}: full scale is 1")


def common_rate(recordings: Sequence[Recording], sample_rate: int | None) -> int:
    """Return the rate to learn at: the one given, else the highest of the files.

    Raises
    ------
    TypeError, ValueError
        If it is missing and a recording is an array, or a file cannot be read.
    """
    if sample_rate is not None:
        return whole_hz(sample_rate)
    if any(isinstance(recording, np.ndarray) for recording in recordings):
        raise ValueError("sample_rate is missing: recordings given as arrays do not tell theirs, pass sample_rate=...")
    rates = {}
    for path in recordings:
        with files.open_audio(path) as file:  # type: ignore[arg-type]
            rates[path] = file.samplerate
    common = max(rates.values())
    for path, rate in rates.items():
        if rate < common:
            warnings.warn(
                f"{path} has nothing above {rate // 2} Hz, but the dictionary reaches {common // 2} Hz: what its source"
                f" has in between will go to the others; if that hurts, learn with sample_rate={min(rates.values())}",
                stacklevel=3,
            )
    return common


def frames(name: str, recordings: Sequence[Recording], sample_rate: int, stft: STFT) -> Frames:
    """Return the frames of a source that are learned from, at most about 16384 of each channel, taken evenly.

    Each recording is brought to the same level; its silent frames, below -60 dB of its loudest one, are left out of
    the magnitudes.

    Raises
    ------
    ValueError
        If a recording is too short, silent, or cannot be read.
    """
    n_most = max(1, _MOST_FRAMES // len(recordings))
    parts = [_frames(_title(name, i), one, sample_rate, stft, n_most) for i, one in enumerate(recordings, 1)]
    return Frames(np.hstack([part.magnitudes for part in parts]), np.vstack([part.spectra for part in parts]))


def _frames(title: str, recording: Recording, sample_rate: int, stft: STFT, n_most: int) -> Frames:
    x = _samples(recording, sample_rate)
    _check_loudness(description(title, recording), x)
    if len(x) < stft.n_fft:
        raise ValueError(
            f"{description(title, recording)} has {len(x)} samples, expected at least {stft.n_fft}"
            f" ({1000 * stft.n_fft / sample_rate:.0f} ms): record a few seconds"
        )
    # No hop shorter than a quarter of the window: what it would add is nearly the same frames again.
    hop_length = max(stft.hop_length, stft.n_fft // 4, len(x) // n_most)
    spectra = [stft.forward(channel, hop_length) for channel in x.T]
    V = np.sum([np.abs(spectrum) for spectrum in spectra], axis=0)
    levels = V.sum(axis=0)
    sounding = levels > max(levels.max() * 10 ** (_SILENCE_DB / 20), 1e-6)
    if not sounding.any():
        raise ValueError(f"{description(title, recording)} is silent: record it again, louder")
    level = levels[sounding].mean()
    return Frames(V[:, sounding] / level, np.hstack(spectra).T * np.float32(len(spectra) / level))


def _samples(recording: Recording, sample_rate: int) -> Array:
    if not isinstance(recording, np.ndarray):
        return files.read(recording, sample_rate)[0]
    return np.atleast_2d(recording.T).T.astype(np.float32)


def _title(name: str, i: int) -> str:
    return f"{name}, recording {i}" if name else "the recording"


def description(title: str, recording: Recording) -> str:
    """Return what to call a recording in a text: the name of its file, or the title of an array."""
    if isinstance(recording, np.ndarray):
        return title
    return "".join(c if is_plain(c) else "_" for c in Path(recording).name)
