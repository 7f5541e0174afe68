"""Sounds that are taught on the command line of `rtnmf live`: all that can be is learned before the first take."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rtnmf.audio.names import is_there
from rtnmf.cli import microphone_takes, spelling

if TYPE_CHECKING:
    from rtnmf.dictionary import Dictionary
    from rtnmf.live import Live

__all__ = ["Lesson", "are_taught", "prepared"]

_RATE = 48_000  # which most devices prefer
_BESIDE = "live"  # the names of takes begin like it
_STAND_IN_S = 1.0


class Lesson(NamedTuple):
    """What is to be taught."""

    recordings: dict[str, Any]
    """Of each source, its recordings or, where none is a take, the dictionary that they were learned in."""
    sample_rate: int
    has_takes: bool
    dictionary: Dictionary
    """Plain; where there are takes to come, noise stands in for them."""

    def given(self, live: Live) -> Dictionary:
        """Record the takes from a separation with a tap that sounds, and return the plain dictionary."""
        folder = Path() if os.access(".", os.W_OK) else Path(tempfile.mkdtemp(prefix="rtnmf-"))
        recordings = microphone_takes.recorded(
            self.recordings, folder / _BESIDE, lambda: contextlib.nullcontext(live.tap)
        )
        return _plain(recordings, self.sample_rate)


def are_taught(words: list[str]) -> bool:
    """Return whether words of the command line are sounds to learn, NAME=RECORDING, instead of a dictionary."""
    return any("=" in word and not is_there(word) for word in words)


def prepared(words: list[str], *, rest: bool | None, sample_rate: int | None) -> Lesson:
    """Learn all but the takes.

    Parameters
    ----------
    words : list of str
        NAME=RECORDING[,RECORDING...], as for `spelling.recordings`.
    rest : bool, optional
        Whether to add the preset `rest`; None means where there is one source.
    sample_rate : int, optional
        In Hz; None means 48 kHz.

    Raises
    ------
    ValueError
        If a word makes no sense, a recording cannot be learned from, or there is one source only.
    """
    from rtnmf.learning.takes import trimmed

    rate = _RATE if sample_rate is None else sample_rate
    recordings = _with_rest(spelling.recordings(words), rest)
    has_takes = microphone_takes.asked_for(recordings)
    known = {name: _learned_before(name, given, rate) for name, given in recordings.items()}
    dictionary = _plain({name: _stand_in(rate) if part is None else part for name, part in known.items()}, rate)
    ready = {name: given if _takes(given) else known[name] for name, given in recordings.items()}
    if has_takes:
        trimmed(_stand_in(rate)[:, None], rate)  # loads what it takes
    return Lesson(ready, rate, has_takes, dictionary)


def _with_rest(recordings: dict[str, Any], rest: bool | None) -> dict[str, Any]:
    """Return the recordings, with the preset of all that was not taught where that is wanted."""
    from rtnmf.dictionary import load_preset
    from rtnmf.learning.rest import REST

    if rest or (rest is None and len(recordings) == 1 and REST not in recordings):
        if REST in recordings:
            raise ValueError(f"--rest: there is a source {REST} already, leave it out")
        return recordings | {REST: load_preset("rest")}
    if len(recordings) == 1:
        raise ValueError(
            f"{next(iter(recordings))} is the only source: add what it is to be separated from, as in fan=mic:10"
            f"{', or leave --no-rest out' if rest is False else ''}"
        )
    return recordings


def _takes(given: Any) -> list[Any]:
    return [word for word in given if microphone_takes.asked_for(word)] if isinstance(given, list) else []


def _learned_before(name: str, given: Any, rate: int) -> Dictionary | None:
    """Return the dictionary of what is there of a source before it is recorded; None if nothing is."""
    if not isinstance(given, list):
        return given
    takes = _takes(given)
    files = [word for word in given if word not in takes]
    for word in files:
        _check_there(name, word)
    return _plain({name: files}, rate) if files else None


def _check_there(name: str, word: Any) -> None:
    """Raise ValueError where a word without a dot is neither a file nor, as it must have been meant, a preset."""
    from rtnmf.dictionary import presets

    if isinstance(word, str) and not is_there(word) and "." not in word:
        raise ValueError(f"{name}={word}: it is neither a file nor a preset: the presets are {', '.join(presets())}")


def _plain(recordings: dict[str, Any], rate: int) -> Dictionary:
    from rtnmf.learning.learn import learn

    return learn(recordings, rate, n_steps=0, rest=False)


def _stand_in(rate: int) -> Any:
    """Return noise."""
    import numpy as np

    return np.random.default_rng(0).uniform(-0.1, 0.1, round(_STAND_IN_S * rate)).astype(np.float32)
