"""A dictionary that is found in a process of its own while another one sounds; nothing here waits for it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

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
    """Work that ends in a dictionary, in a process of the lowest priority.

    Thread safety
        The property may be used from any thread; methods are called by one at a time.

    Parameters
    ----------
    work : function
        Of a module, called with the arguments and `progress`, which returns a dictionary.
    *arguments
    doing, done : str
        In words, such as training and trained.

    Raises
    ------
    OSError
        If no process can be started.
    """

    def __init__(
        self, work: Callable[..., Dictionary], *arguments: Any, doing: str = "training", done: str = "trained"
    ) -> None:
        self.text = f"{doing} 0 %"
        """How it goes, in words."""
        self._doing, self._done = doing, done
        self._said: float | Dictionary = 0.0
        self._is_over = False
        self._helper = Helper("rtnmf.live.trainer", lambda _: ((work, arguments),), self._keep)

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to come any more."""
        return self._is_over

    def look(self) -> Dictionary | None:
        """Return the dictionary, once, when it is there; notice when there will be none."""
        if self._is_over or (self._helper.is_running and isinstance(self._said, float)):
            return None
        reason = self._helper.end()  # all that it said has come in then
        self._is_over = True
        if isinstance(self._said, Dictionary):
            self.text = self._done
            return self._said
        self.text = f"not {self._done}, the process for that {reason}"
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
            self.text = f"{self._doing} {100 * said:.0f} %"
