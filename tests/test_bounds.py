"""A file that says little may cost little: what it is made into is bounded, and all else grows no faster than it."""

import json
import tracemalloc

import numpy as np
import pytest
import soundfile

from rtnmf import STFT, Dictionary, Mixer, Model, Separator, files, learn, report
from rtnmf.learning.adapting import adapted
from rtnmf.measure.cases import read_cases
from rtnmf.report.room import fitting, shown_stft
from rtnmf.report.sounds import playable_rate

MANY = tuple(f"source {i}" for i in range(8000))


def made(stft, sample_rate, labels=("voice", "fan"), **parts):
    """Return a dictionary with a component for each label."""
    components = np.random.default_rng(0).random((stft.n_bins, len(labels))) + 0.1
    return Dictionary(components, labels, stft, sample_rate, **parts)


SMALL = STFT(64, 16)
HOPS = STFT(64, 1)
BOMBS = {
    "a rate of 1 Hz": (lambda: Separator(made(STFT(2048, 512), 1), sample_rate=48000), "n_fft would be 134217728"),
    "experts at 1 Hz": (lambda: Separator(made(STFT(2048, 512), 1)), "from 1 to 48000 Hz, expected a ratio of at most"),
    "a long window": (lambda: STFT(2**20, 2**18), r"samples of a window would be 1.05e\+06 \(n_fft 1.04858e\+06\)"),
    "wide columns": (
        lambda: made(SMALL, 400, MANY).at_rate(100_000),
        r"values of the dictionary would be .* \(n_bins 8193 \* n_components 8000 \* sets of columns 1\)",
    ),
    "frames": (
        lambda: made(SMALL, 400, frames={"fan": np.ones((33, 40_000), np.uint8)}).at_rate(100_000),
        r"values of the frames would be .* \(n_bins 8193 \* n_frames 40000\)",
    ),
    "short hops": (
        lambda: Separator(made(HOPS, 10**7, MANY[:500], model=Model(1000))),
        r"multiplications for a second of sound would be .* \(frames 1e\+07 \* n_fft 64 \* work .*use fewer components",
    ),
    "channels": (lambda: Separator(made(STFT(8192, 2048), 48000, MANY[:1000]), n_channels=64), "that the stream holds"),
    "a page at 10 MHz": (lambda: report.describe("x", made(HOPS, 10**7)), "samples of a component's sound would be"),
    "a page of tiny windows": (lambda: report.describe("x", made(STFT(4, 1), 192000)), "frames of a component's sound"),
    "a rest to be learned": (
        lambda: adapted(made(SMALL, 8000, MANY[:1000], rest=MANY[0]), np.zeros(8000)),
        r"that the rest is learned with would be 3.3e\+04 \(n_sources 1000 \* n_bins 33\)",
    ),
    "divergences": (
        lambda: made(SMALL, 8000, divergences={"fan": [(0, 0.5)] * 100_001}),
        "divergences are 100001 points, expected at most 100000",
    ),
}


