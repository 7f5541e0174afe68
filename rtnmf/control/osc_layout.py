"""A session for Open Stage Control, which draws the strips of a dictionary on any phone or tablet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rtnmf.control import faders
from rtnmf.control.osc import PREFIX, address_part
from rtnmf.look import hue, hues

if TYPE_CHECKING:
    from rtnmf.dictionary import Dictionary

__all__ = ["layout"]

_VERSION = "1.27.0"  # of the format: newer than the last one that Open Stage Control converts
_STRIP_WIDTH, _BUTTON_HEIGHT, _TEXT_HEIGHT = 110, 48, 40

Widget = dict[str, Any]


def layout(dictionary: Dictionary, target: str) -> Widget:
    """Return a session with a strip for each source, and one for what goes out.

    Parameters
    ----------
    dictionary : Dictionary
        Whose sources have strips, in their order.
    target : str
        `HOST:PORT` that rtnmf listens for OSC at.
    """
    colours, sources = hues(), dictionary.sources
    strips = []
    for i, source in enumerate(sources):
        red, green, blue = colours[hue(source, sources, dictionary.rest)]
        strips.append(_strip(i + 1, source, f"#{red:02x}{green:02x}{blue:02x}"))
    trouble = _text("trouble", "", address=f"{PREFIX}/trouble", height=_TEXT_HEIGHT, wrap="soft", colorText="#ff5c5c")
    desk = _panel("desk", "horizontal", [*strips, _master()], expand=True)
    root = _panel("root", "vertical", [trouble, desk], onCreate=f'send("{target}", "{PREFIX}/refresh")') | {
        "type": "root"
    }
    _send_to(root, target)
    return {"version": _VERSION, "type": "session", "createdWith": "rtnmf", "content": root}


def _strip(number: int, source: str, colour: str) -> Widget:
    address = f"{PREFIX}/{address_part(source)}"
    fader = {
        "type": "fader", "id": f"gain_{number}", "address": f"{address}/gain", "range": _scale(), "pips": True,
        "default": 0, "doubleTap": True, "decimals": 1, "expand": 3,
    }  # fmt: skip
    both = _panel(f"levels_{number}", "horizontal", [fader, _meter(f"level_{number}", f"{address}/level")], expand=True)
    widgets = [
        _text(f"name_{number}", source, height=_TEXT_HEIGHT),
        both,
        _button(f"solo_{number}", f"{address}/solo", "S"),
        _button(f"mute_{number}", f"{address}/mute", "M"),
    ]
    return _panel(f"strip_{number}", "vertical", widgets, width=_STRIP_WIDTH, colorWidget=colour)


def _master() -> Widget:
    wet = {"type": "fader", "id": "wet", "address": f"{PREFIX}/wet", "default": 1, "doubleTap": True, "expand": 3}
    both = _panel("levels_out", "horizontal", [wet, _meter("level_out", f"{PREFIX}/level")], expand=True)
    record = _button("record", f"{PREFIX}/record", "record") | {"colorWidget": "#ff5c5c"}
    widgets = [_text("name_out", "dry/wet, out", height=_TEXT_HEIGHT), both, record]
    widgets.append(_button("bypass", f"{PREFIX}/bypass", "bypass"))
    return _panel("strip_out", "vertical", widgets, width=_STRIP_WIDTH)


def _scale() -> dict[str, float]:
    """Return the marks of the scale, with the places where they stand."""
    marks = {f"{100 * faders.position(mark_db):.1f}%": mark_db for mark_db in faders.MARKS_DB[1:-1]}
    return {"min": faders.LOWEST_DB, **marks, "max": faders.HIGHEST_DB}


def _meter(name: str, address: str) -> Widget:
    zero = f"{faders.position(0):.3f}"
    return {
        "type": "fader", "id": name, "address": address, "range": _scale(), "design": "compact", "expand": 1,
        "interaction": False, "bypass": True, "gradient": {"0": "#2fb58a", zero: "#2fb58a", "1": "#ff3b30"},
    }  # fmt: skip


def _button(name: str, address: str, label: str) -> Widget:
    return {
        "type": "button", "id": name, "address": address, "label": label, "mode": "toggle", "on": 1, "off": 0,
        "typeTags": "i", "height": _BUTTON_HEIGHT,
    }  # fmt: skip


def _text(name: str, text: str, **more: Any) -> Widget:
    harmless = text.translate(str.maketrans("{}", "()"))  # what stands in braces would be run as a script
    return {"type": "text", "id": name, "default": harmless, "bypass": True, **more}


def _panel(name: str, direction: str, widgets: list[Widget], **more: Any) -> Widget:
    return {"type": "panel", "id": name, "layout": direction, "widgets": widgets, **more}


def _send_to(widget: Widget, target: str) -> None:
    """Let a widget, and all in it, send to where rtnmf listens."""
    widget["target"] = target
    for inner in widget.get("widgets", []):
        _send_to(inner, target)
