"""The facts of a page: what is known of a dictionary and of a clip, by name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtnmf.dictionary import Dictionary
from rtnmf.version import version

__all__ = ["of_clip", "of_dictionary"]


def of_dictionary(dictionary: Dictionary, n_iter: int) -> dict[str, str]:
    """Return {name: text} of what is known of a dictionary, used with `n_iter` updates per frame."""
    stft, rate, model = dictionary.stft, dictionary.sample_rate, dictionary.model
    facts = {
        "Description": dictionary.description,
        "Sample rate": f"{rate} Hz",
        "STFT": f"window {stft.n_fft}, hop {stft.hop_length}",
        "Components": f"{dictionary.n_components}",
        "Latency": f"{stft.latency} samples, {1000 * stft.latency / rate:.1f} ms",
        "Discriminative training": "yes" if dictionary.is_trained else "no",
        "Updates per frame": f"{n_iter}" if n_iter == model.n_iter else f"{n_iter}, learned for {model.n_iter}",
        **_of_learning(dictionary),
        "Learned from": ", ".join(dictionary.learned_from),
        "Licence of the training sound": dictionary.licence,
        "Learned with": f"rtnmf {dictionary.rtnmf_version}" if dictionary.rtnmf_version else "",
        "Page made with": f"rtnmf {version()}",
    }
    return {name: text for name, text in facts.items() if text}


def _of_learning(dictionary: Dictionary) -> dict[str, str]:
    facts = {}
    for source, curve in dictionary.divergences.items():
        if curve:
            (_, before), (n_iter, after) = curve[0], curve[-1]
            facts[f"Divergence of {source}" if source else "Divergence"] = (
                f"{100 * before:.1f} % of its spectrogram's sum at the start,"
                f" {100 * after:.1f} % after {n_iter} iteration{'' if n_iter == 1 else 's'}"
            )
    return facts


def of_clip(x: NDArray[np.float32], divergence: float, sample_rate: int) -> dict[str, str]:
    """Return {name: text} of a clip, shape (n_samples, n_channels), and its divergence over its spectrogram's sum."""
    return {
        "Clip": f"{len(x) / sample_rate:.1f} s, {x.shape[1]} channel{'s' if x.shape[1] > 1 else ''}",
        "Divergence of the clip from its model": f"{100 * divergence:.1f} % of its spectrogram's sum",
    }
