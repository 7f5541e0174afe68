"""Matrix products on one thread, for code that shares its work out among threads of its own."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

from threadpoolctl import ThreadpoolController

__all__ = ["one_blas_thread"]

_lock = threading.Lock()
_users = Counter[int]()  # of each thread
_found: list[tuple[Any, int]] = []


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread in this process until the last of all overlapping users is done.

    The limit belongs to the process: users that each restored what they found would leave it set when they overlap.
    """
    user = threading.get_ident()
    with _lock:
        if not _users.total():
            libraries = ThreadpoolController().select(user_api="blas").lib_controllers
            _found[:] = [(library, library.num_threads) for library in libraries]
            for library, _ in _found:
                _set_threads(library, 1)
        _users[user] += 1
    try:
        yield
    finally:
        with _lock:
            _users[user] -= 1
            _restore_after_the_last()


def _restore_after_the_last() -> None:
    if not _users.total():
        _users.clear()
        for library, n_threads in _found:
            _set_threads(library, n_threads)


def _set_threads(library: Any, n_threads: int) -> None:
    # Newer versions let only the first thread that ever set a limit set others, and ignore all other threads.
    getattr(library, "_real_set_num_threads", library.set_num_threads)(n_threads)


def _forget_other_threads() -> None:
    """Let a process that was forked go on without the threads that it did not get."""
    if _users.total():
        own = _users[threading.get_ident()]
        _users.clear()
        _users[threading.get_ident()] = own
        _restore_after_the_last()
    _lock.release()


if hasattr(os, "register_at_fork"):  # a lock that another thread holds would stay locked in the child for ever
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_forget_other_threads)
