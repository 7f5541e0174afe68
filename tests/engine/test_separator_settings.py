"""Gains, sample rates and other settings of the streaming engine."""

import warnings

import numpy as np
import pytest
from conftest import noise, random_dictionary

from rtnmf import STFT, Dictionary, Mixer, Model, Separator, separate


def test_gains_remix(dictionary, speech):
    """Each output is the sum of the stems times its row of gains."""
    x = speech[:12000]
    stems = separate(x, dictionary)
    remix = separate(x, dictionary, gains=[[1, 0.1], [0, 1], [1, 1]])
    np.testing.assert_allclose(remix[0], stems[0] + 0.1 * stems[1], atol=1e-6)
    np.testing.assert_allclose(remix[1], stems[1], atol=1e-6)
    np.testing.assert_allclose(remix[2], x, atol=1e-6)


def test_gains_change_without_a_click(dictionary):
    """A source that is faded out makes no step in a tone, and is silent afterwards."""
    separator = Separator(dictionary, gains=[[1, 1]])
    hz = 200
    x = 0.5 * np.sin(2 * np.pi * hz * np.arange(16000) / 16000).astype(np.float32)
    first = separator.process(x[:8000])
    separator.gains = np.zeros((1, 2))
    heard = np.concatenate([first, separator.process(x[8000:])], axis=1)[0]
    steepest = 0.5 * 2 * np.pi * hz / 16000 + 1 / dictionary.stft.latency * np.pi
    assert np.abs(np.diff(heard)).max() < 1.05 * steepest
    assert not heard[8000 + 2 * dictionary.stft.n_fft :].any()


def test_gains_are_copies():
    """Writing into the array that `gains` returns changes nothing."""
    separator = Separator(random_dictionary(STFT(64, 16)))
    separator.gains[:] = 5
    np.testing.assert_array_equal(separator.gains, np.eye(2))


def test_another_rate_is_converted_with_a_warning():
    """A `sample_rate` that is not the dictionary's converts it and says so; its own rate does neither."""
    dictionary = random_dictionary(STFT(1024, 256))
    with pytest.warns(UserWarning, match="learned at 16000 Hz and is converted to 44100 Hz"):
        separator = Separator(dictionary, sample_rate=44100)
    assert (separator.sample_rate, separator.latency) == (44100, 2048)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Separator(dictionary, sample_rate=16000).sample_rate == 16000


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_channels": 0}, ValueError, "n_channels is 0"),
        ({"n_channels": 1.0}, TypeError, "n_channels is 1.0"),
        ({"n_channels": 441000}, ValueError, "pass x.T if yours is the other way round"),
        ({"n_iter": 2.5}, TypeError, "n_iter is 2.5, expected a whole number"),
        ({"n_iter": 2**70}, ValueError, "expected 1 to 1000"),
        ({"mask_power": "2"}, TypeError, "mask_power is '2', expected a number"),
        ({"mask_power": 1e300}, ValueError, "mask_power is 1e.300, expected a positive number, at most a million"),
        ({"gains": "loud"}, TypeError, "gains are of type .* expected real numbers"),
        ({"gains": [[1j, 1]]}, TypeError, "gains are of type complex128"),
        ({"gains": [[1], [1, 2]]}, ValueError, "expected rows of the same length"),
        ({"sample_rate": 0}, ValueError, "sample_rate is 0"),
        ({"n_iter": 0}, ValueError, "n_iter is 0"),
        ({"mask_power": 0}, ValueError, "mask_power is 0"),
        ({"mask_power": float("nan")}, ValueError, "mask_power is nan"),
        ({"gains": [1, 1]}, ValueError, r"gains have shape \(2,\), expected \(n_outputs, 2\)"),
        ({"gains": [[1, 1, 1]]}, ValueError, "gains have shape"),
        ({"gains": [[1, np.inf]]}, ValueError, "non-finite"),
    ],
)
def test_bad_settings_are_refused(options, error, message):
    """Every setting that is out of range raises, naming the argument and what it got."""
    with pytest.raises(error, match=message):
        Separator(random_dictionary(STFT(64, 16)), **options)


def test_bad_blocks_and_gains_are_refused():
    """Blocks and gains of the wrong shape or type raise, with the remedy."""
    separator = Separator(random_dictionary(STFT(64, 16)))
    with pytest.raises(ValueError, match="block has 2 channels, separator was made for 1: pass n_channels=2"):
        separator.process(noise(5, 2))
    with pytest.raises(ValueError, match=r"block has shape \(1, 5, 1\)"):
        separator.process(noise(5).reshape(1, 5, 1))
    with pytest.raises(TypeError, match="type int64, expected floats"):
        separator.process(np.ones(5, int))
    with pytest.raises(ValueError, match="gains are for 1 outputs, expected 2: make a new Separator"):
        separator.gains = [[1, 1]]
    separator = Separator(random_dictionary(STFT(64, 16)), gains=[[1, 0], [0, 1]])
    with pytest.raises(ValueError, match="gains are for 4 outputs, expected 2"):
        separator.gains = np.ones((4, 2))
    with pytest.raises(ValueError, match=r"the mixer is for \('a',\), expected the sources \('a', 'b'\)"):
        separator.gains = Mixer(("a",))
    with pytest.raises(TypeError, match="dictionary is str"):
        Separator("speech")


def test_the_input_of_a_dictionary_of_one_source_is_there_when_a_mixer_asks_for_it():
    """A bypass that is set while the stream runs lets out the input from the latency before, without a gap."""
    dictionary = random_dictionary(STFT(256, 64), sources=("voice",))
    x = noise(3000)
    separator = Separator(dictionary)
    first = separator.process(x[:1500])
    separator.gains = Mixer(("voice",), bypass=True)
    heard = np.concatenate([first, separator.process(x[1500:])], axis=1)[0]
    np.testing.assert_allclose(heard[256:], x[:-256], atol=1e-6)


@pytest.mark.parametrize("mask_power", [1, 2])
@pytest.mark.parametrize("weights", [(2, 2), (10, 10)])
def test_bins_that_no_source_reaches_are_shared_out_with_any_model(weights, mask_power):
    """Stems sum to the input, also where the product of both masks is less than float32 holds for every source."""
    stft = STFT(64, 16)
    columns = np.zeros((stft.n_bins, 2))
    columns[:8, 0] = columns[8:16, 1] = 1
    model = Model(weights=weights, reach=1e-12)
    trained = {"update_components": columns, "mask_components": columns}
    dictionary = Dictionary(columns, ("a", "b"), stft, 16000, **trained, model=model)
    x = noise(2000)
    np.testing.assert_allclose(separate(x, dictionary, mask_power=mask_power).sum(axis=0), x, atol=1e-6)
