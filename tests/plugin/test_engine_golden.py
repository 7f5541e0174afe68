"""The engine of the plugin gives what the Python engine gives, and the same to the bit in blocks of any length."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from conftest import noise, random_dictionary
from engine_library import hostile, needs_compiler
from fuzz_seeds import as_format
from plugin_engine import PROCESSORS, Engine, library

from rtnmf import STFT, Dictionary, Separator, load_preset, presets
from rtnmf.dictionary import preset_folder
from rtnmf.dictionary.planning import planned
from rtnmf.engine.mixer import Mixer
from rtnmf.frames.model import Model
from rtnmf.kernels import hop

pytestmark = needs_compiler

TOLERANCE = 1e-6
LENGTHS = (1, 17, 64, 441, 512, 8192, None)
DICTIONARIES = {
    "plain": random_dictionary(STFT(1024, 256)),
    "trained": random_dictionary(STFT(1024, 256), n_each=7, trained=True),
    "low latency": random_dictionary(STFT(1024, 32, latency=128), trained=True),
    "any hop": random_dictionary(STFT(1000, 77, latency=400), ("a", "b", "c"), n_each=3),
    "prime": random_dictionary(STFT(2 * 101, 50), trained=True),
    "small primes": random_dictionary(STFT(2 * 3 * 5 * 7 * 11, 500), n_each=1),
    "shortest": random_dictionary(STFT(4, 1), n_each=1),
    "odd half": random_dictionary(STFT(74, 8, latency=16), trained=True),
    "one source": random_dictionary(STFT(256, 64), ("only",), n_each=2),
    "interleaved": replace(random_dictionary(STFT(256, 64)), labels=tuple("babaabba")),
    "other model": replace(
        random_dictionary(STFT(256, 64), trained=True), model=Model(3, 1.0, 0.0, 1e-2, (1, 2), 100.0)
    ),
    "contradiction": replace(
        random_dictionary(STFT(64, 32), ("a", "b", "c"), n_each=1, trained=True), model=Model(weights=(10, 10))
    ),
    "low frequencies": replace(random_dictionary(STFT(2048, 1024)), model=Model(audible_hz=80.0)),
}


def blocks_of(x, length):
    """Yield a signal in blocks of a length, or of random ones, also none at all."""
    rng = np.random.default_rng(1)
    while len(x):
        n = rng.integers(0, 700) if length is None else length
        yield x[:n]
        x = x[n:]


@pytest.fixture(params=PROCESSORS)
def processor(request):
    """Give each kind of processor that the engine is compiled for, if this one is of it."""
    if PROCESSORS[request.param] > library().rtnmf_processor():
        pytest.skip(f"this processor has no {request.param}")
    return request.param


def separated(path, x, length=512, **options):
    """Return the stems that the engine makes of a signal in blocks."""
    with Engine(path, x.shape[1], **options) as engine:
        return np.concatenate([engine.process(block) for block in blocks_of(x, length)], axis=1)


@pytest.mark.parametrize("name", DICTIONARIES)
def test_stems_are_those_of_the_python_engine(tmp_path, name, processor):
    """Whatever the dictionary and the input, stems differ by at most 1e-6, and sources and latency not at all."""
    dictionary, x = DICTIONARIES[name], hostile()
    dictionary.save(tmp_path / "x")
    separator = Separator(dictionary, n_channels=2, experts=())
    with Engine(tmp_path / "x", 2, processor=processor) as engine:
        assert engine.sources == separator.sources
        assert engine.call("latency") == separator.latency
        np.testing.assert_allclose(engine.process(x), separator.process(x), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", ["trained", "low latency", "any hop", "shortest"])
def test_blocks_of_any_length_give_the_same_bits(tmp_path, name, processor):
    """The same samples cut into other blocks give bit-identical stems."""
    DICTIONARIES[name].save(tmp_path / "x")
    x = hostile()[:4000]
    whole = separated(tmp_path / "x", x, len(x), processor=processor)
    assert np.abs(whole).max() > 0.01
    for length in LENGTHS:
        np.testing.assert_array_equal(separated(tmp_path / "x", x, length, processor=processor), whole)


@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("name", ["trained", "low latency"])
def test_other_sample_rates_are_met_as_python_meets_them(tmp_path, name, sample_rate):
    """A stream of another rate than the dictionary's has the columns and the latency of `at_rate`."""
    DICTIONARIES[name].save(tmp_path / "x")
    with pytest.warns(UserWarning, match="is converted to"):
        separator = Separator(DICTIONARIES[name], sample_rate=sample_rate, experts=())
    x = noise(9000, 1)
    with Engine(tmp_path / "x", sample_rate=sample_rate) as engine:
        assert engine.call("latency") == separator.latency
        np.testing.assert_allclose(engine.process(x), separator.process(x), rtol=0, atol=TOLERANCE)


