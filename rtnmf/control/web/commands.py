"""What each command of a page does to the studio."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rtnmf.control.web import messages

if TYPE_CHECKING:
    from rtnmf.control.studio import Studio

__all__ = ["done", "is_slow"]

_OFF_DB = -200.0

_QUICK: dict[type, Callable[[Studio, Any], object]] = {
    messages.Gain: lambda studio, c: studio.desk.set_gain(c.source, -math.inf if c.db <= _OFF_DB else c.db),
    messages.Solo: lambda studio, c: studio.desk.solo(c.source, c.on),
    messages.Mute: lambda studio, c: studio.desk.mute(c.source, c.on),
    messages.Bypass: lambda studio, c: studio.desk.set_bypass(c.on),
    messages.Wet: lambda studio, c: studio.desk.set_wet(c.wet),
    messages.Listen: lambda studio, c: studio.desk.listen(c.to),
    messages.Reset: lambda studio, _: studio.desk.reset_marks(),
    messages.Drop: lambda studio, _: studio.drop(),
}
"""What is done at once."""

_SLOW: dict[type, Callable[[Studio, Any], object]] = {
    messages.Freeze: lambda studio, c: setattr(studio.live, "freeze", c.on),
    messages.Relearn: lambda studio, _: studio.relearn(),
    messages.Record: lambda studio, c: studio.record(c.on),
    messages.Teach: lambda studio, c: studio.teach(c.name, c.seconds),
    messages.Keep: lambda studio, _: studio.keep(),
    messages.Load: lambda studio, c: studio.load(c.name, c.kind),
    messages.Add: lambda studio, c: studio.add(c.preset),
    messages.Save: lambda studio, c: studio.save(c.name),
    messages.Rename: lambda studio, c: studio.rename(c.source, c.to),
    messages.Group: lambda studio, c: studio.group(tuple(c.components), c.to),
    messages.Remove: lambda studio, c: studio.remove(c.source),
}
"""What may take its time, so that faders must not wait for it."""


def is_slow(command: messages.Command) -> bool:
    """Return whether a command may take its time."""
    return type(command) in _SLOW


def done(studio: Studio, command: messages.Command) -> None:
    """Do what a page asks for.

    Raises
    ------
    ValueError, TypeError, OSError
        If it cannot be done.
    """
    (_QUICK | _SLOW)[type(command)](studio, command)
