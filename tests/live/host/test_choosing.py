"""Which devices are meant, on machines that are not this one: their PortAudio is played by a few lines."""

import pytest

from rtnmf.live.host import choosing, portaudio
from rtnmf.live.host.choosing import chosen, chosen_input
from rtnmf.live.host.portaudio import listed
from rtnmf.live.link.device import Device, why_none

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
        names = [f"{card['name']}, {self.query_hostapis(card['hostapi'])['name']}".lower() for card in every]
        able = [card[f"max_{kind}_channels"] > 0 for card in every]
        found = [
            card for card, full, is_able in zip(every, names, able, strict=True) if is_able and name.lower() in full
        ]
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
    for module in (choosing, portaudio):
        monkeypatch.setattr(module, "portaudio", lambda: fake)
    return fake


def test_list_has_channels_rates_and_defaults():
    """Each device has its number, channels, the rates that it takes, and whether it is a default."""
    found = listed(with_rates=True)
    assert found[2] == Device(2, "default", "ALSA", 32, 32, 44100, (44100, 48000), True, True)
    assert [device.n_outputs for device in found] == [2, 2, 32, 0, 2, 2]


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        ((None, None), (2, 2)),
        (("usb", "usb"), (0, 0)),
        ((None, "headphones"), (3, 5)),
        (("usb", None), (0, 2)),
        ((0, "2"), (0, 2)),
        ((None, 5), (3, 5)),
        (("HDA Intel: ALC (hw:0,0), ALSA", "1"), (1, 1)),
    ],
)
def test_devices_are_found_by_name_and_by_number(names, numbers):
    """A part of a name or a number stands for a device; one that is not given is the default of the same host."""
    assert chosen(*names).numbers == numbers


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("usb", "intel"), "two sound cards with two clocks, which drift apart: use one card for both, or"),
        (
            ("macbook", "speakers"),
            "'MacBook Microphone' would hear .*, and howl: use headphones .*, or pass allow_feedback=True",
        ),
        (("usb", "headphones"), "is reached by ALSA, 'External Headphones' by Core Audio: choose two of one kind"),
        (("nothing", None), "no input device is called 'nothing': choose one of: 0 USB"),
        (("a", None), "more than one input device is called 'a': choose one of: 0 USB"),
        ((6, None), "there is no input device 6: choose one of: 0 USB .*, 3 MacBook Microphone$"),
        (("²", None), "no input device is called '²'"),
        ((4, None), "'MacBook Speakers' has no input: choose one of: 0 USB"),
    ],
)
def test_devices_that_cannot_be_used_are_refused(names, message):
    """Devices that do not exist, or do not go together, are refused with what there is, or the remedy."""
    with pytest.raises(ValueError, match=message):
        chosen(*names)


def test_feedback_is_accepted_when_asked_for():
    """With `allow_feedback` a microphone and loudspeakers go together."""
    assert chosen("macbook", "speakers", allow_feedback=True).numbers == (3, 4)


def test_input_alone_has_its_channels_checked():
    """An input without an output is found, and refused when it has too few channels."""
    assert chosen_input("intel", 2).number == 1
    with pytest.raises(ValueError, match="1 input channels, 2 were asked for: pass n_channels=1, or"):
        chosen_input("usb", 2)


def test_machine_without_devices(monkeypatch, machine):
    """Without devices, or without a default, the error says what to do."""
    monkeypatch.setattr(PortAudio, "query_devices", lambda *_: [])
    with pytest.raises(ValueError, match="there is no sound device: plug one in"):
        chosen(None, None)
    monkeypatch.undo()
    for module in (choosing, portaudio):
        monkeypatch.setattr(module, "portaudio", lambda: machine)
    monkeypatch.setattr(PortAudio.default, "device", (-1, 2))
    monkeypatch.setattr(PortAudio, "query_devices", _without_default(PortAudio.query_devices))
    with pytest.raises(ValueError, match="there is no default input device: choose one of: 0 USB"):
        chosen(None, None)


def _without_default(query):
    def asked(self, name=None, kind=None):
        if name is None and kind == "input":
            raise self.PortAudioError("Error querying device -1")
        return query(self, name, kind)

    return asked


def test_a_full_folder_of_shared_memory_is_named(tmp_path):
    """Where JACK has no room to share memory, that is why no device is seen; /proc stands for a folder that is full."""
    assert why_none("/proc").startswith("/proc is full, and without room in it JACK shows no sound device: remove")
    for folder in (str(tmp_path), "/no/such/folder"):
        assert why_none(folder).startswith("there is no sound device: plug one in")
