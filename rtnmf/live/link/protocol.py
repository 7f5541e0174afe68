"""What the parent and the sounding process agree on: settings, routes, and the layout of their shared memory."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from rtnmf.dictionary import Dictionary
from rtnmf.live.link import telemetry
from rtnmf.live.link.memory import Mailbox, Ring

__all__ = ["MIX", "OUTPUTS", "Layout", "Settings", "routes"]

MIX = "mix"
"""The name of what goes out when all sources go out together."""

OUTPUTS = (MIX, "stems", "mono-stems")
"""All sources mixed, each on a pair of channels of its own, each on a single channel of its own."""

_RING_SAMPLES = 2**23  # 32 MiB: about a minute of a microphone and two stems


class Settings(NamedTuple):
    """What the parent asks for."""

    dictionary: Dictionary
    input: str | int | None
    output: str | int | None
    sample_rate: int | None
    n_channels: int
    block_length: int
    latency_ms: float | None
    mask_power: float
    outputs: str
    """One of `OUTPUTS`."""
    resample: bool
    allow_feedback: bool
    is_recorded: bool
    handle: Any = None
    """To `attach` the shared memory with."""
    keep_trying: bool = False
    """Wait for the devices when they cannot be opened, instead of giving up."""

    @property
    def as_stems(self) -> bool:
        """Whether each source goes to channels of its own."""
        return self.outputs != MIX


def routes(settings: Settings, n_outputs: int) -> dict[str, tuple[int, ...]]:
    """Return the output channels, from 1, of each source, or of the mix."""
    names = settings.dictionary.sources if settings.as_stems else (MIX,)
    share = n_outputs // len(names)
    return {name: tuple(range(1 + i * share, 1 + (i + 1) * share)) for i, name in enumerate(names)}


class Layout:
    """The layout of the shared memory: parameters in, telemetry out, and samples to record."""

    def __init__(self, settings: Settings) -> None:
        n_sources = len(settings.dictionary.sources)
        self.parameters = np.dtype([("weights", "f4", n_sources + 1), ("n_iter", "u4")])
        self.telemetry = telemetry.cells(n_sources, settings.dictionary.n_components)
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
