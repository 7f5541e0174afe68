"""What the first bytes of an audio file say, and which of it may be believed.

Sizes in a header are hints: they are compared with the file, and never used to allocate memory.
"""

from __future__ import annotations

import io
import re
import struct
from typing import Any, BinaryIO, NamedTuple

__all__ = [
    "PLACEHOLDER",
    "SplicedWave",
    "Wave",
    "chunk",
    "chunk_at",
    "has_one_ogg_link",
    "mpeg_excess",
    "ogg_ends",
    "says_mpeg",
    "wave",
]

PLACEHOLDER = 0x7FFF0000
"""Programs that write to a pipe leave at least this as the bytes of sound."""
_WRAP = 2**32  # sizes in a WAV file have 32 bits
_MPEG_TAGS = (0x50, 0x55)
_CHUNK_ID = re.compile(rb"[ -~]{4}")
_W64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_W64_TAIL = b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"  # of the identifiers of its chunks


class Wave(NamedTuple):
    """Where the sound of a WAV file lies."""

    fmt: bytes
    """The body of its `fmt ` chunk."""
    offset: int
    """Of the first byte of sound."""
    stated: int
    """Bytes of sound by the header."""
    there: int
    """Bytes of sound in the file."""

    @property
    def is_misstated(self) -> bool:
        """Whether the header gives less than there is: a recorder that crashed, a pipe, or more than 4 GiB."""
        return self.there > self.stated

    @property
    def is_cut(self) -> bool:
        """Whether the file ends before the length that its header gives in earnest."""
        return self.there < self.stated < PLACEHOLDER

    @property
    def is_mpeg(self) -> bool:
        """Whether the sound is coded as MPEG audio."""
        return int.from_bytes(self.fmt[:2], "little") in _MPEG_TAGS


def wave(file: BinaryIO) -> Wave | None:
    """Find the sound of a RIFF WAV file; None for any other file."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return None
    fmt, at = b"", 12
    for _ in range(1000):
        name, stated = _chunk(file, at)
        if name == b"data":
            return Wave(fmt, at + 8, stated, _there(file, at + 8, stated, size)) if fmt else None
        if not name:
            return None
        if name == b"fmt ":
            fmt = file.read(min(stated, 4096))
        at += 8 + stated + stated % 2
    return None


def _there(file: BinaryIO, offset: int, stated: int, size: int) -> int:
    """Return the bytes of sound, believing the header only where it agrees with the file."""
    rest = size - offset
    if stated >= rest:
        return rest
    if rest >= _WRAP:
        return stated + (rest - stated) // _WRAP * _WRAP if stated not in (0, _WRAP - 1) else rest
    if stated == 0 and not _are_chunks(file, offset, size):
        return rest
    return stated


def _chunk(file: BinaryIO, at: int) -> tuple[bytes, int]:
    file.seek(at)
    head = file.read(8)
    return (head[:4], int.from_bytes(head[4:], "little")) if len(head) == 8 else (b"", 0)


def _are_chunks(file: BinaryIO, at: int, size: int) -> bool:
    """Return whether nothing but whole chunks follows."""
    while at < size:
        name, stated = _chunk(file, at)
        if not _CHUNK_ID.fullmatch(name):
            return False
        at += 8 + stated + stated % 2
    return at <= size + 1


def chunk(file: BinaryIO, name: bytes) -> bytes:
    """Return the body of the first chunk of a name in a WAV file, at most 64 kB of it; empty without such a chunk."""
    at, stated = chunk_at(file, name)
    file.seek(at)
    return file.read(min(stated, 2**16)) if at else b""


def chunk_at(file: BinaryIO, name: bytes) -> tuple[int, int]:
    """Return where the body of the first chunk of a name begins in a WAV file, and its bytes; zeros without one."""
    file.seek(0)
    head = file.read(12)
    at = 12
    for _ in range(1000 if head[:4] in (b"RIFF", b"RF64") and head[8:] == b"WAVE" else 0):
        found, stated = _chunk(file, at)
        if not found:
            break
        if found == name:
            return at + 8, stated
        at += 8 + stated + stated % 2
    return 0, 0


class SplicedWave(io.RawIOBase):
    """A WAV file as a W64 file, whose sizes have 64 bits and are right; nothing is copied."""

    def __init__(self, file: BinaryIO, found: Wave) -> None:
        body = found.fmt + bytes(-len(found.fmt) % 8)
        fmt = b"fmt " + _W64_TAIL + struct.pack("<Q", 24 + len(found.fmt)) + body
        data = b"data" + _W64_TAIL + struct.pack("<Q", 24 + found.there)
        whole = 40 + len(fmt) + len(data) + found.there
        self._head = _W64_RIFF + struct.pack("<Q", whole) + b"wave" + _W64_TAIL + fmt + data
        self._file, self._offset, self._size, self._at = file, found.offset, whole, 0

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that it can be searched."""
        return True

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, and return it."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, and return the number of bytes."""
        view = memoryview(buffer).cast("B")
        part = self._head[self._at : self._at + len(view)]
        if not part:
            self._file.seek(self._offset + self._at - len(self._head))
            part = self._file.read(max(0, min(len(view), self._size - self._at)))
        view[: len(part)] = part
        self._at += len(part)
        return len(part)


def says_mpeg(head: bytes) -> bool:
    """Return whether a file begins with an ID3 tag, or with a frame of MPEG audio or AAC."""
    return head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0)


def mpeg_excess(file: BinaryIO) -> int | None:
    """Return how many bytes an MPEG file has beyond the length by its Xing tag, less than 0 if it is cut off.

    None where there is no such tag.
    """
    size, start = file.seek(0, io.SEEK_END), 0
    file.seek(0)
    head = file.read(10)
    if head[:3] == b"ID3" and len(head) == 10:
        start = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
    file.seek(start)
    head = file.read(512)
    at = max(head.find(b"Xing"), head.find(b"Info"))
    if at < 0 or len(head) < at + 16:
        return None
    flags, _, n_bytes = struct.unpack(">III", head[at + 4 : at + 16])
    return size - start - n_bytes if flags & 3 == 3 else None


def has_one_ogg_link(file: BinaryIO) -> bool:
    """Return whether an Ogg file is one stream from its beginning to its end, and not several joined."""
    at, began = 0, False
    while len(header := _ogg_page(file, at)) >= 27:
        if header[:4] != b"OggS":
            return False
        if header[5] & 2 and began:
            return False
        began = began or not header[5] & 2
        at += 27 + header[26] + sum(header[27:])
    return True


def _ogg_page(file: BinaryIO, at: int) -> bytes:
    file.seek(at)
    header = file.read(27)
    return header + file.read(header[26]) if len(header) == 27 else b""


def ogg_ends(file: BinaryIO) -> bool:
    """Return whether the last page of an Ogg file is whole and marked as the last."""
    size = file.seek(0, io.SEEK_END)
    start = max(0, size - 2**17)
    file.seek(start)
    at = file.read().rfind(b"OggS")
    header = _ogg_page(file, start + at) if at >= 0 else b""
    return len(header) > 27 and bool(header[5] & 4) and start + at + len(header) + sum(header[27:]) <= size
