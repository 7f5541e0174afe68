"""`Live` on a real audio server while all is well: what is heard, recorded, reported, and passed on."""

import contextlib
import itertools
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import random_dictionary
from jack_server import ENVIRONMENT, PERIOD, Peer
from sounding import (
    PIECE,
    delay_of,
    eventually,
    found_at,
    noise,
    private_bytes,
    recorded,
    sounding_processes,
    speech_at,
)

from rtnmf import STFT, Mixer, Separator, load_preset, separate
from rtnmf.audio import files
from rtnmf.live import Live

pytestmark = pytest.mark.timeout(200)
DICTIONARY = random_dictionary(STFT(1024, 256), ("voice", "fan"), sample_rate=48000)
RATE = 8000


@pytest.mark.timeout(400)
@pytest.mark.parametrize("minutes", [2, pytest.param(60, marks=pytest.mark.long)])
def test_long_sound_loses_no_block_and_takes_no_memory(server, on_server, tmp_path, minutes):
    """Freewheeling for long loses nothing, memory stays flat, and stems and output equal `separate` to the bit."""
    dictionary = load_preset("speech").merge(load_preset("keyboard")).at_rate(RATE)
    minute = speech_at(RATE, 60)
    with server.changed(sample_rate=RATE, mode="-S"), contextlib.closing(Peer(tmp_path)) as peer:
        live = Live(dictionary, input="peer", output="peer", record=tmp_path / "take")
        live.solo("speech")
        with live:
            processes = [os.getpid(), *sounding_processes()]
            with peer.freewheeling():
                peer.play(np.tile(minute, minutes))
                eventually(lambda: live.stats.seconds > 10 * minutes, 120)
                before = [private_bytes(number) for number in processes]
                peer.ask("wait")
                grown = [private_bytes(number) - b for number, b in zip(processes, before, strict=True)]
            stats = live.stats
        heard = peer.so_far()[0]
    assert stats.seconds > 60 * minutes
    assert_lossless(stats)
    assert max(grown) < 5e6
    paths = {Path(path).stem: path for path in live.recordings}
    assert_separated(paths, dictionary)
    start = found_at(files.read(paths["input"])[0][:, 0], minute)
    stem = files.read(paths["speech"])[0][start : start + 60 * minutes * RATE, 0]
    assert len(stem) == 60 * minutes * RATE
    delay = found_at(heard, stem[20000:30000]) - 20000
    assert np.array_equal(heard[delay : delay + len(stem)], stem)


def assert_lossless(stats):
    """Assert that no block was lost, failed or left out."""
    assert (stats.n_lost, stats.n_errors, stats.n_unseparated, stats.n_unrecorded, stats.n_restarts) == (0,) * 5


def assert_separated(paths, dictionary):
    """Assert that recorded stems are those of the recorded input, to the bit, minute by minute."""
    separator = Separator(dictionary)
    with contextlib.ExitStack() as stack:
        recording = stack.enter_context(files.AudioReader(paths["input"]))
        stems = [stack.enter_context(soundfile.SoundFile(paths[name])) for name in dictionary.sources]
        skip = separator.latency
        blocks = (separator.process(block[:, 0]) for block in recording.blocks(60 * RATE))
        for outputs in itertools.chain(blocks, (separator.flush() for _ in range(1))):
            true, skip = outputs[:, skip:], max(0, skip - outputs.shape[1])
            assert np.array_equal(true, [stem.read(true.shape[1], dtype="float32") for stem in stems])


