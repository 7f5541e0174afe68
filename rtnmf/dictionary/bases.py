"""The components of a dictionary as the buffer of bases that FluCoMa keeps, in a WAV file, and back.

FluCoMa's BufNMF writes, and its NMFFilter and NMFMatch read, a buffer with a channel for each component and a sample
for each bin (P. A. Tremblay, G. Roma and O. Green, "Enabling Programmatic Data Mining as Musicking: The Fluid Corpus
Manipulation Toolkit", Computer Music Journal 45(2), 2021).
"""

from __future__ import annotations

import os
import warnings

import numpy as np

from rtnmf.audio import files
from rtnmf.audio.names import printable
from rtnmf.bounds import LONGEST_WINDOW
from rtnmf.checks import few
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
        If the file holds no bases, or its sample rate is none of sound. Silent channels are left out, with a warning.
    """
    bases, rate = files.read(path)
    name, n_bins = printable(path), len(bases)
    if sample_rate is None and rate < _LOWEST_HZ:
        raise ValueError(
            f"{name}: sample_rate is {rate} in the file, which is the rate of its bins: give that of the sound"
        )
    n_fft = 2 * (n_bins - 1)
    if n_bins < _FEWEST_BINS or n_fft > LONGEST_WINDOW or not (bases >= 0).all():
        raise ValueError(
            f"{name}: holds no bases, expected n_fft / 2 + 1 magnitudes, none of them negative, in each channel; it has"
            f" {n_bins} samples"
        )
    heard = np.flatnonzero(bases.any(axis=0))
    if len(heard) < bases.shape[1]:
        silent = sorted(set(range(bases.shape[1])) - set(heard.tolist()))
        warnings.warn(f"{name}: left out, as silent: channels {few([str(k + 1) for k in silent])}", stacklevel=2)
    if not len(heard):
        raise ValueError(f"{name}: all channels are silent, expected magnitudes")
    stft = STFT(n_fft, max(1, n_fft // 4) if hop_length is None else hop_length)
    labels = tuple(f"component-{k + 1}" for k in heard)
    rate = rate if sample_rate is None else sample_rate
    return Dictionary(bases[:, heard], labels, stft, rate, description=f"bases of {name}")
