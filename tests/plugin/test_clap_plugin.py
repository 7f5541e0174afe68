"""The plugin in a CLAP host."""

import contextlib
import os
import struct
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from bundled import GAINS_DB, OUTPUTS, RATE, desk, foreign, in_blocks, late, linear, noise, plugins, quick
from clap_host import ClapPlugin


@contextlib.contextmanager
def opened(path, sample_rate=RATE):
    """Give an instance that is active."""
    with contextlib.closing(ClapPlugin(path)) as plugin:
        plugin.activate(sample_rate)
        yield plugin
        plugin.deactivate()


def test_ports_and_parameters_are_those_of_the_dictionary():
    """There is one input, the mix and eight stems, and a strip of each source; bypass is declared as such."""
    plugin = ClapPlugin(plugins("Desk")["clap"])
    outputs = plugin.ports(is_input=False)
    assert [port.n_channels for port in plugin.ports(is_input=True)] == [2]
    assert [port.n_channels for port in outputs] == [2] * 9
    assert [port.flags & 1 for port in outputs] == [1] + [0] * 8
    assert [port.name for port in outputs[1:4]] == [b"a", b"b", b"Unused 3"]
    parameters = plugin.parameters()
    strips = [f"{source} {what}".encode() for source in "ab" for what in ("gain", "solo", "mute")]
    assert [p.name for p in parameters] == [*strips, b"Dry/wet", b"Updates", b"Mask power", b"Bypass"]
    assert (parameters[0].least, parameters[0].most, parameters[0].usual) == (-60, 12, 0)
    assert [bool(p.flags & 1 << 4) for p in parameters] == [False] * 9 + [True]
    plugin.close()


def test_long_names_are_cut_between_characters():
    """Each fader says what it is for, and every name is valid UTF-8."""
    with contextlib.closing(ClapPlugin(plugins("Größe 音", foreign)["clap"])) as plugin:
        names = [parameter.name.decode() for parameter in plugin.parameters()]
        ports = [port.name.decode() for port in plugin.ports(is_input=False)]
    assert names[9:12] == [f"{'😀' * 59} {what}" for what in ("gain", "solo", "mute")]
    assert names[12] == f"{'é' * 64} gain"
    assert ports[1:6] == ["Küche", "音楽", "雨音", "😀" * 59, "é" * 64]


def test_latency_is_known_before_activation_and_at_another_rate():
    """The latency is that of the dictionary as soon as it is loaded, and that of the host's rate from then on."""
    plugin = ClapPlugin(plugins("Desk")["clap"])
    assert plugin.latency() > 0
    for sample_rate in (RATE, 44100, RATE):
        plugin.activate(sample_rate)
        assert plugin.latency() == desk().at_rate(sample_rate).stft.latency
        plugin.process(noise()[:, :100])
        plugin.deactivate()
    assert plugin.asked == ["latency"] * 3  # that of the usual rate is another
    plugin.close()


def test_latency_of_a_state_is_told_when_the_plugin_is_not_active():
    """A state that brings another latency makes an active plugin ask for a restart, and only then tell of it."""
    with contextlib.closing(ClapPlugin(plugins("Quick", quick)["clap"])) as other:
        state = other.save()
    with opened(plugins("Desk")["clap"]) as plugin:
        plugin.asked.clear()
        plugin.load(state)
        plugin.plugin.on_main_thread(plugin.address)
        assert plugin.asked == ["restart"]
        plugin.deactivate()
        assert plugin.asked == ["restart", "latency"]
        plugin.activate(RATE)


@pytest.mark.parametrize("sample_rate", [RATE, 22050])
def test_outputs_are_the_mix_and_the_stems(sample_rate):
    """The mix has the gains, stems are as they were separated, and what is unused is silent, at any rate."""
    want = late(sample_rate=sample_rate)
    with opened(plugins("Desk")["clap"], sample_rate) as plugin:
        gains = {f"{source} gain": gain_db for source, gain_db in GAINS_DB.items()}
        plugin.process(noise()[:, :1], gains)
        plugin.deactivate()
        plugin.activate(sample_rate)
        y = in_blocks(plugin.process, noise(), 509)
    mix = sum(linear(gain_db) * stem for gain_db, stem in zip(GAINS_DB.values(), want, strict=True))
    np.testing.assert_allclose(y[:2], mix, atol=1e-6)
    np.testing.assert_allclose(y[2:6].reshape(want.shape), want, atol=1e-6)
    assert not y[6:].any()


