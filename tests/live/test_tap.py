"""What comes in while a separation sounds, for whoever learns from it."""

import os
import signal
import threading

import numpy as np
import pytest
from bands import voice_and_rest
from sounding import eventually, found_at, noise, recorded, sounding_processes

from rtnmf.live import Live, tap
from rtnmf.live.link.memory import Ring
from rtnmf.live.tap import Tap

pytestmark = pytest.mark.timeout(200)


def ring_of(n_channels, length=4000):
    """Return an empty ring for a stream, with rows for two stems more."""
    n_rows = 3 * n_channels
    return Ring(memoryview(bytearray(4 * n_rows * length)), n_rows)


def taken(tapped, seconds, feed):
    """Return what blocks give that is fed once it is waited for."""
    feeder = threading.Thread(target=lambda: (eventually(lambda: tapped._is_open), feed()))
    feeder.start()
    try:
        return np.concatenate(list(tapped.blocks(seconds)))
    finally:
        feeder.join()


@pytest.mark.parametrize("n_channels", [1, 2])
def test_blocks_are_the_input_from_now_on(n_channels):
    """Blocks hold the first rows of the ring, from the call on, as many samples as were asked for."""
    tapped, ring = Tap(n_channels), ring_of(n_channels)
    tapped.open("a microphone", 1000)
    tapped.begin()
    x = np.random.default_rng(0).random((3 * n_channels, 3000)).astype(np.float32)
    ring.write(0, x)
    tapped.drain(ring, 500)
    got = taken(tapped, 2, lambda: [tapped.drain(ring, n) for n in (900, 901, 2900)])
    np.testing.assert_array_equal(got, x[:n_channels, 500:2500].T)


@pytest.mark.parametrize(
    ("happens", "message"),
    [
        (lambda tapped, _: tapped.begin(), "'a microphone' was interrupted: record again"),
        (lambda tapped, _: tapped.end(), "'a microphone' gives no more sound"),
        (lambda tapped, ring: tapped.drain(ring, 3000), "'a microphone' came too fast"),
    ],
)
def test_an_interrupted_take_is_an_error(happens, message):
    """A take with a hole in it is an error, and the next one is not spoilt by that."""
    tapped, ring = Tap(1), ring_of(1)
    tapped.open("a microphone", 1000)
    tapped.begin()
    tapped.drain(ring, 100)

    def feed():
        tapped.drain(ring, 200)
        happens(tapped, ring)

    with pytest.raises(ValueError, match=message):
        taken(tapped, 1, feed)
    tapped.begin()
    assert len(taken(tapped, 1, lambda: tapped.drain(ring, 1000))) == 1000


def test_silence_of_the_device_is_an_error(monkeypatch):
    """Where nothing comes in for long, the take ends with an error."""
    monkeypatch.setattr(tap, "_PATIENCE_S", 0.1)
    tapped = Tap(1)
    tapped.open("a microphone", 1000)
    with pytest.raises(ValueError, match="'a microphone' gives no more sound"):
        list(tapped.blocks(1))


def test_what_is_tapped_is_what_is_recorded(peer, tmp_path):
    """Of a separation that sounds, blocks are its input to the bit; without being asked for there is no tap."""
    peer.play(noise(60))
    live = Live(voice_and_rest(), input="peer", output="peer", sample_rate=48000, record=tmp_path / "take", tap=True)
    with live:
        assert (live.tap.name, live.tap.sample_rate) == ("peer", 48000)
        eventually(lambda: live.stats.input_db > -60)
        got = np.concatenate(list(live.tap.blocks(1.5)))
    assert got.shape == (72_000, 1)
    found_at(recorded(live)["input"], got[:, 0])
    assert Live(voice_and_rest()).tap is None


def test_a_process_that_is_replaced_interrupts_a_take(peer):
    """When another process takes over in the middle of a take, that is an error, not a hole."""
    peer.play(noise(60))
    with Live(voice_and_rest(), input="peer", output="peer", adapt=False, tap=True) as live:
        kill = threading.Timer(1, lambda: os.kill(sounding_processes()[0], signal.SIGKILL))
        kill.start()
        with pytest.raises(ValueError, match=r"was interrupted|gives no more"):
            list(live.tap.blocks(20))
