"""Which characters are fit for a screen? Control, bidirectional, zero-width and invisible ones are not."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["is_plain", "is_seen", "plain"]

_UNSEEN = re.compile(  # letters and marks that are nothing but room, or not even that; an emoji may have U+FE0F
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0d\uffa0\U000e0100-\U000e01ef]"
    "|(?<![\u2190-\u2bff\U0001f000-\U0001faff])[\ufe0e\ufe0f]"
)


def is_plain(text: str) -> bool:
    """Return whether a text holds no character that moves a cursor or breaks a line."""
    if text.isprintable():
        return True
    return not any(unicodedata.category(c)[0] == "C" or unicodedata.category(c) in ("Zl", "Zp") for c in text)


def plain(text: str) -> str:
    """Return a text fit for a screen: each character that moves a cursor, or that is not seen, becomes `_`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if is_plain(c) else "_" for c in _UNSEEN.sub("_", text))


def is_seen(text: str) -> bool:
    """Return whether anything of a text can be seen: a letter, a digit, a sign, and not marks or blanks alone."""
    return any(unicodedata.category(c)[0] in "LNPS" for c in _UNSEEN.sub("", text))