@pytest.mark.parametrize(
    ("changes", "weights"),
    [
        ({"a solo": 1}, (1, 0, 0)),
        ({"a mute": 1}, (0, 1, 0)),
        ({"a gain": -60}, (0, 1, 0)),
        ({"Dry/wet": 25}, (0.25, 0.25, 0.75)),
        ({"Bypass": 1, "a gain": 12}, (0, 0, 1)),
    ],
)
def test_faders_do_what_they_say(changes, weights):
    """Solo, mute, gain, dry/wet and bypass weigh the stems and the aligned input, within a hop."""
    hop_length, latency, n_before = desk().stft.hop_length, desk().stft.latency, 3000
    signals = [*late(), np.pad(noise(), ((0, 0), (latency, 0)))[:, : noise().shape[1]]]
    with opened(plugins("Desk")["clap"]) as plugin:
        before = plugin.process(noise()[:, :n_before])
        after = plugin.process(noise()[:, n_before:], changes)
    x = np.hstack([before, after])[:2]
    moved = np.clip(np.arange(1 - n_before, x.shape[1] - n_before + 1) / hop_length, 0, 1)
    usual = (1, 1, 0)
    want = sum((u + (w - u) * moved) * signal for u, w, signal in zip(usual, weights, signals, strict=True))
    np.testing.assert_allclose(x, want, atol=1e-6)


def test_state_has_parameters_and_the_dictionary():
    """What one instance saves, in pieces, another loads, the generic plugin too, and sounds the same."""
    with opened(plugins("Desk")["clap"]) as plugin:
        plugin.process(noise()[:, :1], {"a gain": -12, "b mute": 1, "Updates": 3, "Mask power": 2})
        state = plugin.save(at_most=1000)
        plugin.deactivate()
        plugin.activate(RATE)
        want = plugin.process(noise())
    for path in (plugins("Desk")["clap"], plugins("rtnmf", None)["clap"]):
        with contextlib.closing(ClapPlugin(path)) as other:
            assert other.load(state)
            other.activate(RATE)
            assert other.latency() == desk().stft.latency
            np.testing.assert_array_equal(other.process(noise()), want)
            assert other.save() == state or path != plugins("Desk")["clap"]
            other.deactivate()


COMMA = """
import locale, sys
from clap_host import ClapPlugin

plugin, other = ClapPlugin(sys.argv[1]), ClapPlugin(sys.argv[1])
changes = {"a gain": -6.5, "Dry/wet": 33.25, "Mask power": 0.75}
plugin.activate(16000)
plugin.process([[0.0], [0.0]], changes)
locale.setlocale(locale.LC_NUMERIC, "de_DE.UTF-8")
assert locale.localeconv()["decimal_point"] == ","
assert other.load(plugin.save())
assert {name: other.value(name) for name in changes} == changes
assert [plugin.value_of("a gain", text) for text in ("-6.5", "-6,5 dB", "3")] == [-6.5, -6.5, 3]
"""


def test_decimals_are_kept_where_they_have_a_comma(tmp_path):
    """A host whose numbers have a decimal comma restores all parameters, and takes texts of both kinds."""
    subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", tmp_path / "de_DE.UTF-8"], check=True)
    environment = os.environ | {"LOCPATH": str(tmp_path), "PYTHONPATH": str(Path(__file__).parent)}
    subprocess.run([sys.executable, "-c", COMMA, plugins("Desk")["clap"]], env=environment, check=True)


@pytest.mark.parametrize("which", [("Desk",), ("rtnmf", None)])
def test_channels_may_be_swapped_in_place(which):
    """Where the left output lies in the memory of the right input, and the other way round, each has its own sound."""
    with opened(plugins(*which)["clap"]) as plugin:
        want = plugin.process(noise())
        plugin.deactivate()
        plugin.activate(RATE)
        x, y = noise().copy(), np.empty((18, noise().shape[1]), np.float32)
        plugin.process(x, y=[x[1], x[0], *y[2:]])
    np.testing.assert_array_equal(x[::-1], want[:2])


def test_instances_know_nothing_of_each_other():
    """Two plugins of different dictionaries, and two instances of one, take turns and give what each gives alone."""
    with (
        opened(plugins("Desk")["clap"]) as first,
        opened(plugins("Quick", quick)["clap"]) as second,
        opened(plugins("Desk")["clap"]) as third,
    ):
        assert first.descriptor.id != second.descriptor.id
        assert (first.descriptor.name, second.descriptor.name) == (b"Desk", b"Quick")
        third.process(noise(seed=1)[:, :700], {"a mute": 1})
        pieces = [[], []]
        for i in range(0, noise().shape[1], 333):
            for plugin, found in zip((first, second), pieces, strict=True):
                found.append(plugin.process(noise()[:, i : i + 333])[2:8])
            third.process(noise(seed=1)[:, i : i + 333])
    np.testing.assert_allclose(np.hstack(pieces[0])[:4], late().reshape(4, -1), atol=1e-6)
    np.testing.assert_allclose(np.hstack(pieces[1]), late(quick).reshape(6, -1), atol=1e-6)


