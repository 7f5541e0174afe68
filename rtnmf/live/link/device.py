"""What is known of a sound device."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Device"]


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
