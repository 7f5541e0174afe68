"""Non-negative matrix factorisation with the generalised Kullback-Leibler divergence.

`V ~ W H`: V (n_bins, n_frames) is a magnitude spectrogram, the columns of W (n_bins, n_components) are the
components, the rows of H (n_components, n_frames) their activations. `fit` learns them offline; `activations`
follows a stream with W fixed. Nothing here knows about time signals, sources or masks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtnmf.checks import check_number, check_whole
from rtnmf.frames.model import Model
from rtnmf.kernels import updates
from rtnmf.kernels.compiling import FLOOR, zeros
from rtnmf.nmf import descent
from rtnmf.progress import Progress

__all__ = [
    "TOLERANCE",
    "Factorization",
    "activations",
    "fit",
    "kl_divergence",
    "update_activations",
    "update_components",
]

Array = NDArray[np.float32]

TOLERANCE = 1e-4
"""Where `fit` stops if nothing else is said."""

_MOST = 10**6  # of components or iterations: more is a slip of the finger
_LOUDEST = 1e30  # what is above, or below the inverse, sums up to more or less than float32 holds


class Factorization(NamedTuple):
    """The result of `fit`.

    W : array, shape (n_bins, n_components)
        Learned columns sum to 1; given ones are as they were given.
    H : array, shape (n_components, n_frames)
    divergences : array, shape (n_checks,)
        KL divergence over all frames at the start, after every tenth iteration, and at the end; it never rises.
    iterations : array, shape (n_checks,)
        The iteration that each divergence belongs to.
    """

    W: Array
    H: Array
    divergences: NDArray[np.float64]
    iterations: NDArray[np.intp]


def kl_divergence(V: ArrayLike, WH: ArrayLike) -> float:
    """Return the generalised Kullback-Leibler divergence of V from its model.

    `D(V | WH) = sum(V log(V / WH) - V + WH)`, where `0 log 0 = 0`. Infinite where V is positive and WH is 0.

    Parameters
    ----------
    V, WH : array, the same shape
        Non-negative.

    References
    ----------
    D. D. Lee and H. S. Seung, "Algorithms for non-negative matrix factorization", NIPS 2000, equation 3.
    """
    v, wh = (np.asarray(_real(name, x), np.float64) for name, x in (("V", V), ("WH", WH)))
    if v.shape != wh.shape:
        raise ValueError(f"WH has shape {wh.shape}, expected that of V, {v.shape}")
    for name, x in (("V", v), ("WH", wh)):
        if not (x >= 0).all():  # NaN is not
            raise ValueError(f"{name} holds negative or undefined values, expected magnitudes")
    positive = v > 0
    with np.errstate(divide="ignore"):
        return float(np.sum(v[positive] * np.log(v[positive] / wh[positive])) - v.sum() + wh.sum())


def update_activations(V: Array, W: Array, H: Array) -> Array:
    """Return H after one multiplicative update: `H * (W.T @ (V / (W @ H))) / sum of each column of W`.

    The divergence never rises, and with columns of W that sum to 1 each column of H then sums to that of V.
    Silent frames give 0. The textbook form, for reading and checking; `fit` does the same in tiles.

    Parameters
    ----------
    V : array, shape (n_bins, n_frames)
    W : array, shape (n_bins, n_components)
    H : array, shape (n_components, n_frames)

    References
    ----------
    D. D. Lee and H. S. Seung, "Algorithms for non-negative matrix factorization", NIPS 2000, equation 5.
    """
    _real("V", V)
    return H * (W.T @ (V / (W @ H + FLOOR))) / (W.sum(axis=0)[:, None] + FLOOR)


def update_components(V: Array, W: Array, H: Array) -> Array:
    """Return W after one multiplicative update: `W * ((V / (W @ H)) @ H.T) / sum of each row of H`.

    The divergence never rises when `W @ H` is that of the newest H. Components that are never active stay 0.

    Parameters and references are those of `update_activations`.
    """
    _real("V", V)
    return W * ((V / (W @ H + FLOOR)) @ H.T) / (H.sum(axis=1) + FLOOR)


def fit(
    V: ArrayLike,
    n_components: int,
    *,
    n_iter: int = 200,
    tolerance: float = TOLERANCE,
    seed: int = 0,
    start: tuple[ArrayLike, ArrayLike] | None = None,
    fixed: ArrayLike | None = None,
    accelerated: bool = True,
    most_frames: int | None = None,
    progress: Progress | None = None,
) -> Factorization:
    """Factorise a spectrogram by multiplicative updates of H, then of W, with V / (W H) recomputed between them.

    With `accelerated`, the first ten iterations are plain; they decide which minimum is reached. Then, with more than
    four components and enough frames, W is learned from a sixteenth of the frames and from a quarter, sampled in
    proportion to level, and H follows. All further updates start from W and H extrapolated along the last step in the
    log domain, with growing weight. Every ten iterations the divergence of all frames is computed, with `accelerated`
    or without: a step that raised it is undone and followed by ten plain iterations. So it never rises.

    Different starts end in different minima, by a few percent with few components, and so may the accelerated and the
    plain descent from the same start.

    Bit for bit the same for the same input, seed and machine, for any number of threads. While it runs, BLAS is
    held to one thread in the whole process, and the tiles are shared out among as many threads as there are
    processors where that pays. If other code sets the number of BLAS threads during a fit, the bits of
    the result may change.

    Parameters
    ----------
    V : array, shape (n_bins, n_frames)
        Finite and non-negative; not changed. Silent frames and empty bins give zeros in H and W.
    n_components : int
        Columns of W, those in `fixed` included.
    n_iter : int
        Maximum number of iterations over all frames.
    tolerance : float
        Stops when ten iterations lower the divergence by less than this fraction of the initial divergence; 0 never
        stops early.
    seed : int
        Of the random start.
    start : (array, array), optional
        W (n_bins, n_components) and H (n_components, n_frames) to start from, instead of at random.
    fixed : array, shape (n_bins, n_fixed), optional
        First columns of W, which stay as they are; the others are learned. With all of them fixed, only H is.
    accelerated : bool
        False runs plain Lee-Seung updates.
    most_frames : int, optional
        Learn W from at most this many frames, sampled in proportion to level and weighted by the inverse, then H for
        all: for long recordings. The loudest frames are always among them. The divergences are then those of the
        start and of the end, over all frames.
    progress : callable, optional
        Called with "factorising", the iterations over all frames done and `n_iter`, repeatedly with the same
        number while W is learned from few frames; returning False ends the fit with what it has reached.

    Returns
    -------
    Factorization

    Raises
    ------
    TypeError, ValueError
        If an array is complex, has the wrong shape, or holds a negative or non-finite value, or a number is out of
        range.

    References
    ----------
    D. D. Lee and H. S. Seung, "Algorithms for non-negative matrix factorization", NIPS 2000, equation 5.
    Y. Nesterov, "A method of solving a convex programming problem with convergence rate O(1/k^2)", Soviet Mathematics
    Doklady 27, 1983 (the growing weight of the last step).
    L. T. K. Hien and N. Gillis, "Algorithms for nonnegative matrix factorization with the Kullback-Leibler
    divergence", Journal of Scientific Computing 87, 2021 (a survey, extrapolation included).
    O. Bachem, M. Lucic and A. Krause, "Practical coreset constructions for machine learning", arXiv:1703.06476, 2017
    (frames that stand for all).
    """
    v, level = _levelled(_checked("V", V, ("n_bins", "n_frames")))
    if v.size == 0:
        raise ValueError(f"V has shape {v.shape}, expected at least one bin and one frame")
    most_frames = v.shape[1] if most_frames is None else most_frames
    _check_settings(n_components, n_iter, seed, most_frames, tolerance)
    given = _given_columns(v, n_components, fixed)
    n_fixed = given.shape[1]
    W, H = _random_start(v, n_components, seed) if start is None else _given_start(v, n_components, start, level)
    W[:, :n_fixed] = given
    scale = np.float32(v.max()) or np.float32(1)
    column_sums = _nonzero(W.sum(axis=0))
    V_rows, W_rows, H_rows = _rows(v / scale, W / column_sums, H * (column_sums / scale)[:, None], n_fixed)
    divergences, iterations = descent.descend(
        V_rows,
        W_rows,
        H_rows,
        n_fixed,
        n_iter,
        accelerated=accelerated,
        tolerance=tolerance,
        most_frames=most_frames if most_frames < v.shape[1] else None,
        progress=progress,
    )
    W[:, n_fixed:] = W_rows[n_fixed:n_components, : len(v)].T
    H[:] = H_rows.T[:n_components, : v.shape[1]] * scale
    H[:n_fixed] /= column_sums[:n_fixed, None]
    return Factorization(W, H * level, divergences * float(scale) * float(level), iterations)


def activations(
    V: ArrayLike,
    W: ArrayLike,
    *,
    n_iter: int = Model.n_iter,
    relaxation: float = Model.relaxation,
    memory: float = Model.memory,
) -> Array:
    """Return the activations of a stream of frames with W fixed, each found from the last one as in a `Separator`.

    For each frame `h` starts from `memory` of where the last frame left it and the rest uniform, so that no
    component is lost for good (a zero stays zero under a product), and gets `n_iter` updates
    `h *= (W.T @ (v / (W @ h))) ** relaxation`, the first of them plain (exponent 1). After a plain update
    `h.sum() == v.sum()`; after relaxed ones it nearly is. A silent frame gives zeros, and the next starts from
    uniform activations.

    Parameters
    ----------
    V : array, shape (n_bins, n_frames)
        Finite and non-negative.
    W : array, shape (n_bins, n_components)
        Columns sum to 1.
    n_iter : int
        Updates per frame.
    relaxation : float
        Exponent of the second and later updates, from 1 to below 2; above 1 they converge faster.
    memory : float
        Fraction of the last frame's activations in the start of the next, from 0 to below 1.

    Returns
    -------
    array, shape (n_components, n_frames)

    References
    ----------
    R. Badeau, N. Bertin and E. Vincent, "Stability analysis of multiplicative update algorithms and application
    to nonnegative matrix factorization", IEEE Transactions on Neural Networks 21(12), 2010 (the exponent).
    """
    check_whole("n_iter", n_iter, 1, _MOST)
    Model(relaxation=relaxation, memory=memory)  # checks them
    components = _checked("W", W, ("n_bins", "n_components"))
    frames = np.ascontiguousarray(_checked("V", V, (len(components), "n_frames")).T)
    H = np.empty((len(frames), components.shape[1]), np.float32)
    updates.track(frames, updates.tiled(components)[0], H, n_iter, np.float32(relaxation), np.float32(memory))
    return np.ascontiguousarray(H.T)


def _check_settings(n_components: int, n_iter: int, seed: int, most_frames: int, tolerance: float) -> None:
    check_whole("n_components", n_components, 1, _MOST)
    check_whole("n_iter", n_iter, 0, _MOST)
    check_whole("seed", seed, 0)
    check_whole("most_frames", most_frames, 1)
    if not check_number("tolerance", tolerance) >= 0:
        raise ValueError(f"tolerance is {tolerance}, expected at least 0")


def _levelled(V: Array) -> tuple[Array, np.float32]:
    """Return V at a level where its sums do not vanish in float32, and what it was divided by."""
    peak = V.max(initial=np.float32(0))
    if peak > _LOUDEST:
        raise ValueError(f"V reaches {peak:.3g}, expected at most {_LOUDEST:g}: divide it by its largest value")
    return (V / peak, peak) if 0 < peak < 1 / _LOUDEST else (V, np.float32(1))


def _random_start(V: Array, n_components: int, seed: int) -> tuple[Array, Array]:
    """Draw W and H at random, at the level of V."""
    rng = np.random.default_rng(seed)
    W = rng.uniform(0.1, 1.0, (V.shape[0], n_components)).astype(np.float32)
    H = rng.uniform(0.1, 1.0, (n_components, V.shape[1])).astype(np.float32)
    return W / W.sum(axis=0), H * V.sum(axis=0) / n_components


def _given_start(
    V: Array, n_components: int, start: tuple[ArrayLike, ArrayLike], level: np.float32
) -> tuple[Array, Array]:
    """Return copies of the W and H to start from, H at the level of V."""
    if not isinstance(start, (tuple, list)) or len(start) != 2:
        raise TypeError(f"start is {start!r:.80}, expected (W, H)")
    W, H = start
    return (
        _checked("start[0]", W, (V.shape[0], n_components)).copy(),
        _checked("start[1]", H, (n_components, V.shape[1])) / level,
    )


def _given_columns(V: Array, n_components: int, fixed: ArrayLike | None) -> Array:
    """Return the columns of W that stay as they are, none without `fixed`."""
    given = _checked("fixed", np.zeros((len(V), 0)) if fixed is None else fixed, (len(V), "n_fixed"))
    if given.shape[1] > n_components:
        raise ValueError(f"fixed has {given.shape[1]} columns, more than n_components = {n_components}")
    return given


def _rows(V: Array, W: Array, H: Array, n_fixed: int) -> tuple[Array, Array, Array]:
    """Return copies of V, W and H as the descent takes them: frames-major, and padded."""
    n_components, n_frames = H.shape
    rows = n_components if n_fixed else max(n_components, descent.FEW)
    frames = -(-n_frames // descent.FRAMES) * descent.FRAMES
    H_rows = zeros(frames, rows)
    H_rows[:n_frames, :n_components] = H.T
    return _padded(V.T, frames), _padded(W.T, rows), H_rows


def _padded(rows: Array, n_rows: int) -> Array:
    """Return a C-contiguous copy with empty bins, and rows, added."""
    padded = zeros(n_rows, -(-rows.shape[1] // descent.LANES) * descent.LANES)
    padded[: len(rows), : rows.shape[1]] = rows
    return padded


def _nonzero(x: Array) -> Array:
    return np.where(x > 0, x, np.float32(1))


def _real(name: str, x: ArrayLike) -> ArrayLike:
    if np.iscomplexobj(x):
        raise TypeError(f"{name} is complex, expected magnitudes: pass abs({name})")
    return x


def _checked(name: str, x: ArrayLike, shape: tuple[int | str, int | str]) -> Array:
    """Return an array as float32 if it is of a shape, in which names stand for any number, and holds magnitudes."""
    if np.asarray(x).dtype.kind not in "biufc":
        raise TypeError(f"{name} is of type {np.asarray(x).dtype}, expected an array of numbers")
    with np.errstate(over="ignore", invalid="ignore"):  # a number too large for float32 is reported as non-finite
        array = np.asarray(_real(name, x), np.float32)
    if array.ndim != 2 or any(isinstance(n, int) and n != m for n, m in zip(shape, array.shape, strict=True)):
        raise ValueError(f"{name} has shape {array.shape}, expected ({shape[0]}, {shape[1]})")
    if not (array.min(initial=0.0) >= 0 and array.max(initial=0.0) < np.inf):  # NaN is neither
        raise ValueError(f"{name} holds negative or non-finite values, expected a magnitude spectrogram")
    return array
