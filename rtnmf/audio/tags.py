"""What a recording says of itself, title and timecode, carried over into what is made of it."""

from __future__ import annotations

import contextlib
import struct
import warnings
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

import soundfile

from rtnmf.audio import headers, media

__all__ = ["NONE", "Tags", "put", "read"]

_TEXTS = {  # in FFmpeg's words and in libsndfile's
    "title": "title",
    "artist": "artist",
    "album": "album",
    "date": "date",
    "comment": "comment",
    "genre": "genre",
    "track": "tracknumber",
    "copyright": "copyright",
}
_PLAIN = (b"RIFF", b"RF64", b"FORM", b"fLaC", b"caff", b"riff")  # libsndfile reads these, in 25 MB less
_HEAD_BYTES = 2**16
_LONGEST = 1000
_SET_BROADCAST_INFO = 0x10F1  # a command of libsndfile, for which soundfile has no method
_BEXT_BYTES = 602  # of a `bext` chunk before the coding history
_ALIGNED = 338  # bytes of it, after which libsndfile's struct has a gap of two


class Tags(NamedTuple):
    """What a recording says of itself."""

    texts: Mapping[str, str]
    """Title, artist and the like, in libsndfile's words."""
    bext: bytes = b""
    """The `bext` chunk of a Broadcast Wave file: timecode, description, originator."""


NONE = Tags({})


def read(file: BinaryIO) -> Tags:
    """Return the tags of an open file, whose position stays as it is."""
    position = file.tell()
    try:
        bext = headers.chunk(file, b"bext")
        return Tags(_texts(file), bext if len(bext) >= _BEXT_BYTES else b"")
    finally:
        file.seek(position)


def _texts(file: BinaryIO) -> dict[str, str]:
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    is_plain = head[:4] in _PLAIN and b"description=" not in head.lower()  # which is FFmpeg's comment in FLAC
    if not is_plain and media.is_installed():
        found = {name.lower(): text for name, text in media.metadata(file).items()}
        pairs = {word: found.get(name, "") for name, word in _TEXTS.items()}
    else:
        file.seek(0)
        pairs = {}
        with contextlib.suppress(soundfile.SoundFileError), soundfile.SoundFile(file.fileno(), closefd=False) as sound:
            pairs = {word: getattr(sound, word) for word in _TEXTS.values()}
    return {word: text.replace("\0", "")[:_LONGEST] for word, text in pairs.items() if text}


def put(sound: Any, tags: Tags) -> None:
    """Give tags to a `soundfile.SoundFile` to which nothing was written yet, as far as its format can hold them."""
    for word, text in tags.texts.items():
        with contextlib.suppress(soundfile.SoundFileError):
            setattr(sound, word, text)
    if tags.bext and sound.format in ("WAV", "WAVEX", "RF64"):
        fixed, history = tags.bext[:_BEXT_BYTES], tags.bext[_BEXT_BYTES:]
        info = fixed[:_ALIGNED] + bytes(2) + fixed[_ALIGNED:] + struct.pack("=I", len(history)) + history
        try:
            soundfile._snd.sf_command(sound._file, _SET_BROADCAST_INFO, info, len(info))
        except AttributeError:
            warnings.warn(
                f"soundfile {soundfile.__version__} has no way to write a timecode, which is left out: 0.13 has one",
                stacklevel=2,
            )
