"""Dictionaries that are replaced while they sound, on a real audio server."""

import contextlib
import itertools
import json
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
from conftest import random_dictionary
from jack_server import Peer
from sounding import eventually, noise, recorded, sounding_processes, speech_at

from rtnmf import STFT, Dictionary, Model, Separator, load_preset
from rtnmf.live import Live

pytestmark = pytest.mark.timeout(200)
SOURCES = ("voice", "fan")
PLAIN = random_dictionary(STFT(1024, 256), SOURCES, sample_rate=48000)
TRAINED = random_dictionary(STFT(1024, 256), SOURCES, 40, sample_rate=48000, trained=True)
SMALL = random_dictionary(STFT(1024, 256), SOURCES[::-1], 1, sample_rate=48000)


def assert_replayed(live, folder):
    """Assert that the recorded input and dictionaries give the recorded stems, to the bit, and return the uses."""
    got = recorded(live)
    uses, turns = json.loads((folder / "dictionaries.json").read_text()), turns_in(folder)
    edges = sorted({change["sample"] for change in uses + turns} | {len(got["input"])})
    separator, stems = Separator(Dictionary.load(folder / uses[0]["file"]), experts=uses[0]["experts"]), []
    for start, stop in itertools.pairwise(edges):
        for use in (use for use in uses[1:] if use["sample"] == start):
            assert not use["begins_anew"]
            separator.dictionary = Dictionary.load(folder / use["file"])
        for turn in (turn for turn in turns if turn["sample"] == start):
            separator.n_iter, separator.asks = turn["n_iter"], turn["asks"]
        stems.append(separator.process(got["input"][start:stop]))
    whole = np.concatenate([*stems, separator.flush()], axis=1)[:, separator.latency :]
    np.testing.assert_array_equal(whole, [got[name] for name in live.sources])
    return uses


def turns_in(folder):
    """Return what was recorded of updates and experts."""
    return json.loads((folder / "updates.json").read_text())


def desks():
    """Return dictionaries of speech and keyboard that may replace each other: usual, small, and as if trained."""
    desk = load_preset("speech").merge(load_preset("keyboard"))
    few = slice(None, None, 5)
    small = replace(desk, components=desk.components[:, few], labels=desk.labels[few])
    others = {"update_components": desk.components + 1e-4, "mask_components": desk.components**1.2}
    return [replace(desk, **others), small.select("keyboard", "speech"), desk]


@pytest.mark.parametrize("latency_ms", [pytest.param(None, marks=pytest.mark.long), 3])
def test_every_swap_is_recorded_and_a_replay_gives_the_same_to_the_bit(server, on_server, tmp_path, latency_ms):
    """Swaps, also several at once, take over in their order, and can be replayed to the bit, with an expert."""
    dictionaries = desks()
    options = {"input": "peer", "output": "peer", "latency_ms": latency_ms, "experts": ["voices", "rnnoise"]}
    live = Live(dictionaries[2], **options, record=tmp_path / "take")
    with server.changed(mode="-S"), contextlib.closing(Peer(tmp_path)) as peer, live:
        with peer.freewheeling():
            peer.play(speech_at(48000, 15))
            for i in range(12):
                n_before = live.stats.n_swaps
                live.dictionary = dictionaries[i % 3]
                if i % 4:
                    eventually(lambda n=n_before: live.stats.n_swaps > n)
            peer.ask("wait")
        stats = live.stats
    assert (stats.n_errors, stats.n_unseparated, stats.n_unrecorded, stats.n_restarts) == (0,) * 4
    uses = assert_replayed(live, tmp_path / "take")
    assert uses[0]["experts"] == ["voices", "rnnoise"]
    assert turns_in(tmp_path / "take")[0]["asks"]
    assert 9 <= stats.n_swaps == len(uses) - 1
    assert stats.swapped_at == uses[-1]["sample"]
    got = recorded(live)
    np.testing.assert_allclose(sum(got[name] for name in live.sources), got["input"], atol=1e-6)


def test_a_replay_is_the_same_when_experts_and_updates_were_left_out(peer, tmp_path):
    """Where time was short, it is recorded from which sample on experts were asked, and how many updates were done."""
    stft = STFT(2048, 512)
    one, other = (random_dictionary(stft, SOURCES, n_each, sample_rate=48000) for n_each in (200, 256))
    with Live(one, input="peer", output="peer", n_iter=1000, record=tmp_path / "take") as live:
        peer.play(noise(12))
        for n_iter, dictionary in ((1000, other), (500, one), (60, other)):
            live.n_iter, live.dictionary = n_iter, dictionary
            live.wait(1.0)
        live.n_iter = 2
        n_turns = len(turns_in(tmp_path / "take"))
        eventually(lambda: any(turn["asks"] for turn in turns_in(tmp_path / "take")[n_turns:]), 8)
        stats = live.stats
    assert (stats.n_errors, stats.n_restarts) == (0, 0)
    if not stats.n_unseparated:  # else there was no time for the separation at all
        assert_replayed(live, tmp_path / "take")
    turns = turns_in(tmp_path / "take")
    assert len({turn["n_iter"] for turn in turns}) > 3
    assert {turn["asks"] for turn in turns} == {True, False}
    assert stats.n_unasked > 0


