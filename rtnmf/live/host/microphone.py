"""The process that a `Microphone` reads from: an open input device, written to standard output."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
from typing import Any

from rtnmf.live.host.choosing import Wish, chosen_input
from rtnmf.live.host.portaudio import leave, portaudio
from rtnmf.live.link.child import end_with_parent

__all__ = ["listen"]


def listen(device: Wish, n_channels: int, sample_rate: int | None) -> None:
    """Write what a microphone hears to standard output, after a line of JSON, until the parent is gone."""
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is not for the parent
    threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
    end_with_parent()
    heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    try:
        _stream, facts = _opened(heard, device, n_channels, sample_rate)
    except ValueError as error:
        facts = {"error": str(error)}
    with contextlib.suppress(OSError):
        pipe.write(json.dumps(facts).encode() + b"\n")
        pipe.flush()
        while "error" not in facts:
            pipe.write(heard.get())
            pipe.flush()
    leave()


def _opened(
    heard: queue.SimpleQueue[bytes], wish: Wish, n_channels: int, sample_rate: int | None
) -> tuple[Any, dict[str, Any]]:
    """Open and start a stream that puts its samples in a queue; return it, to be kept, and what is known of it."""
    sounddevice = portaudio()
    device = chosen_input(wish, n_channels)
    rate = sample_rate or device.sample_rate
    try:
        stream = sounddevice.InputStream(
            device=device.number,
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
    return stream, {"name": device.name, "sample_rate": rate}
