"""Discriminative training of a whole dictionary, from frames of each of its sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtnmf.dictionary import Dictionary
from rtnmf.learning import discriminative
from rtnmf.progress import Progress

__all__ = ["N_STEPS", "N_STEPS_AGAINST_REST", "trained"]

N_STEPS = 900
"""Steps of the discriminative training."""
N_STEPS_AGAINST_REST = 450
"""Steps where one sound is trained against the backgrounds of a pool: more would fit these very backgrounds."""

_ABSENT = 0.8  # how probably the rest is silent in a mixture of several sounds, of which it is to take nothing


def trained(
    dictionary: Dictionary,
    frames: Mapping[str, Sequence[NDArray[Any]]],
    *,
    n_steps: int,
    seed: int = 0,
    device: str | None = None,
    progress: Progress | None = None,
) -> Dictionary:
    """Return a dictionary with columns for the updates and for the masks, trained on mixtures of its sources.

    Parameters
    ----------
    dictionary : Dictionary
        Its labels grouped by source. Where it is trained already, the training goes on from there.
    frames : {source: list of arrays, shape (n_frames, n_bins)}
        Of each different sound of each source: spectra or magnitudes, see `discriminative.trained`.
    n_steps, seed, device, progress
        As in `discriminative.trained`.
    """
    start = None
    if dictionary.update_components is not None and dictionary.mask_components is not None:
        start = dictionary.update_components.T, dictionary.mask_components.T
    counts = Counter(dictionary.labels).values()
    W, M = discriminative.trained(
        dictionary.components.T,
        np.cumsum([0, *counts]).tolist(),
        [frames[source] for source in dictionary.sources],
        model=dictionary.model,
        n_steps=n_steps,
        seed=seed,
        start=start,
        absent=_absences(dictionary),
        device=device,
        progress=progress,
    )
    return replace(dictionary, update_components=W.T, mask_components=M.T)


def _absences(dictionary: Dictionary) -> list[float]:
    """Return how probably each source is to be silent in the mixtures that a dictionary is trained on."""
    has_several = len(dictionary.sources) > 2
    return [_ABSENT if source == dictionary.rest and has_several else 0.0 for source in dictionary.sources]
