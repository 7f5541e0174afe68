"""The rest, learned from what comes in by a process of its own."""

import contextlib
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bands import RATE, mixture, voice_and_rest
from conftest import random_dictionary
from jack_server import Peer
from sounding import eventually, learning_processes, noise, private_bytes, recorded, sounding_processes
from test_swapping import assert_replayed

from rtnmf import STFT
from rtnmf.live import Live
from rtnmf.live.adaptation import Adaptation, is_adaptable
from rtnmf.live.link.memory import Ring
from rtnmf.live.worker import Worker, unhurried

pytestmark = pytest.mark.timeout(200)
PLAIN = random_dictionary(STFT(1024, 256), ("voice", "fan"), sample_rate=48000)


def ring_of(x, n_channels=1):
    """Return a ring that holds a signal in each of its first rows, and something else in one more."""
    ring = Ring(memoryview(bytearray(4 * (n_channels + 1) * 3 * len(x))), n_channels + 1)
    ring.write(0, np.vstack([x] * n_channels + [np.ones_like(x)]))
    return ring


@pytest.fixture
def adaptation():
    """Return one that is closed in the end, and see that its process is gone then."""
    with contextlib.closing(Adaptation(1)) as made:
        yield made
    assert not learning_processes()


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("rate", [RATE, 48000])
def test_a_worker_learns_at_the_rate_of_the_dictionary(n_channels, rate):
    """From sound at any rate, mono or stereo, a dictionary is found that may replace the first, and told with words."""
    said, dictionary = [], voice_and_rest()
    worker = Worker(said.append)
    worker.learn_beside(3, dictionary)
    worker.begin(rate)
    for block in np.array_split(np.tile(mixture(6, rate)[:, None], n_channels), 100):
        worker.hear(block)
    assert [learned.text for learned in said[:3]] == [f"heard {second} s" for second in range(3)]
    assert {learned.base for learned in said} == {3}
    found = next(learned for learned in said if learned.dictionary is not None)
    assert found.text == f"learned from {found.seconds:.0f} s, 1 round"
    assert found.dictionary.sources == dictionary.sources
    assert (found.dictionary.stft, found.dictionary.sample_rate) == (dictionary.stft, RATE)
    assert found.dictionary.n_components > dictionary.n_components


def test_a_later_training_takes_half_a_core():
    """Work that is told of each of its steps takes at least twice as long as it uses the processor."""
    pause = unhurried()
    began, used = time.monotonic(), time.process_time()
    for step in range(20):
        np.linalg.eigvals(noise(1)[:22500].reshape(150, 150))
        pause("training", step, 20)
    assert time.process_time() - used <= 0.55 * (time.monotonic() - began)


def test_a_worker_forgets_with_another_dictionary():
    """What was heard for one dictionary does not count for the next."""
    said, worker = [], Worker(lambda learned: said.append(learned))
    worker.begin(RATE)
    for base in (1, 2):
        worker.learn_beside(base, voice_and_rest())
        worker.hear(mixture(2, RATE)[:, None])
    assert [(learned.base, learned.text) for learned in said] == [(1, "heard 2 s"), (2, "heard 2 s")]


def test_experts_are_asked_in_the_process_that_learns():
    """By the names that it is given: one that is not there is an error, which says so."""
    worker = Worker([].append)
    worker.learn_beside(1, replace(voice_and_rest(), voices=("voice",)), ("nobody",))
    worker.begin(RATE)
    with pytest.raises(ValueError, match="there is no expert 'nobody'"):
        worker.hear(mixture(1, RATE)[:, None])


