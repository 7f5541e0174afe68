"""Recordings that begin and end while it sounds, and separations that take over from each other, on a real server."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import random_dictionary
from jack_server import PERIOD, Peer
from sounding import eventually, found_at, noise, sounding_processes

from rtnmf import STFT, Dictionary
from rtnmf.audio import files
from rtnmf.live import Live

VOICE_AND_FAN = random_dictionary(STFT(1024, 256), ("voice", "fan"), sample_rate=48000)
THREE = random_dictionary(STFT(1024, 256), ("voice", "fan", "drum"), sample_rate=48000)


def read(folder, name):
    """Return the samples of a recorded file, mono."""
    return files.read(Path(folder) / f"{name}.wav")[0][:, 0]


def test_recordings_begin_and_end_while_it_sounds(server, on_server, tmp_path):
    """Each has a folder of its own, its stems are aligned with its input, and no sample of what sounded is missing."""
    live = Live(VOICE_AND_FAN, input="peer", output="peer", experts=())
    with server.changed(mode="-S"), contextlib.closing(Peer(tmp_path)) as peer, live, peer.freewheeling():
        folders = []
        for i in range(2):
            folders.append(live.recording.start(tmp_path / "take"))
            with pytest.raises(ValueError, match="goes on already"):
                live.recording.start(tmp_path / "other")
            peer.play(x := noise(1.0, seed=i))
            peer.ask("wait")
            eventually(lambda: live.recording.seconds > 1.5)
            live.recording.stop()
            assert not live.recording.is_on
            got = {name: read(folders[-1], name) for name in ("input", "voice", "fan")}
            assert {len(y) for y in got.values()} == {len(got["input"])}
            assert found_at(got["input"], x) + len(x) <= len(got["input"])
            assert np.abs(got["voice"]).max() > 0.1 < np.abs(got["fan"]).max()
            assert np.abs(got["voice"] + got["fan"] - got["input"]).max() < 1e-5
    assert folders == [tmp_path / "take", tmp_path / "take-2"]
    assert [Path(path).parent.name for path in live.recordings] == ["take"] * 3 + ["take-2"] * 3
    use = json.loads((tmp_path / "take-2" / "dictionaries.json").read_text())[0]
    assert (use["sample"], use["begins_anew"]) == (0, False)
    assert Dictionary.load(tmp_path / "take-2" / use["file"]).sources == ("voice", "fan")


def test_another_separation_takes_over(peer):
    """One with other sources gets ready while the old one sounds, and the sound is away for a moment only."""
    old, new = (Live(d, input="peer", output="peer", experts=(), tap=True) for d in (VOICE_AND_FAN, THREE))
    for live in (old, new):
        live.bypass = True
    old.open()
    peer.play(x := noise(6.0))
    eventually(lambda: old.stats.seconds > 0.5)
    new.open(instead_of=old)
    with contextlib.closing(new):
        assert old.stats.state == "closed"
        assert len(sounding_processes()) == 1
        assert new.stats.levels_db.keys() == {"voice", "fan", "drum"}
        heard = peer.heard()[0]
    silent = np.flatnonzero(np.abs(heard[PERIOD + 1024 : len(x)]) < 0.05)
    assert found_at(heard, x[-5000:]) > 0
    assert len(silent) < 48000