@pytest.mark.parametrize(
    ("latency_ms", "latency", "seconds"),
    [
        (None, 2048, 10),
        (3, 144, 6),
        pytest.param(None, 2048, 60, marks=pytest.mark.long),
        pytest.param(3, 144, 20, marks=pytest.mark.long),
    ],
)
def test_what_is_recorded_and_heard_is_what_is_separated_offline(
    server, on_server, tmp_path, latency_ms, latency, seconds
):
    """Recorded stems equal `separate` to the bit, and the solo one is heard as late as reported, on both channels."""
    dictionary = load_preset("speech").merge(load_preset("keyboard"))
    mixture = speech_at(48000, seconds)
    live = Live(dictionary, input="peer", output="peer", latency_ms=latency_ms, record=tmp_path / "take")
    live.solo("speech")
    with server.changed(mode="-S"), contextlib.closing(Peer(tmp_path)) as peer, live:
        with peer.freewheeling():
            peer.play(mixture)
            heard = peer.heard()
        stats = live.stats
    assert_lossless(stats)
    assert live.latency == latency
    got = recorded(live)
    stems = separate(got["input"], dictionary.at_rate(48000).at_latency(latency_ms or 1000))
    assert np.array_equal(stems, [got["speech"], got["keyboard"]])
    start = found_at(got["input"], mixture)
    stem = got["speech"][start : start + len(mixture)]
    delay = found_at(heard[0], stem[20000:30000]) - 20000
    assert delay - latency in (PERIOD, 2 * PERIOD)
    assert np.array_equal(heard[0, delay : delay + len(stem)], stem)
    assert np.array_equal(heard[0], heard[1])


def test_bypass_is_late_by_the_reported_latency_and_the_round_trip(peer):
    """Bypass changes no bit, and is late by the reported latency and the round trip, to the sample."""
    dictionary = random_dictionary(STFT(1024, 24, latency=100), sample_rate=48000)
    x = noise(0.5)
    live = Live(dictionary, input="peer", output="peer")
    live.bypass = True
    with live:
        peer.play(x)
        heard = peer.heard()[0]
    assert live.latency == 100
    assert (delay_of(heard, x) - 100) in (PERIOD, 2 * PERIOD)


@pytest.mark.parametrize(
    ("outputs", "routes", "names"),
    [
        ("mix", {"mix": (1, 2)}, ["mix_1", "mix_2"]),
        ("stems", {"voice": (1, 2), "fan": (3, 4)}, ["voice_1", "voice_2", "fan_1", "fan_2"]),
        ("mono-stems", {"voice": (1,), "fan": (2,)}, ["voice", "fan"]),
    ],
)
def test_sources_go_to_the_outputs_that_routes_names(server, on_server, tmp_path, outputs, routes, names):
    """Each source goes to the channels that `routes` names and to ports of its name; together they are the input."""
    x = noise(0.5)
    with contextlib.closing(Peer(tmp_path, n_loudspeakers=4)) as peer:
        live = Live(DICTIONARY, input="peer", output="peer", outputs=outputs)
        assert live.routes == {}
        with live:
            assert live.routes == routes
            ports = subprocess.run("jack_lsp", env=os.environ | ENVIRONMENT, capture_output=True, text=True, check=True)
            peer.play(x)
            heard = peer.heard()
    ours = [port for port in ports.stdout.splitlines() if port.startswith("rtnmf:")]
    assert ours == [f"rtnmf:{name}" for name in ("in", *names)]
    for channels in routes.values():
        assert all(np.array_equal(heard[channel - 1], heard[channels[0] - 1]) for channel in channels)
    assert np.abs(heard[: len(names)]).max(axis=1).all()
    assert not heard[len(names) :].any()
    total = sum(heard[channels[0] - 1] for channels in routes.values())
    delay = int(np.argmax(np.correlate(total, x[PIECE], "valid"))) - PIECE.start
    assert delay - live.latency in (PERIOD, 2 * PERIOD)
    np.testing.assert_allclose(total[delay:][PIECE], x[PIECE], atol=1e-6)


