"""A dictionary that is trained while it sounds plain, and takes over then."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from bands import mixture, voice_and_rest
from conftest import random_dictionary
from sounding import eventually, learning_processes, noise, sounding_processes, training_processes
from test_swapping import assert_replayed

from rtnmf import STFT
from rtnmf.learning.joining import joined, known
from rtnmf.live import Live

pytestmark = pytest.mark.timeout(200)
PLAIN = voice_and_rest().rename({"rest": "fan"})
PLAIN = replace(PLAIN, rest="")


@pytest.fixture(autouse=True)
def _in_a_cache_of_its_own(tmp_path, monkeypatch):
    """Keep what is trained to this test, and see that no process outlives it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield
    eventually(lambda: not training_processes())


def test_the_plain_one_sounds_and_the_trained_one_takes_over(peer, tmp_path):
    """It sounds at once; the trained dictionary is that of `joined`, takes over once, and a replay is the same."""
    peer.play(noise(60))
    with Live(PLAIN, input="peer", output="peer", record=tmp_path / "take") as live:
        assert live.stats.training == ""
        live.train()
        assert live.stats.training.startswith("training ")
        assert not live.dictionary.is_trained
        eventually(lambda: live.stats.training == "trained", 60)
        eventually(lambda: live.stats.n_swaps == 1)
        n_samples = live.stats.n_samples
        eventually(lambda: live.stats.n_samples > n_samples + 4800)
        assert live.dictionary == joined(PLAIN) == known(PLAIN)
    assert live.stats.training == "trained"
    assert (live.stats.n_errors, live.stats.n_restarts) == (0, 0)
    assert len(assert_replayed(live, tmp_path / "take")) == 2


def test_it_has_the_lowest_priority(peer):
    """The process that trains is as nice as can be."""
    with Live(PLAIN, input="peer", output="peer") as live:
        live.train()
        eventually(training_processes)
        (number,) = training_processes()
        eventually(lambda: int(Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[16]) == 19)


def test_the_rest_is_learned_beside_the_trained_dictionary(peer):
    """What is heard while the training goes on waits, and is learned from beside the trained dictionary."""
    peer.play(mixture(60))
    with Live(voice_and_rest(), input="peer", output="peer") as live:
        live.train()
        eventually(training_processes)
        os.kill(training_processes()[0], signal.SIGSTOP)
        eventually(lambda: live.stats.seconds > 5)
        assert live.stats.rest == "heard 0 s"
        os.kill(training_processes()[0], signal.SIGCONT)
        eventually(lambda: live.stats.training == "trained", 60)
        eventually(lambda: live.stats.n_rest_rounds == 1, 60)
        eventually(lambda: live.stats.n_swaps == 2)
        assert live.dictionary.is_trained
        assert live.dictionary.n_components > voice_and_rest().n_components


def test_another_dictionary_ends_the_training(peer):
    """Whoever sets a dictionary does not get another one: the training of the one before ends, and may begin anew."""
    peer.play(mixture(60))
    with Live(voice_and_rest(), input="peer", output="peer") as live:
        live.train()
        eventually(training_processes)
        live.dictionary = other = replace(voice_and_rest(), description="another")
        assert live.stats.training == ""
        assert not training_processes()
        eventually(lambda: live.stats.rest != "heard 0 s")
        live.train()
        eventually(lambda: live.stats.training == "trained", 60)
        assert live.dictionary == joined(other)


def test_the_death_of_the_training_is_not_heard(peer):
    """When the process that trains is killed, the plain dictionary sounds on, that is said, and the rest is learned."""
    peer.play(mixture(60))
    with Live(voice_and_rest(), input="peer", output="peer") as live:
        (number,) = sounding_processes()
        live.train()
        eventually(training_processes)
        os.kill(training_processes()[0], signal.SIGKILL)
        eventually(lambda: live.stats.training == "not trained, the process for that was killed by signal 9")
        eventually(lambda: live.stats.rest != "heard 0 s")
        assert not live.dictionary.is_trained
        assert (live.stats.state, sounding_processes()) == ("sounding", [number])


def test_closing_ends_the_training(peer):
    """When the sound ends, both processes beside it are gone."""
    with Live(voice_and_rest(), input="peer", output="peer") as live:
        live.train()
        eventually(training_processes)
        os.kill(training_processes()[0], signal.SIGSTOP)
    assert not training_processes()
    assert not learning_processes()
    assert live.stats.training.startswith("training ")


@pytest.mark.parametrize(
    ("dictionary", "message"),
    [
        (PLAIN, r"trained while it sounds: call train\(\) within the context"),
        (replace(PLAIN, frames={}), "has no frames of voice, fan, which the training needs"),
        (PLAIN.select("voice"), "has one source only, voice: there is nothing to tell apart"),
        (random_dictionary(STFT(256, 64), trained=True), "is trained already"),
    ],
)
def test_what_cannot_be_trained_is_refused(dictionary, message):
    """A dictionary that is trained, cannot be, or does not sound is an error."""
    with pytest.raises(ValueError, match=message):
        Live(dictionary).train()
