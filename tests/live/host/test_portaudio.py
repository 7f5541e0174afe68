"""PortAudio in a process, and what becomes of it when sounddevice changes."""

import ctypes
import os
import subprocess
import sys
import types

import pytest

from rtnmf.live.host import portaudio


def test_sounddevice_still_has_the_private_names_that_are_used():
    """The names with which PortAudio is started anew are there, as sounddevice has no public way.

    When this fails, a new sounddevice has renamed `_initialize` or `_terminate`: look for a public way first, else use
    the new names in `portaudio.restart` and `portaudio.leave`, the only places. Until then `restart` returns False,
    and a device that comes back is found by starting another process, a second or two later.
    """
    import sounddevice

    assert callable(sounddevice._initialize)
    assert callable(sounddevice._terminate)


def test_sounddevice_without_private_names_is_not_restarted(monkeypatch):
    """Where sounddevice cannot start PortAudio anew, `restart` says so and does nothing."""
    monkeypatch.setitem(sys.modules, "sounddevice", types.ModuleType("sounddevice"))
    assert portaudio.restart() is False


def test_portaudio_still_takes_a_name_for_jack():
    """PortAudio takes the name of its client in JACK before it is started.

    When this fails, PortAudio has another name for `PaJack_SetClientName`, or was built without JACK: then
    `portaudio._set_client_name` does nothing, and the client is called PortAudio.
    """
    assert ctypes.CDLL(portaudio._LIBRARY).PaJack_SetClientName


@pytest.mark.parametrize("library", ["libno-such-library.so", "libc.so.6"])
def test_portaudio_without_jack_has_no_name(monkeypatch, library):
    """Without PortAudio's own JACK functions nothing is named, and nothing fails."""
    monkeypatch.setattr(portaudio, "_LIBRARY", library)
    portaudio._set_client_name()
    assert portaudio.client_name() == ""


@pytest.mark.parametrize(("server", "name"), [("default", "rtnmf"), ("rtnmf", "rtnmf_live")])
def test_the_client_has_another_name_than_its_server(server, name):
    """A client of its server's name would cut the server off."""
    code = "from rtnmf.live.host.portaudio import CLIENT_NAME; print(CLIENT_NAME)"
    environment = os.environ | {"JACK_DEFAULT_SERVER": server}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout == f"{name}\n"


def test_what_takes_too_long_ends_the_process_with_a_reason():
    """A call that does not return in time ends the process, which says why; one that does goes on."""
    code = (
        "import time; from rtnmf.live.host.portaudio import in_time\n"
        "with in_time(60, 'never said'): print('in time', flush=True)\n"
        "with in_time(0.01, 'JACK has not begun to call'): time.sleep(60)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "in time\n", "JACK has not begun to call\n")
