"""How much memory passes over all frames take: measured, and said here only.

Most of it is for the frames that are kept of each source, at most `recordings.MOST_FRAMES`, whatever the length of the
recordings; a thread needs little more than a block of sound and its spectra.
"""

from __future__ import annotations

import math
import os

from rtnmf.learning.recordings import MOST_FRAMES

__all__ = ["n_threads_within", "needed"]

_PROCESS = 384 * 2**20  # Python, libraries and compiled kernels, and what the allocator keeps
_THREAD = 2**22
_COPIES = 6  # of a block of sound in a thread: as it was decoded, resampled, joined to the one before
_BLOCK_BYTES = 4 * 2**16
_CHUNK_BYTES = 32 * 256  # per bin and channel: spectra of a chunk of frames, their windowed samples and magnitudes
_HELD = 8  # bytes per bin of a frame that is kept of a source that was learned: its spectrum
_JOINED = 24  # of the source that is being learned: spectra and magnitudes, twice while recordings are joined
_TRAINED = 12  # of each source in the training: spectra and magnitudes


def n_threads_within(memory: int, n_bins: int, n_channels: int, n_sources: int) -> int:
    """Return how many threads may work within so many bytes of memory: at most as many as there are processors.

    Parameters
    ----------
    memory : int
        In bytes, for the whole process.
    n_bins : int
    n_channels : int
        The most of a recording.
    n_sources : int

    Raises
    ------
    ValueError
        If it is too little even for one.
    """
    least = needed(1, n_bins, n_channels, n_sources)
    if memory < least:
        raise ValueError(
            f"memory is {memory / 1e9:.3g} GB, and to learn these sources takes {math.ceil(least / 1e7) / 100:g} GB:"
            " allow that much, or choose a shorter window or a lower rate"
        )
    each = needed(2, n_bins, n_channels, n_sources) - least
    return min(os.cpu_count() or 1, 1 + (memory - least) // each)


def needed(n_threads: int, n_bins: int, n_channels: int, n_sources: int) -> int:
    """Return how many bytes the process may take with so many threads; the parameters are as above."""
    while_read = _HELD * (n_sources - 1) + max(_JOINED, _HELD * n_channels + _TRAINED)
    kept = MOST_FRAMES * n_bins * max(while_read, _TRAINED * n_sources)
    return _PROCESS + kept + n_threads * (_THREAD + n_channels * (_CHUNK_BYTES * n_bins + _COPIES * _BLOCK_BYTES))
