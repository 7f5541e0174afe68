"""The rest of the world: a source for all that was not taught, learned from the backgrounds of a pool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rtnmf.learning.backgrounds import Background, pool

__all__ = ["REST", "WithRest", "checked_rest", "licences", "with_rest"]

REST = "rest"
"""The name of the source that stands for all that was not taught."""

WithRest = bool | Iterable[Background] | None
"""Whether there is to be a rest: None where one sound is taught; or the backgrounds to learn it from."""


def checked_rest(rest: WithRest, sources: Mapping[str, object], known: str = "") -> tuple[Background, ...]:
    """Return the backgrounds to learn a rest from, beside these sources; none where there is to be no rest.

    Parameters
    ----------
    rest : WithRest
    sources : {source: recordings, or dictionary}
    known : str
        The source that is a rest already, learned before; empty if there is none.

    Raises
    ------
    TypeError, ValueError
        If `rest` is none of these, there are no backgrounds in it, the recording is learned blind, or there is a rest
        already.
    """
    if known and rest:
        raise ValueError(f"rest is {rest!r:.80}, but {known!r} is given as one already: leave one of them out")
    if rest is False or (rest is None and (len(sources) > 1 or set(sources) & {"", REST})):
        return ()
    if "" in sources:
        raise ValueError(f"rest is {rest!r:.80}, but a recording that is learned blind has none: name its source")
    if isinstance(rest, (bool, type(None))):
        return pool()
    backgrounds = tuple(rest) if isinstance(rest, Iterable) and not isinstance(rest, (str, bytes)) else (None,)
    if not all(isinstance(background, Background) for background in backgrounds):
        raise TypeError(f"rest is {rest!r:.80}, expected True, False or backgrounds, as from rtnmf.pool()")
    if not backgrounds:
        raise ValueError("rest holds no background, expected some to learn from: pass rest=True for those that ship")
    return backgrounds


def with_rest(sources: Mapping[str, Sequence[Any]], backgrounds: Sequence[Background]) -> dict[str, list[Any]]:
    """Return the recordings of each source, with the backgrounds as those of the rest, after those given for it."""
    joined = {name: list(given) for name, given in sources.items()}
    if backgrounds:
        joined.setdefault(REST, []).extend(background.path for background in backgrounds)
    return joined


def licences(backgrounds: Sequence[Background]) -> str:
    """Return what is to be said of the licences of backgrounds: each once; empty where none is known."""
    names = sorted({background.licence for background in backgrounds if background.licence})
    return f"backgrounds: {', '.join(names)}" if names else ""
