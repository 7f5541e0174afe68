"""Takes from a microphone: their silent ends are cut off, they are judged, and they become a source of a dictionary."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rtnmf.dictionary import Dictionary
from rtnmf.frames.model import Model
from rtnmf.frames.stft import STFT
from rtnmf.progress import Progress

__all__ = ["judged", "learned", "level_db", "trimmed"]

Array = NDArray[np.float32]

_FULL_SCALE = 0.999
_QUIET_DB = -60.0
_SILENCE_BELOW_PEAK_DB = 40.0
_MARGIN_S = 0.1  # around what is kept, for soft beginnings and endings


def trimmed(x: Array, sample_rate: int) -> Array:
    """Return a take without the silence at its ends: all but 0.1 s of what is 40 dB below its loudest moment.

    Parameters
    ----------
    x : array, shape (n_samples, n_channels)
        One that is silent throughout is returned as it is.
    sample_rate : int
        In Hz.

    Returns
    -------
    array, shape (n_kept, n_channels)
        A view.
    """
    import librosa

    _, (begin, end) = librosa.effects.trim(x.T, top_db=_SILENCE_BELOW_PEAK_DB)
    margin = round(_MARGIN_S * sample_rate)
    return x[max(0, begin - margin) : end + margin] if begin < end else x


def judged(x: Array) -> list[str]:
    """Return how loud a take that is not silent is, and after that what makes it hard to learn from, in sentences."""
    n_clipped, mean_db = int((np.abs(x) >= _FULL_SCALE).sum()), level_db(x)
    said = [f"mean level {mean_db:.0f} dB, peak {20 * math.log10(np.abs(x).max()):.0f} dB"]
    if n_clipped:
        said.append(f"{n_clipped} samples are clipped: turn the input down and record again")
    if mean_db < _QUIET_DB:
        said.append("is nearly silent: turn the input up or come closer, and record again")
    return said


def level_db(x: Array) -> float:
    """Return the mean level of samples in dB of full scale."""
    return 10 * math.log10(max(1e-20, float((x**2).mean())))


def learned(
    name: str,
    take: Array,
    take_rate: int,
    sample_rate: int,
    stft: STFT,
    model: Model,
    *,
    progress: Progress | None = None,
) -> Dictionary:
    """Return the dictionary of one source, which is learned from a take, to be merged with others and trained.

    Parameters
    ----------
    name : str
        Of the source.
    take : array, shape (n_samples, n_channels)
    take_rate, sample_rate : int
        Of the take and of the dictionary, in Hz.
    stft : STFT
    model : Model
        As those of the dictionary that it is to be merged with.
    progress : Progress, optional

    Raises
    ------
    TypeError, ValueError
        If the name is none, or there is too little sound in the take.
    """
    from rtnmf.audio import files
    from rtnmf.learning.learn import learn

    x = files.resample(take, take_rate, sample_rate)
    return learn({name: x}, sample_rate, stft=stft, model=model, rest=False, progress=progress)
