"""Who does the work of learning from an archive: the threads of this process, or a cluster of Dask.

Both have two methods: `each` gives what a function returns for some items, in their order, and `total` the sum over
all partitions of an archive. Both are the same to the bit, as the order of all additions is.
"""

from __future__ import annotations

import contextlib
import itertools
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rtnmf.learning.archive import Archive
from rtnmf.learning.memory import n_threads_within
from rtnmf.nmf.passes import Sums, added, in_order
from rtnmf.nmf.torch_sums import check_device
from rtnmf.version import version

__all__ = ["Cluster", "Here", "Workers", "chosen", "runs"]

_S = TypeVar("_S")
_T = TypeVar("_T")
Done = Callable[[int], object]

_MOST_RUNS = 2**14  # tasks that read, enough for a thousand workers
_FETCHED = 100  # results that are fetched from a cluster at a time, at most
_STEP_S = 0.1  # between two looks at what is done on a cluster
_ASKED_EACH_S = 5  # whether there are workers
_PATIENCE_S = 600  # that is waited for workers where there are none any more


class Here:
    """Work on threads of this process.

    Parameters
    ----------
    n_threads : int, optional
        None means as many as there are processors. The results are the same.
    device : str, optional
        Where torch is to compute what they read; see `torch_sums.check_device`. None means on the threads as well.
    """

    def __init__(self, n_threads: int | None = None, device: str | None = None) -> None:
        self._n_threads, self._device = n_threads, device

    def each(self, function: Callable[[_S], _T], items: Sequence[_S]) -> Iterator[_T]:
        """Yield what a function returns for each of some items, in their order."""
        return in_order(function, items, self._n_threads)

    def total(self, archive: Archive, W: NDArray[np.float32], done: Done) -> Sums:
        """Return the sums over all partitions; `done` is called with the number of each that was read."""
        sums = partial(archive.sums, W=W, device=self._device)
        return added(_told(in_order(sums, range(len(archive)), self._n_threads), done))


