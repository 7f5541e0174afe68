"""Who does the work of learning from an archive: the threads of this process, or a cluster of Dask.

Both have two methods: `each` gives what a function returns for some items, in their order, and `total` the sum over
all partitions of an archive. Both are the same to the bit, as the order of all additions is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rtnmf.learning.archive import Archive
from rtnmf.nmf.passes import Sums, added, in_order

__all__ = ["Cluster", "Here", "Workers"]

_S = TypeVar("_S")
_T = TypeVar("_T")
Done = Callable[[int], object]


class Here:
    """Work on threads of this process.

    Parameters
    ----------
    n_threads : int, optional
        None means as many as there are processors. The results are the same.
    """

    def __init__(self, n_threads: int | None = None) -> None:
        self._n_threads = n_threads

    def each(self, function: Callable[[_S], _T], items: Sequence[_S]) -> Iterator[_T]:
        """Yield what a function returns for each of some items, in their order."""
        return in_order(lambda i: function(items[i]), len(items), self._n_threads)

    def total(self, archive: Archive, W: NDArray[np.float32], done: Done) -> Sums:
        """Return the sums over all partitions; `done` is called with the number of those that are."""
        return added(_counted(in_order(partial(archive.sums, W=W), len(archive), self._n_threads), done))


class Cluster:
    """Work on a cluster, over a client of `dask.distributed`.

    Workers read the recordings themselves, so their paths have to be the same everywhere. What was lost with a worker
    is computed again by others. Sums are added up on the workers, in pairs.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def each(self, function: Callable[[_S], _T], items: Sequence[_S]) -> Iterator[_T]:
        """Yield what a function returns for each of some items, in their order."""
        futures = self._client.map(function, items, pure=False)
        while futures:
            yield futures.pop(0).result()

    def total(self, archive: Archive, W: NDArray[np.float32], done: Done) -> Sums:
        """Return the sums over all partitions; `done` is called with the number of those that are."""
        from dask import delayed
        from distributed import as_completed

        shared, columns, sums = delayed(archive), delayed(W), delayed(Archive.sums, pure=False)
        leaves = [sums(shared, i, columns) for i in range(len(archive))]
        *futures, root = self._client.compute([*leaves, added(leaves)])
        for n_done, _ in enumerate(as_completed(futures), 1):
            done(n_done)
        return root.result()


Workers = Here | Cluster


def _counted(results: Iterator[_T], done: Done) -> Iterator[_T]:
    for n_done, result in enumerate(results, 1):
        done(n_done)
        yield result
