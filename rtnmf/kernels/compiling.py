"""How inner loops are compiled, the arithmetic that they share, and the arrays that suit them."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["FLOOR", "compiled", "exp2", "log", "power", "zeros"]

_log = logging.getLogger(__name__)

FLOOR = np.float32(1e-30)
"""Added to every model spectrum before a division, so that empty bins and silent frames give 0, not NaN."""


def compiled(*, fastmath: bool = True, inline: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that compiles a function when it is first called, and keeps the result where it may.

    With `fastmath`, sums may be reordered to vectorise, and NaN and Inf must not come in. A function that others call
    is to be compiled `inline`, into each of them: a call could end in any of the copies that were optimised for other
    callers, another one when it was just compiled than when it was kept, and so round differently.
    """

    def compile_later(function: Callable[..., Any]) -> Callable[..., Any]:
        # error_model="numpy" lets divisions vectorise
        options: dict[str, Any] = {"error_model": "numpy", "fastmath": fastmath, "forceinline": inline, "nogil": True}
        try:
            kept = numba.njit(cache=True, **options)(function)
            file = kept._cache._cache_file
            file._source_stamp = (file._source_stamp, _STAMP)
            kept._cache.load_overload = _loading(kept._cache)
            kept._cache.save_overload = _saving(kept._cache.save_overload)
        except RuntimeError:
            _log.info("no folder to keep compiled code in: it is compiled in each process")
        except AttributeError:
            _log.warning(
                "numba %s keeps compiled code in another way: it is compiled in each process", numba.__version__
            )
        else:
            return kept
        return numba.njit(**options)(function)

    return compile_later


def _compile_alone_at_fork() -> None:
    """Let a process fork only when no other thread compiles: the child would wait for ever for that to end."""
    try:
        from numba.core.compiler_lock import global_compiler_lock as lock
    except ImportError:
        _log.warning("numba %s locks its compiler in another way: do not fork while it compiles", numba.__version__)
        return
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)


_compile_alone_at_fork()


def _loading(cache: Any) -> Callable[..., Any]:
    """Return what loads compiled code, and forgets what an older version has kept and this one cannot read."""
    load = cache.load_overload

    def load_if_it_can_be(*overload: Any) -> Any:
        try:
            return load(*overload)
        except Exception as error:  # numba reads all of it before it looks at whose it is
            _log.info("compiled code of another version (%s): it is compiled anew", error)
            with contextlib.suppress(OSError):
                cache.flush()
            return None

    return load_if_it_can_be


def _saving(save: Callable[..., None]) -> Callable[..., None]:
    """Return what keeps compiled code, and goes on without where the disk is full."""

    def save_if_it_can_be(*overload: Any) -> None:
        try:
            save(*overload)
        except OSError as error:
            _log.info("compiled code cannot be kept (%s): it is compiled in each process", error)

    return save_if_it_can_be


def _stamp() -> str:
    """Return a hash of all files of this room: numba looks only at the file of a function, not of what it inlines."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


_STAMP = _stamp()


def zeros(*shape: int) -> NDArray[np.float32]:
    """Return zeros that begin where a cache line does: vectors that span two lines cost up to a half more."""
    n = math.prod(shape)
    room = np.zeros(n + _LINE // 4, np.float32)
    first = -room.ctypes.data % _LINE // 4
    return room[first : first + n].reshape(shape)


_LINE = 64  # bytes
_LOG_2 = np.float32(np.log(2))
_ROOT_HALF_BITS = np.sqrt(np.float32(0.5)).view(np.int32)


def _series() -> tuple[np.float32, ...]:
    """Return the coefficients of a polynomial for log(1 + m) / m, where 1 + m is from sqrt(1/2) to sqrt(2)."""
    low, high = np.sqrt(0.5) - 1, np.sqrt(2) - 1
    nodes = (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (np.arange(10) + 0.5) / 10)
    return tuple(np.polynomial.Polynomial.fit(nodes, np.log1p(nodes) / nodes, 9).convert().coef.astype(np.float32))


_LOG_SERIES = _series()


@compiled(inline=True)
def log(x: np.float32) -> np.float32:
    """Return the natural logarithm of a normal number: that of its exponent plus a polynomial for its mantissa."""
    bits = np.float32(x).view(np.int32)
    exponent = (bits - _ROOT_HALF_BITS) >> np.int32(23)
    m = np.int32(bits - (exponent << np.int32(23))).view(np.float32) - np.float32(1)
    p = _LOG_SERIES[9]
    p = p * m + _LOG_SERIES[8]
    p = p * m + _LOG_SERIES[7]
    p = p * m + _LOG_SERIES[6]
    p = p * m + _LOG_SERIES[5]
    p = p * m + _LOG_SERIES[4]
    p = p * m + _LOG_SERIES[3]
    p = p * m + _LOG_SERIES[2]
    p = p * m + _LOG_SERIES[1]
    p = p * m + _LOG_SERIES[0]
    return p * m + np.float32(exponent) * _LOG_2


_EXP2 = np.polynomial.Chebyshev.interpolate(np.exp2, 6, [-0.5, 0.5]).convert(kind=np.polynomial.Polynomial).coef
_E0, _E1, _E2, _E3, _E4, _E5, _E6 = _EXP2.astype(np.float32)
_PER_LOG_2 = np.float32(1 / np.log(2))


@compiled(inline=True)
def power(x: np.float32, exponent: np.float32) -> np.float32:
    """Return x to a power to about 1e-6 of it; x is not negative, the result is held between 1e-37 and 1e37.

    That of the C library does not vectorise.
    """
    y = exponent * _PER_LOG_2 * log(max(np.float32(x), np.float32(1e-37)))
    return exp2(min(max(y, np.float32(-123)), np.float32(123)))


@compiled(inline=True)
def exp2(y: np.float32) -> np.float32:
    """Return 2 to a power from -123 to 123, to about 1e-6 of it."""
    n = np.int32(y + np.float32(123.5)) - np.int32(123)
    f = y - np.float32(n)
    p = (((((_E6 * f + _E5) * f + _E4) * f + _E3) * f + _E2) * f + _E1) * f + _E0
    return p * np.int32((n + np.int32(127)) << np.int32(23)).view(np.float32)
