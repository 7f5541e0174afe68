"""A whole signal through the engine in blocks, so that memory does not grow with its length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from rtnmf.engine.separator import Separator

__all__ = ["aligned"]

Array = NDArray[np.float32]


def aligned(separator: Separator, blocks: Iterable[Array]) -> Iterator[Array]:
    """Yield what becomes of a signal that comes in blocks, its latency taken off; in all as long as the signal.

    Parameters
    ----------
    separator : Separator
        Reset at the end.
    blocks : iterable of arrays, shape (n_samples, n_channels)

    Yields
    ------
    array, shape (n_outputs, n_samples, n_channels)
        One for each block, the first ones shorter by the latency, and what is flushed in the end.
    """
    skip = separator.latency
    for block in blocks:
        outputs = separator.process(block)
        yield outputs[:, skip:]
        skip = max(0, skip - len(block))
    yield separator.flush()[:, skip:]