def test_what_is_reported_follows_the_dictionary(peer):
    """Before it sounds, while it does and after it ended, the dictionary can be set; labels and updates follow."""
    live = Live(PLAIN, input="peer", output="peer")
    told = []
    live.on_change(lambda _, n_iter: told.append(n_iter))
    live.dictionary = TRAINED
    with live:
        assert len(live.stats.labels) == TRAINED.n_components
        assert live.stats.n_swaps == 0
        peer.play(noise(20))
        live.dictionary = replace(SMALL, model=Model(n_iter=7))
        eventually(lambda: live.stats.n_swaps == 1)
        assert live.dictionary.sources == live.sources == live.stats.labels == SOURCES
        eventually(lambda: live.stats.activations.shape == (2,) and live.stats.activations.any())
        eventually(lambda: live.stats.n_iter == 7)
        assert live.stats.swapped_at > 0
    assert told == [7]
    live.dictionary = PLAIN


def test_swaps_make_no_click_and_no_block_is_late(peer):
    """Through many swaps a tone has no larger step than its own, and hardly a block is late."""
    opposite = PLAIN.rename({"voice": "fan", "fan": "voice"})
    tone = (0.5 * np.sin(2 * np.pi * 100 * np.arange(4 * 48000) / 48000)).astype(np.float32)
    with Live(PLAIN, input="peer", output="peer") as live:
        live.solo("voice")
        for _ in range(3):
            before = live.stats
            peer.play(tone)
            for i in range(12):
                live.dictionary = (opposite, PLAIN, TRAINED)[i % 3]
                live.wait(0.25)
            heard = peer.heard()[0]
            after = live.stats
            assert after.n_swaps - before.n_swaps == 12
            n_late, n_blocks = after.n_late - before.n_late, after.n_blocks - before.n_blocks
            if (after.n_lost, after.n_xruns) == (before.n_lost, before.n_xruns) and n_late <= 0.01 * n_blocks:
                break  # else the machine has made a step of its own
        assert n_late <= 0.01 * n_blocks
    middle = heard[12000 : len(tone) - 4000]
    assert np.abs(np.diff(middle)).max() < 1.2 * np.abs(np.diff(tone)).max()
    levels = np.abs(np.lib.stride_tricks.sliding_window_view(middle, 4800)[::480]).max(axis=1)
    assert levels.min() < 0.05 < 0.4 < levels.max()


def test_successor_starts_with_the_newest_dictionary(peer, tmp_path):
    """A process that takes over from one that was killed has the newest dictionary, which the recording says."""
    with Live(PLAIN, input="peer", output="peer", record=tmp_path / "take") as live:
        peer.play(noise(1))
        live.dictionary = TRAINED
        eventually(lambda: live.stats.n_swaps == 1)
        peer.heard()
        os.kill(sounding_processes()[0], signal.SIGKILL)
        live.dictionary = SMALL
        eventually(lambda: live.stats.n_restarts == 1 and live.stats.state == "sounding")
        eventually(lambda: len(live.stats.labels) == 2)
        peer.play(noise(0.5))
        peer.heard()
        live.dictionary = PLAIN
        eventually(lambda n=live.stats.n_swaps: live.stats.n_swaps > n)
    uses = json.loads((tmp_path / "take" / "dictionaries.json").read_text())
    assert [use["begins_anew"] for use in uses].count(True) == 2
    assert Dictionary.load(tmp_path / "take" / uses[-1]["file"]) == PLAIN
    again = next(use for use in uses[1:] if use["begins_anew"])
    got = recorded(live)
    separator = Separator(Dictionary.load(tmp_path / "take" / again["file"]), experts=again["experts"])
    stop = uses[uses.index(again) + 1]["sample"]
    stems = separator.process(got["input"][again["sample"] : stop])[:, separator.latency :]
    np.testing.assert_array_equal(stems, [got[name][again["sample"] :][: stems.shape[1]] for name in SOURCES])


def test_a_dictionary_that_cannot_take_over_is_refused(peer):
    """Other sources, another STFT and too many components are errors in words, and what sounds stays as it is."""
    too_large = random_dictionary(STFT(1024, 256), SOURCES, 700, sample_rate=48000)
    live = Live(PLAIN, input="peer", output="peer")
    with pytest.raises(ValueError, match="has the sources a, b, expected voice, fan: use"):
        live.dictionary = random_dictionary(STFT(1024, 256), sample_rate=48000)
    with live:
        with pytest.raises(ValueError, match="has 1400 components, at most 256 can take over while it sounds: make an"):
            live.dictionary = too_large
        with pytest.raises(ValueError, match=r"convert it with .at_rate\(sample_rate, stft\)"):
            live.dictionary = PLAIN.at_rate(16000)
        assert live.dictionary == PLAIN
        assert live.stats.n_swaps == 0
