"""The plugin as LV2 sees it: its description, its latency port, and the file that a host may set."""

import contextlib
import os
import re
import subprocess
import time

import numpy as np
import pytest
from bundled import RATE, desk, late, noise, plugins, quick
from jack_server import ENVIRONMENT
from lv2_host import Lv2Plugin

STRIP, WHOLE = (0, 0, 0), (100, 0, 1, 1)  # the last is `enabled`, which is not bypassed


def bundle(*which):
    """Return the folder of an LV2 plugin."""
    return plugins(*which)["lv2"]


def uri(*which):
    """Return the URI of a plugin."""
    manifest = (bundle(*which) / "manifest.ttl").read_text()
    return re.search(r"^<(urn:rtnmf:plugin.*)>\n    a lv2:Plugin", manifest, re.M)[1]


def opened(n_sources, *which, **options):
    """Return an instance that is closed in the end."""
    return contextlib.closing(Lv2Plugin(bundle(*which), RATE, STRIP * n_sources + WHOLE, **options))


@pytest.mark.parametrize("which", [("Desk",), ("rtnmf", None)])
def test_descriptions_are_valid(which):
    """`lv2_validate` finds no error, and `lv2info` a plugin with a latency port."""
    files = [str(path) for path in bundle(*which).glob("*.ttl")]
    found = subprocess.run(["lv2_validate", *files], capture_output=True, text=True, check=False)
    assert "Found 0 errors" in found.stdout + found.stderr, found.stdout + found.stderr
    environment = os.environ | {"LV2_PATH": str(bundle(*which).parent)}
    info = subprocess.run(["lv2info", uri(*which)], env=environment, capture_output=True, text=True, check=True).stdout
    assert "reported by port 22" in info
    assert f"Name:              {which[0]}\n" in info
    assert ("a gain" in info) is (which[0] == "Desk")
    assert ("Source 8 solo" in info) is (which[0] != "Desk")


def test_latency_is_there_before_the_first_block():
    """The latency port has its value as soon as it is connected; memory is not touched later, until it runs."""
    with opened(2, "Desk") as plugin:
        assert plugin.latency.value == desk().stft.latency
        plugin.latency.value = -1
        plugin.activate()
        assert plugin.latency.value == -1
        plugin.process(noise()[:, :64])
        assert plugin.latency.value == desk().stft.latency


@pytest.mark.parametrize("which", [("Desk",), ("rtnmf", None)])
def test_what_a_host_does_not_connect_is_silent(which):
    """A host that connects neither events nor the left input, as PipeWire does, gets the right channel."""
    with opened(2 if which[0] == "Desk" else 8, *which, has_events=False) as plugin:
        plugin.activate()
        y = plugin.process(noise()[1:])
    want = late().sum(0) if which[0] == "Desk" else noise()
    assert not y[0].any()
    np.testing.assert_allclose(y[1], want[1], atol=1e-6)


def test_a_host_sets_the_file_while_it_sounds(tmp_path):
    """The generic plugin passes its input through until it is given a dictionary, which another one may replace."""
    paths = [tmp_path / "desk.safetensors", tmp_path / "quick.safetensors"]
    for path, dictionary in zip(paths, (desk, quick), strict=True):
        dictionary().save(path)
    with opened(8, "rtnmf", None) as plugin:
        plugin.activate()
        np.testing.assert_array_equal(plugin.process(noise())[:2], noise())
        assert plugin.latency.value == 0
        for path, dictionary in zip(paths, (desk, quick), strict=True):
            plugin.process(noise()[:, :64], plugin.event_of_file(path))
            plugin.do_work()
            want = late(dictionary)
            y = plugin.process(noise())
            assert plugin.latency.value == dictionary().stft.latency
            np.testing.assert_allclose(y[:2], want.sum(0), atol=1e-6)
            np.testing.assert_allclose(y[2 : 2 + 2 * len(want)], want.reshape(2 * len(want), -1), atol=1e-6)


def test_a_bad_file_is_said_and_changes_nothing(tmp_path, capfd):
    """A file that is missing, or is no dictionary, is named in the host's log; the dictionary before it stays."""
    (tmp_path / "odd.safetensors").write_bytes(b"no dictionary")
    (tmp_path / "empty.safetensors").touch()
    with opened(2, "Desk") as plugin:
        plugin.activate()
        for name in ("odd.safetensors", "empty.safetensors", "missing.safetensors"):
            plugin.process(noise()[:, :64], plugin.event_of_file(tmp_path / name))
            plugin.do_work()
            assert f"{tmp_path / name}: " in capfd.readouterr().err
        y = plugin.process(noise())
        assert plugin.latency.value == desk().stft.latency
    with opened(2, "Desk") as plugin:
        plugin.activate()
        for _ in range(3):
            plugin.process(noise()[:, :64])
        np.testing.assert_array_equal(y, plugin.process(noise()))


def test_jalv_reports_the_latency_to_jack(audio_server):
    """A plugin in a host on a JACK server adds its latency to that of its outputs, from the moment of loading."""
    audio_server.ensure()
    environment = os.environ | ENVIRONMENT | {"LV2_PATH": str(bundle("Desk").parent)}
    line = ["jalv", "-x", "-n", "desk", uri("Desk")]
    with subprocess.Popen(line, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as jalv:
        try:
            ports = ports_of("desk", environment, jalv)
        finally:
            jalv.kill()
    latency = desk().at_rate(audio_server.sample_rate).stft.latency
    assert f"latency = [ {latency} {latency} ] frames" in ports  # of playback, in this version of jalv


def ports_of(client, environment, process):
    """Return what the server says of the first output of a client, as soon as it knows, or the client has ended."""
    for _ in range(300):
        listed = ["jack_lsp", "-l", f"{client}:lv2_mix_1"]
        found = subprocess.run(listed, env=environment, capture_output=True, text=True, check=False).stdout
        if re.search(r"latency = \[ [1-9]", found) or process.poll() is not None:
            break
        time.sleep(0.05)
    return found
