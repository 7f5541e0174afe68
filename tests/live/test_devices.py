"""Which devices are meant, on machines that are not this one: their PortAudio is played by a few lines."""

import pytest

from rtnmf.live import devices
from rtnmf.live.devices import Device, chosen, chosen_input, listed

CARDS = [
    ("USB Audio: - (hw:1,0)", 0, 1, 2),
    ("HDA Intel: ALC (hw:0,0)", 0, 2, 2),
    ("default", 0, 32, 32),
    ("MacBook Microphone", 1, 1, 0),
    ("MacBook Speakers", 1, 0, 2),
    ("External Headphones", 1, 0, 2),
]


class PortAudio:
    """A few sound cards, asked as PortAudio is."""

    PortAudioError = RuntimeError

    class default:  # noqa: N801  # as sounddevice calls it
        """The defaults of the system."""

        device = (2, 2)

    def query_hostapis(self, number=None):
        """Return the ways to the devices."""
        hosts = [
            {"name": "ALSA", "default_input_device": 2, "default_output_device": 2},
            {"name": "Core Audio", "default_input_device": 3, "default_output_device": 4},
        ]
        return hosts if number is None else hosts[number]

    def query_devices(self, name=None, kind=None):
        """Return all devices, or the one that is meant."""
        every = [
            {
                "name": card,
                "index": i,
                "hostapi": host,
                "max_input_channels": n_inputs,
                "max_output_channels": n_outputs,
                "default_samplerate": 44100.0,
            }
            for i, (card, host, n_inputs, n_outputs) in enumerate(CARDS)
        ]
        if name is None and kind is None:
            return every
        if name is None:
            return every[self.default.device[kind == "output"]]
        if isinstance(name, int):
            return every[name]
        found = [one for one in every if name.lower() in one["name"].lower() and one[f"max_{kind}_channels"]]
        if len(found) != 1:
            raise ValueError("Multiple devices" if found else "No device")
        return found[0]

    def check_input_settings(self, number, channels, samplerate):
        """Take two rates only."""
        if samplerate not in (44100, 48000):
            raise self.PortAudioError("Invalid sample rate")

    check_output_settings = check_input_settings


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """Be on a machine with these cards."""
    fake = PortAudio()
    monkeypatch.setattr(devices, "portaudio", lambda: fake)
    return fake


def test_list_has_channels_rates_and_defaults():
    """The list has channels, rates and defaults."""
    found = listed(with_rates=True)
    assert found[2] == Device("default", "ALSA", 32, 32, 44100, (44100, 48000), True, True)
    assert [device.n_outputs for device in found] == [2, 2, 32, 0, 2, 2]


@pytest.mark.parametrize(
    ("names", "numbers"),
    [((None, None), (2, 2)), (("usb", "usb"), (0, 0)), ((None, "headphones"), (3, 5)), (("usb", None), (0, 2))],
)
def test_devices_are_found_by_a_part_of_their_name(names, numbers):
    """Devices are found by a part of their name; what is not named is the default of the same host."""
    assert chosen(*names).numbers == numbers


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("usb", "intel"), "two sound cards with two clocks, which drift apart: use one card for both, or"),
        (("macbook", "speakers"), "'MacBook Microphone' would hear 'MacBook Speakers', and howl: use headphones"),
        (("usb", "headphones"), "is reached by ALSA, 'External Headphones' by Core Audio: choose two of one kind"),
        (("nothing", None), "no input device is called 'nothing': choose one of: USB"),
        (("a", None), "more than one input device is called 'a': choose one of: USB"),
    ],
)
def test_what_does_not_go_together_is_refused(names, message):
    """What does not go together is refused, with the remedy."""
    with pytest.raises(ValueError, match=message):
        chosen(*names)


def test_feedback_is_taken_when_asked_for():
    """A microphone and loudspeakers are taken when asked for."""
    assert chosen("macbook", "speakers", allow_feedback=True).numbers == (3, 4)


def test_input_alone_has_its_channels_checked():
    """An input alone is found, and its channels are checked."""
    assert chosen_input("intel", 2)[0] == 1
    with pytest.raises(ValueError, match="1 input channels, 2 were asked for: use --channels 1"):
        chosen_input("usb", 2)


def test_machine_without_devices(monkeypatch, machine):
    """A machine without devices, or without a default one, is told what to do."""
    monkeypatch.setattr(PortAudio, "query_devices", lambda *_: [])
    with pytest.raises(ValueError, match="there is no sound device: plug one in"):
        chosen(None, None)
    monkeypatch.undo()
    monkeypatch.setattr(devices, "portaudio", lambda: machine)
    monkeypatch.setattr(PortAudio.default, "device", (-1, 2))
    monkeypatch.setattr(PortAudio, "query_devices", _without_default(PortAudio.query_devices))
    with pytest.raises(ValueError, match="there is no default input device: choose one of these with --input: USB"):
        chosen(None, None)


def _without_default(query):
    def asked(self, name=None, kind=None):
        if name is None and kind == "input":
            raise self.PortAudioError("Error querying device -1")
        return query(self, name, kind)

    return asked
