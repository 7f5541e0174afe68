"""What is known of a sound device, and why there may be none."""

from __future__ import annotations

import os
from typing import NamedTuple

__all__ = ["SHARED", "Device", "has_room", "why_none"]

SHARED = "/dev/shm"  # noqa: S108  # where JACK and its clients share memory
"""The folder of shared memory."""

_LEAST_ROOM = 2**20  # bytes; a client of JACK takes less


class Device(NamedTuple):
    """A sound device as PortAudio shows it."""

    number: int
    """Its position in the list of devices, from 0."""
    name: str
    host: str
    """The way to it: ALSA, JACK, Core Audio, WASAPI, ..."""
    n_inputs: int
    n_outputs: int
    sample_rate: int
    """That the device prefers, in Hz."""
    sample_rates: tuple[int, ...]
    """Usual rates that it takes, in Hz; empty when not asked for."""
    is_default_input: bool
    is_default_output: bool

    def n_channels(self, kind: str) -> int:
        """Return the number of its channels of a kind, `input` or `output`."""
        return self.n_inputs if kind == "input" else self.n_outputs


def has_room(folder: str = SHARED) -> bool:
    """Return whether there is room for a client of JACK, which shows no devices where there is none."""
    try:
        found = os.statvfs(folder)
    except (AttributeError, OSError):  # a system that needs no such folder
        return True
    return found.f_bavail * found.f_frsize >= _LEAST_ROOM


def why_none(folder: str = SHARED) -> str:
    """Return why there is no sound device, and the remedy."""
    if not has_room(folder):
        return f"{folder} is full, and without room in it JACK shows no sound device: remove what is not needed there"
    return "there is no sound device: plug one in, start the sound server, or see what is missing with: rtnmf doctor"
