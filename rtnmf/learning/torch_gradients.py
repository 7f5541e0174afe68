"""The gradients of the discriminative training with torch, on a GPU or on whatever else it knows.

The loss is that of `discriminative` and `kernels.training.loss`, written once more, without adjoints: torch finds them.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtnmf.frames.model import Model
from rtnmf.kernels import training
from rtnmf.learning.gradients import FORGIVEN, LEAST, LOWEST

__all__ = ["gradients", "loss"]

Array = NDArray[np.floating]


def gradients(
    W: Array,
    M: Array,
    bounds: list[int],
    model: Model,
    reach: Array,
    magnitudes: Array,
    targets: Array,
    *,
    device: str,
) -> tuple[Array, Array]:
    """Return the gradients of the loss with respect to W and M, those of `gradients.gradients`, but for rounding.

    Parameters
    ----------
    W, M, bounds, model, reach, magnitudes, targets
        As there.
    device : str
        One that `nmf.torch_sums.check_device` lets pass.
    """
    import torch

    columns, columns_of_masks = (torch.tensor(one, device=device, requires_grad=True) for one in (W, M))
    given = [torch.tensor(one, device=device) for one in (reach, magnitudes, targets)]
    value = loss(columns, columns_of_masks, bounds, model, *given)
    grad_W, grad_M = torch.autograd.grad(value, [columns, columns_of_masks])
    return grad_W.cpu().numpy(), grad_M.cpu().numpy()


def loss(W: Any, M: Any, bounds: list[int], model: Model, reach: Any, magnitudes: Any, targets: Any) -> Any:
    """Return the loss of columns, all of them tensors; see `gradients`."""
    import torch

    h = _activations(W, model, magnitudes / (magnitudes.sum(dim=1, keepdim=True) + LEAST))
    pairs = itertools.pairwise(bounds)
    spectra = [h[:, a:b] @ M[a:b] + h[:, a:b].sum(dim=1, keepdim=True) * reach + LEAST for a, b in pairs]
    masks = torch.stack(spectra) / sum(spectra)
    errors = (masks * magnitudes - targets).square().sum(dim=(1, 2))
    energies, whole = targets.square().sum(dim=(1, 2)), magnitudes.square().sum()
    energies = torch.where(energies > FORGIVEN * whole, energies, whole) + LEAST
    return torch.log(errors / energies + FORGIVEN).mean()


def _activations(W: Any, model: Model, v: Any) -> Any:
    """Return the activations of frames, shape (n_frames, n_components), after the updates that a stream does."""
    import torch

    h = torch.full((len(v), len(W)), 1 / len(W), dtype=v.dtype, device=v.device)
    for i in range(model.n_iter):
        gradient = (v / (h @ W + training.LEAST) @ W.T).clamp(min=LOWEST)
        h = h * (gradient**model.relaxation if i else gradient)
    return h
