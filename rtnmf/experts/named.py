"""The experts by their names, which of them there are here, and how much the word of each counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rtnmf.experts import deepfilternet, rnnoise, voices
from rtnmf.experts.denoiser import Denoiser
from rtnmf.experts.panel import Expert, Panel
from rtnmf.frames.stft import STFT

__all__ = ["NAMES", "panel", "usual"]

# The power of the word of each, at frequencies in Hz: denoisers know hisses best, the presets what is below all voices.
_VOICES_POWERS = {60: 1.2, 150: 0.25}
_DENOISER_POWERS = {800: 0.4, 2000: 0.55}


def _voices(stft: STFT, sample_rate: int) -> Expert:
    return voices.Voices(_powers(_VOICES_POWERS, stft, sample_rate), stft, sample_rate)


def _rnnoise(stft: STFT, sample_rate: int) -> Expert:
    return Denoiser(rnnoise.RNNoise(), _powers(_DENOISER_POWERS, stft, sample_rate), stft, sample_rate)


def _deepfilternet(stft: STFT, sample_rate: int) -> Expert:
    return Denoiser(deepfilternet.DeepFilterNet(), _powers(_DENOISER_POWERS, stft, sample_rate), stft, sample_rate)


_MADE: dict[str, Callable[[STFT, int], Expert]] = {
    "voices": _voices,
    "rnnoise": _rnnoise,
    "deepfilternet": _deepfilternet,
}

NAMES = tuple(_MADE)
"""Of the experts that there are."""


def usual() -> tuple[str, ...]:
    """Return the names of the experts that are asked where nothing else is said."""
    return ("voices", "rnnoise") if rnnoise.is_installed() else ("voices",)


def panel(
    names: Sequence[str] | None, sources: Sequence[str], voices: Sequence[str], stft: STFT, sample_rate: int
) -> tuple[tuple[str, ...], Panel | None]:
    """Return the names of the experts to ask, and them; none where there is no voice, or nothing but voices.

    Parameters
    ----------
    names : sequence of str, optional
        Of `NAMES`; None means the usual ones.
    sources, voices : sequence of str
        All sources, and those that are voices.
    stft : STFT
    sample_rate : int
        In Hz.

    Raises
    ------
    TypeError, ValueError
        If a name is unknown or given twice, or its expert is not installed.
    """
    chosen = usual() if names is None else _checked(names)
    if not chosen or not voices or len(voices) == len(sources):
        return (), None
    speaks = np.tile([source in voices for source in sources], (len(chosen), 1))
    return chosen, Panel([_MADE[name](stft, sample_rate) for name in chosen], speaks, stft)


def _powers(points: Mapping[int, float], stft: STFT, sample_rate: int) -> NDArray[np.float32]:
    """Return a power for each bin, in straight lines over the octaves between the points."""
    octaves = np.log2(np.maximum(np.arange(stft.n_bins) * sample_rate / stft.n_fft, 1))
    return np.interp(octaves, np.log2(list(points)), list(points.values())).astype(np.float32)


def _checked(names: Sequence[str]) -> tuple[str, ...]:
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"experts are {names!r:.80}, expected a sequence of names: {', '.join(NAMES)}")
    for name in names:
        if name not in NAMES:
            raise ValueError(f"there is no expert {name!r}: choose from {', '.join(NAMES)}")
    if len(set(names)) < len(names):
        raise ValueError(f"experts are {', '.join(names)}, expected each once")
    return tuple(names)
