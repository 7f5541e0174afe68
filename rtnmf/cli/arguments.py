"""What words on a command line stand for: options of the library, numbers, devices, recordings, gains."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from rtnmf.audio.names import is_file, is_there
from rtnmf.cli import voices

if TYPE_CHECKING:
    from rtnmf.dictionary import Dictionary

__all__ = [
    "DEVICE",
    "LEARNING",
    "SEPARATION",
    "add_block",
    "add_device",
    "add_devices",
    "add_experts",
    "add_gain",
    "add_host",
    "add_learning",
    "add_overwrite",
    "add_rest",
    "add_rest_from",
    "add_separation",
    "add_strict",
    "check_sources",
    "dictionary_among",
    "gains",
    "given",
    "latency_ms",
    "not_gains",
    "option",
    "positive",
    "refuse",
    "size_bytes",
    "switch",
    "translated",
    "whole",
]

DEVICE = (
    "input",
    "output",
    "sample_rate",
    "n_channels",
    "block_length",
    "latency_ms",
    "outputs",
    "resample",
    "allow_feedback",
    "limit",
)
LEARNING = ("n_components", "n_steps", "seed")
SEPARATION = ("n_iter", "mask_power", "experts")

_LARGEST_WHOLE = 10**9
_LARGEST_POSITIVE = 1e6
_LARGEST_GAIN_DB = 60.0


def option(
    parser: argparse.ArgumentParser,
    flag: str,
    parameter: str,
    type: Callable[[str], Any],
    metavar: str,
    help: str,
    default: Any = None,
) -> None:
    """Add an option for a parameter of the library: `given` returns it by that name, and `translated` knows its flag.

    Parameters
    ----------
    parser : ArgumentParser
    flag : str
        As it is typed, `--updates`.
    parameter : str
        As the library calls it and its errors name it, `n_iter`.
    type, metavar, help, default
        As for `ArgumentParser.add_argument`. None leaves the default to the library.
    """
    parser.add_argument(flag, dest=parameter, type=type, metavar=metavar, help=help, default=default)
    _note_flag(parser, parameter, flag)


def switch(parser: argparse.ArgumentParser, flag: str, parameter: str, help: str) -> None:
    """Add an option without a value for a parameter of the library that is True or False, as `option` does."""
    parser.add_argument(flag, dest=parameter, action="store_true", help=help)
    _note_flag(parser, f"{parameter}=True", flag)


def _note_flag(parser: argparse.ArgumentParser, parameter: str, flag: str) -> None:
    parser.set_defaults(flags={**(parser.get_default("flags") or {}), parameter: flag})


def add_learning(parser: argparse.ArgumentParser) -> None:
    """Add the options of learning and training the sources of a dictionary: `LEARNING`."""
    option(parser, "--components", "n_components", whole(1), "N", "components per source (default: 32)")
    text = "steps of the discriminative training (default: 900); 0 leaves it out"
    option(parser, "--steps", "n_steps", whole(0), "N", text)
    option(parser, "--seed", "seed", whole(0), "N", "seed of the random start (default: 0)")


def add_rest(parser: argparse.ArgumentParser) -> None:
    """Add the options of a source for all that is not taught: the parameter `rest` of `learn`."""
    group = parser.add_mutually_exclusive_group()
    text = "add a source for all that is not taught, learned from the pool (default: where one sound is taught)"
    group.add_argument("--rest", dest="rest", action="store_const", const=True, help=text)
    group.add_argument("--no-rest", dest="rest", action="store_const", const=False, help="leave that source out")
    _note_flag(parser, "rest=True", "--rest")  # `rest` alone is a source
    _note_flag(parser, "rest is True", "--rest is given")


def add_rest_from(parser: argparse.ArgumentParser) -> None:
    """Add the option of where the rest of a dictionary is learned from, before a recording is separated."""
    text = "learn the rest of the world from each recording first (mixture, the default), or leave it as it is (pool)"
    parser.add_argument("--rest", choices=["mixture", "pool"], help=text)


def add_separation(parser: argparse.ArgumentParser) -> None:
    """Add the options that every separation has: `SEPARATION`."""
    text = "updates of the activations per frame: more take longer (default: as many as the dictionary was learned for)"
    option(parser, "--updates", "n_iter", whole(1), "N", text)
    text = "exponent of the masks: above 1, less of the other sources, more artifacts; below, the opposite (default: 1)"
    option(parser, "--power", "mask_power", float, "P", text)
    add_experts(parser)


def add_experts(parser: argparse.ArgumentParser) -> None:
    """Add the options of which experts to ask about voices: the parameter `experts`."""
    group = parser.add_mutually_exclusive_group()
    text = "ask this expert about voices, see `rtnmf doctor`; may be repeated (default: voices, and rnnoise if there)"
    group.add_argument("--expert", action="append", dest="experts", type=voices.expert, metavar="NAME", help=text)
    text = "separate voices by what was taught alone"
    group.add_argument("--no-expert", action="store_const", dest="experts", const=(), help=text)
    _note_flag(parser, "experts", "--expert")


def add_block(parser: argparse.ArgumentParser) -> None:
    """Add the option of how many samples a block has, where no device chooses it."""
    option(parser, "--block", "block_length", whole(1), "N", "samples per block (default: 512)", 512)


def add_gain(parser: argparse.ArgumentParser, help: str) -> None:
    """Add the option of gains in dB."""
    parser.add_argument("--gain", nargs="+", action="extend", metavar="NAME=DB", help=help)


def add_overwrite(parser: argparse.ArgumentParser) -> None:
    """Add the option of replacing what is there."""
    switch(parser, "--overwrite", "overwrite", "replace files that are there")


def add_strict(parser: argparse.ArgumentParser) -> None:
    """Add the option of refusing recordings that are damaged."""
    switch(parser, "--strict", "strict", "refuse damaged recordings, instead of noting what was lost")
    _note_flag(parser, "strict", "--strict")


def add_device(parser: argparse.ArgumentParser, flag: str, what: str) -> None:
    """Add an option that chooses a sound device."""
    text = f"{what}: a part of its name, or its number in `rtnmf devices` (default: the system's)"
    parser.add_argument(flag, type=_device, metavar="DEVICE", help=text)


def given(options: argparse.Namespace, *parameters: str) -> dict[str, Any]:
    """Return those of the parameters that were given on the command line, by name."""
    values = {parameter: getattr(options, parameter) for parameter in parameters}
    return {parameter: value for parameter, value in values.items() if value is not None}


def refuse(options: argparse.Namespace, reason: str, *parameters: str) -> None:
    """Raise ValueError if any of these was given on the command line, where it would be ignored."""
    flags = [options.flags.get(parameter, f"--{parameter}") for parameter in given(options, *parameters)]
    if flags:
        raise ValueError(f"{', '.join(flags)}: {reason}, leave it out")


def translated(message: str, flags: Mapping[str, str]) -> str:
    """Return a message of the library in one line, with the flags of the command line instead of its parameters."""
    line = " ".join(message.split())
    if not flags:
        return line
    names = rf"(?<![\w./'\"-])({'|'.join(flags)})(?:=('?)(\w*)\2|(?![\w./'\"-]))"
    return re.sub(names, lambda found: flags[found[1]] + ("" if found[3] is None else f" {found[3]}"), line)


def whole(least: int) -> Callable[[str], int]:
    """Return the type of an argument that is a whole number of at least `least`."""

    def parsed(text: str) -> int:
        is_number = re.fullmatch(r"\d{1,10}", text, re.ASCII)
        if not is_number or not least <= int(text) <= _LARGEST_WHOLE:
            raise argparse.ArgumentTypeError(f"{text[:20]} is not a whole number of {least} or more")
        return int(text)

    return parsed


def positive(unit: str) -> Callable[[str], float]:
    """Return the type of an argument that is a positive number of a unit, at most a million."""

    def parsed(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not 0 < value <= _LARGEST_POSITIVE:
            raise argparse.ArgumentTypeError(f"{text[:20]} is not a positive number of {unit}")
        return value

    return parsed


def size_bytes(text: str) -> int:
    """Return a size in bytes, written as 2GB, 1.5 GiB, 800mb or 2G."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?) ?([kmgt])(i?)b?", text, re.ASCII | re.IGNORECASE)
    if not found:
        raise argparse.ArgumentTypeError(f"{text[:20]} is not a size, expected one such as 2GB or 800MB")
    return int(float(found[1]) * (1024 if found[3] else 1000) ** (1 + "kmgt".index(found[2].lower())))


