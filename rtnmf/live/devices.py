"""Sound devices by name: what there is, which one is meant, and why one cannot be used.

`listed` and `chosen` ask PortAudio in this process, and are for the processes that this room starts; `listing`
asks in a process of its own, which sees the devices as they are now and can be given up when it hangs.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
from typing import Any, NamedTuple, NoReturn

__all__ = [
    "Device",
    "Pair",
    "answer",
    "check_channels",
    "chosen",
    "chosen_input",
    "environment",
    "last_line",
    "leave",
    "listed",
    "listing",
    "portaudio",
    "python",
]

_RATES = (16000, 22050, 32000, 44100, 48000, 88200, 96000, 192000)
_MICROPHONE = re.compile(r"\b(mic|microphone|built-?in|internal|webcam)", re.IGNORECASE)
_LOUDSPEAKER = re.compile(r"\b(speakers?|loudspeakers?|built-?in|internal|hdmi|displayport)\b", re.IGNORECASE)
_CARD = re.compile(r"\(hw:(\w+),")
_LISTING_S = 20.0
_LEAVING_S = 0.4


class Device(NamedTuple):
    """A sound device as PortAudio shows it."""

    name: str
    host: str
    """The way to it: ALSA, JACK, Core Audio, WASAPI, ..."""
    n_inputs: int
    n_outputs: int
    sample_rate: int
    """That the device prefers, in Hz."""
    sample_rates: tuple[int, ...]
    """Usual rates that it takes, in Hz; empty when not asked for."""
    is_default_input: bool
    is_default_output: bool


class Pair(NamedTuple):
    """The input and the output of a stream: their numbers for PortAudio, and what is known of them."""

    numbers: tuple[int, int]
    input: Device
    output: Device


def portaudio() -> Any:
    """Return the sounddevice module.

    Raises
    ------
    ValueError
        If the PortAudio library is missing.
    """
    try:
        import sounddevice
    except OSError as error:
        raise ValueError(
            f"PortAudio is missing ({error}): install it, on Debian and Ubuntu with: sudo apt-get install libportaudio2"
        ) from error
    return sounddevice


def listed(*, with_rates: bool = False) -> list[Device]:
    """Return the devices as they were when PortAudio was started in this process."""
    sounddevice = portaudio()
    hosts = [host["name"] for host in sounddevice.query_hostapis()]
    default_input, default_output = sounddevice.default.device
    return [
        Device(
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


def listing(*, with_rates: bool = False) -> list[Device]:
    """Return the devices as they are now.

    Raises
    ------
    ValueError
        If PortAudio is missing, or does not answer.
    """
    try:
        ended = subprocess.run(
            python(f"from rtnmf.live import devices; devices.answer({with_rates})"),
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LISTING_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(
            f"the sound system did not say within {_LISTING_S:.0f} s which devices there are: restart it"
        ) from error
    try:
        said = json.loads(ended.stdout.decode(errors="replace").splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise ValueError(f"the list of devices could not be made: {last_line(ended.stderr)}") from error
    if "error" in said:
        raise ValueError(said["error"])
    return [Device(**device) for device in said["devices"]]


def answer(with_rates: bool) -> None:
    """Print the devices as a line of JSON, and end this process."""
    guard = threading.Timer(_LISTING_S, os._exit, [1])
    guard.daemon = True
    guard.start()
    try:
        found: dict[str, Any] = {"devices": [device._asdict() for device in listed(with_rates=with_rates)]}
    except ValueError as error:
        found = {"error": str(error)}
    print(json.dumps(found), flush=True)
    leave()


def leave() -> NoReturn:
    """Take leave of the sound system, but not for long, as it can hang for ever; then end this process."""
    threading.Timer(_LEAVING_S, os._exit, [0]).start()
    if "sounddevice" in sys.modules:
        with contextlib.suppress(Exception):
            portaudio()._terminate()
    os._exit(0)


def chosen(input_name: str | None, output_name: str | None, *, allow_feedback: bool = False) -> Pair:
    """Return the devices that are meant.

    Parameters
    ----------
    input_name, output_name : str, optional
        A part of the device's name, or of its name and its host's; None is the default, of the same host as the other
        one where that is named.
    allow_feedback : bool
        Take a microphone and loudspeakers that may hear each other.

    Raises
    ------
    ValueError
        If there is no such device, more than one, they have two clocks, or they would feed back.
    """
    devices = _some(listed())
    if input_name is None and output_name is not None:
        output = _number(devices, "output", output_name)
        numbers = _number(devices, "input", None, beside=output), output
    else:
        input_ = _number(devices, "input", input_name)
        numbers = input_, _number(devices, "output", output_name, beside=None if input_name is None else input_)
    pair = Pair(numbers, devices[numbers[0]], devices[numbers[1]])
    if pair.input.host != pair.output.host:
        raise ValueError(
            f"{pair.input.name!r} is reached by {pair.input.host}, {pair.output.name!r} by {pair.output.host}:"
            " choose two of one kind, see: rtnmf devices"
        )
    cards = [_CARD.search(device.name) for device in (pair.input, pair.output)]
    if cards[0] and cards[1] and cards[0][1] != cards[1][1]:
        raise ValueError(
            f"{pair.input.name!r} and {pair.output.name!r} are two sound cards with two clocks, which drift apart:"
            " use one card for both, or the devices of a sound server (PipeWire, PulseAudio, JACK), which corrects that"
        )
    if _MICROPHONE.search(pair.input.name) and _LOUDSPEAKER.search(pair.output.name) and not allow_feedback:
        raise ValueError(
            f"{pair.input.name!r} would hear {pair.output.name!r}, and howl: use headphones or another output, or"
            " --allow-feedback if they cannot hear each other"
        )
    return pair


def chosen_input(name: str | None, n_channels: int) -> tuple[int, Device]:
    """Return the number, and the facts, of the input device that is meant; raises as `chosen` does."""
    devices = _some(listed())
    number = _number(devices, "input", name)
    check_channels(devices[number], n_channels)
    return number, devices[number]


def check_channels(device: Device, n_channels: int) -> None:
    """Raise ValueError if a device has fewer input channels."""
    if device.n_inputs < n_channels:
        raise ValueError(
            f"{device.name!r} has {device.n_inputs} input channels, {n_channels} were asked for:"
            f" use --channels {device.n_inputs} or another device"
        )


def _some(devices: list[Device]) -> list[Device]:
    if not devices:
        raise ValueError(
            "there is no sound device: plug one in, start the sound server, or see what is missing with: rtnmf doctor"
        )
    return devices


def _number(devices: list[Device], kind: str, name: str | None, beside: int | None = None) -> int:
    """Return the number of the device that is meant; by default the one of the host that another device has."""
    sounddevice = portaudio()
    if name is None and beside is not None:
        host = sounddevice.query_hostapis(sounddevice.query_devices(beside)["hostapi"])
        if host[f"default_{kind}_device"] >= 0:
            return int(host[f"default_{kind}_device"])
    names = ", ".join(device.name for device in devices if _channels(device, kind)) or "none"
    try:
        number = sounddevice.query_devices(name, kind)["index"]
    except sounddevice.PortAudioError as error:
        raise ValueError(f"there is no default {kind} device: choose one of these with --{kind}: {names}") from error
    except ValueError as error:
        what = "more than one" if "Multiple" in str(error) else "no"
        raise ValueError(f"{what} {kind} device is called {name!r}: choose one of: {names}") from error
    if not _channels(devices[number], kind):
        raise ValueError(f"{devices[number].name!r} has no {kind}: choose one of: {names}")
    return int(number)


def _channels(device: Device, kind: str) -> int:
    return device.n_inputs if kind == "input" else device.n_outputs


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


def python(code: str) -> list[str]:
    """Return the command that runs code in another Python that finds the same modules."""
    return [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"]


def environment() -> dict[str, str]:
    """Return the environment of a process for sound: one thread for arithmetic, and no audio server started."""
    threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    return os.environ | dict.fromkeys(threads, "1") | {"JACK_NO_START_SERVER": "1"}


def last_line(said: bytes) -> str:
    """Return the last thing that a process said."""
    lines = said.decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it ended without a word")
