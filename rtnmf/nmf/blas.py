"""Matrix products on one thread, for code that shares its work out among threads of its own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from threadpoolctl import ThreadpoolController

__all__ = ["one_blas_thread"]

_lock = threading.Lock()
_n_users = 0
_found: list[tuple[Any, int]] = []


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread in this process until the last of all overlapping users is done.

    The limit belongs to the process: users that each restored what they found would leave it set when they overlap.
    """
    global _n_users
    with _lock:
        if _n_users == 0:
            libraries = ThreadpoolController().select(user_api="blas").lib_controllers
            _found[:] = [(library, library.num_threads) for library in libraries]
            for library, _ in _found:
                _set_threads(library, 1)
        _n_users += 1
    try:
        yield
    finally:
        with _lock:
            _n_users -= 1
            if _n_users == 0:
                for library, n_threads in _found:
                    _set_threads(library, n_threads)


def _set_threads(library: Any, n_threads: int) -> None:
    # Newer versions let only the first thread that ever set a limit set others, and ignore all other threads.
    getattr(library, "_real_set_num_threads", library.set_num_threads)(n_threads)
