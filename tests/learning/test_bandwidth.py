"""Recordings that end below the spectrum are found and continued; all others are learned as they are."""

import warnings

import numpy as np
import pytest
from scipy import signal

from rtnmf import STFT, learn, separate
from rtnmf.audio import files
from rtnmf.dictionary.examples import decoded
from rtnmf.learning import bandwidth, joining
from rtnmf.learning import recordings as reading
from rtnmf.measure.metrics import si_sdr

RATE = 44100
STFT_44K = STFT.default(RATE)


def noise(seed, slope, seconds=3.0, rate=RATE):
    """Return noise that falls by 6 dB per octave to the power of the slope, with syllables, shape (n_samples,)."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal(int(seconds * rate)))
    spectrum *= np.maximum(np.fft.rfftfreq(int(seconds * rate), 1 / rate), 100) ** -slope
    x = np.fft.irfft(spectrum, int(seconds * rate)) * np.repeat(rng.uniform(0.05, 1, int(20 * seconds)), rate // 20)
    return (0.1 * x / x.std()).astype(np.float32)


def narrowed(x, rate):
    """Return a sound as a recording at a lower rate has it, at the rate it had."""
    return files.resample(files.resample(x[:, None], RATE, rate), rate, RATE)[: len(x), 0]


def mean_of(x, stft=STFT_44K):
    """Return the mean magnitudes of a sound."""
    return np.abs(stft.forward(x)).mean(axis=1)


@pytest.mark.parametrize("rate", [8000, 16000, 22050])
@pytest.mark.parametrize("slope", [0, 1])
@pytest.mark.parametrize("latency", [None, "low"])
def test_the_end_of_what_was_recorded_at_a_lower_rate_is_found(rate, slope, latency):
    """It lies where the resampling filter begins to fall, in any window, whether the sound is bright or dark."""
    stft = STFT.default(RATE, latency=latency)
    end = bandwidth.end_of(mean_of(narrowed(noise(0, slope), rate), stft), RATE)
    assert 0.88 * rate / 2 < end * RATE / stft.n_fft < rate / 2


@pytest.mark.parametrize(
    "x",
    [
        noise(0, 0),
        noise(0, 2),
        narrowed(noise(0, 0), 36000),
        narrowed(noise(0, 0), 4000),
        np.sin(2 * np.pi * 3000 * np.arange(RATE) / RATE),
        np.sin(2 * np.pi * 5000 * np.arange(RATE) / RATE),
        signal.sawtooth(2 * np.pi * 300 * np.arange(RATE) / RATE),
        sum(np.sin(2 * np.pi * 300 * k * np.arange(RATE) / RATE) / k for k in range(1, 20)),
        signal.sosfilt(signal.butter(2, 3000, fs=RATE, output="sos"), noise(0, 0)),
        np.zeros(RATE),
    ],
    ids=["white", "dark", "at 36 kHz", "at 4 kHz", "low tone", "tone", "sawtooth", "overtones", "low-pass", "silence"],
)
@pytest.mark.parametrize("latency", [None, "low"])
def test_what_only_fades_does_not_end(x, latency):
    """Sounds that fade, tones in any window, what ends in the last half octave, and rumble, do not end."""
    assert bandwidth.end_of(mean_of(x.astype(np.float32), STFT.default(RATE, latency=latency)), RATE) is None


def test_the_shortest_spectra_do_not_end():
    """Where a window has only a few bins, or the rate leaves none above 3 kHz, nothing is found, and nothing fails."""
    for n_bins, rate in ((3, RATE), (9, RATE), (1025, 6000), (1025, 4000)):
        assert bandwidth.end_of(np.geomspace(1, 1e-9, n_bins, dtype=np.float32), rate) is None


def test_frames_go_on_from_their_own_level():
    """What lies above the end is 12 dB softer an octave higher, from the level of each frame; silence stays."""
    frames = np.zeros((3, 1025), np.float32)
    frames[0, :200], frames[1, :200] = 1, 3
    bandwidth.continue_above(frames, 200)
    np.testing.assert_allclose(frames[:2, [200, 400, 800]], [[1, 0.25, 0.0625], [3, 0.75, 0.1875]], rtol=1e-6)
    assert (frames[:2, :200] == [[1], [3]]).all()
    assert not frames[2].any()


def test_recordings_that_all_end_are_continued_with_a_warning():
    """Magnitudes and spectra of a source agree above its end, in each channel; the warning names it and the end."""
    x = narrowed(noise(0, 1), 16000)
    with pytest.warns(UserWarning, match=r"the recordings of hum end at 7\.\d kHz: .* hum is unknown"):
        found = reading.frames("hum", [np.stack([x, x / 2], axis=1)], RATE, STFT_44K, 10.0)
    spectra = np.abs(found.spectra[0]).reshape(2, -1, 1025)
    assert (found.magnitudes[400:] > 1e-9).all()
    np.testing.assert_allclose(spectra[0, :, 400:], 2 * spectra[1, :, 400:], rtol=1e-4)


@pytest.mark.parametrize(("name", "given"), [("hum", noise(0, 1)), ("", narrowed(noise(0, 1), 16000))])
def test_a_recording_of_the_whole_band_or_without_a_name_stays_as_it_is(name, given):
    """Recordings that reach up keep their bits, and so does one that is learned blind."""
    found = reading.frames(name, [given], RATE, STFT_44K, 10.0)
    alone = reading.heard("x", given, RATE, STFT_44K, STFT_44K.trend(RATE, 10.0), 16384).frames
    np.testing.assert_array_equal(found.magnitudes, alone.magnitudes)
    np.testing.assert_array_equal(found.spectra, alone.spectra)


def test_a_recording_that_ends_is_continued_beside_one_of_the_whole_band():
    """Each recording is continued above its own end; where one reaches up, there is nothing to warn of."""
    wide, narrow = noise(0, 1), narrowed(noise(1, 1), 16000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = reading.frames("hum", [wide, narrow], RATE, STFT_44K, 10.0)
    alone, _ = reading.heard("x", wide, RATE, STFT_44K, STFT_44K.trend(RATE, 10.0), 8192).frames
    n = alone.shape[1]
    np.testing.assert_array_equal(found.magnitudes[:, :n], alone)
    assert found.magnitudes[400:, n:].mean() > 0.1 * found.magnitudes[300:350, n:].mean()


@pytest.mark.filterwarnings("ignore:the recordings of high end")
def test_a_narrow_clip_no_longer_gives_what_is_high_to_the_other_sound():
    """A sound taught from a clip at 16 kHz, and heard in full, is separated nearly as well as one taught in full."""
    low, high = noise(0, 1), noise(1, 0)
    heard = noise(3, 0)
    mixture = noise(2, 1) + heard

    def quality(clip):
        learned = learn({"low": low, "high": clip}, RATE, n_components=4, n_steps=0)
        return si_sdr(heard, learned.by_source(separate(mixture, learned))["high"])

    assert quality(narrowed(high, 16000)) > quality(high) - 3


def test_a_dictionary_of_a_lower_rate_is_continued():
    """Its components and frames go on above its end, with a warning; one of the whole band stays as it is."""
    narrow = learn({"hum": noise(0, 1, rate=16000)}, 16000, n_components=2, rest=False)
    assert bandwidth.continued(narrow) is narrow
    wide = narrow.at_rate(RATE, STFT_44K)
    with pytest.warns(UserWarning, match=r"the recordings of hum end at 7\.\d kHz"):
        found = bandwidth.continued(wide)
    assert not wide.components[400:].any()
    assert found.components[400:].all()
    assert decoded(found.frames["hum"])[400:].mean() > 0.1 * decoded(found.frames["hum"])[300:360].mean()
    below = found.components[:300] / wide.components[:300]
    np.testing.assert_allclose(below, below[:1].repeat(300, axis=0), rtol=1e-5)


@pytest.mark.parametrize(
    "together",
    [
        lambda wide, narrow: learn({"hiss": wide, "hum": narrow}, RATE, n_steps=2),
        lambda wide, narrow: joining.joined(wide + narrow.at_rate(RATE, wide.stft)),
    ],
    ids=["learn", "joined"],
)
def test_dictionaries_of_a_lower_rate_are_continued_beside_others(together, tmp_path, monkeypatch):
    """Trained beside a sound of the whole band, a source learned at 16 kHz has components up to the top."""
    monkeypatch.setattr(joining, "user_cache_path", lambda name: tmp_path / name)
    monkeypatch.setattr(joining, "N_STEPS", 2)
    narrow = learn({"hum": noise(0, 1, rate=16000)}, 16000, n_components=2, rest=False)
    wide = learn({"hiss": noise(1, 0)}, RATE, n_components=2, rest=False)
    with pytest.warns(UserWarning, match="the recordings of hum end"):
        found = together(wide, narrow)
    assert found.select("hum").components[1000:].all()
