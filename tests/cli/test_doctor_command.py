"""`rtnmf doctor`, on a real audio server and without one."""

import pytest
from command_line import run
from jack_desk import peer  # noqa: F401

pytestmark = pytest.mark.timeout(120)


def test_what_is_there_is_ok(peer, capfd):  # noqa: F811
    """Doctor lists what is there, and what to try."""
    assert run("doctor") == 0
    said = capfd.readouterr().out
    assert "ok   PortAudio: is installed" in said
    assert "ok   microphone: default 'system'; all: system, peer" in said
    assert "JACK running" in said
    assert "ok   expert rnnoise: is installed" in said
    assert said.endswith("live sound should work here; try: rtnmf live speech+keyboard\n")


def test_what_is_missing_has_a_remedy(monkeypatch, tmp_path, capfd):
    """Doctor lists what is missing with the command that mends it, and ends with code 2 if nothing can sound."""
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nowhere")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("rtnmf.experts.rnnoise._path", lambda: None)
    assert run("doctor") == 2
    said = capfd.readouterr()
    assert "note expert rnnoise: is not installed: it would help to separate voices\n     -> pip install" in said.out
    assert "MISS microphone: no input device was found\n     -> " in said.out
    assert "note sound server: neither PipeWire, PulseAudio nor JACK is running" in said.out
    assert said.err == "rtnmf: live sound does not work here yet; what is missing: microphone, output\n"


def test_a_server_out_of_reach_has_a_remedy(monkeypatch, tmp_path, capfd):
    """A PipeWire that PortAudio does not reach is named, with the package that makes it reachable."""
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nowhere")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "pipewire-0").touch()
    assert run("doctor") == 2
    assert "sudo apt-get install pipewire-alsa" in capfd.readouterr().out


def test_a_missing_portaudio_has_a_remedy(monkeypatch, tmp_path, capfd):
    """Without the PortAudio library, the package that brings it is named."""
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.syspath_prepend(tmp_path)
    assert run("doctor") == 2
    said = capfd.readouterr()
    assert "MISS PortAudio" in said.out
    assert "-> on Debian and Ubuntu with: sudo apt-get install libportaudio2" in said.out
