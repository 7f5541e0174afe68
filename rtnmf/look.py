"""The colours of the sources, as the style sheet of the pages has them, for what is drawn without a page.

The style sheet is their only owner; nothing here has a colour of its own.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from pathlib import Path

__all__ = ["N_HUES", "hue", "hues", "style"]

N_HUES = 8
"""Sources beyond so many begin again with the first colour: names and places tell them apart."""


@cache
def style() -> str:
    """Return the style sheet that all pages share."""
    return Path(__file__).with_name("look.css").read_text(encoding="utf-8")


def hue(source: str, sources: tuple[str, ...], rest: str = "") -> str:
    """Return the name of a source's colour, which is also a class of the pages: `source-1` to `source-8`.

    Parameters
    ----------
    source : str
    sources : tuple of str
        All of them, in their order.
    rest : str
        The source that stands for all that was not taught, which is always grey: `source-rest`.
    """
    if source == rest:
        return "source-rest"
    return f"source-{_places(sources, rest)[source] % N_HUES + 1}"


@lru_cache(maxsize=8)
def _places(sources: tuple[str, ...], rest: str) -> dict[str, int]:
    """Return the place of each source among those that were taught."""
    return {name: i for i, name in enumerate(name for name in sources if name != rest)}


def hues(*, light: bool = False) -> dict[str, tuple[int, int, int]]:
    """Return {name: red, green and blue from 0 to 255} of the dark page, or of the light one."""
    dark_page, _, light_page = style().partition("@media")
    found = re.findall(r"--(source-\w+): #(\w\w)(\w\w)(\w\w);", light_page if light else dark_page)
    return {name: (int(red, 16), int(green, 16), int(blue, 16)) for name, red, green, blue in found}