def latency_ms(text: str) -> float | Literal["low"]:
    """Return a latency to learn for: `low`, or a number of milliseconds."""
    return "low" if text == "low" else positive("milliseconds, nor the word low")(text)


def _device(text: str) -> str | int:
    """Return a device: its number if the text is one, else a part of its name."""
    return int(text) if re.fullmatch(r"\d{1,4}", text, re.ASCII) else text


def add_devices(parser: argparse.ArgumentParser) -> None:
    """Add the options of a separation that sounds: `DEVICE`."""
    add_device(parser, "--input", "input device")
    add_device(parser, "--output", "output device")
    option(parser, "--channels", "n_channels", whole(1), "N", "channels of the input and of each output (default: 1)")
    text = "one mix (default), a pair of output channels per source, or a single channel per source"
    parser.add_argument("--outputs", choices=["mix", "stems", "mono-stems"], help=text)
    option(parser, "--block", "block_length", whole(1), "N", "samples per block (default: chosen by the device)")
    text = "upper limit on the latency of the separation (default: the dictionary's)"
    option(parser, "--latency-ms", "latency_ms", positive("milliseconds"), "MS", text)
    option(parser, "--rate", "sample_rate", whole(1), "HZ", "sample rate (default: chosen by the device)")
    text = "convert the sample rate when the device refuses it, which adds latency"
    switch(parser, "--resample", "resample", text)
    text = "accept loudspeakers that the microphone may hear"
    switch(parser, "--allow-feedback", "allow_feedback", text)
    text = "let the output go over full scale (default: it is turned down for a moment where it would)"
    parser.add_argument("--no-limiter", dest="limit", action="store_const", const=False, help=text)


