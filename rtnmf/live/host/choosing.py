"""Which devices are meant, and why they cannot be used together."""

from __future__ import annotations

import re
from typing import NamedTuple

from rtnmf.live.host.portaudio import listed, portaudio
from rtnmf.live.link.device import Device, why_none

__all__ = ["Pair", "check_inputs", "chosen", "chosen_input"]

_MICROPHONE = re.compile(r"\b(mic|microphone|built-?in|internal|webcam)", re.IGNORECASE)
_LOUDSPEAKER = re.compile(r"\b(speakers?|loudspeakers?|built-?in|internal|hdmi|displayport)\b", re.IGNORECASE)
_CARD = re.compile(r"\(hw:(\w+),")

Wish = str | int | None


class Pair(NamedTuple):
    """The input and the output of a stream."""

    input: Device
    output: Device

    @property
    def numbers(self) -> tuple[int, int]:
        """Their numbers for PortAudio."""
        return self.input.number, self.output.number


def chosen(input: Wish, output: Wish, *, allow_feedback: bool = False) -> Pair:  # noqa: A002  # as `Live` calls it
    """Return the devices that are meant.

    Parameters
    ----------
    input, output : str or int, optional
        Part of the device's name, or of its name and its host's; its number in the list, also in digits; None is
        the default, of the same host as the other device where that is given.
    allow_feedback : bool
        Accept a microphone and loudspeakers that may hear each other.

    Raises
    ------
    ValueError
        If there is no such device, more than one, they have two clocks, or they would feed back.
    """
    devices = _present(listed())
    if input is None and output is not None:
        loudspeakers = _device(devices, "output", output)
        pair = Pair(_device(devices, "input", None, beside=loudspeakers), loudspeakers)
    else:
        microphone = _device(devices, "input", input)
        pair = Pair(microphone, _device(devices, "output", output, beside=None if input is None else microphone))
    _check_pair(pair, allow_feedback=allow_feedback)
    return pair


def chosen_input(wish: Wish, n_channels: int) -> Device:
    """Return the input device that is meant; raises as `chosen` does."""
    device = _device(_present(listed()), "input", wish)
    check_inputs(device, n_channels)
    return device


def check_inputs(device: Device, n_channels: int) -> None:
    """Raise ValueError if a device has fewer input channels."""
    if device.n_inputs < n_channels:
        raise ValueError(
            f"{device.name!r} has {device.n_inputs} input channels, {n_channels} were asked for:"
            f" pass n_channels={device.n_inputs}, or use another device"
        )


def _check_pair(pair: Pair, *, allow_feedback: bool) -> None:
    """Raise ValueError if two devices do not go together."""
    if pair.input.host != pair.output.host:
        raise ValueError(
            f"{pair.input.name!r} is reached by {pair.input.host}, {pair.output.name!r} by {pair.output.host}:"
            " choose two of one kind, see: rtnmf devices"
        )
    cards = [_CARD.search(device.name) for device in pair]
    if cards[0] and cards[1] and cards[0][1] != cards[1][1]:
        raise ValueError(
            f"{pair.input.name!r} and {pair.output.name!r} are two sound cards with two clocks, which drift apart:"
            " use one card for both, or the devices of a sound server (PipeWire, PulseAudio, JACK), which corrects that"
        )
    if _MICROPHONE.search(pair.input.name) and _LOUDSPEAKER.search(pair.output.name) and not allow_feedback:
        raise ValueError(
            f"{pair.input.name!r} would hear {pair.output.name!r}, and howl: use headphones or another output, or"
            " pass allow_feedback=True if they cannot hear each other"
        )


def _present(devices: list[Device]) -> list[Device]:
    if not devices:
        raise ValueError(why_none())
    return devices


def _device(devices: list[Device], kind: str, wish: Wish, beside: Device | None = None) -> Device:
    """Return the device that is meant; by default the one of the host that another device has."""
    able = [device for device in devices if device.n_channels(kind)]
    names = ", ".join(f"{device.number} {device.name}" for device in able) or "none"
    if isinstance(wish, int) or (wish is not None and wish.isascii() and wish.isdecimal()):
        device = _numbered(devices, kind, int(wish), names)
    else:
        device = _named(devices, kind, wish, beside, names)
    if not device.n_channels(kind):
        raise ValueError(f"{device.name!r} has no {kind}: choose one of: {names}")
    return device


def _numbered(devices: list[Device], kind: str, number: int, names: str) -> Device:
    if not 0 <= number < len(devices):
        raise ValueError(f"there is no {kind} device {number}: choose one of: {names}")
    return devices[number]


def _named(devices: list[Device], kind: str, name: str | None, beside: Device | None, names: str) -> Device:
    sounddevice = portaudio()
    if name is None and beside is not None:
        host = sounddevice.query_hostapis(sounddevice.query_devices(beside.number)["hostapi"])
        if host[f"default_{kind}_device"] >= 0:
            return devices[host[f"default_{kind}_device"]]
    try:
        return devices[sounddevice.query_devices(name, kind)["index"]]
    except sounddevice.PortAudioError as error:
        raise ValueError(f"there is no default {kind} device: choose one of: {names}") from error
    except ValueError as error:
        what = "more than one" if "Multiple" in str(error) else "no"
        raise ValueError(f"{what} {kind} device is called {name!r}: choose one of: {names}") from error
