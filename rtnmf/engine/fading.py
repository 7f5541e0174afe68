"""A stream through the hop, whose plan may be replaced while it runs: the stems of old and new are cross-faded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtnmf.kernels import hop
from rtnmf.kernels.advised import Advice, process_advised

__all__ = ["Fading"]

Array = NDArray[np.float32]

_FADE_S = 0.05


class Fading:
    """Separate a stream with a plan, and with others that replace it.

    A new plan gets a stream of its own, with a copy of all that is independent of a plan; both run until their stems
    are cross-faded, in a straight line over 50 ms. A plan that comes in the middle of that replaces both: their
    streams become one, in the proportion of that moment, which is faded out. So the sum of the stems is the input,
    and two streams run at most.

    State
        The streams of the plan, and of the plan before while that is faded out.
    Thread safety
        `turn_to` may be called from another thread; all else belongs to one thread.

    Parameters
    ----------
    plan : hop.Plan
    n_channels : int
    sample_rate : int
        In Hz.
    """

    def __init__(self, plan: hop.Plan, n_channels: int, sample_rate: int) -> None:
        self._n_channels = n_channels
        self._length = max(1, round(_FADE_S * sample_rate))
        self._wanted = self._plan = plan
        self._stream = hop.started(plan, n_channels)
        self._before: tuple[hop.Plan, hop.Stream] | None = None
        self._left = 0

    @property
    def plan(self) -> hop.Plan:
        """The plan set last."""
        return self._wanted

    @property
    def is_fading(self) -> bool:
        """Whether a plan that was replaced can still be heard, or one that was set cannot be heard yet."""
        return self._before is not None or self._wanted is not self._plan

    @property
    def activations(self) -> Array:
        """Activations of the components of `plan` in the last frame, shape (n_components,); a copy."""
        plan, stream, wanted = self._plan, self._stream, self._wanted
        if wanted is not plan:
            return np.zeros(wanted.W.shape[2], np.float32)
        return stream.h[0] * stream.level

    def turn_to(self, plan: hop.Plan) -> None:
        """Set a new plan, with the same windows and sources; the next sample is the first that it takes part in."""
        self._wanted = plan

    def reset(self) -> None:
        """Reset the stream state, and finish a cross-fade."""
        if self._wanted is not self._plan:
            self._plan, self._stream = self._wanted, hop.started(self._wanted, self._n_channels)
        self._before, self._left = None, 0
        hop.reset(self._stream)

    def process(self, samples: Array, n_iter: int, advice: Advice | None = None) -> Array:
        """Return the stems of a block, shape (n_samples, n_channels), as (n_sources, n_samples, n_channels)."""
        if self._wanted is not self._plan:
            self._begin(self._wanted)
        stems = _separated(self._plan, self._stream, samples, n_iter, advice)
        if self._before is not None:
            n_faded = min(self._left, len(samples))
            old = _separated(*self._before, samples[:n_faded], n_iter, advice)
            self._fade(stems[:, :n_faded], old)
            self._left -= n_faded
            if not self._left:
                self._before = None
        return stems

    def _begin(self, plan: hop.Plan) -> None:
        """Begin to replace the plan; one that has had no sample yet is dropped."""
        if self._left < self._length or self._before is None:
            self._before, self._left = (self._plan, self._joined()), self._length
        stream, (_, old) = hop.started(plan, self._n_channels), self._before
        for name in hop.INDEPENDENT:
            getattr(stream, name)[:] = getattr(old, name)
        self._plan, self._stream = plan, stream

    def _joined(self) -> hop.Stream:
        """Return the stream of the plan; in the middle of a cross-fade what is to go out is made of both."""
        if self._before is not None:
            old = self._before[1].overlap
            self._stream.overlap[:] += np.float32(self._left / self._length) * (old - self._stream.overlap)
        return self._stream

    def _fade(self, stems: Array, old: Array) -> None:
        """Mix as much of the old stems into the new ones as is left of the cross-fade, sample by sample."""
        left = np.float32(self._left - 1) - np.arange(stems.shape[1], dtype=np.float32)
        stems += (left / np.float32(self._length))[:, None] * (old - stems)


def _separated(plan: hop.Plan, stream: hop.Stream, samples: Array, n_iter: int, advice: Advice | None) -> Array:
    stems = np.empty((stream.overlap.shape[0], *samples.shape), np.float32)
    if advice is None:
        hop.process(plan, stream, samples, stems, n_iter)
    else:
        process_advised(plan, stream, samples, stems, n_iter, advice)
    return stems
