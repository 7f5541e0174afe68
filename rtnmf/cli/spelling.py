"""How recordings are spelled on the command line: files, stretches of them, sounds together, the microphone."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any

from rtnmf.audio.names import is_file, is_folder, is_there, is_url

if TYPE_CHECKING:
    from rtnmf.dictionary import Dictionary

__all__ = ["microphone_s", "recording", "recordings", "time_s"]

_TIME = r"(?:(?:(\d{1,4}):)?(\d{1,4}):)?(\d{1,7}(?:\.\d*)?)"
_STRETCH = re.compile(rf"({_TIME})?-({_TIME})?", re.ASCII)


def time_s(text: str) -> float:
    """Return a time in seconds, written as 62.5 or 1:02.5."""
    found = re.fullmatch(_TIME, text, re.ASCII)
    seconds = found and _seconds(*found.groups())
    if seconds is None:
        raise argparse.ArgumentTypeError(f"{text[:20]} is not a time, expected seconds such as 62.5, or 1:02.5")
    return seconds


def recordings(words: list[str]) -> Any:
    """Return {source: list of recordings, or dictionary}, or a single recording to learn blind; see `recording`.

    Raises
    ------
    ValueError
        If a word is not NAME=RECORDING[,RECORDING...], or two have the same name.
    """
    from rtnmf.audio.names import split

    if len(words) == 1 and ("=" not in words[0] or is_there(words[0]) or is_url(words[0])):
        if is_folder(words[0]):
            raise ValueError(f"{words[0]}: is a folder, and recordings are learned blind one by one: write NAME=FOLDER")
        return recording(words[0])
    found: dict[str, Any] = {}
    for word in words:
        name, equals, files = word.partition("=")
        if not (name and equals and files):
            raise ValueError(
                f"{word!r} names no source or no file: write NAME=FILE, as in voice=me.wav, or NAME=mic:10;"
                " one FILE alone is learned blind"
            )
        if name in found:
            raise ValueError(f"source {name!r} is named twice: write {name}=FILE,FILE")
        found[name] = _known(files) or [one for file in split(files, ",") if file for one in _recordings(file)]
    return found


def _recordings(word: str) -> list[Any]:
    """Return the recording that a word stands for, or those in a folder and its subfolders."""
    from rtnmf.audio.names import audio_files

    return list(audio_files(word, subfolders=True)) if is_folder(word) else [recording(word)]


def _known(word: str) -> Dictionary | None:
    """Return the dictionary that a word names, a file or a preset; None where it is a recording."""
    from rtnmf.dictionary import Dictionary, load_preset, presets

    if word in presets() and not is_there(word):
        return load_preset(word)
    return Dictionary.load(word) if word.lower().endswith(".safetensors") and is_file(word) else None


def recording(word: str) -> Any:
    """Return what a word stands for: the path or URL in it, a `Clip` of FILE@START-STOP, a `Together` of FILE&FILE.

    A file of that very name comes first. The microphone, `mic:SECONDS`, stays as it is.

    Raises
    ------
    ValueError
        If a stretch makes no sense, or the microphone is to sound together with something.
    """
    from rtnmf.audio.names import split

    if is_url(word):
        return word
    parts = [_clip(part) for part in split(word, "&")]
    if len(parts) == 1:
        return parts[0]
    from rtnmf.learning.clips import Together

    for part in parts:
        if isinstance(part, str) and microphone_s(part) is not None:
            raise ValueError(f"{word!r}: {part} cannot sound together with other sounds: record it first")
        if not part:
            raise ValueError(f"{word!r}: there is no file on one side of a &: write 'FILE&FILE'")
    return Together(*parts)


def _clip(word: str) -> Any:
    """Return the path in a word, or a `Clip` where stretches follow it: FILE@START-STOP[@START-STOP...]."""
    path, stretches = word, list[Any]()
    while not (is_there(path) or path.startswith("mic:")) and "@" in path:
        path, _, text = path.rpartition("@")
        found = _STRETCH.fullmatch(text)
        if found is None or text == "-":
            if is_there(word.partition("@")[0]):
                raise ValueError(f"{word!r}: {text!r} is no stretch: write FILE@12.5-15.5, FILE@1:05-1:20 or FILE@90-")
            return word
        stretches.insert(0, (_seconds(*found.groups()[1:4]) or 0.0, _seconds(*found.groups()[5:8])))
    if not stretches:
        return word
    from rtnmf.learning.clips import Clip

    return Clip(path, *stretches)


def _seconds(hours: str | None, minutes: str | None, seconds: str | None) -> float | None:
    return None if seconds is None else 3600 * int(hours or 0) + 60 * int(minutes or 0) + float(seconds)


def microphone_s(word: str) -> float | None:
    """Return how many seconds of the microphone a word `mic:SECONDS` asks for, None for the name of a file.

    Raises
    ------
    ValueError
        If it begins like the former and has no such number.
    """
    if not re.match(r"mic(:|$)", word) or is_there(word):
        return None
    seconds = re.fullmatch(r"mic:(\d{1,4}(?:\.\d+)?)", word, re.ASCII)
    if seconds is None or not float(seconds[1]) > 0:
        raise ValueError(f"{word!r} is not the length of a recording: write mic:10 for ten seconds")
    return float(seconds[1])
