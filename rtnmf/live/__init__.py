"""The sound card: a separation that goes on while its context lasts, in a process of its own.

`Live` is what there is to use; `devices.listing` says what it can be used with. `link/` is what parent and sounding
process share, `host/` is what runs in the sounding process only, and is imported nowhere else. Names are loaded when
they are first used, as the sounding process needs few of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtnmf.live.link.telemetry import Stats
    from rtnmf.live.session import Live

__all__ = ["Live", "Stats"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from rtnmf.live import session
        from rtnmf.live.link import telemetry

        return telemetry.Stats if name == "Stats" else session.Live
    raise AttributeError(f"module 'rtnmf.live' has no attribute {name!r}")
