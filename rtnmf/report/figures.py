"""How good, how sure: the figures of a page, each with what is usual, so that a number says something by itself.

What is usual was measured with the recordings of docs/figures.md, learned and separated with the default settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtnmf.dictionary import Dictionary
from rtnmf.experts import named
from rtnmf.frames.stft import STFT

__all__ = ["Figure", "explained", "of_clip", "of_experts", "of_learning"]

Array = NDArray[np.float32]

_SURE = 0.9  # share of a bin from which on it is certain whose it is
_USUAL = (  # up to so many components: what is said of the share that they explain
    (5, "3 components usually reach 60 to 80"),
    (16, "8 components usually reach 75 to 85"),
    (10**9, "32 components for each sound usually reach 75 to 85"),
)


class Figure(NamedTuple):
    """A figure of a page, what it says, and what is usual.

    name : str
        Of what; a word or two.
    text : str
        The statement.
    usual : str
        What other recordings have, and what to make of it.
    """

    name: str
    text: str
    usual: str


def explained(divergence: float) -> float:
    """Return the share of a spectrogram that its model explains, from 0 to 1, of the divergence over its sum."""
    return min(max(1 - divergence, 0.0), 1.0)


def of_clip(x: Array, stems: Sequence[Array], share: float, n_components: int, stft: STFT) -> list[Figure]:
    """Return what can be said of a clip and its stems.

    Parameters
    ----------
    x : array, shape (n_samples, n_channels)
    stems : sequence of arrays of the same shape
    share : float
        Of the clip that the model explains, from 0 to 1.
    n_components : int
    stft : STFT
    """
    if not x.any():
        return [Figure("Silent", "The clip is silent.", "Show another part of the recording, with --start.")]
    usual = next(text for most, text in _USUAL if n_components <= most)
    text = f"The model explains {100 * share:.0f} % of the clip."
    found = [Figure("Explained", text, f"{usual} %. What it does not explain is shared out as well: nothing is lost.")]
    if len(stems) > 1:
        found += [_sureness(x, stems, stft), _sum(x, stems)]
    return found


def _sureness(x: Array, stems: Sequence[Array], stft: STFT) -> Figure:
    energies = _magnitudes(x, stft) ** 2
    sums, loudest = np.zeros_like(energies), np.zeros_like(energies)
    for stem in stems:
        magnitudes = _magnitudes(stem, stft)
        sums, loudest = sums + magnitudes, np.maximum(loudest, magnitudes)
    sure = float(np.sum(energies * (loudest >= _SURE * sums), dtype=np.float64))
    share = sure / max(float(energies.sum(dtype=np.float64)), 1e-30)
    return Figure(
        "Certain",
        f"In {100 * share:.0f} % of the sound one source has nine tenths or more.",
        "Two taught sounds usually reach 50 to 90 %, two similar voices 20, three components of a blind clip 30 to 80."
        " It says how firmly they are told apart, not whether rightly: your ears decide that.",
    )


def _magnitudes(x: Array, stft: STFT) -> Array:
    magnitudes: Array = np.sum([np.abs(stft.forward(channel)) for channel in x.T], axis=0)
    return magnitudes


def _sum(x: Array, stems: Sequence[Array]) -> Figure:
    error = float(np.abs(np.sum(stems, axis=0, dtype=np.float64) - x).max())
    level = np.ceil(20 * np.log10(max(error, 1e-12)))
    text = f"The sources add up to the recording, with an error below \N{MINUS SIGN}{-level:.0f} dB of full scale."
    return Figure("Complete", text, "\N{MINUS SIGN}110 dB or less is usual: what one source lacks is in another.")


def of_experts(dictionary: Dictionary, experts: Sequence[str]) -> Figure:
    """Return which experts were asked about a clip, or why none was."""
    voices = dictionary.voices
    if experts:
        lacking = named.lacking(dictionary.stft.latency / dictionary.sample_rate)
        hints = [f" {name} would help, too: {named.remedy(name)}." for name in lacking if name not in experts]
        text = f"Asked about {' and '.join(voices)}: {' and '.join(experts)}."
        usual = "They know voices in general; voices and rnnoise together usually add 1 dB, and 3 where another voice"
        return Figure("Experts", text, f"{usual} speaks than was taught.{''.join(hints)}")
    if not voices:
        usual = "They know voices, and no source here is one; rtnmf learn --voice NAME says so where one is."
    elif len(voices) == len(dictionary.sources):
        usual = "They tell voices from other sounds, and here all sources are voices."
    else:
        usual = "They were left out; where a voice is among other sources they usually add 1 to 3 dB."
    return Figure("Experts", "None was asked.", usual)


def of_learning(divergences: Mapping[str, Sequence[tuple[int, float]]]) -> list[Figure]:
    """Return how well the components explain the recordings that they were learned from."""
    found = []
    for source, curve in divergences.items():
        if curve:
            share = 100 * explained(curve[-1][1])
            name, text = "Learned", f"The components explain {share:.0f} % of what they were learned from."
            usual = "3 components of a blind clip usually reach 60 to 80 %, 8 of them 75 to 85."
            if source:
                name, text = source, f"Its components explain {share:.0f} % of the recordings they were learned from."
                usual = "32 components usually reach 82 to 96 %."
            found.append(Figure(name, text, usual))
    return found