def test_what_is_found_is_taken_once_and_only_for_the_newest_dictionary(adaptation):
    """A dictionary is found, once; not while frozen; and not when another one was set meanwhile."""
    ring = ring_of(x := mixture(8, RATE))
    adaptation.learn_beside(voice_and_rest())
    assert adaptation.said.text == "heard 0 s"
    adaptation.begin(RATE)
    adaptation.drain(ring, len(x))
    eventually(lambda: adaptation.said.n_rounds == 1)
    adaptation.is_frozen = True
    assert adaptation.said.text.endswith("1 round, frozen")
    assert adaptation.found() is None
    adaptation.is_frozen = False
    assert adaptation.found().n_components > 8
    assert adaptation.found() is None
    adaptation.begin(RATE)
    adaptation.drain(ring, len(x))
    adaptation.learn_beside(voice_and_rest(("me", "else")))
    assert (adaptation.said.text, adaptation.said.n_rounds) == ("heard 0 s", 0)
    adaptation.begin(RATE)
    adaptation.drain(ring, len(x))
    eventually(lambda: adaptation.said.n_rounds == 1)
    assert adaptation.found().sources == ("me", "else")
    adaptation.learn_beside(PLAIN)
    assert adaptation.said.text == ""


def test_nothing_is_heard_while_frozen(adaptation):
    """What comes in while it is frozen is not learned from."""
    ring = ring_of(x := mixture(8, RATE))
    adaptation.learn_beside(voice_and_rest())
    adaptation.begin(RATE)
    adaptation.is_frozen = True
    adaptation.drain(ring, 6 * RATE)
    adaptation.is_frozen = False
    adaptation.drain(ring, len(x))
    eventually(lambda: adaptation.said.text == "heard 2 s")
    time.sleep(0.2)
    assert adaptation.said.text == "heard 2 s"


def test_a_worker_that_is_stuck_makes_nobody_wait(adaptation):
    """While the process stands still, sound is taken without waiting and without end; ending it takes no time."""
    adaptation.learn_beside(voice_and_rest())
    adaptation.begin(RATE)
    ring = ring_of(noise(1)[:RATE])
    eventually(learning_processes)
    os.kill(learning_processes()[0], signal.SIGSTOP)
    before = private_bytes(os.getpid())
    for second in range(1, 1000):
        ring.write(second * RATE, np.zeros((2, RATE), np.float32))
        adaptation.drain(ring, (second + 1) * RATE)
    assert sum(len(block) for block in adaptation._waiting) <= 30 * RATE
    assert private_bytes(os.getpid()) - before < 1e7
    began = time.monotonic()
    adaptation.close()
    assert time.monotonic() - began < 5


def test_a_worker_that_dies_is_replaced_once(adaptation, caplog):
    """A process that was killed is replaced, and learns from then on; the second one is not, and that is said."""
    ring = ring_of(x := mixture(12, RATE))
    adaptation.learn_beside(voice_and_rest())
    adaptation.begin(RATE)
    adaptation.drain(ring, RATE)
    eventually(lambda: adaptation.said.text == "heard 0 s" and learning_processes())
    os.kill(learning_processes()[0], signal.SIGKILL)
    eventually(lambda: adaptation.look() or "started again, the process that learns it was" in adaptation.said.text)
    adaptation.drain(ring, len(x))
    eventually(lambda: adaptation.look() or adaptation.said.n_rounds == 1)
    os.kill(learning_processes()[0], signal.SIGKILL)
    dead = "learned no more, the process that learns it was killed by signal 9"
    eventually(lambda: adaptation.look() or adaptation.said.text == dead)
    assert dead in caplog.text
    assert not learning_processes()
    adaptation.drain(ring, len(x))
    assert not adaptation._waiting
    adaptation.learn_beside(voice_and_rest())
    assert (adaptation.said.text, adaptation.said.n_rounds) == (dead, 0)


@pytest.mark.parametrize(
    ("dictionary", "can"),
    [
        (voice_and_rest(), True),
        (replace(voice_and_rest(), rest=""), False),
        (replace(voice_and_rest(), frames={}), False),
        (voice_and_rest().select("rest"), False),
    ],
)
def test_a_rest_with_frames_is_learned_unless_it_is_not_wanted(dictionary, can):
    """A rest is learned where there are frames to train with; to want it without is an error, as is to freeze it."""
    assert is_adaptable(dictionary) == Live(dictionary).adapts == can
    assert not Live(dictionary, adapt=False).adapts
    if not can:
        with pytest.raises(ValueError, match=r"rest to be learned from a mixture|holds no frames of"):
            Live(dictionary, adapt=True)
        with pytest.raises(ValueError, match=r"freeze=True changes nothing, as .* no rest that is learned"):
            Live(dictionary).freeze = True


