"""Takes from the microphone, to learn from: a countdown, the take, its silent ends cut off, a word on its level."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from rtnmf import screen
from rtnmf.cli.progress_bar import progress_bar
from rtnmf.cli.spelling import microphone_s

__all__ = ["asked_for", "recorded"]

_COUNTDOWN_S = 3
_LEAST_CUT_S = 0.05


def asked_for(recordings: Any) -> bool:
    """Return whether there is a `mic:SECONDS` among recordings.

    Raises
    ------
    ValueError
        If one begins like that and has no such number.
    """
    given = recordings.values() if isinstance(recordings, dict) else [[recordings]]
    seconds = [_seconds(word) for words in given if isinstance(words, list) for word in words]
    return any(seconds)


def _seconds(recording: Any) -> float | None:
    return microphone_s(recording) if isinstance(recording, str) else None


def recorded(recordings: Any, beside: Path, opened: Callable[[], AbstractContextManager[Any]]) -> Any:
    """Record each `mic:SECONDS` among the recordings, and return them with the paths of the new files instead.

    Parameters
    ----------
    recordings : {source: list of recordings, or dictionary}, or a recording
        As `spelling.recordings` returns them, checked by `asked_for`.
    beside : path
        The names of the files begin like it; they replace none.
    opened : function
        Called for each take; gives a `Microphone`, or what has its name, sample rate and blocks.

    Raises
    ------
    ValueError
        If the device cannot be used, or a take is nothing but silence.
    """
    from rtnmf.audio import files

    if not isinstance(recordings, dict):
        return recorded({"clip": [recordings]}, beside, opened)["clip"][0]
    names = dict(zip(recordings, files.safe_names(list(recordings)), strict=True))

    def path_of(source: str, word: Any) -> Any:
        seconds = _seconds(word)
        return word if seconds is None else _recorded(source, seconds, f"{beside}-{names[source]}", opened)

    return {
        source: [path_of(source, word) for word in words] if isinstance(words, list) else words
        for source, words in recordings.items()
    }


def _recorded(source: str, seconds: float, beside: str, opened: Callable[[], AbstractContextManager[Any]]) -> str:
    """Record a source into a new file and return its path."""
    from rtnmf.audio import files

    with opened() as microphone:
        x = _take(microphone, source, seconds)
    if not x.any():
        raise ValueError(f"{source}: the microphone gave nothing but silence: is it muted, or the wrong --input?")
    x = _without_silence(source, x, microphone.sample_rate)
    path = str(files.write_new(f"{beside}.wav", x, microphone.sample_rate, "FLOAT"))
    screen.say(path)
    _judge(source, x)
    return path


def _take(microphone: Any, source: str, seconds: float) -> Any:
    """Count down, and record."""
    import numpy as np

    from rtnmf.learning.takes import level_db

    for left in range(_COUNTDOWN_S, 0, -1):
        screen.say(f"{source}: {seconds:g} s from {microphone.name!r} in {left} ...", flush=True)
        list(microphone.blocks(1.0))
    screen.say(f"{source}: recording", flush=True)
    blocks = []
    began = time.monotonic()
    with progress_bar("recording") as progress:
        for block in microphone.blocks(seconds):
            blocks.append(block)
            done_s = min(seconds, time.monotonic() - began)
            progress(f"{source} {level_db(block):4.0f} dB", int(1000 * done_s), int(1000 * seconds))
    return np.concatenate(blocks)


def _without_silence(source: str, x: Any, sample_rate: int) -> Any:
    from rtnmf.learning.takes import trimmed

    kept = trimmed(x, sample_rate)
    cut_s = (len(x) - len(kept)) / sample_rate
    if cut_s < _LEAST_CUT_S:
        return x
    screen.say(f"{source}: {cut_s:.1f} s of silence cut off")
    return kept


def _judge(source: str, x: Any) -> None:
    """Say how loud a take is; warn of one that is not worth learning from."""
    from rtnmf.learning.takes import judged

    level, *notes = judged(x)
    screen.say(f"{source}: {level}")
    for note in notes:
        screen.note(f"{source}: {note}")
