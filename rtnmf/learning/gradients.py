"""The gradients of the discriminative training, by the chain rule through the updates that a stream does."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtnmf.frames.model import Model
from rtnmf.kernels import training

__all__ = ["FORGIVEN", "LEAST", "LOWEST", "gradients"]

Array = NDArray[np.float32]

FORGIVEN = 1e-3
"""Error, as a fraction of a source's energy, below which less gains nothing."""
LEAST = 1e-9
"""Added to levels and spectra, so that silence does no harm."""
LOWEST = 1e-20
"""Of what activations are multiplied by in an update."""


class _Update(NamedTuple):
    """The intermediate values of an update that backpropagation needs."""

    h: Array
    inverse: Array
    ratio: Array
    gradient: Array
    factor: Array
    exponent: float
    after: Array


def gradients(
    W: Array, M: Array, bounds: list[int], model: Model, reach: Array, magnitudes: Array, targets: Array
) -> tuple[Array, Array]:
    """Return the gradients of the loss with respect to W and M."""
    tape, spectra = _forward(W, M, bounds, model, reach, magnitudes)
    training.loss(spectra, magnitudes, targets, FORGIVEN)
    return _backward(W, M, bounds, reach, tape, spectra)


def _forward(
    W: Array, M: Array, bounds: list[int], model: Model, reach: Array, magnitudes: Array
) -> tuple[list[_Update], Array]:
    """Return the updates, and the spectrum of each source; see `nmf.activations`, `masks.soft_masks`."""
    n_components = len(W)
    v = magnitudes / (magnitudes.sum(axis=1, keepdims=True) + LEAST)
    h = np.full((len(v), n_components), 1 / n_components, v.dtype)
    tape = []
    for i in range(model.n_iter):
        exponent = model.relaxation if i else 1.0
        inverse, ratio = h @ W, np.empty_like(v)
        training.ratios(v, inverse, ratio)
        gradient = np.maximum(ratio @ W.T, LOWEST)
        factor = gradient**exponent if i else gradient
        tape.append(_Update(h, inverse, ratio, gradient, factor, exponent, h * factor))
        h = tape[-1].after
    spectra = np.empty((len(bounds) - 1, *v.shape), v.dtype)
    for spectrum, (a, b) in zip(spectra, itertools.pairwise(bounds), strict=True):
        np.matmul(h[:, a:b], M[a:b], out=spectrum)
        spectrum += h[:, a:b].sum(axis=1, keepdims=True) * reach + LEAST
    return tape, spectra


def _backward(
    W: Array, M: Array, bounds: list[int], reach: Array, tape: list[_Update], grad_spectra: Array
) -> tuple[Array, Array]:
    """Return the gradients with respect to W and M, by the chain rule from the spectra back to the first update."""
    grad_M, grad_h = np.empty_like(M), np.empty_like(tape[-1].after)
    for (a, b), gradient in zip(itertools.pairwise(bounds), grad_spectra, strict=True):
        grad_M[a:b] = tape[-1].after[:, a:b].T @ gradient
        grad_h[:, a:b] = gradient @ M[a:b].T + (gradient @ reach)[:, None]
    left, right = [], []
    for update in reversed(tape):
        grad_gradient = grad_h * update.after * (update.exponent / update.gradient)
        grad_WH = grad_gradient @ W
        training.through_ratios(grad_WH, update.ratio, update.inverse)
        left += [grad_gradient, update.h]
        right += [update.ratio, grad_WH]
        if update is not tape[0]:
            grad_h = grad_h * update.factor + grad_WH @ W.T
    return np.vstack(left).T @ np.vstack(right), grad_M