@pytest.mark.parametrize(("bomb", "message"), BOMBS.values(), ids=BOMBS)
def test_what_is_small_and_would_become_large_is_refused_before_it_does(bomb, message):
    """The product of all sizes is checked after each conversion; the error has the number, and takes no memory."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message):
            bomb()
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()


def test_a_header_is_as_long_as_what_is_read(tmp_path):
    """More text than a file may have is refused when it is written, and before it is read."""
    dictionary = made(SMALL, 8000, learned_from=("x" * 10_000,) * 900)
    with pytest.raises(ValueError, match="texts and divergences of a dictionary have at most 8 MiB"):
        dictionary.save(tmp_path / "x.safetensors")
    (tmp_path / "y.safetensors").write_bytes((2**23 + 8).to_bytes(8, "little") + b" " * (2**23 + 16))
    with pytest.raises(ValueError, match="its header has 8388616 bytes, expected at most 8388608"):
        Dictionary.load(tmp_path / "y.safetensors")


@pytest.mark.parametrize(("n_components", "n_channels"), [(1000, 1), (100, 8)])
def test_large_dictionaries_can_be_used(n_components, n_channels):
    """A window of 16384 samples at 192 kHz with a thousand components is within all bounds."""
    from rtnmf.dictionary.planning import check_affordable

    labels = MANY[:n_components]
    dictionary = made(STFT(16384, 4096), 192_000, labels)
    check_affordable(dictionary, n_channels, dictionary.model.n_iter)


def source_visits(n):
    """Return how often names of sources are compared while a dictionary of so many of them is used."""

    class Name(str):
        __slots__ = ()
        n_compared = 0

        def __eq__(self, other):
            Name.n_compared += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    names = tuple(Name(f"source {i}") for i in range(n))
    dictionary = made(SMALL, 8000, names, voices=names[:-1])
    dictionary.select(*reversed(names))
    dictionary.regroup({"one": names[: n // 2], "two": names[n // 2 :]})
    dictionary.rename({name: f"new {name}" for name in names})
    repr(dictionary)
    dictionary.at_rate(16000)
    assert Mixer(names, soloed=names, muted=names[:5]).weights.sum() == n - 5
    return Name.n_compared


def test_work_grows_no_faster_than_the_sources():
    """Twice as many sources take about twice as many comparisons of their names to choose, group and rename."""
    few, many = source_visits(300), source_visits(600)
    assert many < 3 * few


def test_a_page_shows_a_part_of_very_many_components():
    """Of thousands of components, each source has its first ones; the page says how many there are."""
    stft = STFT(128, 64)
    described = report.describe("x", made(stft, 500, ("a",) * 400 + ("b",) * 100 + ("c",)))
    assert [row.name for row in described.sources] == ["a", "b", "c"]
    assert [row.source for row in described.components] == ["a"] * 85 + ["b"] * 85 + ["c"]
    many = report.describe("x", made(stft, 500, MANY[:300]))
    assert (len(many.sources), many.facts["Sources shown"]) == (256, "the first 256 of 300")


def test_a_page_draws_a_part_of_very_many_stems():
    """Of thousands of sources in a clip, the first ones get a picture, a stem and components, and the page says so."""
    labels = MANY[:150] * 2
    described = report.describe("x", made(SMALL, 500, labels), np.full(100, 0.1), n_components=100)
    page = report.render(described)
    assert page.count('<section class="strip ') == 64
    assert "this page shows the first 64 of 150 sources" in page
    assert len(described.components) == 100
    assert {row.source for row in described.components} <= set(MANY[:64])


def sounds_of(stft, sample_rate, labels):
    """Return the seconds of a component's sound on a page, the number of sounds, and their samples as played."""
    dictionary = made(stft, sample_rate, labels)
    room = fitting(dictionary, None, shown_stft(dictionary, None), 8)
    n_sounds = room.n_sources + room.n_components
    return room.seconds, n_sounds, n_sounds * max(stft.n_fft / sample_rate, room.seconds) * playable_rate(sample_rate)


def test_the_sounds_of_a_page_are_shorter_and_then_fewer_the_more_they_take():
    """What usual dictionaries hold is heard for a second each; of more there is less, down to one sound."""
    assert sounds_of(STFT(2048, 512), 48_000, MANY[:3] * 32)[:2] == (1, 99)
    assert sounds_of(STFT(2048, 512), 48_000, MANY[:8] * 32)[:2] == (0.25, 264)
    assert sounds_of(STFT(64, 16), 48_000, MANY[:200] * 2)[1] < 300
    for stft, sample_rate in ((STFT(4, 1), 16_000), (STFT(2**19, 2**17), 48_000), (STFT(2048, 512), 1), (HOPS, 2**20)):
        _, n_sounds, n_played = sounds_of(stft, sample_rate, MANY[:60])
        assert n_sounds >= 1
        assert n_played < 3e7
    assert sounds_of(STFT(16_382, 4096), 48_000, MANY[:60])[1] < sounds_of(STFT(16_384, 4096), 48_000, MANY[:60])[1]
    with pytest.raises(ValueError, match=r"the work for a component's sound would be .*: convert the dictionary"):
        sounds_of(STFT(2**19, 2**17), 1, MANY[:1])