def test_the_rest_is_learned_while_it_sounds(server, on_server, tmp_path):
    """Freewheeling, dictionaries are found and take over, nothing is lost, and the recording can be replayed."""
    live = Live(voice_and_rest(), input="peer", output="peer", record=tmp_path / "take")
    x = mixture(20, RATE)
    with server.changed(sample_rate=RATE, mode="-S"), contextlib.closing(Peer(tmp_path)) as peer, live:
        assert live.stats.rest == "heard 0 s"
        eventually(learning_processes)
        with peer.freewheeling():
            peer.play(np.tile(x, 30))
            eventually(lambda: live.stats.n_swaps > 0, 60)
            n_samples = live.stats.n_samples
            eventually(lambda: live.stats.n_samples > n_samples + 20 * RATE)
        assert live.dictionary.n_components > 8
        live.freeze = True
        eventually(lambda: len(live.stats.labels) == live.dictionary.n_components)
    stats = live.stats
    assert (stats.n_errors, stats.n_unseparated, stats.n_unrecorded, stats.n_restarts) == (0,) * 4
    assert stats.rest.startswith("learned from ")
    assert stats.n_rest_rounds >= stats.n_swaps >= 1
    assert len(assert_replayed(live, tmp_path / "take")) == stats.n_swaps + 1
    assert not learning_processes()


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("is_free", [True, False], ids=["freewheel", "paced"])
def test_twenty_minutes_of_learning_lose_nothing_and_take_no_memory(server, on_server, tmp_path, is_free):
    """While the room changes every minute, hardly a block is lost, memory stays flat, and a replay is the same."""
    live = Live(voice_and_rest(), input="peer", output="peer", record=tmp_path / "take")
    rooms = [mixture(60, RATE, (low, low + 500)) for low in range(1800, 3800, 200)]
    settings = {"sample_rate": RATE, "mode": "-S" if is_free else ""}
    with server.changed(**settings), contextlib.closing(Peer(tmp_path)) as peer, live:
        eventually(learning_processes)
        peer.play(np.concatenate(rooms * 2))
        with peer.freewheeling() if is_free else contextlib.nullcontext():
            eventually(lambda: live.stats.seconds > 300, 400)
            processes = [os.getpid(), *sounding_processes(), *learning_processes()]
            before = [private_bytes(number) for number in processes]
            eventually(lambda: live.stats.seconds > 1180, 1000)
            grown = [private_bytes(number) - b for number, b in zip(processes, before, strict=True)]
    stats = live.stats
    assert max(grown) < 2e7
    assert stats.n_lost <= (0 if is_free else 0.001 * stats.n_blocks)
    assert (stats.n_errors, stats.n_unseparated, stats.n_unrecorded, stats.n_restarts) == (0,) * 4
    assert stats.n_swaps > (1 if is_free else 8)
    assert len(assert_replayed(live, tmp_path / "take")) == stats.n_swaps + 1
    got = recorded(live)
    np.testing.assert_allclose(sum(got[name] for name in live.sources), got["input"], atol=1e-6)


def test_the_death_of_the_worker_is_not_heard(peer):
    """When the process that learns is killed twice, sound goes on in the same process, and the screen says so."""
    with Live(voice_and_rest(), input="peer", output="peer") as live:
        (number,) = sounding_processes()
        for word in ("started again", "learned no more"):
            eventually(learning_processes)
            os.kill(learning_processes()[0], signal.SIGKILL)
            eventually(lambda word=word: live.stats.rest.startswith(word))
        n_blocks = live.stats.n_blocks
        eventually(lambda: live.stats.n_blocks > n_blocks + 50)
        assert (live.stats.state, live.stats.n_restarts) == ("sounding", 0)
        assert sounding_processes() == [number]


def test_the_worker_has_the_lowest_priority_and_ends_with_its_parent(peer):
    """It is as nice as can be, and gone when the sound ends."""
    with Live(voice_and_rest(), input="peer", output="peer") as live:
        eventually(learning_processes)
        (number,) = learning_processes()
        eventually(lambda: int(Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[16]) == 19)
        live.freeze = True
        assert live.stats.rest == "heard 0 s, frozen"
        live.freeze = False
    eventually(lambda: not learning_processes())
