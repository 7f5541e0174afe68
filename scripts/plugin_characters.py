"""Write the tables of plugin/engine/characters.hpp: which characters names and texts of a dictionary may hold."""

from __future__ import annotations

import itertools
import textwrap
import unicodedata
from collections.abc import Callable
from pathlib import Path

_FILE = Path(__file__).parent.parent / "plugin" / "engine" / "characters.hpp"
_END = 0x110000
_EMPTY_LETTERS = "\u115f\u1160\u2800\u3164\uffa0"  # see rtnmf.words


def _is_control(category: str, _: str) -> bool:
    return category[0] == "C" or category in ("Zl", "Zp")


def _is_blank(category: str, c: str) -> bool:
    return category == "Zs" and c != " "


def _is_mark(category: str, _: str) -> bool:
    return category[0] == "M"


def _is_empty_letter(_: str, c: str) -> bool:
    return c in _EMPTY_LETTERS


_TABLES = {"CONTROLS": _is_control, "BLANKS": _is_blank, "MARKS": _is_mark, "EMPTY_LETTERS": _is_empty_letter}


def edges(belongs: Callable[[str, str], bool]) -> list[int]:
    """Return where the characters that belong to a table begin, and end, in turn."""
    flags = [belongs(unicodedata.category(chr(i)), chr(i)) for i in range(_END)]
    found = [i for i, (before, now) in enumerate(itertools.pairwise([False, *flags])) if before != now]
    return [*found, _END] if len(found) % 2 else found


def text() -> str:
    """Return the text of the file."""
    tables = []
    for name, belongs in _TABLES.items():
        numbers = ", ".join(f"0x{i:x}" for i in edges(belongs))
        lines = textwrap.fill(numbers, 118, initial_indent="    ", subsequent_indent="    ")
        tables.append(f"constexpr char32_t {name}[] = {{\n{lines}}};\n")
    return (
        f"// Kinds of characters of Unicode {unicodedata.unidata_version}, written by scripts/plugin_characters.py.\n"
        "// clang-format off\n#pragma once\n\nnamespace rtnmf {\n\n" + "\n".join(tables) + "\n}  // namespace rtnmf\n"
    )


if __name__ == "__main__":
    _FILE.write_text(text(), encoding="utf-8")
