"""The components of a dictionary as the buffer of bases that FluCoMa keeps, in a WAV file, and back.

FluCoMa's BufNMF writes, and its NMFFilter and NMFMatch read, a buffer with a channel for each component and a sample
for each bin (P. A. Tremblay, G. Roma and O. Green, "Enabling Programmatic Data Mining as Musicking: The Fluid Corpus
Manipulation Toolkit", Computer Music Journal 45(2), 2021).
"""

from __future__ import annotations

import os

import numpy as np

from rtnmf.audio import files
from rtnmf.audio.names import printable
from rtnmf.dictionary.value import Dictionary
from rtnmf.frames.stft import STFT

__all__ = ["read_bases", "write_bases"]

_MOST_BASES = 1024  # channels of a file, for libsndfile and for SuperCollider
_FEWEST_BINS = 3
_LOWEST_HZ = 1000  # BufNMF gives its buffer the rate of the bins, such as 21 Hz


def write_bases(path: str | os.PathLike[str], dictionary: Dictionary, *, overwrite: bool = True) -> None:
    """Write the components of a dictionary to a WAV file: channel k holds component k, sample b its magnitude in bin b.

    Parameters
    ----------
    path : path
        Written whole or not at all.
    dictionary : Dictionary
        Its trained columns have no place in the file. The file has its sample rate.
    overwrite : bool
        Replace a file of that name.

    Raises
    ------
    ValueError
        If there are more than 1024 components, or the file cannot be written.
    """
    n_components = dictionary.n_components
    if n_components > _MOST_BASES:
        raise ValueError(
            f"dictionary has {n_components} components, a WAV file has at most {_MOST_BASES} channels: select sources"
        )
    form = (dictionary.sample_rate, n_components, "WAV", "FLOAT")
    with files.AudioWriter([path], *form, overwrite=overwrite) as writer:
        writer.write([np.ascontiguousarray(dictionary.components)])


def read_bases(
    path: str | os.PathLike[str], sample_rate: int | None = None, *, hop_length: int | None = None
) -> Dictionary:
    """Return a dictionary of the bases in an audio file, a source for each: `component-1`, `component-2` and so on.

    Parameters
    ----------
    path : path
        Channel k holds component k, with `n_fft // 2 + 1` samples.
    sample_rate : int, optional
        In Hz, of the sound that the bases are of; None takes that of the file.
    hop_length : int, optional
        None means a quarter of `n_fft`.

    Raises
    ------
    ValueError
        If the file holds no bases, or its sample rate is none of sound.
    """
    bases, rate = files.read(path)
    name, n_bins = printable(path), len(bases)
    if sample_rate is None and rate < _LOWEST_HZ:
        raise ValueError(
            f"{name}: sample_rate is {rate} in the file, which is the rate of its bins: give that of the sound"
        )
    if n_bins < _FEWEST_BINS:
        raise ValueError(f"{name}: has {n_bins} samples, expected n_fft / 2 + 1 for each channel: it holds no bases")
    n_fft = 2 * (n_bins - 1)
    stft = STFT(n_fft, n_fft // 4 if hop_length is None else hop_length)
    labels = tuple(f"component-{k}" for k in range(1, bases.shape[1] + 1))
    return Dictionary(bases, labels, stft, rate if sample_rate is None else sample_rate, description=f"bases of {name}")
