"""How long work reports what it has done: one signature for all of it."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Progress"]

Progress = Callable[[str, int, int], object]
"""Called with the stage (a source, a case, "training"), the steps done and their number.

Returning False ends the stage with what it has reached, where that is worth something; other values are ignored.
"""
