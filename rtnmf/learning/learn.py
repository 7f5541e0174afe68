"""Learning: from recordings of each sound to a dictionary.

Offline only: nothing that runs in a stream imports this room.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rtnmf import nmf
from rtnmf.audio import files
from rtnmf.checks import check_source_name, check_whole, is_plain, whole_hz
from rtnmf.dictionary import Dictionary
from rtnmf.frames.stft import STFT
from rtnmf.learning import discriminative

__all__ = ["learn"]

Array = NDArray[np.float32]
Recording = NDArray[np.floating] | str | os.PathLike[str]
Progress = Callable[[str, int, int], object]

_SILENCE_DB = -60.0
_MOST_FRAMES = 16384  # of a source: three minutes at 44.1 kHz; longer recordings are sampled more sparsely
_STEPS = 1200  # of the training that tells sources apart

# Two choices that were measured on 14 mixtures, over several seeds. Starting from averages of about a sixteenth of the
# frames each, instead of from noise, and giving each component half of the mean spectrum of its source, for the sounds
# of it that were not recorded, raised SI-SDR by 1.7 dB where voice or keyboard were others than those that were
# learned, by 0.4 dB where they were the same, and left a third of the spread between seeds.
_SHARPNESS = 16
_BREADTH = 0.5


def learn(
    recordings: Mapping[str, Recording | Sequence[Recording]] | Recording,
    sample_rate: int | None = None,
    *,
    stft: STFT | None = None,
    latency: int | Literal["low"] | None = None,
    n_components: int | None = None,
    n_iter: int | None = None,
    n_steps: int | None = None,
    seed: int = 0,
    description: str = "",
    licence: str = "",
    progress: Progress | None = None,
) -> Dictionary:
    """Learn a dictionary from recordings of each source, or from one recording of unknown sources.

    The components of each source are learned from the frames of its own recordings: silent ones are left out,
    recordings are brought to the same level, the channels of a stereo recording are added as magnitudes. They
    start as averages of random frames, and are mixed with the mean spectrum of the source in the end. A single
    recording is learned blind: each component becomes a source, `component-1`, `component-2`, ...
    Of long recordings, frames are left out evenly, so that the spectrogram does not grow with their length.

    Parameters
    ----------
    recordings : {source name: recording or list of recordings}, or a recording
        A recording is an array, shape (n_samples,) or (n_samples, n_channels), or the path of an audio file.
    sample_rate : int, optional
        Rate of the arrays and of the dictionary in Hz. Needed with arrays; files are converted to it, and
        without it to the highest rate among them.
    stft : STFT, optional
        Settings to learn and later stream with; None means `STFT.default(sample_rate, latency=latency)`.
    latency : int or "low", optional
        Delay of the stream in samples where no `stft` is given; None means the length of the window, "low" a
        sixteenth of it, 128 samples at 48 kHz.
    n_components : int, optional
        Components per source, 32 when None, or components in all when learned blind, 3 when None.
    n_iter : int, optional
        Iterations of the factorisation; None means 40, which keeps the components from fitting these very
        recordings, and when learned blind at most 100, fewer when it converged.
    n_steps : int, optional
        Steps of the training that tells two or more sources apart; None means 1200, 0 leaves it out.
    seed : int
        Of the random start and of the mixtures: the same input and seed give the same dictionary.
    description, licence : str
        Kept in the dictionary.
    progress : callable, optional
        Called with the name of the source, the iterations done and their number, and in the end with "telling
        apart" and the steps; returning False ends that stage with what it has reached.

    Raises
    ------
    TypeError, ValueError
        If there is nothing to learn from: no source, no recording, one that is silent, too short or not finite.
        If a number is out of its range.
    """
    named = recordings if isinstance(recordings, Mapping) else {"": recordings}
    if not named:
        raise ValueError("recordings are empty, expected {source name: recording}")
    if n_steps is not None:
        check_whole("n_steps", n_steps, 0)
    blind = not isinstance(recordings, Mapping)
    for name in () if blind else named:
        check_source_name(name)
    listed = {name: _listed(name, given) for name, given in named.items()}
    rate = _common_rate([one for some in listed.values() for one in some], sample_rate)
    stft = STFT.default(rate, latency=latency) if stft is None else stft
    columns: list[Array] = []
    labels: list[str] = []
    divergences = {}
    is_trained = not blind and len(named) > 1 and n_steps != 0
    spectra = []
    for name, some in listed.items():
        n_most = max(1, _MOST_FRAMES // len(some))
        both = [_spectra(f"{name}, recording {i}", one, rate, stft, n_most) for i, one in enumerate(some, 1)]
        V = np.hstack([magnitudes for magnitudes, _ in both])
        if is_trained:
            spectra.append(np.vstack([frames for _, frames in both]))
        learn_columns = _blind_components if blind else _components
        W, fitted = learn_columns(V, name, n_components, n_iter, seed, progress)
        columns.append(W)
        parts = (fitted.divergences / V.sum(dtype=np.float64)).tolist()
        divergences[name] = tuple(zip(fitted.iterations.tolist(), parts, strict=True))
        labels += [f"component-{k + 1}" if blind else name for k in range(W.shape[1])]
    trained = _told_apart(columns, spectra, n_steps, seed, progress) if is_trained else {}
    return Dictionary(
        np.hstack(columns),
        tuple(labels),
        stft,
        rate,
        **trained,
        description=description,
        licence=licence,
        learned_from=tuple(_described(name, one) for name, some in listed.items() for one in some),
        rtnmf_version=version("rtnmf"),
        divergences=divergences,
    )


def _listed(name: str, given: Recording | Sequence[Recording]) -> list[Recording]:
    some: list[Any] = list(given) if isinstance(given, (list, tuple)) else [given]
    if not some:
        raise ValueError(f"source {name!r} has no recording, expected at least one")
    for one in some:
        if not isinstance(one, (np.ndarray, str, os.PathLike)):
            raise TypeError(f"a recording of {name!r} is {type(one).__name__}, expected an array or a path")
    return some


def _common_rate(recordings: list[Recording], sample_rate: int | None) -> int:
    if sample_rate is not None:
        return whole_hz(sample_rate)
    if any(isinstance(one, np.ndarray) for one in recordings):
        raise ValueError("sample_rate is missing: recordings given as arrays do not tell theirs, pass sample_rate=...")
    rates = {}
    for path in recordings:
        with files.open_audio(path) as file:  # type: ignore[arg-type]
            rates[path] = file.samplerate
    common = max(rates.values())
    for path, rate in rates.items():
        if rate < common:
            warnings.warn(
                f"{path} ends at {rate // 2} Hz and the dictionary reaches {common // 2}: what this source has above"
                f" goes to the others; learn at {min(rates.values())} Hz if that hurts",
                stacklevel=3,
            )
    return common


def _spectra(
    name: str, recording: Recording, sample_rate: int, stft: STFT, n_most: int
) -> tuple[Array, NDArray[np.complex64]]:
    """Return magnitudes of the frames that sound, shape (n_bins, n_frames), and spectra of all, (n_frames, n_bins).

    Both are at a mean level of 1 of the frames that sound. Magnitudes of all channels are summed; their spectra are
    frames of their own.
    """
    x = _samples(name, recording, sample_rate)
    if len(x) < stft.n_fft:
        raise ValueError(
            f"{_described(name, recording)} has {len(x)} samples, expected at least {stft.n_fft}"
            f" ({1000 * stft.n_fft / sample_rate:.0f} ms): record a few seconds"
        )
    # No hop shorter than a quarter of the window: what it would add is nearly the same frames again.
    hop_length = max(stft.hop_length, stft.n_fft // 4, len(x) // n_most)
    spectra = [stft.forward(channel, hop_length) for channel in x.T]
    V = np.sum([np.abs(spectrum) for spectrum in spectra], axis=0)
    levels = V.sum(axis=0)
    sounding = levels > max(levels.max() * 10 ** (_SILENCE_DB / 20), 1e-6)
    if not sounding.any():
        raise ValueError(f"{_described(name, recording)} is silent: record it again, louder")
    level = levels[sounding].mean()
    return V[:, sounding] / level, np.hstack(spectra).T * np.float32(len(spectra) / level)


def _samples(name: str, recording: Recording, sample_rate: int) -> Array:
    if not isinstance(recording, np.ndarray):
        return files.read(recording, sample_rate)[0]
    if recording.ndim not in (1, 2) or not np.issubdtype(recording.dtype, np.floating):
        raise ValueError(
            f"{name} is an array of {recording.dtype} of shape {recording.shape},"
            " expected floats, (n_samples,) or (n_samples, n_channels)"
        )
    if recording.ndim == 2 and recording.shape[1] > 64:
        raise ValueError(f"{name} has shape {recording.shape}, expected (n_samples, n_channels): pass its transpose")
    if not np.isfinite(recording).all():
        raise ValueError(f"{name} holds samples that are NaN or infinite")
    return np.atleast_2d(recording.T).T.astype(np.float32)


def _components(
    V: Array, name: str, n_components: int | None, n_iter: int | None, seed: int, progress: Progress | None
) -> tuple[Array, nmf.Factorization]:
    """Learn the columns of one source; the divergences are those before the mean spectrum is mixed in."""
    n = _affordable(32 if n_components is None else n_components, V.shape[1], name)
    rng = np.random.default_rng(seed)
    W = V @ (rng.uniform(size=(V.shape[1], n)) ** _SHARPNESS).astype(np.float32)
    H = rng.uniform(0.1, 1, (n, V.shape[1])) * V.sum(axis=0) / W.sum()
    fitted = nmf.fit(
        V,
        n,
        n_iter=40 if n_iter is None else n_iter,
        tolerance=0,
        start=(W, H),
        accelerated=False,  # which would fit these very recordings sooner
        progress=_named(progress, name),
    )
    mean = V.sum(axis=1, keepdims=True) / V.sum()
    return (1 - _BREADTH) * fitted.W[:, fitted.W.any(axis=0)] + _BREADTH * mean, fitted


def _blind_components(
    V: Array, name: str, n_components: int | None, n_iter: int | None, seed: int, progress: Progress | None
) -> tuple[Array, nmf.Factorization]:
    """Learn columns that each become a source."""
    n = _affordable(3 if n_components is None else n_components, V.shape[1], name)
    tolerance = 1e-4 if n_iter is None else 0
    fitted = nmf.fit(
        V, n, n_iter=100 if n_iter is None else n_iter, tolerance=tolerance, seed=seed, progress=_named(progress, name)
    )
    return fitted.W[:, fitted.W.any(axis=0)], fitted


def _told_apart(
    columns: list[Array],
    spectra: list[NDArray[np.complex64]],
    n_steps: int | None,
    seed: int,
    progress: Progress | None,
) -> dict[str, Array]:
    """Return the columns for the updates and for the masks, trained on mixtures of the sources."""
    bounds = np.cumsum([0, *(some.shape[1] for some in columns)]).tolist()
    W, M = discriminative.trained(
        np.hstack(columns).T,
        bounds,
        spectra,
        n_iter=5,
        n_steps=_STEPS if n_steps is None else n_steps,
        seed=seed,
        progress=_named(progress, "telling apart"),
    )
    return {"update_components": W.T, "mask_components": M.T}


def _affordable(n_components: int, n_frames: int, name: str) -> int:
    if n_components > n_frames:
        warnings.warn(
            f"{name or 'the recording'} has {n_frames} frames that sound and gets {n_frames} components instead of"
            f" {n_components}: record more of it",
            stacklevel=4,
        )
    return min(n_components, n_frames)


def _named(progress: Progress | None, name: str) -> Callable[[int, int], object] | None:
    return None if progress is None else lambda done, total: progress(name, done, total)


def _described(name: str, recording: Recording) -> str:
    if isinstance(recording, np.ndarray):
        return name
    return "".join(c if is_plain(c) else "_" for c in Path(recording).name)
