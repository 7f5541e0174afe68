"""A microphone to learn from: its samples, block by block, from a process of its own that can be given up."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rtnmf.live.devices import chosen_input, environment, last_line, leave, portaudio, python

__all__ = ["Microphone"]

Array = NDArray[np.float32]

_BLOCK_S = 0.1
_PATIENCE_S = 10.0


class Microphone:
    """An open input device; a context manager.

    Parameters
    ----------
    name : str, optional
        A part of the device's name; None is the system's default.
    n_channels : int
    sample_rate : int, optional
        In Hz; None is what the device prefers.

    Attributes
    ----------
    name : str
        Of the device, in full.
    sample_rate : int

    Raises
    ------
    ValueError
        If it cannot be opened, or stops to give samples.
    """

    def __init__(self, name: str | None = None, n_channels: int = 1, sample_rate: int | None = None) -> None:
        self._n_channels = n_channels
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the process
        self._process = subprocess.Popen(
            python(f"from rtnmf.live import microphone; microphone.listen({name!r}, {n_channels}, {sample_rate!r})"),
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
        """End it."""
        self._process.kill()
        self._process.communicate()
        self._stderr.close()

    def blocks(self, seconds: float) -> Iterator[Array]:
        """Yield what it hears from the last call on, for so long, in blocks of shape (n_samples, n_channels)."""
        left = round(seconds * self.sample_rate)
        while left > 0:
            n_samples = min(left, round(_BLOCK_S * self.sample_rate))
            data = self._read(4 * n_samples * self._n_channels)
            yield np.frombuffer(data, np.float32).reshape(n_samples, self._n_channels)
            left -= n_samples

    def _read(self, n_bytes: int | None) -> bytes:
        """Read so many bytes, or a line."""
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


def listen(name: str | None, n_channels: int, sample_rate: int | None) -> None:
    """Write what a microphone hears to standard output, after a line of JSON, until the parent is gone."""
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is not for the parent
    threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
    heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    try:
        sounddevice = portaudio()
        number, device = chosen_input(name, n_channels)
        rate = sample_rate or device.sample_rate
        try:
            stream = sounddevice.InputStream(
                device=number,
                channels=n_channels,
                samplerate=rate,
                dtype="float32",
                callback=lambda samples, *_: heard.put(samples.tobytes()),
            )
            stream.start()
        except sounddevice.PortAudioError as error:
            raise ValueError(
                f"{device.name!r} cannot be opened at {rate} Hz ({error.args[0]}): it prefers {device.sample_rate} Hz"
            ) from error
        facts = {"name": device.name, "sample_rate": rate}
    except ValueError as error:
        facts = {"error": str(error)}
    with contextlib.suppress(OSError):
        pipe.write(json.dumps(facts).encode() + b"\n")
        pipe.flush()
        while "error" not in facts:
            pipe.write(heard.get())
            pipe.flush()
    leave()
