"""The ports of `Live` on a JACK server: what they are called, and what becomes of their connections."""

import contextlib
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import random_dictionary
from jack_server import ENVIRONMENT, Peer
from sounding import delay_of, eventually, noise

from rtnmf import STFT
from rtnmf.live import Live

pytestmark = pytest.mark.timeout(120)
DICTIONARY = random_dictionary(STFT(1024, 256), ("voice", "fan"), sample_rate=48000)


def jack(*command):
    """Run a command of JACK's and return what it prints."""
    ended = subprocess.run(command, env=os.environ | ENVIRONMENT, capture_output=True, text=True, check=True)
    return ended.stdout


def ears(tmp_path):
    """Return a peer that only listens, with two loudspeakers."""
    return contextlib.closing(Peer(tmp_path, "ears", n_microphones=0))


def test_output_that_restarts_is_connected_again(peer, tmp_path):
    """A program at the outputs that is gone is missed; when it is back it is heard again, from the same process."""
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(ears(tmp_path))
        live = stack.enter_context(Live(DICTIONARY, input="peer", output="ears"))
        live.bypass = True
        peer.play(np.tile(x := noise(0.5), 60))
        eventually(lambda: live.stats.output_db > -60 and live.stats.warning == "")
        first.stop()
        eventually(lambda: live.stats.warning)
        assert live.stats.warning == (
            "nothing is connected to the outputs of 'rtnmf' in JACK:"
            " 'ears' is gone, and is connected again when it is back"
        )
        again = stack.enter_context(ears(tmp_path))
        eventually(lambda: live.stats.warning == "")
        again.play(np.zeros((0, len(x))))
        delay_of(again.heard()[1], x)
        assert (live.stats.n_restarts, live.stats.state) == (0, "sounding")


REJOINING = """
import sys, jack
def join():
    client = jack.Client("ears")
    for i in (1, 2): client.inports.register(f"spk_{i}")
    client.activate()
    print("ready", flush=True)
    return client
client = join()
for line in sys.stdin:
    client.close()
    client = join()
"""


def test_output_that_restarts_within_no_time_is_connected_again(peer):
    """A program that is gone and back before anyone has looked is connected again."""
    program = subprocess.Popen(
        [sys.executable, "-c", REJOINING],
        env=os.environ | ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        program.stdout.readline()
        with Live(DICTIONARY, input="peer", output="ears") as live:
            live.wait(0.7)
            for _ in range(2):
                print(file=program.stdin, flush=True)
                program.stdout.readline()
                eventually(lambda: jack("jack_lsp", "-c", "rtnmf:mix").count("ears:spk_") == 2)
                live.wait(0.7)
    finally:
        program.kill()
        program.communicate()


def test_connection_that_was_removed_by_hand_stays_removed(peer):
    """A connection that the user removes is not made again; when it was the last, a sentence says so until another is.

    That sentence is about the outputs or the input, whichever has none.
    """
    with Live(DICTIONARY, input="peer", output="peer") as live:
        peer.play(noise(20))
        live.wait(0.7)
        jack("jack_disconnect", "rtnmf:mix_1", "peer:spk_1")
        live.wait(1.7)
        assert "peer" not in jack("jack_lsp", "-c", "rtnmf:mix_1")
        assert live.stats.warning == ""
        jack("jack_disconnect", "rtnmf:mix_2", "peer:spk_2")
        eventually(lambda: "connected to the outputs of 'rtnmf' in JACK: connect a program" in live.stats.warning)
        jack("jack_connect", "rtnmf:mix_1", "peer:spk_2")
        eventually(lambda: live.stats.warning == "")
        jack("jack_disconnect", "rtnmf:in", "peer:mic_1")
        eventually(lambda: "connected to the input of 'rtnmf'" in live.stats.warning)
        assert live.stats.n_restarts == 0


def test_without_the_jack_library_nothing_is_watched(peer, tmp_path, monkeypatch):
    """Without the JACK library there is sound, on ports with PortAudio's names."""
    (tmp_path / "jack.py").write_text("raise OSError('JACK library not found')")
    monkeypatch.syspath_prepend(tmp_path)
    with Live(DICTIONARY, input="peer", output="peer") as live:
        live.bypass = True
        peer.play(x := noise(0.5))
        delay_of(peer.heard()[0], x)
        assert "rtnmf:out_0" in jack("jack_lsp")
        assert live.stats.warning == ""