COUNTED = """
import sys
import numpy as np
from clap_host import ClapPlugin

plugin, other = map(ClapPlugin, sys.argv[1:])
other.activate(16000)
plugin.activate(16000)
x = np.random.default_rng(0).standard_normal((2, 5000))
for changes in ({}, {"a gain": -60, "b solo": 1}, {"Bypass": 1, "Updates": 9}):
    plugin.process(x, changes)
    print(plugin.n_allocations)
assert plugin.load(other.save())
plugin.process(x)
print(plugin.n_allocations)
plugin.process(np.full((2, 700), np.nan))
print(plugin.n_allocations)
"""


def test_nothing_is_allocated_while_it_sounds(tmp_path):
    """A block allocates and frees nothing: with new parameters, another dictionary that takes over, hostile samples."""
    here = Path(__file__).parent
    library = tmp_path / "count_allocations.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, here / "count_allocations.c"], check=True)
    environment = os.environ | {"LD_PRELOAD": str(library), "PYTHONPATH": str(here)}
    line = [sys.executable, "-c", COUNTED, plugins("Desk")["clap"], plugins("Quick", quick)["clap"]]
    counts = subprocess.run(line, env=environment, capture_output=True, text=True, check=True).stdout.split()
    assert counts == ["0"] * 5


def test_dictionaries_are_loaded_while_it_sounds():
    """Another thread loads states while blocks are processed; all that sounds is finite, and the last one stays."""
    with opened(plugins("Desk")["clap"]) as plugin, opened(plugins("Quick", quick)["clap"]) as other:
        states = [plugin.save(), other.save()]
        loading = threading.Thread(target=lambda: [plugin.load(states[i % 2]) for i in range(1, 40)])
        loading.start()
        while loading.is_alive():
            assert np.isfinite(plugin.process(noise()[:, :700])).all()
        loading.join()
        assert plugin.latency() == quick().stft.latency
        plugin.deactivate()
        plugin.activate(RATE)
        np.testing.assert_allclose(plugin.process(noise())[2:8], late(quick).reshape(6, -1), atol=1e-6)


def bad_dictionaries():
    """Return files that no dictionary is in, by what is wrong with them."""
    content = plugins("Desk")["clap"].read_bytes()
    size, *_ = struct.unpack("<3Q8s", content[-32:])
    whole = content[-32 - len("Desk") - size : -32 - len("Desk")]
    header = int.from_bytes(whole[:8], "little")
    return {
        "empty": b"\0",
        "truncated": whole[: size // 2],
        "lying": whole[:8] + whole[8:].replace(b'"data_offsets":[0', b'"data_offsets":[9', 1),
        "huge": (2**62).to_bytes(8, "little") + whole[8:],
        "of noise": whole[: 8 + header] + b"\xff" * (size - 8 - header),
    }


@pytest.mark.parametrize("kind", ["empty", "truncated", "lying", "huge", "of noise"])
def test_a_bad_dictionary_leaves_the_input_alone(tmp_path, capfd, kind):
    """A plugin whose dictionary is damaged says so, and the input passes through, without latency."""
    content, bad = plugins("Desk")["clap"].read_bytes(), bad_dictionaries()[kind]
    size, length, identity, magic = struct.unpack("<3Q8s", content[-32:])
    code = content[: -32 - length - size]
    path = tmp_path / f"{kind}.clap"
    path.write_bytes(code + bad + b"Desk" + struct.pack("<3Q8s", len(bad), length, identity, magic))
    with opened(path) as plugin:
        y = plugin.process(noise())
        assert plugin.latency() == 0
    np.testing.assert_array_equal(y[:2], noise())
    assert not y[2:].any()
    assert y.shape == (OUTPUTS, noise().shape[1])
    assert "the input passes through" in capfd.readouterr().err


def test_a_damaged_state_is_kept_for_the_next_session(capfd):
    """A session whose dictionary this version cannot read is said to be so, and is saved again as it was."""
    with contextlib.closing(ClapPlugin(plugins("rtnmf", None)["clap"])) as plugin:
        state = b"__dpf_state_begin__\0dictionary\0AAAAAAAA\0file\0\0__dpf_state_end__\0\xfe\0"
        assert plugin.load(state)
        assert b"dictionary\0AAAAAAAA\0" in plugin.save()
    assert "the dictionary of the session" in capfd.readouterr().err


@pytest.mark.parametrize("text", ["no base64!", "AAAA====A", "="])
def test_a_state_that_is_no_base64_takes_no_dictionary_away(capfd, text):
    """What a session has left of a dictionary that cannot be decoded is said to be damaged, and changes nothing."""
    with opened(plugins("Desk")["clap"]) as plugin:
        before = plugin.save()
        assert plugin.load(f"__dpf_state_begin__\0dictionary\0{text}\0__dpf_state_end__\0\xfe\0".encode("latin-1"))
        assert plugin.save() == before
        assert plugin.latency() == desk().stft.latency
    assert "the dictionary of the session: damaged" in capfd.readouterr().err
