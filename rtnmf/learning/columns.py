"""Columns of one source: how its frames, or those of a recording of unknown sources, become components."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtnmf import nmf
from rtnmf.checks import few
from rtnmf.dictionary.examples import spread
from rtnmf.learning.checkpoint import Checkpoint, Reached
from rtnmf.nmf import passes
from rtnmf.nmf.factorisation import TOLERANCE
from rtnmf.nmf.passes import Sums
from rtnmf.progress import Progress

__all__ = [
    "N_COMPONENTS",
    "N_COMPONENTS_BLIND",
    "N_ITER",
    "N_ITER_BLIND",
    "Columns",
    "Stopped",
    "blind_columns",
    "chosen_components",
    "columns",
    "columns_of_all",
]

Array = NDArray[np.float32]

N_COMPONENTS = 32
"""Components of a source where no number is given."""
N_COMPONENTS_BLIND = 3
"""Components of a recording that is learned blind where no number is given."""
N_ITER = 40
"""Iterations of the factorisation of a source: few, so that the components do not fit these very recordings."""
N_ITER_BLIND = 100
"""Iterations at most of the factorisation of a recording that is learned blind."""

# Two choices that were measured on 14 mixtures, over several seeds. Starting from averages of about a sixteenth of the
# frames each, instead of from noise, and giving each component half of the mean spectrum of its source, for the sounds
# of it that were not recorded, raised SI-SDR by 1.7 dB where voice or keyboard were others than those that were
# learned, by 0.4 dB where they were the same, and left a third of the spread between seeds.
_SHARPNESS = 16
_BREADTH = 0.5
_MOST_POINTS = 1000  # of a curve that are kept


class Columns(NamedTuple):
    """Components, shape (n_bins, n_components), and how their divergence fell, as a fraction of the sum of V."""

    W: Array
    divergences: tuple[tuple[int, float], ...]


def columns(
    V: Array, name: str, n_components: int | None, n_iter: int | None, seed: int, progress: Progress | None
) -> Columns:
    """Learn the columns of one source, into which its mean spectrum is mixed after the fit.

    Parameters
    ----------
    V : array, shape (n_bins, n_frames)
        Magnitudes of the frames that sound.
    name : str
        Of the source: the stage of `progress`.
    n_components, n_iter : int, optional
        None means `N_COMPONENTS` and `N_ITER`; no more components than frames, with a warning.
    seed : int
    progress : Progress, optional
    """
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
    return Columns(_broadened(fitted.W[:, fitted.W.any(axis=0)], V), _curve(fitted, V))


def chosen_components(n_components: int | None, name: str) -> int:
    """Return how many components a source gets where it has frames enough; without a name it is learned blind."""
    usual = N_COMPONENTS if name else N_COMPONENTS_BLIND
    return usual if n_components is None else n_components


class Stopped(Exception):  # noqa: N818  # no error
    """The progress asked for an end: what the passes before have reached is taken."""


def columns_of_all(
    V: Array,
    name: str,
    total: Callable[[Array, str], Sums],
    *,
    n_components: int | None,
    n_passes: int,
    seed: int,
    checkpoint: Checkpoint | None,
) -> Columns:
    """Learn the columns of a source from all of its frames, in passes that begin where some of them lead to.

    Parameters
    ----------
    V : array, shape (n_bins, n_frames)
        Some of the frames, taken evenly.
    name : str
        Of the source, empty where components become sources.
    total : callable
        Returns the sums over all frames with a W; it is given the stage of `progress`, too. It may raise `Stopped`.
    n_components, seed
        As for `columns`.
    n_passes : int
    checkpoint : Checkpoint, optional
        Where each pass is kept, and gone on from.

    """
    n = _affordable(chosen_components(n_components, name), V.shape[1], name or "the recording")
    reached = checkpoint.reached(name) if checkpoint else None
    if reached is None:
        reached = Reached(passes.started(passes.representatives(V.T), n, seed=seed), (), {})
    with contextlib.suppress(Stopped):
        for i in range(len(reached.curve), n_passes):
            stage = f"{name or 'components'}, pass {i + 1} of {n_passes}"
            found = next(passes.passes(lambda W, stage=stage: total(W, stage), reached.W))  # type: ignore[misc]
            curve = (*reached.curve, (i, found.divergence))
            reached = Reached(found.W, curve, {**reached.lost, **dict(found.lost)})
            if checkpoint:
                checkpoint.keep(name, reached)
    if reached.lost:
        what = f"recordings{f' of {name}' if name else ''} that could not be read in every pass, {len(reached.lost)}"
        warnings.warn(f"{what}: {few(list(reached.lost.values()))}", stacklevel=5)
    W = reached.W.T[:, reached.W.any(axis=1)]
    return Columns(_broadened(W, V) if name else W, reached.curve)


def _broadened(W: Array, V: Array) -> Array:
    """Return columns with half of the mean spectrum in each."""
    mean = V.sum(axis=1, keepdims=True) / V.sum()
    return (1 - _BREADTH) * W + _BREADTH * mean


def blind_columns(
    V: Array, n_components: int | None, n_iter: int | None, seed: int, progress: Progress | None
) -> Columns:
    """Learn columns that each become a source, from the frames of a recording of unknown sources; see `columns`."""
    n = _affordable(N_COMPONENTS_BLIND if n_components is None else n_components, V.shape[1], "the recording")
    fitted = nmf.fit(
        V,
        n,
        n_iter=N_ITER_BLIND if n_iter is None else n_iter,
        tolerance=TOLERANCE if n_iter is None else 0,
        seed=seed,
        progress=_in_stage("components", progress),
    )
    return Columns(fitted.W[:, fitted.W.any(axis=0)], _curve(fitted, V))


def _curve(fitted: nmf.Factorization, V: Array) -> tuple[tuple[int, float], ...]:
    kept = spread(len(fitted.divergences), _MOST_POINTS)
    shares = (fitted.divergences[kept] / V.sum(dtype=np.float64)).tolist()
    return tuple(zip(fitted.iterations[kept].tolist(), shares, strict=True))


def _affordable(n_components: int, n_frames: int, name: str) -> int:
    if n_components > n_frames:
        warnings.warn(
            f"{name} has {n_frames} frames that sound and gets {n_frames} components instead of"
            f" {n_components}: record more of it",
            stacklevel=4,
        )
    return min(n_components, n_frames)


def _in_stage(stage: str, progress: Progress | None) -> Progress | None:
    return None if progress is None else lambda _, done, total: progress(stage, done, total)
