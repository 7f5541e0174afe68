"""What the words on a command line stand for: dictionaries, recordings, gains."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtnmf.dictionary import Dictionary

__all__ = ["gains", "loaded", "microphone_s", "recordings"]

_LARGEST_GAIN_DB = 60


def recordings(arguments: list[str]) -> Any:
    """Return {source: [path]}, or one path to learn blind."""
    if len(arguments) == 1 and ("=" not in arguments[0] or Path(arguments[0]).exists()):
        return arguments[0]
    found: dict[str, list[str]] = {}
    for argument in arguments:
        name, equals, given = argument.partition("=")
        if not (name and equals and given):
            raise ValueError(
                f"{argument!r} names no source or no file: write NAME=FILE, as in voice=me.wav, or NAME=mic:10;"
                " one FILE alone is learned blind"
            )
        if name in found:
            raise ValueError(f"source {name!r} is named twice: write {name}=FILE,FILE")
        found[name] = [given] if Path(given).exists() else [path for path in given.split(",") if path]
    return found


def microphone_s(recording: str) -> float | None:
    """Return how many seconds of the microphone `mic:SECONDS` asks for, None when it is a file."""
    if not re.match(r"mic(:|$)", recording) or Path(recording).exists():
        return None
    seconds = re.fullmatch(r"mic:(\d{1,4}(?:\.\d+)?)", recording)
    if seconds is None or not float(seconds[1]) > 0:
        raise ValueError(f"{recording!r} is no length of a recording: write mic:10 for ten seconds")
    return float(seconds[1])


def loaded(names: str, sample_rate: int | None = None) -> Dictionary:
    """Return the dictionaries and presets that are named, merged at one sample rate, the first one's when None."""
    from rtnmf.dictionary import Dictionary, load_preset, presets

    parts: list[Dictionary] = []
    for name in [names] if Path(names).exists() else names.split("+"):
        if name not in presets() and not Path(name).exists():
            raise ValueError(
                f"{name!r} is neither a dictionary file nor a preset: the presets are {', '.join(presets())}"
            )
        part = Dictionary.load(name) if Path(name).is_file() else load_preset(name)
        sample_rate = sample_rate or part.sample_rate
        if part.sample_rate != sample_rate:
            print(f"note: {name} was learned at {part.sample_rate} Hz, is used at {sample_rate} Hz", file=sys.stderr)
        converted = part.at_rate(sample_rate)
        if parts and converted.stft != parts[0].stft:
            print(f"note: {name} is converted to the window and latency of {names.split('+')[0]}", file=sys.stderr)
            converted = part.at_rate(sample_rate, parts[0].stft)
        parts.append(converted)
    return parts[0].merge(*parts[1:])


def gains(arguments: list[str], sources: tuple[str, ...]) -> list[float] | None:
    """Return the weight of each source in the remix, or None when none is given."""
    if not arguments:
        return None
    found: dict[str, float] = {}
    for argument in arguments:
        name, _, text = argument.rpartition("=")
        if name not in sources:
            raise ValueError(f"{argument!r} names no source: write NAME=DB with one of {', '.join(sources)}")
        if name in found:
            raise ValueError(f"source {name!r} has two gains: give it one")
        try:
            gain_db = float(text)
        except ValueError:
            gain_db = float("nan")
        if not gain_db <= _LARGEST_GAIN_DB:
            raise ValueError(
                f"gain {argument!r} is not in dB, at most {_LARGEST_GAIN_DB}: write {name}=-20 for a tenth,"
                " -inf for none"
            )
        found[name] = 10 ** (gain_db / 20)
    return [found.get(source, 1.0) for source in sources]