def add_host(parser: argparse.ArgumentParser) -> None:
    """Add the option of the address that controllers reach it at: the parameter `host`."""
    text = "address of this machine that others may reach it at, 0.0.0.0 for all of them (default: this machine alone)"
    option(parser, "--host", "host", str, "ADDRESS", text)


def gains(words: list[str], sources: tuple[str, ...]) -> dict[str, float]:
    """Return {source: linear gain} of words NAME=DB; sources that are not mentioned are not in it.

    Raises
    ------
    ValueError
        If a word names no source, a source has two gains, or a gain is not a number of dB of at most 60.
    """
    found: dict[str, float] = {}
    for word in words:
        name, _, text = word.rpartition("=")
        if name not in sources:
            raise ValueError(f"{word!r} names no source: write NAME=DB with one of {', '.join(sources)}")
        if name in found:
            raise ValueError(f"source {name!r} has two gains: give it one")
        found[name] = _linear(word, name, text)
    return found


def _linear(word: str, name: str, text: str) -> float:
    try:
        gain_db = float(text)
    except ValueError:
        gain_db = float("nan")
    if not gain_db <= _LARGEST_GAIN_DB:
        raise ValueError(
            f"gain {word!r} is not in dB, at most {_LARGEST_GAIN_DB:.0f}: write {name}=-20 for a tenth, -inf for none"
        )
    return float(10 ** (gain_db / 20))


def not_gains(words: list[str]) -> list[str]:
    """Take the words out of a list that are no gains, such as a dictionary that follows them, and return these."""
    others = [word for word in words if "=" not in word or is_there(word)]
    words[:] = [word for word in words if word not in others]
    return others


def dictionary_among(words: list[str]) -> tuple[str, list[str]]:
    """Return the dictionary among words, wherever it stands, and the others: the last one where none looks like it.

    Raises
    ------
    ValueError
        If there is none, or more than one.
    """
    found = [i for i, word in enumerate(words) if _names_dictionary(word)]
    if len(found) > 1:
        names = [words[i] for i in found]
        raise ValueError(f"there are {len(names)} dictionaries, expected one: join them, {'+'.join(names)}")
    if not found and len(words) < 2:
        raise ValueError("there is no dictionary: add a .safetensors file, or presets such as speech+keyboard")
    i = found[0] if found else len(words) - 1
    return words[i], words[:i] + words[i + 1 :]


def _names_dictionary(word: str) -> bool:
    from rtnmf.dictionary import presets

    if is_file(word):
        return word.lower().endswith(".safetensors")
    parts = word.split("+")
    return all(part.lower().endswith(".safetensors") or part in presets() for part in parts)


def check_sources(name: str, dictionary: Dictionary) -> None:
    """Raise ValueError if a dictionary has nothing to separate its only source from."""
    if len(dictionary.sources) == 1:
        raise ValueError(f"{name} has one source only: add what it is to be separated from, as in {name}+rest")
