"""`rtnmf devices`, on a real audio server."""

import re

import pytest
from command_line import assert_refused, run
from jack_desk import peer  # noqa: F401

pytestmark = pytest.mark.timeout(120)


def test_devices_are_listed_with_number_and_name(peer, capfd):  # noqa: F811
    """Each device is a line with its number, name, host, channels and rates, numbered from 0."""
    assert run("devices") == 0
    said = capfd.readouterr().out
    assert re.search(r"^ *\d+ +peer +JACK Audio Connection Kit +1 +2 +48000 +48000", said, re.MULTILINE)
    assert re.search(r"^ *\d+ +system +JACK Audio Connection Kit +in out +2 +2", said, re.MULTILINE)
    numbers = [int(number) for number in re.findall(r"^ *(\d+)  ", said, re.MULTILINE)]
    assert numbers == list(range(len(numbers)))


def test_no_device_is_an_error(monkeypatch, capfd):
    """Without any device the command names the one that says what is missing."""
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nowhere")
    assert_refused(
        ["devices"],
        "there is no sound device: plug one in, start the sound server",
        capfd,
    )
