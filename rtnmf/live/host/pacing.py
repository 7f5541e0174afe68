"""What the clock says about a running stream: which blocks were lost, and how much work there is time for.

Nothing here reads a clock: times are arguments.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

__all__ = ["NEAR", "Cost", "Deadline", "LostBlocks"]

NEAR = 0.7
"""The load above which there is too little time to spare."""

_RECENT = 8
_PATIENCE_S = 1.0
_LONGEST_REST_S = 8.0


class LostBlocks:
    """Count blocks that never came, by comparing the clock with the samples that did.

    The blocks after a late one catch up with the clock, those after a lost one never do: so of each second only the
    moment counts at which the samples were least behind. When the stream outruns the clock, nothing is lost.

    Attributes
    ----------
    count : int
        Blocks lost so far.
    """

    def __init__(self) -> None:
        self.count = 0
        self._samples_s = 0.0
        self._window_began: float | None = None
        self._least = self._usual = float("inf")

    def update(self, now_s: float, block_s: float) -> None:
        """Take the time at which a block of duration `block_s` came, in seconds of any steady clock."""
        behind = now_s - self._samples_s
        self._samples_s += block_s
        self._least = min(self._least, behind)
        if self._window_began is None:
            self._window_began = now_s
        if now_s - self._window_began < _PATIENCE_S:
            return
        if self._usual < self._least:
            self.count += round((self._least - self._usual) / block_s)
        self._usual, self._least, self._window_began = self._least, float("inf"), now_s


class Cost(NamedTuple):
    """What it costs to ask experts; times are in seconds."""

    span_s: float
    """The time in which all that they do comes up: of one of their frames, or of ours where that is longer."""
    all_s: float
    """What they add to the work of that time."""
    slowest_s: float
    """What they add to the hop of that time in which they do most."""
    begin_s: float
    """What the hop takes with which they begin anew."""

    def load(self, block_s: float) -> float:
        """Return what they add to the load of the slowest block, blocks being of that duration."""
        return max(self.all_s / self.span_s, self.slowest_s / min(block_s, self.span_s))


class Deadline:
    """Decide how many updates a frame gets, and whether experts are asked about it, so that blocks are ready in time.

    The load of a block is the time that it took divided by its duration; of the blocks of one frame the slowest
    counts. When most of the recent loads are near 1, experts are left out first; then updates are reduced, down to one;
    after a second in which one more would have done no harm, one is added. With all updates, experts are asked again
    when there is time for them, after a second and each time twice that. When most blocks are late even with one
    update, the separation rests, each time twice as long as before. A single late block, which is nearly always another
    program's doing, changes nothing.

    Parameters
    ----------
    wanted : int
        Updates per frame when there is time.
    frame_s : float
        Time from one frame to the next in seconds.
    experts : Cost, optional
        Of those that are asked; once left out, such as take longer than their own frames to begin anew stay out.

    Attributes
    ----------
    wanted, n_iter : int
        Updates per frame that are wanted, and that there is time for.
    asks : bool
        Whether there is time to ask experts; always true where there are none.
    is_resting : bool
        Whether to leave the separation out.
    """

    def __init__(self, wanted: int, frame_s: float, experts: Cost | None = None) -> None:
        self.wanted = self.n_iter = wanted
        self.asks = True
        self._experts = experts
        self._frame_s = frame_s if experts is None else experts.span_s
        self._absence_s = _PATIENCE_S
        self._slowest = self._stretch_s = 0.0
        self._loads: deque[float] = deque(maxlen=_RECENT)
        self._since_s = 0.0
        self._rest_left_s = 0.0
        self._rest_s = _PATIENCE_S

    @property
    def n_iter_of_two(self) -> int:
        """Updates per frame that there is time for while two dictionaries separate, for a moment."""
        usual = sorted(self._loads)[len(self._loads) // 2] if self._loads else 0.0
        return self.n_iter if 2 * usual <= NEAR else max(1, int(self.n_iter * NEAR / (2 * usual)))

    @property
    def is_resting(self) -> bool:
        """Whether the separation rests now."""
        return self._rest_left_s > 0

    def update(self, load: float, block_s: float) -> None:
        """Take the load of a block of duration `block_s`."""
        self._since_s += block_s
        if self.is_resting:
            self._rest_left_s -= block_s
            return
        self.n_iter = min(self.n_iter, self.wanted)
        self._slowest = max(self._slowest, load)
        self._stretch_s += block_s
        if self._stretch_s < self._frame_s:
            return
        self._loads.append(self._slowest)
        self._slowest = self._stretch_s = 0.0
        if len(self._loads) == _RECENT:
            self._decide(sorted(self._loads)[_RECENT // 2], block_s)

    def _decide(self, usual: float, block_s: float) -> None:
        if usual > NEAR and self.asks and self._experts is not None:
            self.asks = False
            self._change(self.n_iter)
        elif usual > NEAR and self.n_iter > 1:
            self._change(max(1, min(self.n_iter - 1, int(self.n_iter * NEAR / usual))))
        elif usual > 1:
            self._rest_left_s, self._rest_s = self._rest_s, min(2 * self._rest_s, _LONGEST_REST_S)
            self._change(1)
        elif self._since_s >= _PATIENCE_S and self.n_iter < self.wanted:
            if usual < NEAR * self.n_iter / (self.n_iter + 1):
                self._change(self.n_iter + 1)
        elif self._since_s >= self._absence_s and self._can_ask(usual, block_s):
            self.asks, self._absence_s = True, min(2 * self._absence_s, _LONGEST_REST_S)
            self._change(self.n_iter)
        elif self._since_s >= _LONGEST_REST_S:
            self._rest_s = _PATIENCE_S
            if self.asks:
                self._absence_s = _PATIENCE_S

    def _can_ask(self, usual: float, block_s: float) -> bool:
        """Return whether there is time for experts that are left out."""
        experts = self._experts
        if self.asks or experts is None or experts.begin_s > experts.span_s:
            return False
        return usual + experts.load(block_s) < NEAR

    def _change(self, n_iter: int) -> None:
        self.n_iter = n_iter
        self._loads.clear()
        self._since_s = 0.0