def test_measures_of_very_many_channels_are_refused_before_anything_is_read(tmp_path):
    """The equations of BSS-eval grow with the square of stems and channels, which the first case has too many of."""
    case = {"id": "a", "sample_rate": 8000, "seconds": 1, "channels": 9}
    case["stems"] = [{"name": name, "path": "x.wav", "start": 0, "gain": 1} for name in "ab"]
    (tmp_path / "cases.json").write_text(json.dumps({"cases": [case]}))
    message = r"case 1: the number of taps of BSS-eval would be 9.22e\+03 \(stems 2 \* channels 9 \* filter 512\)"
    with pytest.raises(ValueError, match=message):
        read_cases(tmp_path)


@pytest.fixture
def slow(tmp_path):
    """Return the path of a file with a rate of 1 Hz."""
    soundfile.write(tmp_path / "slow.wav", np.full(40_000, 0.1), 1, "PCM_U8")
    return tmp_path / "slow.wav"


def test_a_file_of_a_few_samples_per_second_becomes_no_long_sound(slow):
    """It is read as it is, and neither resampled as a whole nor in blocks."""
    message = "from 1 to 48000 Hz, expected a ratio of at most 256"
    assert files.read(slow)[0].shape == (40_000, 1)
    with pytest.raises(ValueError, match=f"slow.wav would be converted {message}"):
        files.read(slow, 48000)
    with pytest.raises(ValueError, match=message):
        learn({"a": slow}, 48000, n_steps=0, rest=False)


def flac(path, n_claimed, n_samples=2000):
    """Write noise to a FLAC file with a header that claims another length, and return its path."""
    soundfile.write(path, np.random.default_rng(0).uniform(-1, 1, (n_samples, 2)), 48000, "PCM_16")
    data = bytearray(path.read_bytes())
    data[18:26] = (int.from_bytes(data[18:26], "big") >> 36 << 36 | n_claimed).to_bytes(8, "big")
    path.write_bytes(data)
    return path


def test_a_length_that_no_file_of_this_size_can_have_is_not_believed(tmp_path):
    """A header that claims 512 GiB says nothing; what is there is read."""
    path = flac(tmp_path / "x.flac", 2**36 - 1)
    with files.AudioReader(path) as reader:
        assert reader.n_samples is None
    assert files.read(path)[0].shape == (2000, 2)
    assert files.duration_s(path) == 2000 / 48000


def test_a_file_that_unfolds_to_more_than_it_can_hold_is_refused(tmp_path, monkeypatch):
    """Whatever a decoder makes of a file, and its resampling, ends at so many values for each of its bytes."""
    monkeypatch.setattr("rtnmf.bounds._FEW_VALUES", 0)
    soundfile.write(tmp_path / "x.wav", np.full(40_000, 0.1), 8000, "PCM_16")
    assert len(files.read(tmp_path / "x.wav", 192_000)[0]) == 960_000
    monkeypatch.setattr("rtnmf.bounds._VALUES_PER_BYTE", 5)
    with pytest.raises(ValueError, match=r"values would be 9.6e\+05 \(n_values 40000 \* sample_rate 24\), expected"):
        files.read(tmp_path / "x.wav", 192_000)
    monkeypatch.setattr("rtnmf.bounds._VALUES_PER_BYTE", 0.1)
    with pytest.raises(ValueError, match=r"x.wav: makes more than .* values of sound out of 80044 bytes"):
        files.read(tmp_path / "x.wav")
