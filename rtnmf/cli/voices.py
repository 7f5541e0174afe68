"""The experts that are asked about voices: their names as they are typed, and what is said of them on screen."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rtnmf import screen

if TYPE_CHECKING:
    from rtnmf.dictionary import Dictionary

__all__ = ["asked", "expert", "note_asked", "with_experts"]


def expert(text: str) -> str:
    """Return the name of an expert that can be asked: the type of an argument."""
    from rtnmf.experts import named

    try:
        return named.checked([text])[0]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def asked(dictionary: Dictionary, wished: Sequence[str] | None) -> str:
    """Return in a line which voices of a dictionary are separated with which experts, or how to get one.

    Empty where there is nothing to say.

    Parameters
    ----------
    dictionary : Dictionary
        At the latency that it is used at.
    wished : sequence of str, optional
        Names of experts; None means the usual ones.
    """
    from rtnmf.experts import named

    sources, voices = dictionary.sources, dictionary.voices
    found = named.chosen(wished, dictionary)
    if found:
        lacking = named.lacking(dictionary.stft.latency / dictionary.sample_rate) if wished is None else ()
        hints = [f"; {name} would help, too: {named.remedy(name)}" for name in lacking]
        return f"{', '.join(voices)}: {with_experts(found)}{''.join(hints)}"
    return f"--expert: no expert is asked, as {_why_none(sources, voices)}" if wished else ""


def _why_none(sources: Sequence[str], voices: Sequence[str]) -> str:
    if voices:
        return f"all of {', '.join(sources)} are voices"
    return f"no voice is among {', '.join(sources)}: rtnmf learn --voice NAME says which is one"


def with_experts(names: Sequence[str]) -> str:
    """Return the names of experts in words, such as `with the expert rnnoise`."""
    return f"with the expert{'s' * (len(names) > 1)} {' and '.join(names)}"


def note_asked(dictionary: Dictionary, wished: Sequence[str] | None) -> None:
    """Print `asked` on stderr where that is a screen, and in any case where a wish is in vain."""
    from rtnmf.experts.named import chosen

    is_in_vain = wished and not chosen(wished, dictionary)
    text = asked(dictionary, wished)
    if text and (is_in_vain or sys.stderr.isatty()):
        screen.note(text)
