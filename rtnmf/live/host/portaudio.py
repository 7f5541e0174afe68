"""PortAudio in this process: it is loaded, started anew and left here, and nowhere else.

sounddevice has no public way to start PortAudio anew, which is what makes it see devices that have come since. Its
private names for that are used in `restart` and `leave` only.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

from rtnmf.live.link.device import Device

__all__ = ["CLIENT_NAME", "answer", "client_name", "in_time", "leave", "listed", "portaudio", "restart"]

CLIENT_NAME = "rtnmf_live" if os.environ.get("JACK_DEFAULT_SERVER") == "rtnmf" else "rtnmf"
"""What this program is called in JACK, where the sockets of a server and of a client of its name are the same file."""

_RATES = (16000, 22050, 32000, 44100, 48000, 88200, 96000, 192000)
_LEAVING_S = 0.4
_LIBRARY = "libportaudio.so.2"
_kept_name = ctypes.c_char_p(CLIENT_NAME.encode())  # PortAudio keeps the pointer


def portaudio() -> Any:
    """Return the sounddevice module.

    Raises
    ------
    ValueError
        If the PortAudio library is missing.
    """
    if "sounddevice" not in sys.modules:
        _set_client_name()
    try:
        import sounddevice
    except OSError as error:
        raise ValueError(
            f"PortAudio is missing ({error}): install it, on Debian and Ubuntu with: sudo apt-get install libportaudio2"
        ) from error
    return sounddevice


def client_name() -> str:
    """Return what JACK calls this program, which adds a number when there are several; empty without JACK."""
    name = ctypes.c_char_p()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(_LIBRARY).PaJack_GetClientName(ctypes.byref(name))
    return (name.value or b"").decode()


def _set_client_name() -> None:
    """Give PortAudio its name in JACK, which must happen before it is started; where it has no JACK, do nothing."""
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(_LIBRARY).PaJack_SetClientName(_kept_name)


def restart() -> bool:
    """Start PortAudio anew, so that it sees devices that have come or gone; return False if sounddevice cannot."""
    module = portaudio()
    if not (hasattr(module, "_terminate") and hasattr(module, "_initialize")):
        return False
    module._terminate()
    module._initialize()
    return True


def leave() -> NoReturn:
    """Terminate PortAudio within 0.4 s, as it can hang, then exit."""
    threading.Timer(_LEAVING_S, os._exit, [0]).start()
    if "sounddevice" in sys.modules:
        with contextlib.suppress(Exception):  # without it the sound system tidies up
            portaudio()._terminate()
    os._exit(0)


@contextlib.contextmanager
def in_time(patience_s: float, reason: str) -> Iterator[None]:
    """End this process, with a reason on standard error, if a block takes longer than that: PortAudio can hang."""
    guard = threading.Timer(patience_s, _end, [reason])
    guard.daemon = True
    guard.start()
    try:
        yield
    finally:
        guard.cancel()


def _end(reason: str) -> NoReturn:
    print(reason, file=sys.stderr, flush=True)
    os._exit(1)


def listed(*, with_rates: bool = False) -> list[Device]:
    """Return the devices as they were when PortAudio was started in this process."""
    sounddevice = portaudio()
    hosts = [host["name"] for host in sounddevice.query_hostapis()]
    default_input, default_output = sounddevice.default.device
    return [
        Device(
            number,
            found["name"],
            hosts[found["hostapi"]],
            found["max_input_channels"],
            found["max_output_channels"],
            int(found["default_samplerate"]),
            tuple(_rates(sounddevice, number, found)) if with_rates else (),
            number == default_input,
            number == default_output,
        )
        for number, found in enumerate(sounddevice.query_devices())
    ]


def _rates(sounddevice: Any, number: int, found: dict[str, Any]) -> list[int]:
    check, kind = sounddevice.check_input_settings, "max_input_channels"
    if not found[kind]:
        check, kind = sounddevice.check_output_settings, "max_output_channels"
    rates = []
    for rate in sorted({*_RATES, int(found["default_samplerate"])}):
        try:
            check(number, min(found[kind], 2), samplerate=rate)
        except sounddevice.PortAudioError:
            continue
        rates.append(rate)
    return rates


def answer(patience_s: float, *, with_rates: bool) -> None:
    """Print the devices as a line of JSON, and end this process; in any case end it after `patience_s`."""
    guard = threading.Timer(patience_s, os._exit, [1])
    guard.daemon = True
    guard.start()
    try:
        found: dict[str, Any] = {"devices": [device._asdict() for device in listed(with_rates=with_rates)]}
    except ValueError as error:
        found = {"error": str(error)}
    print(json.dumps(found), flush=True)
    leave()
