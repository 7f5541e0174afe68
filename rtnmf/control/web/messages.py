"""Every message between the page and its server, declared once, with the bounds of each value.

Each message is a JSON object whose `is` names it. The page sends commands; what comes of them is seen in the next
`State`, and an `Refused` says why nothing came. Columns of spectrograms are sent as bytes, see `columns`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from rtnmf.checks import LONGEST_NAME
from rtnmf.control.lesson import LEAST_S, MOST_S
from rtnmf.words import is_plain, plain

__all__ = ["BANDS", "MOST_BYTES", "Command", "Message", "columns", "commanded", "encoded"]

BANDS = 96
"""Bands of a column of a spectrogram, of equal width on a logarithmic axis, from low to high."""

MOST_BYTES = 16_384
"""Of a command."""

Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
"""Of a source, a dictionary, or a preset: never a path."""

Db = Annotated[float, Meta(ge=-200, le=60)]
Share = Annotated[float, Meta(ge=0, le=1)]
Index = Annotated[int, Meta(ge=0, lt=4096)]


class _Message(Struct, tag_field="is", tag=str.lower, forbid_unknown_fields=True):
    """One message."""


class Gain(_Message):
    """Set the gain of a source; -200 dB is off."""

    source: Name
    db: Db


class Solo(_Message):
    """Hear this source alone, with the others that are soloed, or no longer."""

    source: Name
    on: bool


class Mute(_Message):
    """Mute a source, or let it be heard again."""

    source: Name
    on: bool


class Bypass(_Message):
    """Hear the input unchanged."""

    on: bool


class Wet(_Message):
    """Set the fraction of separated sound in the output."""

    wet: Share


class Listen(_Message):
    """Compare: hear `input`, `output`, or one source alone."""

    to: Name


class Reset(_Message):
    """Take away the marks of what went over full scale."""


class Freeze(_Message):
    """Leave the rest as it is, or go on learning it."""

    on: bool


class Relearn(_Message):
    """Forget what was learned of the rest since the dictionary was loaded, and begin again."""


class Record(_Message):
    """Begin or end a recording of the input and every stem."""

    on: bool


class Teach(_Message):
    """Record a sound from what comes in, after a countdown, to learn it under a name."""

    name: Name
    seconds: Annotated[float, Meta(ge=LEAST_S, le=MOST_S)]


class Keep(_Message):
    """Learn from the take that was just recorded."""


class Drop(_Message):
    """Give up the take, or the learning that goes on."""


class Load(_Message):
    """Listen for what a dictionary in the folder of the studio describes, or for a preset and all else."""

    name: Name
    kind: Literal["dictionary", "preset"]


class Add(_Message):
    """Listen for a preset, too."""

    preset: Name


class Save(_Message):
    """Write the dictionary that sounds, with the rest as it is now, to the folder of the studio."""

    name: Name


class Rename(_Message):
    """Give a source another name."""

    source: Name
    to: Name


class Group(_Message):
    """Make some components one source, which may be there already."""

    components: Annotated[list[Index], Meta(min_length=1, max_length=1024)]
    to: Name


class Remove(_Message):
    """Take a source out of the dictionary."""

    source: Name


class Hidden(_Message):
    """Tell that the page is out of sight, and needs neither meters nor columns, or is seen again."""

    on: bool


Command = (
    Gain | Solo | Mute | Bypass | Wet | Listen | Reset | Freeze | Relearn | Record | Teach | Keep | Drop | Load | Add
    | Save | Rename | Group | Remove | Hidden
)  # fmt: skip
"""What the page may ask for."""


class Source(Struct, frozen=True):
    """A source in `State`, in the order of the strips."""

    name: str
    db: float
    """Of its gain; -200 is off."""
    fader: Share
    solo: bool
    mute: bool
    heard: bool
    rest: bool
    """Whether it stands for all that was not taught."""
    channels: list[int]
    """Output channels of its own, from 1; empty in a mix."""


class Lesson(Struct, frozen=True):
    """How the teaching of a sound goes."""

    stage: Literal["", "countdown", "recording", "heard", "learning", "failed"]
    """`heard`: there is a take to keep or drop, which can be heard at `/take.wav`."""
    name: str
    left_s: float
    """Until the stage is over; 0 where that is not known."""
    text: str
    """What is happening or has failed, in one sentence."""


class Recording(Struct, frozen=True):
    """The recording that goes on, or the last one."""

    on: bool
    seconds: float
    folder: str
    """Where it is, as it is shown; the page cannot choose it."""
    files: list[str]
    """Names to download from `/recordings/NAME`."""


class State(_Message):
    """All that changes seldom: sent to a new page, and to all pages after each change."""

    sources: list[Source]
    bypass: bool
    wet: float
    listening: str
    """`input`, `output` or a source."""
    dictionary: str
    """Its name, as it was loaded, taught or saved."""
    is_trained: bool
    components: list[str]
    """The source of each component."""
    experts: list[str]
    adapts: bool
    """Whether the rest can be learned from what comes in."""
    frozen: bool
    rest: str
    """How that goes, in words."""
    training: str
    """How the training of what sounds goes, in words; empty without."""
    lesson: Lesson
    recording: Recording
    dictionaries: list[str]
    """That the folder of the studio holds."""
    presets: list[str]
    devices: str
    """From where to where, such as `USB mic to Headphones`."""
    sample_rate: int
    sounding: bool
    """Whether it sounds: nothing can be taught, loaded or recorded before."""
    opening: str
    """What is waited for before it sounds, where nothing is wrong; else empty."""
    busy: str
    """What gets ready, such as `getting keyboard ready`; empty if nothing."""
    trouble: str
    """What is wrong, with the remedy, in one sentence; empty if nothing."""
    notice: str
    """The last thing that is worth saying, such as where a recording was written."""
    band_hz: list[float]
    """The edges of the bands of the columns, one more than there are bands."""


class Meters(_Message):
    """All that changes all the time: sent up to 30 times a second, and not to a page that is hidden."""

    peaks_db: list[float]
    """Of each source after its fader, -200 for silence."""
    held_db: list[float]
    over: list[bool]
    sounds: list[bool]
    """Whether there is anything of each source in the input."""
    input_db: float
    output_db: float
    output_over: bool
    n_limited: int
    """How often the limiter held the output back, so far."""
    latency_ms: dict[str, float]
    """`device`, `blocks`, `resampling`, `algorithm`."""
    load: float
    late: int
    lost: int
    seconds: float
    """Since the sound began."""
    recorded_s: float
    left_s: float
    """Of the stage of the lesson."""
    activations: list[float]
    """Of each component, from 0 to 1 on a scale in dB."""


class Refused(_Message):
    """Why a command did nothing."""

    reason: str


Message = State | Meters | Refused
"""What the server may say."""


_decoder: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)


def commanded(text: str | bytes) -> Command:
    """Return the command that a page has sent.

    Raises
    ------
    ValueError
        If it is none, or a value is out of its bounds.
    """
    if len(text) > MOST_BYTES:
        raise ValueError(f"a command has {len(text)} bytes, expected at most {MOST_BYTES}")
    try:
        command = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(plain(str(error))) from error
    except RecursionError as error:
        raise ValueError("a command is nested too deeply") from error
    for value in msgspec.structs.astuple(command):
        if isinstance(value, str) and not is_plain(value):
            raise ValueError("a name has characters that cannot be printed: leave them out")
    return command


def encoded(message: Message) -> str:
    """Return a message as text, whatever names of files are in it."""
    try:
        return msgspec.json.encode(message).decode("utf-8")
    except UnicodeEncodeError:  # the bytes of a file's name that are no text
        return json.dumps(msgspec.to_builtins(message))


def columns(spectrograms: Sequence[NDArray[np.uint8]]) -> bytes:
    """Return columns of the spectrograms of input and output as bytes.

    Parameters
    ----------
    spectrograms : [input, output]
        Each of shape (n_columns, 2, BANDS): the level of each band, from 0 at -90 dB to 255 at 0 dB, and the number of
        the source that owns it.

    Returns
    -------
    bytes
        One array of unsigned 8-bit integers, shape (n_columns, 2, 2, BANDS): of each column first what is of the input,
        then of the output, each first levels, then owners.
    """
    return np.stack(spectrograms, axis=1).tobytes()
