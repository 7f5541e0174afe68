"""Learning: from recordings of each source to a dictionary."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rtnmf import nmf
from rtnmf.checks import check_single, check_text, check_whole
from rtnmf.dictionary import Dictionary
from rtnmf.frames.model import Model
from rtnmf.frames.stft import STFT
from rtnmf.learning import discriminative
from rtnmf.learning.clips import Recording
from rtnmf.learning.clips import description as title_of
from rtnmf.learning.recordings import checked_rate, frames, listed, pipes_read
from rtnmf.nmf.factorisation import TOLERANCE
from rtnmf.progress import Progress
from rtnmf.version import version

__all__ = ["N_COMPONENTS", "N_COMPONENTS_BLIND", "N_ITER", "N_ITER_BLIND", "N_STEPS", "learn"]

Array = NDArray[np.float32]
Divergences = tuple[tuple[int, float], ...]

N_COMPONENTS = 32
"""Components of a source where no number is given."""
N_COMPONENTS_BLIND = 3
"""Components of a recording that is learned blind where no number is given."""
N_ITER = 40
"""Iterations of the factorisation of a source: few, so that the components do not fit these very recordings."""
N_ITER_BLIND = 100
"""Iterations at most of the factorisation of a recording that is learned blind."""
N_STEPS = 1200
"""Steps of the discriminative training."""

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
    latency_ms: float | None = None,
    model: Model = Model(),
    n_components: int | None = None,
    n_iter: int | None = None,
    n_steps: int | None = None,
    seed: int = 0,
    description: str = "",
    licence: str = "",
    progress: Progress | None = None,
    strict: bool = False,
) -> Dictionary:
    """Learn a dictionary from recordings of each source, or from one recording of unknown sources.

    The components of each source are learned from the frames of its own recordings by KL-NMF: silent frames are left
    out, recordings are brought to the same level, the channels of a stereo recording are added as magnitudes. The
    components start as averages of random frames, and half of each is the mean spectrum of the source. Two sources or
    more then get a second set of columns, by discriminative training on mixtures of the recordings. A single
    recording is learned blind: each component becomes a source, `component-1`, `component-2`, ...
    Several recordings of a source are one sound where their mean spectra overlap by 70 % or more, like takes of a
    voice; different sounds, like the stems of a song, are also mixed with each other in the training.
    Of long recordings, frames are left out evenly, so that the spectrogram does not grow with their length.

    Parameters
    ----------
    recordings : {source name: recording or list of recordings}, or a recording
        A recording is an array, shape (n_samples,) or (n_samples, n_channels), the path of an audio file, an
        `AudioReader`, stretches of a file, `Clip("episode.m4a", (12.5, 15.5), (20, None))`, or the sum of sounds that
        sound together, `Together("bass.wav", "keys.wav")`.
    sample_rate : int, optional
        Rate of the arrays and of the dictionary in Hz. Needed with arrays; files are converted to it, and
        without it to the highest rate among them.
    stft : STFT, optional
        Settings to learn and later stream with; None means `STFT.default` with the latency below.
    latency : int or "low", optional
        Delay of the stream in samples, instead of an `stft`; None means the length of the window, "low" a sixteenth
        of it, 128 samples at 48 kHz.
    latency_ms : float, optional
        Upper limit on that delay in ms, instead of `latency` or an `stft`.
    model : Model
        How a frame is explained, in the training and in every stream.
    n_components : int, optional
        Components per source, 32 when None, or components in all when learned blind, 3 when None.
    n_iter : int, optional
        Iterations of the factorisation; None means 40, which keeps the components from fitting these very
        recordings, and when learned blind at most 100, fewer when it converged.
    n_steps : int, optional
        Steps of the discriminative training of two or more sources; None means 1200, 0 leaves it out.
    seed : int
        Of the random start and of the mixtures: the same input and seed give the same dictionary.
    description, licence : str
        Kept in the dictionary.
    progress : Progress, optional
        Its stages are the names of the sources ("components" when learned blind), then "training".
    strict : bool
        Raise where a file is damaged, instead of a warning.

    Raises
    ------
    TypeError, ValueError
        Before anything is read, if a setting is out of its range or would be ignored. Before anything is learned, if a
        file cannot be read or ends before a stretch of it. If there is nothing to learn from: no source, no
        recording, one that is silent, too short or not finite.
    """
    _check_settings(seed, description, licence, n_components=n_components, n_iter=n_iter)
    _check_types(model, progress, stft=stft, latency=latency, latency_ms=latency_ms)
    sources = listed(recordings)
    n_steps = _steps(n_steps, sources)
    facts: dict[str, Any] = {"model": model, "description": description, "licence": licence, "divergences": {}}
    facts |= {"rtnmf_version": version(), "learned_from": _titles(sources)}
    columns, spectra = [], []
    with contextlib.ExitStack() as stack:
        sources = pipes_read(sources, stack, strict)
        rate = checked_rate(sources, sample_rate)
        stft = STFT.default(rate, latency=latency, latency_ms=latency_ms) if stft is None else stft
        for name, given in sources.items():
            read = frames(name, given, rate, stft, model.audible_hz, strict=strict)
            W, facts["divergences"][name] = _columns(read.magnitudes, name, n_components, n_iter, seed, progress)
            columns.append(W)
            spectra += [read.spectra] if n_steps else []
    facts |= _trained(columns, spectra, model, n_steps, seed, progress) if n_steps else {}
    return Dictionary(np.hstack(columns), _labels(list(sources), columns), stft, rate, **facts)


def _check_settings(seed: int, description: str, licence: str, **numbers: int | None) -> None:
    check_whole("seed", seed, 0)
    check_text("description", description)
    check_text("licence", licence)
    for name, value in numbers.items():
        if value is not None:
            check_whole(name, value, 1)


def _check_types(model: object, progress: object, *, stft: object, **latencies: object) -> None:
    check_single(stft=stft, **latencies)
    if not isinstance(stft, STFT | None):
        raise TypeError(f"stft is {stft!r:.80}, expected an STFT")
    if not isinstance(model, Model):
        raise TypeError(f"model is {model!r:.80}, expected a Model")
    if progress is not None and not callable(progress):
        raise TypeError(
            f"progress is {progress!r:.80}, expected a function of a stage, the steps done and their number"
        )


def _steps(n_steps: int | None, sources: Mapping[str, object]) -> int:
    """Return the steps of the training; where there is nothing to tell apart, refuse a number that would be ignored."""
    if n_steps is not None:
        check_whole("n_steps", n_steps, 0)
    if len(sources) > 1:
        return N_STEPS if n_steps is None else n_steps
    if n_steps:
        raise ValueError(
            f"n_steps is {n_steps}, but the training needs two sources to tell apart: leave it out, or give another"
        )
    return 0


def _titles(sources: Mapping[str, Sequence[Recording]]) -> tuple[str, ...]:
    return tuple(title_of(name, recording) for name, given in sources.items() for recording in given)


def _labels(names: list[str], columns: list[Array]) -> tuple[str, ...]:
    if names == [""]:
        return tuple(f"component-{k + 1}" for k in range(columns[0].shape[1]))
    return tuple(name for name, W in zip(names, columns, strict=True) for _ in range(W.shape[1]))


def _columns(
    V: Array, name: str, n_components: int | None, n_iter: int | None, seed: int, progress: Progress | None
) -> tuple[Array, Divergences]:
    """Learn the columns of one source, or blind where it has no name; return how their divergence fell, too."""
    learn_columns = _components if name else _blind_components
    fitted, W = learn_columns(V, name, n_components, n_iter, seed, progress)
    shares = (fitted.divergences / V.sum(dtype=np.float64)).tolist()
    return W, tuple(zip(fitted.iterations.tolist(), shares, strict=True))


def _components(
    V: Array, name: str, n_components: int | None, n_iter: int | None, seed: int, progress: Progress | None
) -> tuple[nmf.Factorization, Array]:
    """Learn the columns of one source, into which its mean spectrum is mixed after the fit."""
    n = _affordable(N_COMPONENTS if n_components is None else n_components, V.shape[1], name)
    rng = np.random.default_rng(seed)
    W = V @ (rng.uniform(size=(V.shape[1], n)) ** _SHARPNESS).astype(np.float32)
    H = rng.uniform(0.1, 1, (n, V.shape[1])) * V.sum(axis=0) / W.sum()
    fitted = nmf.fit(
        V,
        n,
        n_iter=N_ITER if n_iter is None else n_iter,
        tolerance=0,
        start=(W, H),
        accelerated=False,  # which would fit these very recordings sooner
        progress=_in_stage(name, progress),
    )
    mean = V.sum(axis=1, keepdims=True) / V.sum()
    return fitted, (1 - _BREADTH) * fitted.W[:, fitted.W.any(axis=0)] + _BREADTH * mean


def _blind_components(
    V: Array, name: str, n_components: int | None, n_iter: int | None, seed: int, progress: Progress | None
) -> tuple[nmf.Factorization, Array]:
    """Learn columns that each become a source."""
    n = _affordable(N_COMPONENTS_BLIND if n_components is None else n_components, V.shape[1], name)
    fitted = nmf.fit(
        V,
        n,
        n_iter=N_ITER_BLIND if n_iter is None else n_iter,
        tolerance=TOLERANCE if n_iter is None else 0,
        seed=seed,
        progress=_in_stage("components", progress),
    )
    return fitted, fitted.W[:, fitted.W.any(axis=0)]


def _trained(
    columns: list[Array],
    spectra: list[list[NDArray[np.complex64]]],
    model: Model,
    n_steps: int,
    seed: int,
    progress: Progress | None,
) -> dict[str, Any]:
    """Return the columns for the updates and those for the masks, trained on mixtures of the sources."""
    bounds = np.cumsum([0, *(W.shape[1] for W in columns)]).tolist()
    W, M = discriminative.trained(
        np.hstack(columns).T, bounds, spectra, model=model, n_steps=n_steps, seed=seed, progress=progress
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


def _in_stage(stage: str, progress: Progress | None) -> Progress | None:
    return None if progress is None else lambda _, done, total: progress(stage, done, total)
