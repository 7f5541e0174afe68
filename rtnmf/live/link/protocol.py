"""What the parent and the sounding process agree on: settings, routes, and the layout of their shared memory."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from rtnmf.dictionary import Dictionary
from rtnmf.live.link import telemetry
from rtnmf.live.link.memory import Mailbox, Ring
from rtnmf.live.link.plans import PlanSlot, most_bytes

__all__ = ["MIX", "OUTPUTS", "Layout", "Settings", "Shared", "Turn", "routes"]

MIX = "mix"
"""The name of what goes out when all sources go out together."""

OUTPUTS = (MIX, "stems", "mono-stems")
"""All sources mixed, each on a pair of channels of its own, each on a single channel of its own."""

_RING_SAMPLES = 2**23  # 32 MiB: about a minute of a microphone and two stems

_LEAST_CAPACITY, _MOST_CAPACITY = 256, 1024
_HIGHEST_RATE, _MOST_BINS = 96_000, 2**19
_LINE = 64


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
    experts: tuple[str, ...]
    """Names of those to ask."""
    outputs: str
    """One of `OUTPUTS`."""
    resample: bool
    allow_feedback: bool
    limit: bool
    """Whether what goes out is kept from going over full scale."""
    handle: Any = None
    """To `attach` the shared memory with."""
    keep_trying: bool = False
    """Wait for the devices when they cannot be opened, instead of giving up."""
    waits: bool = False
    """Get ready, and open the devices only when told to."""

    @property
    def as_stems(self) -> bool:
        """Whether each source goes to channels of its own."""
        return self.outputs != MIX

    def dictionary_at(self, sample_rate: int) -> Dictionary:
        """Return the dictionary as it is used at a sample rate, without frames; raises as `Dictionary.at_rate` does."""
        dictionary = replace(self.dictionary, frames={}).at_rate(sample_rate)
        return dictionary if self.latency_ms is None else dictionary.at_latency(self.latency_ms)

    @property
    def capacity(self) -> int:
        """Components that a dictionary may have which replaces this one."""
        n_components = self.dictionary.n_components
        return max(_LEAST_CAPACITY, min(2 * n_components, _MOST_CAPACITY), n_components)


class Turn(NamedTuple):
    """From which sample of the stream on each frame gets how many updates, and whether experts are asked about it."""

    sample: int
    n_iter: int
    asks: bool


class Shared(NamedTuple):
    """Views of the shared memory."""

    parameters: Mailbox
    telemetry: Mailbox
    ring: Ring
    plans: tuple[PlanSlot, PlanSlot]
    """Dictionary number i is in plans[i % 2]; the first, number 0, is in none."""


def routes(settings: Settings, n_outputs: int) -> dict[str, tuple[int, ...]]:
    """Return the output channels, from 1, of each source, or of the mix."""
    names = settings.dictionary.sources if settings.as_stems else (MIX,)
    share = n_outputs // len(names)
    return {name: tuple(range(1 + i * share, 1 + (i + 1) * share)) for i, name in enumerate(names)}


class Layout:
    """The layout of the shared memory: parameters and dictionaries in, telemetry and samples out.

    Attributes
    ----------
    parameters, telemetry : numpy dtypes
    size : int
        In bytes.
    n_taken : int
        Bytes that need room at once; the slots of the dictionaries, which come last, need it only when used.
    plans : sequence of slices
        Where these slots are.
    """

    def __init__(self, settings: Settings) -> None:
        n_sources = len(settings.dictionary.sources)
        self.parameters = np.dtype([("weights", "f4", n_sources + 1), ("n_iter", "u4"), ("n_swaps", "u8")])
        self.telemetry = telemetry.cells(n_sources, settings.capacity)
        self.n_rows = (1 + n_sources) * settings.n_channels
        inner = Mailbox.size(self.parameters)
        self._telemetry = slice(inner, inner + Mailbox.size(self.telemetry))
        ring = _on_a_line(self._telemetry.stop)
        self._ring = slice(ring, ring + 4 * self.n_rows * (_RING_SAMPLES // self.n_rows))
        self.n_taken = _on_a_line(self._ring.stop)
        slot = _slot_size(settings)
        self.plans = tuple(slice(self.n_taken + i * slot, self.n_taken + (i + 1) * slot) for i in range(2))
        self.size = self.plans[-1].stop
        self._capacity = settings.capacity

    def most_components(self, n_bins: int) -> int:
        """Return how many components a dictionary of so many bins may have that replaces another one."""
        n_bytes = self.plans[0].stop - self.plans[0].start
        fixed, each = most_bytes(0, n_bins), most_bytes(1, n_bins) - most_bytes(0, n_bins)
        return min(self._capacity, (n_bytes - fixed) // each)

    def views(self, memory: Any) -> Shared:
        """Return views of the shared memory."""
        view = memoryview(memory)
        first, second = (PlanSlot(view[part]) for part in self.plans)
        return Shared(
            Mailbox(view[: self._telemetry.start], self.parameters),
            Mailbox(view[self._telemetry], self.telemetry),
            Ring(view[self._ring], self.n_rows),
            (first, second),
        )


def _slot_size(settings: Settings) -> int:
    """Return the bytes that the plan of a trained dictionary takes at the highest sample rate of a usual device."""
    dictionary = settings.dictionary
    doublings = max(0, round(math.log2(_HIGHEST_RATE / dictionary.sample_rate)))  # as `Dictionary.at_rate` does
    return _on_a_line(most_bytes(settings.capacity, min(_MOST_BINS, dictionary.stft.n_bins * 2**doublings)))


def _on_a_line(n_bytes: int) -> int:
    """Return where the next cache line begins."""
    return -(-n_bytes // _LINE) * _LINE
