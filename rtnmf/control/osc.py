"""OSC over UDP: controllers steer a running separation, and hear what becomes of it.

Sources are named as they are in the address, each sign that may not stand there as % and two digits, so that `drum kit`
is `drum%20kit`: `address_part`. What is not understood is counted and told at `/rtnmf/error`; nothing raises.
"""

from __future__ import annotations

import contextlib
import logging
import math
import re
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import quote

from rtnmf.control.osc_packets import MOST_BYTES, messages, packed

if TYPE_CHECKING:
    from rtnmf.control.desk import Desk
    from rtnmf.live import Stats

__all__ = ["OFF_DB", "PORT", "PREFIX", "Osc", "address_part", "host_and_port"]

INSTALL = "pip install 'rtnmf[studio]'"
PREFIX = "/rtnmf"
PORT = 9000
"""Where messages are expected unless another port is asked for."""
OFF_DB = -120.0
"""What is sent of a gain that is off, and of silence."""

_log = logging.getLogger(__name__)

_FRAME_S = 1 / 30
_MOST_PER_FRAME = 256
_LONGEST_TEXT = 200
_FORGOTTEN_S = 600.0
_LESSON_S = 10.0
_ALL = "*"

Address = tuple[Any, ...]
"""Where a packet comes from or goes to, as sockets have it."""


def address_part(source: str) -> str:
    """Return the part of an address that stands for a source; those of different sources differ."""
    return quote(source, safe="")


def host_and_port(text: str) -> tuple[str, int]:
    """Return host and port of HOST:PORT.

    Raises
    ------
    ValueError
        If it is nothing of the kind.
    """
    host, _, port = text.rpartition(":")
    if not host or not re.fullmatch(r"\d{1,5}", port, re.ASCII) or not 0 < int(port) < 2**16:
        raise ValueError(f"{text!r} is no address to send to: write HOST:PORT, such as 192.168.1.20:9001")
    return host.strip("[]"), int(port)


class _Receiver(NamedTuple):
    """Somebody who is told what changes."""

    socket: socket.socket
    address: Address
    sent: dict[str, Any]
    """What was told last, by its OSC address."""


