"""A microphone to learn from: its samples, block by block, from a process of its own that can be killed."""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rtnmf.live.link.child import environment, last_line, python

__all__ = ["Microphone"]

Array = NDArray[np.float32]

_BLOCK_S = 0.1
_PATIENCE_S = 10.0


class Microphone:
    """An open input device; a context manager.

    Parameters
    ----------
    device : str or int, optional
        Part of the device's name, or its number, as for `Live`; None is the system's default.
    n_channels : int
    sample_rate : int, optional
        In Hz; None is what the device prefers.

    Attributes
    ----------
    name : str
        Full name of the device.
    sample_rate : int

    Raises
    ------
    ValueError
        If it cannot be opened, or stops giving samples.
    """

    def __init__(self, device: str | int | None = None, n_channels: int = 1, sample_rate: int | None = None) -> None:
        self._n_channels = n_channels
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the process
        self._process = subprocess.Popen(
            python(f"from rtnmf.live.host.microphone import listen; listen({device!r}, {n_channels}, {sample_rate!r})"),
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
        )
        self.name, self.sample_rate = "the microphone", 0
        try:
            facts = json.loads(self._read(None))
            if "error" in facts:
                raise ValueError(facts["error"])
        except BaseException:
            self.close()
            raise
        self.name, self.sample_rate = facts["name"], facts["sample_rate"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the device."""
        self._process.kill()
        self._process.communicate()
        self._stderr.close()

    def blocks(self, seconds: float) -> Iterator[Array]:
        """Yield the sound since the last call, for `seconds`, in blocks of shape (n_samples, n_channels)."""
        left = round(seconds * self.sample_rate)
        while left > 0:
            n_samples = min(left, round(_BLOCK_S * self.sample_rate))
            data = self._read(4 * n_samples * self._n_channels)
            yield np.frombuffer(data, np.float32).reshape(n_samples, self._n_channels)
            left -= n_samples

    def _read(self, n_bytes: int | None) -> bytes:
        """Read a number of bytes, or a line when None."""
        guard = threading.Timer(_PATIENCE_S, self._process.kill)
        guard.start()
        try:
            pipe: Any = self._process.stdout
            data: bytes = pipe.readline() if n_bytes is None else pipe.read(n_bytes)
        finally:
            guard.cancel()
        if not data or (n_bytes is not None and len(data) < n_bytes):
            self._stderr.seek(0)
            raise ValueError(f"{self.name} gives no more sound: {last_line(self._stderr.read())}")
        return data