class Cluster:
    """Work on a cluster of Dask.

    Workers read the recordings themselves, so their paths have to be the same everywhere. What was lost with a worker
    is computed again by others. In a pass, each worker gets W and the archive once, and each sum, which is as large as
    W, travels at most once: they are added up on the workers, in pairs.

    Parameters
    ----------
    client : distributed.Client
    device : str, optional
        Where torch is to compute on each worker; see `torch_sums.check_device`. None means on its threads.

    Raises
    ------
    TypeError, ValueError
        If it is none, or its cluster has no workers, or workers without this version of rtnmf or without the device.
    ConnectionError
        From here and from all methods, when the scheduler is gone; from the others also when there have been no
        workers for ten minutes, of which a warning tells in the beginning.
    """

    def __init__(self, client: Any, device: str | None = None) -> None:
        self._client, self._device = client, device
        self.address = str(getattr(getattr(client, "scheduler", None), "address", ""))
        if not self.address:
            raise TypeError(f"client is {client!r:.80}, expected a distributed.Client that is connected")
        self._gone = f"the scheduler at {self.address} is gone: start a cluster again"
        with self._connection():
            _check_versions(self.address, self._on_all(_installed))
            if device is not None:
                _check_devices(self._on_all(check_device, "device", device))

    def each(self, function: Callable[..., _T], items: Sequence[_S], **shared: object) -> Iterator[_T]:
        """Yield what a function returns for each of some items, in their order; `shared` goes to each worker once."""
        with self._connection():
            there = {name: self._client.submit(_itself, value, pure=False) for name, value in shared.items()}
            futures = self._client.map(function, items, pure=False, **there)
            while futures:
                for _ in self._until(futures[0]):
                    pass
                n_done = sum(1 for _ in itertools.takewhile(lambda future: future.done(), futures[:_FETCHED]))
                fetched = self._client.gather(futures[:n_done])
                del futures[:n_done]
                yield from fetched

    def total(self, archive: Archive, W: NDArray[np.float32], done: Done) -> Sums:
        """Return the sums over all partitions; `done` is called with the number of each that was read."""
        from dask import delayed
        from distributed import as_completed

        every = runs(len(archive))
        shared, columns, sums = delayed(archive, pure=False), delayed(W, pure=False), delayed(_sums_of_run, pure=False)
        leaves = [sums(shared, run, columns, self._device) for run in every]
        with self._connection():
            *futures, root = self._client.compute([*leaves, added(leaves)])
            run_of = {future.key: run for future, run in zip(futures, every, strict=True)}
            completed = as_completed(futures, loop=self._client.loop)
            del futures  # so that each is forgotten as soon as it was added to its neighbour
            for _ in self._until(root):
                for future in completed.next_batch(block=False):
                    for i in run_of.pop(future.key):
                        done(i)
            result: Sums = root.result()
            for i in itertools.chain.from_iterable(run_of.values()):
                done(i)
            return result

    def _until(self, future: Any) -> Iterator[None]:
        """Yield now and then until a future is done; raise ConnectionError where nobody has been there to do it."""
        asked_s, since_s = time.monotonic(), None
        while not future.done():
            with contextlib.suppress(TimeoutError):
                future.exception(timeout=_STEP_S)
            yield
            if time.monotonic() - asked_s >= _ASKED_EACH_S:
                since_s = self._without_workers(since_s)
                asked_s = time.monotonic()

    def _without_workers(self, since_s: float | None) -> float | None:
        """Return since when there are no workers, None if there are; warn in the beginning, and raise in the end."""
        try:
            if self._client.nthreads():
                return None
        except OSError as error:
            raise ConnectionError(self._gone) from error
        start = f"start some with `dask worker {self.address}`"
        if since_s is None:
            warnings.warn(
                f"the scheduler at {self.address} has had no workers since {datetime.now():%H:%M:%S}: {start}, or stop"
                f" with Ctrl-C; the work waits for them {_PATIENCE_S / 60:g} minutes at most",
                stacklevel=2,
            )
            return time.monotonic()
        if time.monotonic() - since_s >= _PATIENCE_S:
            raise ConnectionError(
                f"the scheduler at {self.address} has had no workers for {_PATIENCE_S / 60:g} minutes: {start}"
            )
        return since_s

    def _on_all(self, function: Callable[..., object], *arguments: object) -> dict[str, object]:
        """Return what a function returns on each worker, or its error; workers that end meanwhile are left out."""
        from distributed.comm import CommClosedError

        found = self._client.run(function, *arguments, on_error="return")
        there = self._client.nthreads()
        return {
            worker: its for worker, its in found.items() if worker in there and not isinstance(its, CommClosedError)
        }

    @contextlib.contextmanager
    def _connection(self) -> Iterator[None]:
        """Raise what goes wrong with a cluster in words."""
        from concurrent.futures import CancelledError

        import dask
        from distributed import KilledWorker
        from distributed.comm import CommClosedError

        if self._client.status != "running":  # all would wait
            raise ConnectionError(self._gone)
        try:
            with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GiB"}):
                yield
        except (CancelledError, CommClosedError) as error:
            raise ConnectionError(self._gone) from error
        except KilledWorker as error:
            raise ValueError(
                "several workers ended while they read the same recordings, as those do that lack memory: give each"
                f" worker more of it, or fewer threads ({error.last_worker.address} was the last one)"
            ) from error


def runs(n: int) -> list[range]:
    """Return runs of 2**k partitions, each of which is a task: the scheduler takes a millisecond and 6 kB for each.

    Sums are the same to the bit whatever k is; see `nmf.passes.added`.
    """
    length = 1 << ((n - 1) // _MOST_RUNS).bit_length()
    return [range(first, min(first + length, n)) for first in range(0, n, length)]


def _sums_of_run(archive: Archive, run: range, W: NDArray[np.float32], device: str | None) -> Sums:
    return added(archive.sums(i, W, device) for i in run)


Workers = Here | Cluster


def chosen(
    client: Any, device: str | None, memory: int | None, n_bins: int, n_channels: int, n_sources: int
) -> Workers:
    """Return the cluster of a client, or else as many threads as there is memory for; see `memory.n_threads_within`."""
    if client is not None:
        return Cluster(client, device)
    return Here(None if memory is None else n_threads_within(memory, n_bins, n_channels, n_sources), device)


def _itself(value: _T) -> _T:
    return value


def _installed() -> str:
    return version()


def _check_versions(address: str, found: dict[str, object]) -> None:
    """Raise ValueError unless there are workers, and all of them have this version."""
    if not found:
        raise ValueError(f"the scheduler at {address} has no workers: start some, as with `dask worker {address}`")
    for worker, its in found.items():
        if its != version():
            problem = f"has rtnmf {its}" if isinstance(its, str) else f"cannot load rtnmf ({its})"
            raise ValueError(f"the worker at {worker} {problem}: install version {version()} there, as it is here")


def _check_devices(found: Mapping[str, object]) -> None:
    """Raise ValueError unless all workers can compute on the device that is asked for."""
    for worker, its in found.items():
        if its is not None:
            raise ValueError(f"the worker at {worker} cannot compute as it was asked to: {its}")


def _told(results: Iterator[_T], done: Done) -> Iterator[_T]:
    for i, result in enumerate(results):
        done(i)
        yield result