def test_parameters_take_effect_without_a_click(peer):
    """Solo, mute and gains of a steady tone take effect, and no step in the output is larger than the tone's own."""
    tone = (0.5 * np.sin(2 * np.pi * 100 * np.arange(3 * 48000) / 48000)).astype(np.float32)
    changes = (
        {"muted": ("voice", "fan")},
        {},
        {"soloed": ("fan",)},
        {"soloed": ("fan",), "gains": {"fan": 0.25}},
        {"bypass": True},
        {"bypass": True, "wet": 0.5},
        {"wet": 0.5},
    )
    with Live(DICTIONARY, input="peer", output="peer") as live:
        for _ in range(3):
            before = live.stats
            peer.play(tone)
            for change in changes:
                live.wait(0.3)
                live.mixer = Mixer(live.sources, **change)
            heard = peer.heard()[0]
            after = live.stats
            if (after.n_lost, after.n_xruns) == (before.n_lost, before.n_xruns):
                break  # else the machine has made a step of its own
    middle = heard[12000 : len(tone) - 4000]
    assert np.abs(np.diff(middle)).max() < 1.2 * np.abs(np.diff(tone)).max()
    quiet = np.abs(np.lib.stride_tricks.sliding_window_view(middle, 4800)[::480]).max(axis=1)
    assert quiet.min() == 0
    assert quiet.max() == pytest.approx(0.5, abs=0.01)


def test_another_rate_is_resampled_where_agreed_and_its_delay_counted(peer, tmp_path):
    """With a dictionary at 16 kHz on a card at 48 kHz, sound is as late as reported, to the sample."""
    dictionary = random_dictionary(STFT(512, 128), sample_rate=16000)
    click = np.zeros(48000, np.float32)
    click[20000] = 0.9
    with Live(dictionary, input="peer", output="peer", resample=True, record=tmp_path / "take") as live:
        peer.play(click)
        heard = peer.heard()[0]
        latency_ms, n_errors = live.stats.latency_ms, live.stats.n_errors
    assert n_errors == 0
    got = recorded(live)
    assert np.array_equal(separate(got["input"], dictionary), [got["a"], got["b"]])
    assert (live.sample_rate, live.latency) == (16000, 512)
    reported = 48 * (latency_ms["algorithm"] + latency_ms["resampling"])
    assert reported == round(reported, 6)
    assert int(np.argmax(np.abs(heard))) - 20000 - round(reported) in (PERIOD, 2 * PERIOD)


def test_conveniences_replace_the_mixer():
    """Gains, solo, mute, bypass and wet replace the frozen mixer, and read from it; other sources are refused."""
    live = Live(DICTIONARY)
    live.gains = {"fan": 0.5}
    live.solo("voice")
    live.mute("fan")
    live.bypass, live.wet = True, 0.25
    assert live.mixer == Mixer(("voice", "fan"), {"fan": 0.5}, ("voice",), ("fan",), bypass=True, wet=0.25)
    assert (live.gains, live.soloed, live.muted) == ({"voice": 1, "fan": 0.5}, ("voice",), ("fan",))
    assert (live.mixer.heard, live.bypass, live.wet) == (("voice",), True, 0.25)
    for change in (
        lambda: setattr(live, "gains", {"fan": np.nan}),
        lambda: live.solo("drum"),
        lambda: setattr(live, "wet", 2),
        lambda: setattr(live, "mixer", Mixer(("voice",))),
    ):
        with pytest.raises(ValueError, match=r"gains are|there is no source 'drum'|wet is 2|expected a Mixer of the"):
            change()
    assert live.wet == 0.25


def test_listeners_are_told_of_each_change_until_removed():
    """A listener gets the mixer and the updates after each change, none where nothing changed, none once removed."""
    live = Live(DICTIONARY)
    seen = []
    remove = live.on_change(lambda mixer, n_iter: seen.append((mixer.muted, n_iter)))
    live.mute("fan")
    live.mute("fan")
    live.n_iter = 9
    remove()
    live.mute()
    assert seen == [(("fan",), 5), (("fan",), 9)]


