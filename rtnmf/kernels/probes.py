"""Compiled loops that show what a hop, each of its parts, and the machine itself can do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtnmf.kernels import hop
from rtnmf.kernels.compiling import compiled

__all__ = ["multiply_add", "read", "repeat"]

Array = NDArray[np.float32]


@compiled()
def repeat(part: int, plan: hop.Plan, stream: hop.Stream, n_iter: int, n: int) -> None:
    """Do one part of a hop again and again, to time it: analysis, updates, masks or synthesis."""
    for _ in range(n):
        if part == 0:
            hop.analyse(plan, stream)
        elif part == 1:
            hop.explain(plan, stream, n_iter)
        elif part == 2:
            hop.mask(plan, stream)
        else:
            hop.synthesise(plan, stream, stream.trends, 0, stream.overlap.shape[2], 0)


@compiled()
def read(x: Array, n: int) -> np.float32:
    """Read an array n times, the least that n updates have to do with W, and return something that depends on it."""
    found = np.float32(0)
    for _ in range(n):
        total = np.float32(0)
        for i in range(x.shape[0]):
            total += x[i]
        x[0] = total * np.float32(1e-30)
        found += total
    return found


@compiled()
def multiply_add(x: Array, a: np.float32, b: np.float32, n: int) -> None:
    """Do 32 dependent multiplications and additions with each value of an array, n times."""
    for _ in range(n):
        for i in range(x.shape[0]):
            y = x[i]
            for _ in range(32):
                y = y * a + b
            x[i] = y
