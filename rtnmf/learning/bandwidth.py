"""Where a source's recordings end in frequency, and what is taken to lie above.

A recording made or sent at a lower rate has nothing above half of that, though its source may well. Columns learned
from it would leave all of the source that lies higher to the other sources, and, worse, what those have to explain
there would take part in every frame: see docs/separation.md. So the frames are continued. Nothing here reads sound.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rtnmf.dictionary import Dictionary
from rtnmf.dictionary.examples import coded, decoded

__all__ = ["continue_above", "continued", "end_of", "warn"]

Array = NDArray[np.float32]
Frames = Array | NDArray[np.complex64]

_LOWEST_HZ = 3000.0  # a telephone ends above it; what ends below is hum and rumble, which end by themselves
_HIGHEST = 0.71  # of half the sample rate: what lacks half an octave or less goes on as it is
_FALL = 10.0  # by which magnitudes fall where they end: 20 dB
_FALL_WIDTH = 1.06  # ratio of frequencies within which they do
_STEP = 1.01  # ratio of the frequencies at which it is looked for
_SEEN_WIDTH = 1.26  # a third of an octave below the end, which what lies above goes on from
_GAPLESS = 0.75  # of the mean of a band, below which its median is taken for the level of gaps between tones
_FEWEST = 16  # bins below an end
_LEAST = 1e-20
_SLOPE = -2.0  # power of the frequency with which it does: -12 dB per octave


def end_of(mean: Array, sample_rate: int) -> int | None:
    """Return the first bin above the end of recordings, or None where they reach nearly half the sample rate.

    They end where magnitudes fall by 20 dB or more at once, and stay there. Sounds that fade towards high frequencies,
    as most do, or that have only overtones there, go on.

    Parameters
    ----------
    mean : array, shape (n_bins,)
        Mean magnitudes of frames that sound.
    sample_rate : int
        In Hz.
    """
    n_bins = len(mean)
    lowest = max(_FEWEST, int(np.ceil(2 * _LOWEST_HZ / sample_rate * n_bins)))
    steps = np.log(n_bins / _FALL_WIDTH / lowest) / np.log(_STEP)
    fallen = np.unique((lowest * _STEP ** np.arange(steps)).astype(int))
    levels = np.array([_level(mean[_seen(end)]) for end in fallen.tolist()])
    above = np.maximum.accumulate(mean[::-1])[::-1][(_FALL_WIDTH * fallen).astype(int)]
    falls = levels / np.maximum(above, _LEAST)
    if falls.max(initial=0) < _FALL:
        return None
    end, level = fallen[falls.argmax()], levels[falls.argmax()]
    end = int(np.flatnonzero(mean[:end] > level / 2)[-1]) + 1  # where the fall begins
    return end if end < _HIGHEST * n_bins else None


def continue_above(frames: Frames, end: int) -> None:
    """Let frames go on above their end, from the level just below it down by 12 dB per octave, in place.

    Parameters
    ----------
    frames : array, shape (n_frames, n_bins)
        Magnitudes, or spectra, whose phases there become 0.
    end : int
        From `end_of`.
    """
    levels = np.abs(frames[:, _seen(end)]).mean(axis=1)
    slope = (np.arange(end, frames.shape[1]) / end) ** _SLOPE
    frames[:, end:] = np.outer(levels, slope.astype(np.float32))


def continued(dictionary: Dictionary) -> Dictionary:
    """Return a dictionary in which sources go on above their ends, untrained where there are any, with a warning.

    They end where their frames do. For sources that were learned at a lower sample rate than those beside them.
    """
    magnitudes = {source: decoded(codes) for source, codes in dictionary.frames.items()}
    ends = {source: end_of(V.mean(axis=1), dictionary.sample_rate) for source, V in magnitudes.items()}
    components, frames = dictionary.components.T.copy(), dict(dictionary.frames)
    for source, end in ends.items():
        if end is not None:
            warn(source, end, dictionary.sample_rate, dictionary.stft.n_bins)
            is_of_source = np.array(dictionary.labels) == source
            columns = components[is_of_source]
            continue_above(columns, end)
            continue_above(magnitudes[source].T, end)
            components[is_of_source], frames[source] = columns, coded(magnitudes[source])
    if all(end is None for end in ends.values()):
        return dictionary
    return replace(dictionary.untrained(), components=components.T, frames=frames)


def warn(source: str, end: int, sample_rate: int, n_bins: int) -> None:
    """Warn that a source is taken to go on above its end."""
    end_khz = end / (n_bins - 1) * sample_rate / 2000
    warnings.warn(
        f"the recordings of {source} end at {end_khz:.1f} kHz: above, where {source} is unknown, it is taken to"
        " go on ever softer; recordings of the whole band are better",
        stacklevel=6,
    )


def _level(magnitudes: Array) -> float:
    """Return the level of a band without gaps; 0 where it consists of tones and what leaks from them."""
    level = float(np.median(magnitudes))
    return level if level > _GAPLESS * magnitudes.mean() else 0.0


def _seen(end: int) -> slice:
    return slice(int(end / _SEEN_WIDTH), end)
