"""Small dictionaries that the tests of this room use."""

import numpy as np

from rtnmf import STFT, Dictionary
from rtnmf.frames.model import Model

SMALL = STFT(64, 16)
FRAMES = np.arange(66, dtype=np.uint8).reshape(33, 2)


def small(**changes):
    """Return a valid dictionary of the sources a and b, two components each, or one with parts changed."""
    parts = {"components": np.arange(1, 133).reshape(33, 4), "labels": ("a", "a", "b", "b")}
    return Dictionary(**({**parts, "stft": SMALL, "sample_rate": 8000} | changes))


def trained(**changes):
    """Return one with columns of discriminative training."""
    update_components, mask_components = np.random.default_rng(0).random((2, 33, 4)) + 0.1
    return small(**({"update_components": update_components, "mask_components": mask_components} | changes))


def complete():
    """Return one in which no part has its default value."""
    return trained(
        rest="b",
        voices=("a",),
        frames={"a": FRAMES},
        model=Model(8, 1.5, 0.5, 1e-3, (0.5, 0.75)),
        description="d",
        licence="MIT",
        learned_from=("é.wav", "x.wav"),
        rtnmf_version="0.1",
        divergences={"b": [(0, 0.5), (10, 0.25)], "a": [(0, 1.0)]},
    )