def test_a_rate_that_leaves_a_source_nothing_is_refused(tmp_path):
    """A source that lies above the new rate is an error that names it, as in Python."""
    dictionary = random_dictionary(STFT(256, 64))
    components = dictionary.components.copy()
    components[:100, 4:] = 0
    replace(dictionary, components=components).save(tmp_path / "x")
    with pytest.raises(ValueError, match="'b': nothing is left at 8000 Hz: use a higher sample rate"):
        Engine(tmp_path / "x", sample_rate=8000)
    with pytest.raises(ValueError, match="n_fft would be 2 at 100 Hz, expected 4 to 524288"):
        Engine(tmp_path / "x", sample_rate=100)


@pytest.mark.parametrize(("n_channels", "message"), [(0, "expected 1 to 64"), (65, "expected 1 to 64")])
def test_an_odd_number_of_channels_is_refused(tmp_path, n_channels, message):
    """Streams have from 1 to 64 channels."""
    DICTIONARIES["plain"].save(tmp_path / "x")
    with pytest.raises(ValueError, match=f"n_channels is {n_channels}, {message}"):
        Engine(tmp_path / "x", n_channels)


def test_a_stream_that_would_take_too_much_is_refused(tmp_path):
    """What would take more work than Python allows is refused before any work."""
    random_dictionary(STFT(65536, 1, latency=2), n_each=40, sample_rate=48000).save(tmp_path / "x")
    with pytest.raises(ValueError, match="the number of multiplications for a second of sound would be"):
        Engine(tmp_path / "x", 64)


@pytest.mark.parametrize("number", "1234")
def test_every_format_is_read(tmp_path, number):
    """A file of an older format gives the stems that Python gives with it."""
    DICTIONARIES["plain"].save(tmp_path / "x")
    (tmp_path / "x").write_bytes(as_format((tmp_path / "x").read_bytes(), number))
    expected = Separator(Dictionary.load(tmp_path / "x"), experts=()).process(noise(3000, 1))
    np.testing.assert_allclose(separated(tmp_path / "x", noise(3000, 1)), expected, rtol=0, atol=TOLERANCE)


