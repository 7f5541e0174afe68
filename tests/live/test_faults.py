"""`Live` on a real audio server when things go wrong: servers, devices and processes that die, hang, or are missing."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import random_dictionary
from jack_server import PERIOD, Peer
from sounding import (
    PIECE,
    delay_of,
    eventually,
    found_at,
    noise,
    recorded,
    recorded_samples,
    salvaging_processes,
    sounding_processes,
)

from rtnmf import STFT
from rtnmf.audio import files
from rtnmf.live import Live

pytestmark = pytest.mark.timeout(200)
DICTIONARY = random_dictionary(STFT(1024, 256), ("voice", "fan"), sample_rate=48000)


def test_without_a_server_there_is_no_device(monkeypatch):
    """Without a server there is no device, and the error says what to do."""
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "nowhere")
    with pytest.raises(ValueError, match=r"there is no sound device: plug one in, .* rtnmf doctor"):
        Live(DICTIONARY).__enter__()


def test_without_portaudio_the_error_says_how_to_install_it(monkeypatch, tmp_path):
    """Without PortAudio the error is the command that installs it."""
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"PortAudio is missing .*sudo apt-get install libportaudio2"):
        Live(DICTIONARY).__enter__()


def test_sound_comes_back_after_the_server_did(server, on_server, tmp_path, caplog):
    """When the server is killed and comes back, so does the sound, with the mixer set meanwhile; why is logged."""
    peer = Peer(tmp_path)
    live = Live(DICTIONARY, input="peer", output="peer", record=tmp_path / "take")
    live.solo("fan")
    with live:
        eventually(lambda: live.stats.n_blocks > 20)
        blocks = live.stats.n_blocks
        server.stop()
        peer.stop()
        eventually(lambda: live.stats.state == "waiting")
        eventually(lambda: "there is no sound device" in live.stats.reason)
        live.gains = {"fan": 0.5}
        server.start()
        with contextlib.closing(Peer(tmp_path)) as peer:
            eventually(lambda: live.stats.state == "sounding")
            peer.play(x := noise(1))
            heard = peer.heard()[0]
        stats = live.stats
    assert stats.n_restarts >= 1
    assert stats.n_blocks > blocks
    assert "another sound process is started: " in caplog.text
    got = recorded(live)
    assert len({len(stem) for stem in got.values()}) == 1
    delay_of(heard, np.float32(0.5) * got["fan"][delay_of(got["input"], x) :][: len(x)])


def test_device_that_was_unplugged_is_waited_for(server, on_server, tmp_path):
    """A device that goes away is missed and waited for, and sounds again when it is back."""
    peer = Peer(tmp_path)
    with Live(DICTIONARY, input="peer", output="peer") as live:
        live.bypass = True
        peer.play(noise(0.2))
        peer.heard()
        peer.stop()
        eventually(lambda: live.stats.state == "waiting")
        assert "peer" in live.stats.reason
        with contextlib.closing(Peer(tmp_path)) as peer:
            eventually(lambda: live.stats.state == "sounding")
            peer.play(x := noise(0.5, seed=1))
            delay_of(peer.heard()[0], x)


def test_frozen_process_is_replaced(peer):
    """A process that hangs is replaced, with the same mixer; a short stall is survived, and its blocks are counted."""
    with Live(DICTIONARY, input="peer", output="peer") as live:
        live.bypass = True
        eventually(lambda: live.stats.seconds > 2.2)
        (number,) = sounding_processes()
        before, began = live.stats.n_lost, time.monotonic()
        os.kill(number, signal.SIGSTOP)
        time.sleep(0.6)
        os.kill(number, signal.SIGCONT)
        most = 50 + (time.monotonic() - began) * 48000 / PERIOD
        eventually(lambda: 40 <= live.stats.n_lost - before <= most)
        assert sounding_processes() == [number]
        os.kill(number, signal.SIGSTOP)
        eventually(lambda: live.stats.n_restarts == 1 and live.stats.state == "sounding")
        assert sounding_processes() != [number]
        peer.play(x := noise(0.5))
        delay_of(peer.heard()[0], x)


def test_killed_process_is_replaced_and_the_recording_goes_on(peer, tmp_path):
    """A process that is killed is replaced, what it recorded is there, and the outage is silence in all files."""
    with Live(DICTIONARY, input="peer", output="peer", record=tmp_path / "take") as live:
        peer.play(first := noise(0.5, seed=1))
        peer.heard()
        os.kill(sounding_processes()[0], signal.SIGKILL)
        began = time.monotonic()
        eventually(lambda: live.stats.n_restarts == 1 and live.stats.state == "sounding")
        outage_s = time.monotonic() - began
        peer.play(second := noise(0.5, seed=2))
        peer.heard()
    got = recorded(live)
    assert len({len(stem) for stem in got.values()}) == 1
    start = delay_of(got["input"], first)
    assert delay_of(got["input"], second) - start > 48000 * (0.5 + 0.9 * outage_s)
    np.testing.assert_allclose((got["voice"] + got["fan"])[start:][PIECE], first[PIECE], atol=1e-6)


def test_recordings_survive_when_everything_is_killed(peer, tmp_path):
    """A parent that is killed between two files leaves them whole and equally long, no sound, and nothing else.

    So it is where a process that it forked outlives it, and has all that it had open.
    """
    code = (
        "import os, signal, sys, threading, time\n"
        "from rtnmf import Dictionary; from rtnmf.audio.output import Output; from rtnmf.live import Live\n"
        "close, is_due = Output.close, threading.Event()\n"
        "def close_and_die(output):\n"
        "    is_now = is_due.is_set() and not output.closed and output.path.stem == 'voice'\n"
        "    close(output)\n"
        "    if is_now: os.kill(os.getpid(), signal.SIGKILL)\n"
        "Output.close = close_and_die\n"
        f"with Live(Dictionary.load({str(tmp_path / 'd.safetensors')!r}), input='peer', output='peer',"
        f" record={str(tmp_path / 'take')!r}) as live:\n"
        "    if not (forked := os.fork()): os.close(1); time.sleep(50); os._exit(0)\n"
        "    print(forked, flush=True); sys.stdin.readline(); is_due.set(); live.wait()"
    )
    DICTIONARY.save(tmp_path / "d.safetensors")
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    forked = int(parent.stdout.readline())
    before = recorded_samples(tmp_path / "take")
    peer.play(x := noise(1))
    peer.heard()
    eventually(lambda: recorded_samples(tmp_path / "take") > before + len(x))
    half_written = tmp_path / "take" / ".0123456789abcdef.part"
    half_written.touch()
    parent.communicate(b"\n")
    assert parent.returncode == -signal.SIGKILL
    eventually(lambda: not salvaging_processes())
    got = {path.stem: files.read(path, strict=True)[0][:, 0] for path in (tmp_path / "take").glob("*.wav")}
    assert {name: len(samples) for name, samples in got.items()} == dict.fromkeys(got, len(got["input"]))
    np.testing.assert_allclose(got["voice"] + got["fan"], got["input"], atol=1e-6)
    delay_of(got["input"], x)
    assert not half_written.exists()
    eventually(lambda: not sounding_processes())
    os.kill(forked, signal.SIGKILL)


def test_exception_in_the_processing_lets_the_aligned_input_out(server, on_server, tmp_path, monkeypatch):
    """An exception in the processing is counted, the aligned input goes out, and the separation comes back."""
    broken = (
        "from rtnmf.engine import separator as s; good = s.Separator.process; state = [0]\n"
        "def process(self, block):\n"
        "    state[0] += state[0] > 0 or (block == 1).any()\n"
        "    if 0 < state[0] <= 50: raise RuntimeError('on purpose')\n"
        "    return good(self, block)\n"
        "s.Separator.process = process\n"
    )
    (tmp_path / "sitecustomize.py").write_text(broken)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    x = noise(4)
    x[2 * 48000] = 1  # from here on
    live = Live(DICTIONARY, input="peer", output="peer", record=tmp_path / "take", limit=False)
    live.solo("fan")
    with server.changed(mode="-S"), contextlib.closing(Peer(tmp_path)) as peer, live:
        with peer.freewheeling():
            peer.play(x)
            heard = peer.heard()[0]
        stats = live.stats
    assert (stats.n_errors, stats.error) == (50, "RuntimeError('on purpose')")
    assert 50 < stats.n_unseparated < 60
    assert stats.n_restarts == 0
    got = recorded(live)
    start = found_at(got["input"], x[1000:2000])
    delay = found_at(heard, got["fan"][start : start + 1000]) - 1000
    same = heard[delay : delay + len(x)] == x
    assert 45 * PERIOD < same.sum() < 65 * PERIOD
    again = slice(3 * 48000, 4 * 48000 - 2048)
    stem = got["fan"][start - 1000 :][: len(x)]
    assert np.array_equal(heard[delay : delay + len(x)][again], stem[again])