class Osc:
    """Do what OSC messages ask of a desk, and tell what changes, from `open` to `close`, or within a context.

    State goes to whoever sent a message last, for ten minutes, and to the places in `send_to`; levels up to 30 times a
    second.

    Thread safety
        All methods may be called from any thread.

    Parameters
    ----------
    desk : Desk
    host : str
        Address to listen at.
    port : int
        0 for any that is free, see the attribute.
    send_to : sequence of (host, port)
        Who is told in any case.
    studio : {verb: function}
        What `/rtnmf/preset` (called with a name), `teach` (a name, seconds), `keep`, `drop` and `record` (on or off) do
        where there is more than a desk; each may take its time, and raises ValueError where it cannot be done.

    Attributes
    ----------
    port : int
    n_dropped : int
        Packets and messages that were not understood, or asked for what there is not.
    n_unsent : int
        Messages that could not be sent.

    Raises
    ------
    ValueError
        If the port is taken, a host is not known, or python-osc is not installed.
    """

    def __init__(
        self,
        desk: Desk,
        host: str = "127.0.0.1",
        port: int = PORT,
        *,
        send_to: Sequence[tuple[str, int]] = (),
        studio: Mapping[str, Callable[..., object]] | None = None,
    ) -> None:
        if find_spec("pythonosc") is None:
            raise ValueError(f"OSC needs python-osc: {INSTALL}")
        self._desk = desk
        self._studio: dict[str, Callable[..., Any]] = {"record": desk.record, "preset": self._turn_to_preset}
        self._studio |= studio or {}
        self._at_work = threading.Lock()
        self.n_dropped = self.n_unsent = 0
        self._error = ""
        self._sockets = contextlib.ExitStack()
        with contextlib.ExitStack() as opened:
            self._socket = opened.enter_context(_bound(host, port))
            self._receivers = [_Receiver(*_reached(opened, *place), {}) for place in send_to]
            self._sockets = opened.pop_all()
        self.port = int(self._socket.getsockname()[1])
        self._sender: _Receiver | None = None
        self._heard_s = 0.0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rtnmf-osc", daemon=True)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """Stop, within a moment."""
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._sockets.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            end = time.monotonic() + _FRAME_S
            self._receive(end)
            try:
                self._tell()
            except Exception:  # a controller must not cost the others
                _log.exception("telling OSC controllers failed")
                self._closing.wait(1)

    def _receive(self, end: float) -> None:
        """Do what comes in until a frame is over; what is more than it may be waits, and the system drops the rest."""
        left = _MOST_PER_FRAME
        while (patience_s := end - time.monotonic()) > 0:
            if left <= 0:
                self._closing.wait(patience_s)
                return
            if select.select([self._socket], [], [], patience_s)[0]:
                with contextlib.suppress(OSError):  # an earlier answer that nobody took
                    packet, sender = self._socket.recvfrom(MOST_BYTES + 1)
                    left -= self._take(packet, sender)

    def _take(self, packet: bytes, sender: Address) -> int:
        """Do what a packet asks for, and return how many messages were in it, at least 1."""
        n_messages = 0
        try:
            for address, values in messages(packet):
                n_messages += 1
                self._do(address, values, sender)
        except ValueError:
            self.n_dropped += 1
        return max(1, n_messages)

    def _do(self, address: str, values: list[Any], sender: Address) -> None:
        if not address.startswith(f"{PREFIX}/"):
            self.n_dropped += 1
            return
        self._note_sender(sender)
        self._error = ""
        try:
            self._obey(address.removeprefix(f"{PREFIX}/").split("/"), values)
        except ValueError as error:
            self._refuse(address, str(error))
        except Exception as error:
            self._refuse(address, repr(error))
            _log.exception("what %s asked for failed", address)

    def _note_sender(self, sender: Address) -> None:
        if self._sender is None or self._sender.address != sender:
            self._sender = _Receiver(self._socket, sender, {})
        self._heard_s = time.monotonic()

    def _obey(self, parts: list[str], values: list[Any]) -> None:
        if len(parts) == 1:
            self._obey_master(parts[0], values)
        elif len(parts) == 2:
            sources = [s for s in self._desk.sources if parts[0] in (_ALL, address_part(s))]
            if not sources:
                raise ValueError(f"there is no source {parts[0]!r}: choose from {', '.join(self._desk.sources)}")
            for source in sources:
                self._obey_strip(source, parts[1], values)
        else:
            raise ValueError("there is no such address")

    def _obey_strip(self, source: str, verb: str, values: list[Any]) -> None:
        desk = self._desk
        if verb == "gain":
            desk.set_gain(source, _number(values, least=-math.inf))
        elif verb == "fader":
            desk.set_fader(source, _number(values))
        elif verb == "solo":
            desk.solo(source, _switch(values, source in desk.live.soloed))
        elif verb == "mute":
            desk.mute(source, _switch(values, source in desk.live.muted))
        else:
            raise ValueError("there is no such address")

    def _obey_master(self, verb: str, values: list[Any]) -> None:
        desk = self._desk
        if verb == "bypass":
            desk.set_bypass(_switch(values, desk.live.bypass))
        elif verb == "wet":
            desk.set_wet(_number(values))
        elif verb == "reset":
            desk.reset_marks()
        elif verb == "sources":  # a question: it is told anew
            for receiver in self._told():
                receiver.sent.pop(f"{PREFIX}/{verb}", None)
        elif verb == "refresh":
            for receiver in self._told():
                receiver.sent.clear()
        elif verb in self._studio:
            self._begin(verb, self._arguments(verb, values))
        elif verb in ("teach", "keep", "drop"):
            raise ValueError("sounds are taught in the studio: start rtnmf studio")
        else:
            raise ValueError("there is no such address")

    def _arguments(self, verb: str, values: list[Any]) -> list[Any]:
        """Return what a function of the studio is called with."""
        if verb == "record":
            return [_switch(values, self._desk.live.recording.is_on)]
        if verb == "preset":
            return [_text(values)]
        return [_text(values[:1]), _number(values[1:] or [_LESSON_S], least=1)] if verb == "teach" else []

    def _begin(self, verb: str, arguments: list[Any]) -> None:
        """Do what takes its time beside all else, one thing at a time."""
        if not self._at_work.acquire(blocking=False):
            raise ValueError("something else is being done: try again in a moment")

        def work() -> None:
            try:
                self._studio[verb](*arguments)
            except (ValueError, TypeError, OSError) as error:
                self._refuse(f"{PREFIX}/{verb}", str(error))
            except Exception as error:
                self._refuse(f"{PREFIX}/{verb}", repr(error))
                _log.exception("what %s/%s asked for failed", PREFIX, verb)
            finally:
                self._at_work.release()

        threading.Thread(target=work, name="rtnmf-osc-work", daemon=True).start()

    def _turn_to_preset(self, name: str) -> None:
        """Listen for the same sources with presets, joined with +, and no file of any name."""
        from rtnmf.dictionary import load_preset
        from rtnmf.dictionary.shelf import merged

        for part in name.split("+"):
            load_preset(part)  # raises where it is none
        live = self._desk.live
        dictionary = merged(name, live.dictionary.sample_rate)
        if set(dictionary.sources) != set(live.sources):
            raise ValueError(
                f"{name} has the sources {', '.join(dictionary.sources)}, expected {', '.join(live.sources)}: others"
                " can be loaded in rtnmf studio"
            )
        live.dictionary = dictionary

    def _refuse(self, address: str, reason: str) -> None:
        self.n_dropped += 1
        self._error = f"{address}: {reason}"[:_LONGEST_TEXT]
        for receiver in self._told():
            receiver.sent.pop(f"{PREFIX}/error", None)  # the same again is told again

    def _told(self) -> list[_Receiver]:
        """Return who is told what changes."""
        if self._sender is not None and time.monotonic() - self._heard_s > _FORGOTTEN_S:
            self._sender = None
        fixed = {receiver.address for receiver in self._receivers}
        sender = [self._sender] if self._sender is not None and self._sender.address not in fixed else []
        return self._receivers + sender

    def _tell(self) -> None:
        """Send what has changed since it was told last."""
        receivers = self._told()
        if not receivers:
            return
        state = self._state(self._desk.live.stats)
        packets: dict[str, bytes] = {}
        for receiver in receivers:
            for address in [address for address, value in state.items() if receiver.sent.get(address) != value]:
                if address not in packets:
                    packets[address] = packed(address, state[address])
                try:
                    receiver.socket.sendto(packets[address], receiver.address)
                except OSError:
                    self.n_unsent += 1
            receiver.sent.update(state)

    def _state(self, stats: Stats) -> dict[str, Any]:
        """Return all that is told, by its address."""
        desk, live = self._desk, self._desk.live
        state: dict[str, Any] = {"sources": list(desk.sources)}
        for strip in desk.strips(stats):
            part = address_part(strip.source)
            state |= {
                f"{part}/gain": _db(strip.gain_db),
                f"{part}/fader": round(strip.fader, 4),
                f"{part}/solo": int(strip.is_soloed),
                f"{part}/mute": int(strip.is_muted),
                f"{part}/level": _db(strip.peak_db),
                f"{part}/over": int(strip.is_over),
            }
        state |= {
            "bypass": int(live.bypass),
            "wet": live.wet,
            "record": int(live.recording.is_on),
            "level": _db(stats.output_peak_db),
            "input_level": _db(stats.input_peak_db),
            "over": int(desk.is_over(stats)),
            "trouble": desk.trouble(stats),
            "error": self._error,
        }
        return {f"{PREFIX}/{name}": value for name, value in state.items()}


def _bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        bound = socket.socket(family, socket.SOCK_DGRAM)
    except OSError as error:
        raise ValueError(f"cannot listen for OSC at {host} ({error}): is that an address of this machine?") from error
    try:
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise ValueError(f"cannot listen for OSC at {host}:{port} ({error}): choose another port") from error
    bound.setblocking(False)
    return bound


def _reached(opened: contextlib.ExitStack, host: str, port: int) -> tuple[socket.socket, Address]:
    """Return a socket to send from, and the address to send to."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    except OSError as error:
        raise ValueError(f"cannot send OSC to {host}:{port} ({error}): is it spelled right?") from error
    sending = opened.enter_context(socket.socket(family, socket.SOCK_DGRAM))
    sending.setblocking(False)
    return sending, address


def _db(level_db: float) -> float:
    return round(max(OFF_DB, level_db), 1)


def _number(values: list[Any], *, least: float = -1e9) -> float:
    """Return the one value of a message as a number."""
    if len(values) != 1 or not isinstance(values[0], (int, float)) or not least <= values[0] < math.inf:
        raise ValueError(f"got {_shown(values)}, expected one number")
    return float(values[0])


def _switch(values: list[Any], is_on: bool) -> bool:
    """Return whether a message switches something on; without a value it switches to the other state."""
    return _number(values) > 0.5 if values else not is_on


def _text(values: list[Any]) -> str:
    if len(values) != 1 or not isinstance(values[0], str):
        raise ValueError(f"got {_shown(values)}, expected a name")
    return values[0]


def _shown(values: list[Any]) -> str:
    return ", ".join(f"{value!r:.40}" for value in values) or "nothing"