def test_updates_are_those_of_the_dictionary_unless_given():
    """None takes the updates of the dictionary's model; another number for a trained dictionary warns, once."""
    trained = random_dictionary(STFT(1024, 256), trained=True)
    assert Live(trained).n_iter == trained.model.n_iter
    with pytest.warns(UserWarning, match="was trained for 5 updates per frame and is used with 7") as caught:
        assert Live(trained, n_iter=7).n_iter == 7
    assert [Path(warning.filename).name for warning in caught] == ["test_session.py"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outputs": "two"}, "outputs is 'two', expected one of mix, stems, mono-stems"),
        ({"outputs": "mono-stems", "n_channels": 2}, "expected n_channels=1: use 'stems'"),
        ({"n_channels": 0}, "n_channels is 0, expected 1 to 64$"),
        ({"block_length": -1}, "block_length is -1"),
        ({"latency_ms": 0.5}, "latency_ms is 0.5, expected 1 to"),
        ({"mask_power": 0}, "mask_power is 0"),
        ({"n_iter": 0}, "n_iter is 0, expected 1 to 1000"),
        ({"input": -1}, "input is -1, expected at least 0"),
        ({"experts": ["oracle"]}, "there is no expert 'oracle': choose from "),
    ],
)
def test_settings_out_of_range_are_refused_when_it_is_made(options, message):
    """A setting out of its range is an error that names it, before anything is started."""
    with pytest.raises(ValueError, match=message):
        Live(DICTIONARY, **options)


@pytest.mark.parametrize("record", [3, b"take", True])
def test_record_that_is_no_path_is_refused_when_it_is_made(record):
    """A `record` that is no path is a TypeError that names it, before anything is started."""
    with pytest.raises(TypeError, match=f"record is {record!r}, expected the path of a folder"):
        Live(DICTIONARY, record=record)


def test_before_it_is_entered_it_is_idle_and_says_so():
    """A `Live` that is made and not entered is idle, and shows that with its sources."""
    live = Live(DICTIONARY)
    assert live.stats.state == "idle"
    assert repr(live) == f"<Live of {', '.join(DICTIONARY.sources)}; idle>"


def test_devices_that_cannot_be_used_are_an_error_with_its_remedy(peer):
    """Devices that are missing, too narrow or of another rate raise on entering, and say what to do."""
    for options, message in (
        ({"input": "nothing"}, r"no input device is called 'nothing': choose one of: .*\d peer"),
        ({"output": 99}, r"there is no output device 99: choose one of: .*\d peer"),
        ({"sample_rate": 44100}, "refuses 44100 Hz, it prefers 48000 Hz: leave sample_rate out, or pass resample=True"),
        ({"input": "peer", "n_channels": 3}, "'peer' has 1 input channels, 3 were asked for"),
        ({"input": "peer", "output": "peer", "outputs": "stems"}, "2 stems need 4: use another device, or mono-stems"),
    ):
        with pytest.raises(ValueError, match=message), Live(DICTIONARY, **options):
            pass


def test_devices_are_chosen_by_the_number_in_the_list(peer):
    """A device may be given by its number in the list, as an int or in digits, and is kept by name for restarts."""
    from rtnmf.live.devices import listing

    (number,) = (device.number for device in listing() if device.name == "peer")
    with Live(DICTIONARY, input=number, output=str(number)) as live:
        assert (live.facts["input"], live.facts["output"]) == ("peer", "peer")
        os.kill(sounding_processes()[0], 9)
        eventually(lambda: live.stats.n_restarts == 1 and live.stats.state == "sounding")
        assert live._supervision._settings.input == "peer, JACK Audio Connection Kit"
        assert live.facts["input"] == "peer"


def test_folder_of_recordings_is_made_on_entering(peer, tmp_path):
    """A `Live` that is made and not entered leaves no folder; one that cannot be written to is an error on entering."""
    Live(DICTIONARY, record=tmp_path / "take")
    assert not (tmp_path / "take").exists()
    with (
        pytest.raises(ValueError, match="cannot record there"),
        Live(DICTIONARY, input="peer", output="peer", record="/proc/take"),
    ):
        pass
    assert not sounding_processes()


def test_a_live_sounds_once(on_server):
    """A `Live` that was closed cannot be entered again."""
    live = Live(DICTIONARY)
    live.close()
    assert live.stats.state == "closed"
    with pytest.raises(ValueError, match="has sounded already: make another"):
        live.__enter__()
