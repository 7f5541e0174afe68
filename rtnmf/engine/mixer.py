"""How loud each source is in what goes out: `Mixer` says it, `Mix` applies it.

A `Mixer` is a value: whoever controls a separation replaces it by another one. A `Mix` applies one, or any matrix of
weights, to the stems of a stream, block by block. Nothing here knows spectra, files or sound cards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Mix", "Mixer"]

Array = NDArray[np.float32]

_HIGHEST_GAIN = 1000.0


@dataclass(frozen=True)
class Mixer:
    """Hold the gains, solo, mute, bypass and dry/wet of a separation.

    Change it with `dataclasses.replace`.

    Parameters
    ----------
    sources : sequence of str
        All sources of the separation, in their order.
    gains : {source: gain}
        Linear, at most 1000 in magnitude; sources that are not in it get 1. Kept for all sources, read-only.
    soloed : sequence of str
        The sources that alone are heard; none means all.
    muted : sequence of str
        The sources that are not heard, soloed or not.
    bypass : bool
        Let the input out as it is, as late as the stems.
    wet : float
        Part of the separated sound, from 0 to 1; the rest is the input, as late as the stems.

    Raises
    ------
    ValueError
        If a source is unknown or a value is out of its range.
    """

    sources: tuple[str, ...]
    gains: Mapping[str, float] = field(default_factory=dict)
    soloed: tuple[str, ...] = ()
    muted: tuple[str, ...] = ()
    bypass: bool = False
    wet: float = 1.0

    def __post_init__(self) -> None:
        self._keep(sources=tuple(self.sources), soloed=tuple(self.soloed), muted=tuple(self.muted))
        self._check_sources([*self.gains, *self.soloed, *self.muted])
        gains = {source: float(self.gains.get(source, 1.0)) for source in self.sources}
        if not all(abs(gain) <= _HIGHEST_GAIN for gain in gains.values()):  # NaN is not
            raise ValueError(f"gains are {gains}, expected numbers such as 0, 0.5 or 1, at most {_HIGHEST_GAIN:g}")
        if not 0 <= self.wet <= 1:
            raise ValueError(f"wet is {self.wet}, expected 0 to 1")
        self._keep(gains=MappingProxyType(gains), bypass=bool(self.bypass), wet=float(self.wet))

    def __reduce__(self) -> tuple[Any, ...]:
        return Mixer, (self.sources, dict(self.gains), self.soloed, self.muted, self.bypass, self.wet)

    def __hash__(self) -> int:
        return hash((self.sources, *self.gains.values(), self.soloed, self.muted, self.bypass, self.wet))

    def _keep(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _check_sources(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.sources:
                raise ValueError(f"there is no source {name!r}: choose from {', '.join(self.sources)}")

    @property
    def heard(self) -> tuple[str, ...]:
        """The sources that neither solo nor mute keeps out, whatever their gains."""
        return tuple(s for s in self.sources if s not in self.muted and (not self.soloed or s in self.soloed))

    @property
    def weights(self) -> Array:
        """Weight of each stem, and last of the aligned input, in the output, shape (n_sources + 1,)."""
        wet, heard = 0.0 if self.bypass else self.wet, self.heard
        return np.array([*(wet * self.gains[s] * (s in heard) for s in self.sources), 1 - wet], np.float32)


class Mix:
    """Apply weights to the stems of a stream and to its input, which it delays by the latency.

    State
        The last `latency` samples of input, and the weights on their way to new ones.
    Latency
        None: stems are as late as they come, and the dry signal is made as late.
    Thread safety
        `turn_to` may be called from another thread; all else belongs to one thread.

    Parameters
    ----------
    weights : array, shape (n_outputs, n_sources + 1)
        Of each stem, and last of the dry signal, in each output.
    latency : int
        Of the stems, in samples.
    n_channels : int
    ramp_length : int
        Samples in which weights get to new ones, in a straight line.
    """

    def __init__(self, weights: Array, latency: int, n_channels: int, ramp_length: int) -> None:
        self._past = np.zeros((latency, n_channels), np.float32)
        self._ramp_length = ramp_length
        self._target = np.array(weights, np.float32)
        self._wanted = self._target
        self._slopes: Array = np.zeros_like(self._target)
        self._left = 0

    @property
    def target(self) -> Array:
        """The weights that it has, or is on its way to; a copy."""
        return self._wanted.copy()

    def turn_to(self, weights: Array) -> None:
        """Set new weights, of the same shape; the next samples are the first on the way to them."""
        self._wanted = np.array(weights, np.float32)

    def is_at(self, weights: Array) -> bool:
        """Return whether the weights are these, and at rest."""
        return not self._left and np.array_equal(weights, self._target)

    def reset(self) -> None:
        """Reset the state: the delay is silent, the weights are those set last."""
        self._past[:] = 0
        self._target, self._left = self._wanted, 0

    def align(self, samples: Array) -> Array:
        """Take a block of input, shape (n_samples, n_channels), and return as many samples, `latency` samples late."""
        joined = np.concatenate([self._past, samples])
        self._past = joined[len(samples) :]
        return joined[: len(samples)]

    def apply(self, stems: Array, dry: Array) -> Array:
        """Return the outputs, shape (n_outputs, n_samples, n_channels).

        Every sample is computed alike in blocks of any length, and a weight of 1 changes no bit.

        Parameters
        ----------
        stems : array, shape (n_sources, n_samples, n_channels)
        dry : array, shape (n_samples, n_channels)
            As `align` returned it for the same block.
        """
        weights = self._next(len(dry))
        outputs = np.zeros((len(weights), *dry.shape), np.float32)
        for output, row in zip(outputs, weights, strict=True):
            for signal, weight in zip((*stems, dry), row, strict=True):
                if weight.any():
                    output += signal * weight[:, None]
        return outputs

    def _next(self, n_samples: int) -> Array:
        """Return the weights of the next samples, shape (n_outputs, n_sources + 1, n_samples or 1 when all alike)."""
        wanted = self._wanted
        if not np.array_equal(wanted, self._target):
            now = self._target - self._slopes * np.float32(self._left)
            self._slopes = (wanted - now) / np.float32(self._ramp_length)
            self._target, self._left = wanted, self._ramp_length
        if not self._left:
            return self._target[:, :, None]
        left = np.maximum(self._left - np.arange(1, n_samples + 1), 0).astype(np.float32)
        self._left = int(left[-1]) if n_samples else self._left
        return self._target[:, :, None] - self._slopes[:, :, None] * left
