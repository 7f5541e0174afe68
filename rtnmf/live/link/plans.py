"""Plans of dictionaries in shared memory: the parent prepares them, the callback only looks at them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from rtnmf.kernels.hop import Plan

__all__ = ["PlanSlot", "most_bytes"]

_LINE = 64
_LARGEST_TILE = 128  # what is filled up to a whole tile is less
_LARGEST_ELSE = 64  # bytes per component, for what is there once for each source
_NUMBERS = ("relaxation", "reach", "mask_power")
_ARRAYS = ("trend_basis", "memory", "weights", "low_shares", "bounds", "W", "M")  # M is left out where it is W
_DIMENSIONS = 4
_HEADER = np.dtype(
    [("numbers", "f4", len(_NUMBERS)), ("n_arrays", "u4"), ("shapes", "u4", (len(_ARRAYS), _DIMENSIONS))]
)


class PlanSlot:
    """Room for all of a plan that differs from one dictionary to another of the same STFT and sources.

    Parameters
    ----------
    memory : writable buffer
        That begins where a cache line does.
    """

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory
        self._header = np.frombuffer(memory, _HEADER, 1).reshape(())

    def write(self, plan: Plan) -> None:
        """Copy a plan, of which `most_bytes` says that it fits."""
        arrays = _arrays(plan)
        self._header["numbers"] = [getattr(plan, name) for name in _NUMBERS]
        self._header["n_arrays"] = len(arrays)
        for shape, array in zip(self._header["shapes"], arrays, strict=False):
            shape[:] = (*array.shape, *[0] * (_DIMENSIONS - array.ndim))
        for view, array in zip(self._views(plan), arrays, strict=True):
            view[:] = array

    def read(self, before: Plan) -> Plan:
        """Return the plan that was written, its arrays being views, with the windows of the one before."""
        views = self._views(before)
        changed = dict(zip(_ARRAYS, (*views, views[-1]), strict=False))
        return before._replace(**changed, **dict(zip(_NUMBERS, self._header["numbers"], strict=True)))

    def _views(self, like: Plan) -> list[Any]:
        views, start = [], _after(_HEADER.itemsize)
        for name, dimensions in zip(_ARRAYS[: int(self._header["n_arrays"])], self._header["shapes"], strict=False):
            array = getattr(like, name)
            shape = tuple(int(n) for n in dimensions[: array.ndim])
            views.append(np.frombuffer(self._memory, array.dtype, int(np.prod(shape)), start).reshape(shape))
            start = _after(start + views[-1].nbytes)
        return views


def most_bytes(n_components: int, n_bins: int) -> int:
    """Return what a plan needs in a slot at most, when it is of a trained dictionary."""
    columns = 4 * 4 * n_components * (n_bins + _LARGEST_TILE)
    trends = 4 * 16 * 2 * n_bins
    return _after(columns + trends + _LARGEST_ELSE * n_components) + _after(_HEADER.itemsize) + len(_ARRAYS) * _LINE


def _arrays(plan: Plan) -> list[Any]:
    return [getattr(plan, name) for name in (_ARRAYS[:-1] if plan.M is plan.W else _ARRAYS)]


def _after(n_bytes: int) -> int:
    """Return where the next cache line begins."""
    return -(-n_bytes // _LINE) * _LINE
