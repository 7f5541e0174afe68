"""Memory that two processes share: a mailbox for the latest state, a ring for a stream of samples.

Neither side ever waits for the other, and neither is harmed when the other dies in the middle of a write.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
import tempfile
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Mailbox", "Ring", "attach", "share", "take_room"]

Array = NDArray[np.float32]

_HEADER = np.dtype([("number", "<u8"), ("checksum", "<u8")])


def share(size: int, n_taken: int | None = None) -> tuple[mmap.mmap, Any, tuple[int, ...]]:
    """Make shared memory that exists as long as a process has it.

    Parameters
    ----------
    size : int
        In bytes.
    n_taken : int, optional
        How many of them, from the start, take room at once; None means all. What lies beyond may be touched only after
        `take_room`.

    Returns
    -------
    mmap, handle to `attach` with, and the file descriptors that a child process has to inherit
    """
    if sys.platform == "win32":
        name = f"rtnmf-{os.getpid()}-{os.urandom(8).hex()}"
        return mmap.mmap(-1, size, tagname=name), (name, size), ()
    # A file on a disk would be written back now and then, and a callback that touches it would wait for that.
    for folder in ("/dev/shm", None):  # noqa: S108  # nameless, and ours alone
        with contextlib.suppress(OSError), tempfile.TemporaryFile(dir=folder) as file:
            take_room(file.fileno(), 0, size if n_taken is None else n_taken)
            os.truncate(file.fileno(), size)
            descriptor = os.dup(file.fileno())
            return mmap.mmap(descriptor, size), (descriptor, size), (descriptor,)
    raise ValueError(f"there is no room for {size >> 20} MiB of shared memory: make some, in /dev/shm or in /tmp")


def attach(handle: Any) -> mmap.mmap:
    """Return the shared memory that another process made, given its handle."""
    where, size = handle
    if sys.platform == "win32":
        return mmap.mmap(-1, size, tagname=where)
    return mmap.mmap(where, size)


class Mailbox:
    """Pass the latest state from one writer to any number of readers.

    Two slots are written in turn, each with a number and a checksum. A reader takes the newest slot that is whole, so
    it never sees half a state, even if the writer was killed while writing.

    Parameters
    ----------
    memory : writable buffer of at least `size(dtype)` bytes
    dtype : numpy dtype
        Of one state; kept as an attribute.
    """

    def __init__(self, memory: memoryview, dtype: np.dtype[Any]) -> None:
        self._slots = np.frombuffer(memory, np.dtype([("header", _HEADER), ("state", dtype)]), 2)
        self.dtype = dtype
        self._number = int(self._slots["header"]["number"].max())

    @staticmethod
    def size(dtype: np.dtype[Any]) -> int:
        """Return the bytes that a mailbox needs."""
        return 2 * (_HEADER.itemsize + dtype.itemsize)

    def write(self, state: NDArray[Any]) -> None:
        """Write a state, shape () and of the mailbox's dtype."""
        self._number += 1
        slot = self._slots[self._number % 2]
        slot["state"] = state
        slot["header"] = self._number, _checksum(self._number, state.tobytes())

    def read(self) -> NDArray[Any] | None:
        """Return a copy of the newest whole state, shape (), or None when there is none."""
        for _ in range(8):
            copies = self._slots.copy()
            whole = [c for c in copies if c["header"]["checksum"] == _checksum(c["header"]["number"], c["state"])]
            if whole:
                newest = max(whole, key=lambda copy: int(copy["header"]["number"]))
                return np.array(newest["state"], self.dtype)
        return None


class Ring:
    """Pass a stream of samples, in several rows, from one writer to one reader.

    The writer never waits and overwrites the oldest samples. The reader must know the number of samples written from
    elsewhere, such as a `Mailbox`, and so knows which ones it missed.

    Parameters
    ----------
    memory : writable buffer of `n_rows * length * 4` bytes
    n_rows : int
    """

    def __init__(self, memory: memoryview, n_rows: int) -> None:
        self._rows = np.frombuffer(memory, np.float32).reshape(n_rows, -1)
        self.length = self._rows.shape[1]

    def write(self, position: int, rows: Array) -> None:
        """Write samples, shape (n_rows, n_samples), the first of which is sample `position` of the stream."""
        for start in range(0, rows.shape[1], self.length):
            part = rows[:, start : start + self.length]
            here = (position + start) % self.length
            n = min(part.shape[1], self.length - here)
            self._rows[:, here : here + n] = part[:, :n]
            self._rows[:, : part.shape[1] - n] = part[:, n:]

    def read(self, start: int, stop: int, n_rows: int | None = None) -> Array:
        """Return a copy of samples `start` to `stop`, at most `length` of them, in the first rows, or in all.

        Shape (n_rows, n_samples).
        """
        here = start % self.length
        n = min(stop - start, self.length - here)
        rows = self._rows[:n_rows]
        return np.hstack([rows[:, here : here + n], rows[:, : stop - start - n]])


def take_room(descriptor: int, start: int, size: int) -> None:
    """Take the room for a part of a file where that can be had: touching memory without any would kill us.

    Raises
    ------
    OSError
        If there is none.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, start, size)


def _checksum(number: int, state: Any) -> int:
    return zlib.crc32(bytes(state), int(number) & 0xFFFFFFFF) + 1  # never 0, which is what new memory holds
