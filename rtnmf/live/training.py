"""A dictionary that is trained in a process of its own while it sounds plain; nothing here waits for it."""

from __future__ import annotations

import logging

from rtnmf.dictionary import Dictionary
from rtnmf.live.helper import Helper

__all__ = ["Training", "check_trainable"]

_log = logging.getLogger(__name__)


def check_trainable(dictionary: Dictionary) -> None:
    """Raise ValueError if a dictionary is trained already, or cannot be."""
    missing = [source for source in dictionary.sources if source not in dictionary.frames]
    if dictionary.is_trained:
        raise ValueError("the dictionary is trained already")
    if len(dictionary.sources) == 1:
        raise ValueError(f"the dictionary has one source only, {dictionary.sources[0]}: there is nothing to tell apart")
    if missing:
        raise ValueError(
            f"the dictionary has no frames of {', '.join(missing)}, which the training needs: learn it again with this"
            " version"
        )


class Training:
    """Train a dictionary from the frames that it carries, in a process of the lowest priority.

    Thread safety
        The property may be used from any thread; methods are called by one at a time.

    Parameters
    ----------
    dictionary : Dictionary
        Untrained, with frames of every source.

    Raises
    ------
    OSError
        If no process can be started.
    """

    def __init__(self, dictionary: Dictionary) -> None:
        self.text = "training 0 %"
        """How it goes, in words."""
        self._said: float | Dictionary = 0.0
        self._is_over = False
        self._helper = Helper("rtnmf.live.trainer", lambda _: (dictionary,), self._keep)

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to come any more."""
        return self._is_over

    def look(self) -> Dictionary | None:
        """Return the trained dictionary, once, when it is there; notice when there will be none."""
        if self._is_over or (self._helper.is_running and isinstance(self._said, float)):
            return None
        reason = self._helper.end()  # all that it said has come in then
        self._is_over = True
        if isinstance(self._said, Dictionary):
            self.text = "trained"
            return self._said
        self.text = f"not trained, the process for that {reason}"
        _log.warning(self.text)
        return None

    def close(self) -> None:
        """End the process, at once."""
        if not self._is_over:
            self._is_over = True
            self._helper.end()

    def _keep(self, said: float | Dictionary) -> None:
        self._said = said
        if isinstance(said, float):
            self.text = f"training {100 * said:.0f} %"