def test_presets_separate_as_in_python(tmp_path, speech):
    """Presets that ship, together in one dictionary, give the stems of Python with real sound."""
    dictionary = load_preset("speech").merge(load_preset("keyboard"), load_preset("hiss")).at_rate(16000)
    dictionary.save(tmp_path / "x")
    expected = Separator(dictionary, experts=()).process(speech)
    np.testing.assert_allclose(separated(tmp_path / "x", speech[:, None])[..., 0], expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_read(name):
    """The engine reads each preset, and has its sources and its latency."""
    path = preset_folder() / f"{name}.safetensors"
    with Engine(path) as engine:
        dictionary = Dictionary.load(path)
        assert (engine.sources, engine.call("latency")) == (dictionary.sources, dictionary.stft.latency)


@pytest.mark.parametrize("name", ["trained", "any hop"])
def test_updates_and_mask_power_change_while_it_runs(tmp_path, name, processor):
    """Other updates and another power of the masks take effect with the next hop, as in Python."""
    dictionary, x = DICTIONARIES[name], noise(8000, 2)
    dictionary.save(tmp_path / "x")
    settings = [(5, 1.0), (1, 1.0), (20, 2.0), (3, 0.5), (1000, 6.5), (5, 1e6)]
    plan = planned(dictionary, 1.0)
    stream = hop.started(plan, 2)
    with Engine(tmp_path / "x", 2, processor=processor) as engine:
        for block, (n_iter, power) in zip(blocks_of(x, 1234), itertools.cycle(settings), strict=False):
            engine.call("set_n_iter", n_iter)
            engine.call("set_mask_power", power)
            expected = np.empty((len(dictionary.sources), *block.shape), np.float32)
            hop.process(plan._replace(mask_power=np.float32(power)), stream, block, expected, n_iter)
            np.testing.assert_allclose(engine.process(block), expected, rtol=0, atol=TOLERANCE)


def test_settings_out_of_range_are_held_in_it(tmp_path):
    """What is no positive power changes nothing, and numbers of updates are held from 1 to 1000."""
    DICTIONARIES["plain"].save(tmp_path / "x")
    x = noise(2000, 1)
    with Engine(tmp_path / "x") as engine, Engine(tmp_path / "x") as other:
        for power in (np.nan, 0, -1):
            engine.call("set_mask_power", power)
        engine.call("set_n_iter", -5)
        other.call("set_n_iter", 1)
        np.testing.assert_array_equal(engine.process(x), other.process(x))


def test_a_reset_stream_begins_anew(tmp_path):
    """After a reset, the same samples give the same bits as the first time."""
    DICTIONARIES["trained"].save(tmp_path / "x")
    with Engine(tmp_path / "x") as engine:
        first = engine.process(noise(3000, 1))
        engine.call("reset")
        np.testing.assert_array_equal(engine.process(noise(3000, 1)), first)


def test_denormal_numbers_count_again_outside_of_the_engine(tmp_path):
    """The engine flushes denormal numbers to 0 only while it works: others in the process may need them."""
    DICTIONARIES["plain"].save(tmp_path / "x")
    tiny = np.full(8, 1e-40, np.float32)
    with Engine(tmp_path / "x") as engine:
        engine.process(noise(600, 1))
        assert (tiny * tiny.dtype.type(0.5) > 0).all()


def test_two_instances_do_not_know_of_each_other(tmp_path):
    """Instances of different dictionaries that take turns give what each gives alone."""
    names = ("trained", "any hop")
    for name in names:
        DICTIONARIES[name].save(tmp_path / name)
    x = noise(4000, 1)
    alone = [separated(tmp_path / name, x) for name in names]
    with Engine(tmp_path / names[0]) as one, Engine(tmp_path / names[1]) as other:
        pairs = [(one.process(block), other.process(block)) for block in blocks_of(x, 333)]
    for got, expected in zip(zip(*pairs, strict=True), alone, strict=True):
        np.testing.assert_array_equal(np.concatenate(got, axis=1), expected)


MIXES = [
    {},
    {"gains": {"a": 0.5}},
    {"gains": {"a": 2.0, "c": -1.0}, "wet": 0.7},
    {"soloed": ("b",), "muted": ("a",)},
    {"soloed": ("b", "c"), "muted": ("c",), "wet": 0.25},
    {"bypass": True},
    {"muted": ("a", "b", "c")},
]


@pytest.mark.parametrize("length", LENGTHS)
def test_mixes_are_those_of_the_python_engine(tmp_path, length):
    """Gains, solo, mute, dry/wet and bypass that change on the way are ramped and aligned as in Python."""
    dictionary = DICTIONARIES["any hop"]
    dictionary.save(tmp_path / "x")
    x, got, expected = hostile(), [], []
    separator = Separator(dictionary, n_channels=2, gains=Mixer(dictionary.sources), experts=())
    with Engine(tmp_path / "x", 2) as engine:
        place = 0
        for block in blocks_of(x, length):
            mixer = Mixer(dictionary.sources, **MIXES[place // 500 % len(MIXES)])
            separator.gains = mixer
            for s, source in enumerate(mixer.sources):
                strip = (mixer.gains[source], source in mixer.soloed, source in mixer.muted)
                engine.call("set_strip", s, *strip)
            engine.call("set_master", mixer.wet, mixer.bypass)
            got.append(engine.mix(block, engine.process(block)))
            expected.append(separator.process(block)[0])
            place += len(block)
    np.testing.assert_allclose(np.concatenate(got), np.concatenate(expected), rtol=0, atol=TOLERANCE)


def test_a_bypassed_mix_is_the_delayed_input_to_the_bit(tmp_path):
    """Bypass lets every bit of the input out, as many samples later as the latency says."""
    DICTIONARIES["plain"].save(tmp_path / "x")
    x = noise(3000, 1)
    with Engine(tmp_path / "x") as engine:
        engine.call("set_master", 1.0, True)
        engine.mix(x[:256], engine.process(x[:256]))  # the ramp lasts a hop
        engine.call("reset")
        mixed = engine.mix(x, engine.process(x))
    np.testing.assert_array_equal(mixed[1024:], x[:-1024])
    np.testing.assert_array_equal(mixed[:1024], 0)
