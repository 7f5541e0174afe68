"""What the clock says about a running stream: which blocks were lost, and how much work there is time for.

Nothing here reads a clock: times are arguments.
"""

from __future__ import annotations

from collections import deque

__all__ = ["NEAR", "Deadline", "LostBlocks"]

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


class Deadline:
    """Decide how many updates a frame gets, so that blocks are ready in time.

    The load of a block is the time that it took divided by its duration; of the blocks of one frame the slowest
    counts. When most of the recent loads are near 1, updates are reduced, down to one; after a second in which one
    more would have done no harm, one is added. When most blocks are late even with one update, the separation rests,
    each time twice as long as before. A single late block, which is nearly always another program's doing, changes
    nothing.

    Parameters
    ----------
    wanted : int
        Updates per frame when there is time.
    frame_s : float
        Time from one frame to the next in seconds.

    Attributes
    ----------
    wanted, n_iter : int
        Updates per frame that are wanted, and that there is time for.
    is_resting : bool
        Whether to leave the separation out.
    """

    def __init__(self, wanted: int, frame_s: float) -> None:
        self.wanted = self.n_iter = wanted
        self._frame_s = frame_s
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
            self._decide(sorted(self._loads)[_RECENT // 2])

    def _decide(self, usual: float) -> None:
        if usual > NEAR and self.n_iter > 1:
            self._change(max(1, min(self.n_iter - 1, int(self.n_iter * NEAR / usual))))
        elif usual > 1:
            self._rest_left_s, self._rest_s = self._rest_s, min(2 * self._rest_s, _LONGEST_REST_S)
            self._change(1)
        elif self._since_s >= _PATIENCE_S and self.n_iter < self.wanted:
            if usual < NEAR * self.n_iter / (self.n_iter + 1):
                self._change(self.n_iter + 1)
        elif self._since_s >= _LONGEST_REST_S:
            self._rest_s = _PATIENCE_S

    def _change(self, n_iter: int) -> None:
        self.n_iter = n_iter
        self._loads.clear()
        self._since_s = 0.0
