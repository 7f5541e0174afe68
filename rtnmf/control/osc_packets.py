"""Packets of OSC: what is in them, read with care, and how they are made."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Any

from rtnmf.words import plain

__all__ = ["MOST_BYTES", "messages", "packed"]

MOST_BYTES = 8192
"""Of a packet; what is longer is none."""

_BUNDLE = b"#bundle\0"
_DEEPEST_BUNDLE = 4
_ADDRESS, _TAGS = re.compile(rb"/[!-~]{1,255}"), re.compile(rb"(,[ifhdsTF]{0,8})?")
_LEAST_BYTES = {ord("h"): 8, ord("d"): 8, ord(","): 0, ord("T"): 0, ord("F"): 0}


def messages(packet: bytes, depth: int = 0) -> Iterator[tuple[str, list[Any]]]:
    """Yield address and values of each message in a packet, times left aside; raises ValueError if it is none.

    Sizes are checked before python-osc reads anything: it follows those in a bundle wherever they lead, and takes what
    is missing of a number for zeros.
    """
    if len(packet) > MOST_BYTES or len(packet) % 4 or depth > _DEEPEST_BUNDLE:
        raise ValueError("this is too long, or not padded")
    if packet.startswith(_BUNDLE):
        start = len(_BUNDLE) + 8
        if start > len(packet):
            raise ValueError("a bundle has no time")
        while start < len(packet):
            (size,) = struct.unpack_from(">i", packet, start)
            if not 0 < size <= len(packet) - start - 4:
                raise ValueError("a size in a bundle is wrong")
            yield from messages(packet[start + 4 : start + 4 + size], depth + 1)
            start += 4 + size
    else:
        yield _message(packet)


def _message(packet: bytes) -> tuple[str, list[Any]]:
    from pythonosc import osc_message

    address = packet.partition(b"\0")[0]
    tags = packet[_padded(address) :].partition(b"\0")[0]
    n_bytes = len(packet) - _padded(address) - _padded(tags)
    if not _ADDRESS.fullmatch(address) or not _TAGS.fullmatch(tags):
        raise ValueError("this is no message, or has arguments of another type")
    if tags and n_bytes < sum(_LEAST_BYTES.get(tag, 4) for tag in tags):
        raise ValueError("arguments are missing")
    try:
        message = osc_message.OscMessage(packet)
    except (osc_message.ParseError, UnicodeDecodeError) as error:
        raise ValueError(plain(str(error))) from error
    return message.address, message.params


def _padded(text: bytes) -> int:
    """Return the bytes that a text takes in a packet."""
    return len(text) // 4 * 4 + 4


def packed(address: str, value: Any) -> bytes:
    """Return the packet of a message: whole numbers, numbers, a text or several."""
    from pythonosc.osc_message_builder import OscMessageBuilder

    builder = OscMessageBuilder(address)
    for each in value if isinstance(value, list) else [value]:
        builder.add_arg(each)
    return builder.build().dgram
