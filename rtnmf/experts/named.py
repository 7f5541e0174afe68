"""The experts by their names, which of them there are here, and how much the word of each counts.

What compiles is imported only where an expert is made: who only asks for names pays nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtnmf.experts import deepfilternet, rnnoise
from rtnmf.experts.network import RATE, Network
from rtnmf.frames.stft import STFT

if TYPE_CHECKING:
    from rtnmf.dictionary import Dictionary
    from rtnmf.experts.panel import Expert, Panel

__all__ = ["NAMES", "checked", "chosen", "lacking", "panel", "remedy", "usual"]

_USUAL = ("voices", "rnnoise")

# The power of the word of each, at frequencies in Hz: denoisers know hisses best, the presets what is below all voices.
_VOICES_POWERS = {60: 1.2, 150: 0.25}
_DENOISER_POWERS = {800: 0.4, 2000: 0.55}


class _Known(NamedTuple):
    """An expert, and how to get it."""

    made: Callable[[STFT, int], Expert]
    delay_s: float
    is_installed: Callable[[], bool]
    install: str


def _voices(stft: STFT, sample_rate: int) -> Expert:
    from rtnmf.experts.voices import Voices

    return Voices(_powers(_VOICES_POWERS, stft, sample_rate), stft, sample_rate)


def _denoiser(network: Network, stft: STFT, sample_rate: int) -> Expert:
    from rtnmf.experts.denoiser import Denoiser

    return Denoiser(network, _powers(_DENOISER_POWERS, stft, sample_rate), stft, sample_rate)


def _rnnoise(stft: STFT, sample_rate: int) -> Expert:
    return _denoiser(rnnoise.RNNoise(), stft, sample_rate)


def _deepfilternet(stft: STFT, sample_rate: int) -> Expert:
    return _denoiser(deepfilternet.DeepFilterNet(), stft, sample_rate)


_KNOWN = {
    "voices": _Known(_voices, 0, lambda: True, ""),
    "rnnoise": _Known(_rnnoise, rnnoise.RNNoise.delay / RATE, rnnoise.is_installed, rnnoise.INSTALL),
    "deepfilternet": _Known(
        _deepfilternet, deepfilternet.DeepFilterNet.delay / RATE, deepfilternet.is_installed, deepfilternet.INSTALL
    ),
}

NAMES = tuple(_KNOWN)
"""Of the experts that there are."""


def usual(latency_s: float = np.inf) -> tuple[str, ...]:
    """Return the names of the experts that are asked where nothing else is said.

    One that is later than the separation is not: of frames as short as those its word comes too late, and harms.
    """
    return tuple(name for name in _USUAL if _KNOWN[name].delay_s <= latency_s and not remedy(name))


def lacking(latency_s: float = np.inf) -> tuple[str, ...]:
    """Return the names of those that would be asked then, too, if they were installed."""
    return tuple(name for name in _USUAL if _KNOWN[name].delay_s <= latency_s and remedy(name))


def remedy(name: str) -> str:
    """Return what to type to get an expert that is not installed; empty where it is."""
    known = _KNOWN[name]
    return "" if known.is_installed() else known.install


def chosen(names: Sequence[str] | None, dictionary: Dictionary, stft: STFT | None = None) -> tuple[str, ...]:
    """Return the names of the experts to ask: none where there is no voice, or nothing but voices.

    Parameters and errors are those of `panel`.
    """
    latency_s = (stft or dictionary.stft).latency / dictionary.sample_rate
    wished = usual(latency_s) if names is None else checked(names)
    return wished if dictionary.voices and len(dictionary.voices) < len(dictionary.sources) else ()


def panel(
    names: Sequence[str] | None, dictionary: Dictionary, stft: STFT | None = None
) -> tuple[tuple[str, ...], Panel | None]:
    """Return the names of the experts to ask, and them; none where there is no voice, or nothing but voices.

    Parameters
    ----------
    names : sequence of str, optional
        Of `NAMES`; None means the usual ones.
    dictionary : Dictionary
        Which tells the sources, the sample rate, and which of the sources are voices.
    stft : STFT, optional
        For which frames they are asked; None means those of the dictionary.

    Raises
    ------
    TypeError, ValueError
        If a name is unknown or given twice, or its expert is not installed.
    """
    stft = stft or dictionary.stft
    asked = chosen(names, dictionary, stft)
    if not asked:
        return (), None
    from rtnmf.experts.panel import Panel

    voices = set(dictionary.voices)
    speaks = np.tile([source in voices for source in dictionary.sources], (len(asked), 1))
    return asked, Panel([_KNOWN[name].made(stft, dictionary.sample_rate) for name in asked], speaks, stft)


def _powers(points: Mapping[int, float], stft: STFT, sample_rate: int) -> NDArray[np.float32]:
    """Return a power for each bin, in straight lines over the octaves between the points."""
    octaves = np.log2(np.maximum(np.arange(stft.n_bins) * sample_rate / stft.n_fft, 1))
    return np.interp(octaves, np.log2(list(points)), list(points.values())).astype(np.float32)


def checked(names: Sequence[str]) -> tuple[str, ...]:
    """Return names of experts that can be asked, each once; raises as `panel` does."""
    if isinstance(names, str) or not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"experts are {names!r:.80}, expected a sequence of names: {', '.join(NAMES)}")
    for name in names:
        if name not in NAMES:
            raise ValueError(f"there is no expert {name!r}: choose from {', '.join(NAMES)}")
        if remedy(name):
            raise ValueError(f"the expert {name!r} is not installed: {remedy(name)}")
        if list(names).count(name) > 1:
            raise ValueError(f"the expert {name!r} is named twice, expected each once")
    return tuple(names)
