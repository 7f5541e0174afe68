"""The sums of `passes.sums_of` with torch, on a GPU or on whatever else it knows.

They are the same but for rounding, about 1e-6 of them. torch is imported when it is asked for: nothing else needs it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtnmf.kernels.compiling import FLOOR
from rtnmf.kernels.factor import FLUSH
from rtnmf.nmf.sums import N_UPDATES, RELAXATION, Sums, filled

__all__ = ["check_device", "sums_of"]

Array = NDArray[np.float32]

_TILE_VALUES = 2**22  # of V in a tile: enough for each step to take a GPU longer than to be told of it
_IN_TURN = threading.Lock()  # a device has room for the tiles of one thread, and computes no faster for several


def check_device(name: str, device: object) -> None:
    """Raise ValueError if torch is not installed, or cannot compute on a device here; TypeError if it is no text.

    Parameters
    ----------
    name : str
        Of the argument.
    device : str
        As torch calls it: "cuda", "cuda:1", "mps", "cpu".
    """
    if not isinstance(device, str):
        raise TypeError(f"{name} is {device!r:.80}, expected the name of a device of torch, such as 'cuda'")
    try:
        import torch
    except (ImportError, OSError) as error:  # which a library that it lacks is on some systems
        raise ValueError(f"{name} is {device!r:.80}, which needs torch: pip install 'rtnmf[gpu]' ({error})") from error
    try:
        torch.ones(1, device=device).sum().item()
    except (RuntimeError, AssertionError, ImportError) as error:  # each kind of device has another
        reason = str(error).partition("\n")[0][:200]
        raise ValueError(
            f"{name} is {device!r:.80}, on which torch cannot compute here: choose another, or leave it out ({reason})"
        ) from error


def sums_of(blocks: Iterable[Array], W: Array, device: str) -> Sums:
    """Return what frames add to an update of W, as `passes.sums_of` does, computed on a device.

    Parameters
    ----------
    blocks : iterable of arrays, shape (n_frames, n_bins)
    W : array, shape (n_components, n_bins)
        Rows sum to 1.
    device : str
        One that `check_device` lets pass.
    """
    import torch

    tile = np.empty((max(1, _TILE_VALUES // W.shape[1]), W.shape[1]), np.float32)
    rows = torch.tensor(W, device=device)
    numerator = torch.zeros_like(rows)
    divergence, level, n_frames = 0.0, 0.0, 0
    for n in filled(tile, blocks):
        with _IN_TURN, torch.inference_mode():
            v = torch.from_numpy(tile[:n]).to(device)
            h = _activations(v, rows)
            model = (h @ rows).add_(FLOOR)
            terms = model - v + v * torch.log(v / model + FLOOR)
            numerator.addmm_(h.T, v / model)
            # of a frame in float32, of all of them in float64, which not all devices have
            of_frames = torch.stack([terms.sum(dim=1), v.sum(dim=1)]).cpu().double().sum(dim=1)
        divergence, level, n_frames = divergence + float(of_frames[0]), level + float(of_frames[1]), n_frames + n
    return Sums(numerator.cpu().numpy(), divergence, level, n_frames)


def _activations(v: Any, W: Any) -> Any:
    """Return the activations of some frames, shape (n_frames, n_components); see `passes.passes`."""
    import torch

    h = (v.sum(dim=1, keepdim=True) / len(W)).repeat(1, len(W))
    model = torch.empty_like(v)
    for i in range(N_UPDATES):
        torch.matmul(h, W, out=model).add_(FLOOR)
        gradient = torch.div(v, model, out=model) @ W.T
        h *= gradient if i == 0 else gradient**RELAXATION
        h = torch.where(h > FLUSH, h, 0.0)
    return h
