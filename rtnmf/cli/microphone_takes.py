"""Takes from the microphone, to learn from: a countdown, the take, its silent ends cut off, a word on its level."""

from __future__ import annotations

import itertools
import math
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from rtnmf.cli.arguments import microphone_s
from rtnmf.cli.progress_bar import progress_bar

__all__ = ["asked_for", "recorded", "trimmed"]

_COUNTDOWN_S = 3
_FULL_SCALE = 0.999
_QUIET_DB = -60.0
_SILENCE_BELOW_PEAK_DB = 40.0
_LEAST_CUT_S = 0.05
_MARGIN_S = 0.1  # around what is kept, for soft beginnings and endings


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
        As `arguments.recordings` returns them, checked by `asked_for`.
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
    path = _free_path(beside)
    files.write(path, x, microphone.sample_rate, "FLOAT")
    print(path)
    _judge(source, x)
    return path


def _take(microphone: Any, source: str, seconds: float) -> Any:
    """Count down, and record."""
    import numpy as np

    for left in range(_COUNTDOWN_S, 0, -1):
        print(f"{source}: {seconds:g} s from {microphone.name!r} in {left} ...", flush=True)
        list(microphone.blocks(1.0))
    print(f"{source}: recording", flush=True)
    blocks = []
    began = time.monotonic()
    with progress_bar("recording") as progress:
        for block in microphone.blocks(seconds):
            blocks.append(block)
            done_s = min(seconds, time.monotonic() - began)
            progress(f"{source} {_level_db(block):4.0f} dB", int(1000 * done_s), int(1000 * seconds))
    return np.concatenate(blocks)


def _without_silence(source: str, x: Any, sample_rate: int) -> Any:
    kept = trimmed(x, sample_rate)
    cut_s = (len(x) - len(kept)) / sample_rate
    if cut_s < _LEAST_CUT_S:
        return x
    print(f"{source}: {cut_s:.1f} s of silence cut off")
    return kept


def trimmed(x: Any, sample_rate: int) -> Any:
    """Return a take without the silence at its ends: all but 0.1 s of what is 40 dB below its loudest moment.

    Parameters
    ----------
    x : array, shape (n_samples, n_channels)
        One that is silent throughout is returned as it is.
    sample_rate : int
        In Hz.

    Returns
    -------
    array, shape (n_kept, n_channels)
        A view.
    """
    import librosa

    _, (begin, end) = librosa.effects.trim(x.T, top_db=_SILENCE_BELOW_PEAK_DB)
    margin = round(_MARGIN_S * sample_rate)
    return x[max(0, begin - margin) : end + margin] if begin < end else x


def _judge(source: str, x: Any) -> None:
    """Say how loud a take is; warn of one that is not worth learning from."""
    import numpy as np

    n_clipped, level_db = int((np.abs(x) >= _FULL_SCALE).sum()), _level_db(x)
    print(f"{source}: mean level {level_db:.0f} dB, peak {20 * math.log10(np.abs(x).max()):.0f} dB")
    if n_clipped:
        print(f"note: {source}: {n_clipped} samples are clipped: turn the input down and record again", file=sys.stderr)
    if level_db < _QUIET_DB:
        print(f"note: {source}: is nearly silent: turn the input up or come closer, and record again", file=sys.stderr)


def _level_db(x: Any) -> float:
    return 10 * math.log10(max(1e-20, float((x**2).mean())))


def _free_path(beside: str) -> str:
    """Return a path for a take that replaces no other file."""
    wishes = (f"{beside}{'' if i == 1 else f'-{i}'}.wav" for i in itertools.count(1))
    return next(path for path in wishes if not Path(path).exists())
