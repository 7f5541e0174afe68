"""The plugin in VST3 and LV2 hosts that others have written."""

import functools

import minihost
import numpy as np
import pedalboard
import pytest
from bundled import GAINS_DB, OUTPUTS, RATE, desk, foreign, in_blocks, late, linear, noise, plugins, quick

import rtnmf


def processed(plugin, x):
    """Return all outputs of a block in minihost."""
    y = np.zeros((OUTPUTS, x.shape[1]), np.float32)
    plugin.process(np.ascontiguousarray(x), y)
    return y


LENGTHS = [1, 17, 64, 441, 512, 8192]


@pytest.fixture(scope="module")
def plugin():
    """Return an instance in pedalboard, with gains."""
    plugin = pedalboard.load_plugin(str(plugins("Desk")["vst3"]))
    plugin.a_gain_db, plugin.b_gain_db = GAINS_DB.values()
    return plugin


def mixed(stems):
    """Return the mix of stems with the gains."""
    return sum(linear(gain_db) * stem for gain_db, stem in zip(GAINS_DB.values(), stems, strict=True))


@pytest.mark.parametrize("length", LENGTHS)
def test_the_mix_is_that_of_separate(plugin, length):
    """A host that compensates latency gets what `separate` gives, with the gains, for blocks of any length."""
    x = noise()[:, : 2000 if length == 1 else None]
    stems = rtnmf.separate(x.T, desk(), experts=()).transpose(0, 2, 1)
    np.testing.assert_allclose(plugin(x, RATE, buffer_size=length), mixed(stems), atol=1e-6)


def test_presets_that_are_joined_give_what_separate_gives():
    """A plugin of two presets, at their own rate, is as good as `separate`."""
    dictionary = rtnmf.load_preset("speech").merge(rtnmf.load_preset("keyboard"))
    plugin = pedalboard.load_plugin(str(plugins("Presets", lambda: dictionary, ("vst3",))["vst3"]))
    plugin.speech_gain_db, plugin.keyboard_gain_db = GAINS_DB.values()
    stems = rtnmf.separate(noise().T, dictionary, experts=()).transpose(0, 2, 1)
    np.testing.assert_allclose(plugin(noise(), dictionary.sample_rate), mixed(stems), atol=1e-6)


def test_state_is_saved_and_restored(plugin):
    """A state brings parameters and the dictionary, also to a plugin that had none."""
    want = plugin(noise(), RATE)
    for other in (plugins("Desk")["vst3"], plugins("rtnmf", None)["vst3"]):
        restored = pedalboard.load_plugin(str(other))
        restored.raw_state = plugin.raw_state
        np.testing.assert_array_equal(restored(noise(), RATE), want)
    restored = pedalboard.load_plugin(str(plugins("Desk")["vst3"]))
    restored.raw_state = plugin.raw_state
    assert (restored.a_gain_db, restored.b_gain_db) == tuple(GAINS_DB.values())


def test_parameters_are_automated():
    """A gain that changes within a render moves in a straight line to the new one, over a hop."""
    plugin = minihost.Plugin(str(plugins("Desk")["vst3"]), RATE, 512)
    index = next(i for i in range(plugin.num_params) if plugin.get_param_info(i)["name"] == "b gain")
    x, y, at = noise(), np.zeros((OUTPUTS, noise().shape[1]), np.float32), 3072
    for i in range(0, x.shape[1] - 511, 512):
        block = np.zeros((OUTPUTS, 512), np.float32)
        changes = [(0, index, 0.0)] if i == at else []
        plugin.process_auto(np.ascontiguousarray(x[:, i : i + 512]), block, [], changes)
        y[:, i : i + 512] = block
    n_samples = x.shape[1] // 512 * 512
    left = np.clip(1 - np.arange(1 - at, n_samples - at + 1) / desk().stft.hop_length, 0, 1)
    stems = late()[:, :, :n_samples]
    np.testing.assert_allclose(y[:2, :n_samples], stems[0] + left * stems[1], atol=1e-6)


@pytest.mark.parametrize("kind", ["vst3", "lv2"])
def test_all_outputs_reach_a_host(kind):
    """A host gets the mix and the stems from their buses, and the latency before anything has sounded."""
    plugin = minihost.Plugin(str(plugins("Desk")[kind]), RATE, 512)
    assert (plugin.num_input_channels, plugin.num_output_channels) == (2, OUTPUTS)
    assert plugin.latency_samples == desk().stft.latency or kind == "lv2"  # JUCE does not look at the port before
    y, stems = in_blocks(functools.partial(processed, plugin), noise(), 500), late()
    np.testing.assert_allclose(y[:2], stems.sum(0), atol=1e-6)
    np.testing.assert_allclose(y[2:6].reshape(stems.shape), stems, atol=1e-6)
    assert not y[6:].any()


@pytest.mark.parametrize("kind", ["vst3", "lv2"])
def test_a_host_restores_the_state(kind):
    """A state that a host has saved brings the parameters back, and the dictionary to the generic plugin."""
    first, second, generic = (
        minihost.Plugin(str(plugins(*which)[kind]), RATE, 512) for which in (("Desk",), ("Desk",), ("rtnmf", None))
    )
    first.set_param_by_name("a gain", 0.25)
    processed(first, noise()[:, :500])  # which is when parameters arrive
    state = first.get_state()
    second.set_state(state)
    assert second.find_param("a gain") == first.find_param("a gain")
    assert second.get_param(second.find_param("a gain")) == pytest.approx(0.25, abs=1e-3)
    if kind == "vst3":  # a state of LV2 names the plugin that it belongs to
        generic.set_state(state)
        assert generic.latency_samples == desk().stft.latency


def test_instances_of_different_dictionaries_sound_at_once():
    """Two VST3 plugins in one process keep their own names, parameters and sounds."""
    first, second = (pedalboard.load_plugin(str(plugins(*which)["vst3"])) for which in (("Desk",), ("Quick", quick)))
    assert (first.name, second.name) == ("Desk", "Quick")
    assert first.identifier != second.identifier
    assert "c_gain_db" in second.parameters
    assert "c_gain_db" not in first.parameters
    first.b_mute = second.b_mute = second.c_mute = True
    for i in range(2):
        for plugin, dictionary in ((first, desk), (second, quick)):
            want = rtnmf.separate(noise(seed=i).T, dictionary(), experts=())[0].T
            np.testing.assert_allclose(plugin(noise(seed=i), RATE), want, atol=1e-6)


def test_names_are_shown_in_any_language():
    """Each source has its faders under its own name, whatever characters it has, and so has the plugin."""
    path = str(plugins("Größe 音", foreign)["vst3"])
    plugin = minihost.Plugin(path, RATE, 512)
    names = [f"{source} {what}" for source in ("Küche", "音楽", "雨音") for what in ("gain", "solo", "mute")]
    places = [plugin.find_param(name) for name in names]
    assert places == list(range(places[0], places[0] + len(names)))
    plugin = pedalboard.load_plugin(path)
    assert plugin.name == "Größe 音"
    assert f"{'é' * 64} gain" in [parameter.name for parameter in plugin.parameters.values()]
