"""What the parent and the process that sounds agree on: the settings, and what lies where in the shared memory."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from rtnmf.dictionary import Dictionary
from rtnmf.live.link.memory import Mailbox, Ring

__all__ = ["N_TIMES", "Layout", "Settings"]

N_TIMES = 1024
"""Blocks whose times are kept for the percentiles."""

_RING_SAMPLES = 2**23  # 32 MiB: about a minute of a microphone and two stems


class Settings(NamedTuple):
    """What the parent asks for."""

    dictionary: Dictionary
    input: str | None
    output: str | None
    sample_rate: int | None
    n_channels: int
    block_length: int
    latency_ms: float | None
    mask_power: float
    as_stems: bool
    resample: bool
    allow_feedback: bool
    is_recorded: bool
    handle: Any
    """To `attach` the shared memory with."""
    keep_trying: bool
    """Wait for the devices when they cannot be opened, instead of giving up."""


class Layout:
    """Where in the shared memory what lies: parameters in, telemetry out, and samples to record."""

    def __init__(self, settings: Settings) -> None:
        n_sources, n_components = len(settings.dictionary.sources), settings.dictionary.n_components
        self.parameters = np.dtype([("weights", "f4", n_sources + 1), ("n_iter", "u4")])
        self.telemetry = np.dtype(
            [
                *((name, "u8") for name in ("n_blocks", "n_samples", "n_recorded", "n_flushed")),
                *((name, "u8") for name in ("n_late", "n_xruns", "n_lost", "n_errors", "n_unseparated", "n_iter")),
                *((name, "f8") for name in ("block_s", "device_s", "silent_s", "input", "output")),
                ("levels", "f8", n_sources),
                ("activations", "f4", n_components),
                ("times", "f4", N_TIMES),
                ("is_realtime", "?"),
            ]
        )
        self.n_rows = (1 + n_sources) * settings.n_channels
        inner = Mailbox.size(self.parameters)
        self._telemetry = slice(inner, inner + Mailbox.size(self.telemetry))
        ring = -(-self._telemetry.stop // 64) * 64
        self._ring = slice(ring, ring + 4 * self.n_rows * (_RING_SAMPLES // self.n_rows if settings.is_recorded else 1))
        self.size = self._ring.stop

    def views(self, memory: Any) -> tuple[Mailbox, Mailbox, Ring]:
        """Return the mailboxes of the parameters and of the telemetry, and the ring."""
        view = memoryview(memory)
        return (
            Mailbox(view[: self._telemetry.start], self.parameters),
            Mailbox(view[self._telemetry], self.telemetry),
            Ring(view[self._ring], self.n_rows),
        )
