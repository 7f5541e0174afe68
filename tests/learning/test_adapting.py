"""The rest, learned from a mixture: offline, and while it sounds."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import DEMO, random_dictionary

from rtnmf import STFT, learn, pool, separate
from rtnmf.audio import files
from rtnmf.learning import recordings
from rtnmf.learning.adapting import adapted
from rtnmf.learning.backgrounds import without_kin
from rtnmf.learning.hearing import hearing
from rtnmf.learning.listening import Listening
from rtnmf.learning.recordings import mixture_frames
from rtnmf.learning.trusting import masks, rest_shares, taught_shares, trusted
from rtnmf.measure.metrics import si_sdr

RATE = 16000


@pytest.fixture(scope="module")
def voice():
    """Return a dictionary of one voice and of backgrounds without keyboards."""
    return learn({"voice": DEMO / "voice-train.flac"}, RATE, rest=without_kin(pool(), "keyboard")[::2])


@pytest.fixture(scope="module")
def signals():
    """Return the voice and the mixture of the demo at 16 kHz, the keyboard as loud as the voice."""
    speech = files.read(DEMO / "voice.flac")[0][:, 0]
    typing = files.resample(files.read(DEMO / "keyboard.flac")[0], 44100, RATE)[: len(speech), 0]
    speech = speech[: len(typing)]
    return speech, speech + typing * np.sqrt(np.mean(speech**2) / np.mean(typing**2))


@pytest.fixture(scope="module")
def adapted_voice(voice, signals):
    """Return the dictionary that has heard the mixture."""
    return adapted(voice, signals[1])


def gained_db(signals, dictionary):
    """Return the SI-SDR improvement of the voice, by what was learned alone."""
    speech, mixture = signals
    stem = separate(mixture, dictionary, experts=())[0]
    return si_sdr(speech, stem) - si_sdr(speech, mixture)


def test_a_mixture_teaches_the_rest(voice, adapted_voice, signals):
    """What is learned from it separates it better than the pool alone does."""
    assert gained_db(signals, adapted_voice) > gained_db(signals, voice) + 0.5


def test_an_adapted_dictionary_takes_the_place_of_the_first(voice, adapted_voice):
    """Names, windows and components of the voice stay, the rest has more components, and it can be adapted again."""
    assert (adapted_voice.sources, adapted_voice.rest) == (voice.sources, voice.rest)
    assert (adapted_voice.stft, adapted_voice.sample_rate) == (voice.stft, voice.sample_rate)
    of_voice = [[label == "voice" for label in d.labels] for d in (voice, adapted_voice)]
    np.testing.assert_array_equal(voice.components[:, of_voice[0]], adapted_voice.components[:, of_voice[1]])
    assert adapted_voice.labels.count("rest") > voice.labels.count("rest")
    assert adapted_voice.frames.n_bytes <= voice.frames.n_bytes
    assert adapted_voice.is_trained


def test_the_same_mixture_teaches_the_same(voice, adapted_voice, signals, tmp_path):
    """The result depends on the samples and the seed only, whether they are an array or a file."""
    files.write(tmp_path / "mix.wav", signals[1], RATE, subtype="FLOAT")
    assert adapted(voice, tmp_path / "mix.wav") == adapted_voice


def test_progress_reaches_its_end_and_can_stop(voice, signals):
    """The stage is the rest; returning False ends the training early."""
    calls = []
    adapted(voice, signals[1], progress=lambda *call: calls.append(call) or len(calls) < 3)
    assert [stage for stage, _, _ in calls] == ["rest"] * 3


@pytest.mark.parametrize(
    "x",
    [np.zeros(RATE * 3), np.zeros(0), np.zeros(100), np.full(RATE * 3, np.nan), np.full(RATE * 3, 1e30)],
    ids=["silence", "nothing", "less than a frame", "NaN", "too loud"],
)
def test_nothing_is_learned_from_nothing(voice, x):
    """What a stream takes for silence, and less than a frame, leave the dictionary as it is."""
    assert adapted(voice, x) is voice


@pytest.fixture(scope="module")
def hiss():
    """Return a dictionary of white noise, and more of that noise."""
    x = np.random.default_rng(0).normal(scale=0.1, size=20 * RATE).astype(np.float32)
    music = [background for background in pool() if background.kind == "music"]
    return learn({"hiss": x[: 8 * RATE]}, RATE, rest=music), x[8 * RATE :]


def test_a_taught_sound_that_never_pauses_stays_whole(hiss):
    """Where every frame is what was taught, none can be trusted, and nothing is learned."""
    dictionary, x = hiss
    assert adapted(dictionary, x) is dictionary


@pytest.mark.parametrize("level", [1.0, 10.0])
def test_a_tone_at_full_scale_does_no_harm(voice, level):
    """Even far above it, a constant tone leaves everything finite."""
    tone = level * np.sin(2 * np.pi * 1000 * np.arange(3 * RATE) / RATE)
    stems = separate(tone, adapted(voice, tone))
    assert np.isfinite(stems).all()
    np.testing.assert_allclose(stems.sum(axis=0), tone, atol=1e-5 * level)


def test_a_rest_of_a_single_frame_is_enough(voice, signals):
    """A dictionary learned from next to nothing is adapted like any other."""
    few = replace(voice, frames={source: codes[:, -1:] for source, codes in voice.frames.items()})
    learned = adapted(few, signals[1])
    assert learned.labels.count("rest") > voice.labels.count("rest")


def test_what_cannot_be_adapted_is_refused(voice):
    """Without a rest, or without frames, the error says what to do."""
    with pytest.raises(ValueError, match="has no rest to be learned from a mixture: learn it with rest=True"):
        adapted(voice.select("voice"), np.zeros(RATE))
    bare = type(voice)(voice.components, voice.labels, voice.stft, RATE, rest="rest")
    with pytest.raises(ValueError, match="holds no frames of voice, rest"):
        adapted(bare, np.zeros(RATE))


def test_masks_are_those_of_the_stream():
    """The share of each source in each bin is what the separator gives it, plain and trained."""
    stft = STFT(256, 64)
    x = np.random.default_rng(0).normal(size=6400).astype(np.float32)
    spectrum = stft.forward(x)
    for is_trained in (False, True):
        dictionary = random_dictionary(stft, trained=is_trained)
        found = masks(dictionary, np.abs(spectrum))
        stem = stft.inverse((found[0] * spectrum).astype(np.complex64), len(x))
        streamed = separate(x, dictionary)[0]
        assert si_sdr(streamed[256:-256], stem[256:-256]) > 40


def test_frames_without_the_voice_are_trusted(voice, signals):
    """At most half of the frames, of the smaller shares of the voice; none of silence."""
    V, _ = mixture_frames(signals[1], RATE, voice.stft, 10.0)
    V[:, :40] = 0
    places, found = trusted(voice, V)
    shares = taught_shares(V, rest_shares(voice, V))
    np.testing.assert_array_equal(found, V[:, places])
    assert 0 < len(places) <= V.shape[1] / 2
    assert places.min() >= 40
    assert shares[places].max() < 0.5
    assert (np.diff(places) > 0).all()


def odds_of(voice, x):
    """Return the magnitudes of frames, and what the usual experts say of them."""
    return mixture_frames(x, RATE, voice.stft, 10.0, hearing(voice, None))


def test_where_experts_hear_a_voice_no_frame_is_trusted(voice, signals):
    """Odds above 1 take frames away, and in those that stay they take away the bins that are likely the voice's."""
    V, _ = mixture_frames(signals[1], RATE, voice.stft, 10.0)
    alone, odds = trusted(voice, V).places, np.ones_like(V)
    places, found = trusted(voice, V, odds=odds)
    np.testing.assert_array_equal(places, alone)
    assert np.all(found <= V[:, places])
    voiced = alone[: len(alone) // 2]
    odds[:, voiced] = 1000
    assert not set(voiced) & set(trusted(voice, V, odds=odds).places)
    assert np.all(rest_shares(voice, V, 1 / odds)[:, voiced] >= rest_shares(voice, V)[:, voiced])


def test_experts_speak_of_the_frame_itself(voice, signals):
    """While the voice sounds, with noise before and after it, they raise its share, and lower it elsewhere."""
    noise = np.random.default_rng(0).normal(scale=0.02, size=3 * RATE).astype(np.float32)
    V, odds = odds_of(voice, np.concatenate([noise, signals[0][: 3 * RATE] + noise, noise]))
    heard = np.log(odds * (V > 0)).clip(-9).mean(axis=0)
    voiced = slice(3 * RATE // 256, 6 * RATE // 256)
    assert heard[voiced].max() > 0 > np.delete(heard, np.r_[voiced]).mean()


def test_of_a_long_mixture_the_experts_speak_of_the_frames_that_are_kept(voice, signals, monkeypatch):
    """Thinned evenly, or halved as it grows, each frame has the odds that it has among all of them."""
    V, odds = odds_of(voice, signals[1])
    for n_stated, n_most in ((len(signals[1]), 150), (0, 200)):
        store = recordings._Store(voice.stft, voice.stft.trend(RATE, 10.0), 1, n_stated, n_most, hearing(voice, None))
        for block in np.array_split(signals[1][:, None], 7):
            store.add(block)
        kept, places = store.odds(), []
        magnitudes = np.abs(store.spectra()[0]).T
        for t in range(len(kept.T) - 1):
            end = (t + 1) * store._hop_length / 256 - 1
            places.append(int(np.ceil(end - 0.5)))
            if end == places[-1]:
                np.testing.assert_allclose(magnitudes[:, t], V[:, places[-1]], rtol=1e-5)
        assert 75 <= len(kept.T) <= 200
        np.testing.assert_array_equal(kept[:, : len(places)], odds[:, places])


def test_experts_take_part_where_they_are_asked(voice, adapted_voice, signals):
    """By default the usual ones choose other frames than the dictionary alone; without a voice, none is asked."""
    unasked = adapted(voice, signals[1], experts=())
    assert unasked.components.tobytes() != adapted_voice.components.tobytes()
    nameless = replace(voice, voices=())
    assert adapted(nameless, signals[1]).components.tobytes() == unasked.components.tobytes()


def test_what_was_heard_while_it_sounds_is_what_is_heard_offline(voice, signals):
    """Frames and odds are the same, but for the last frame, which is not heard out."""
    V, odds = odds_of(voice, signals[1][:20000])
    listening = Listening(voice)
    for block in np.split(signals[1][:20000, None], [0, 1, 1, 700, 5000, 19999]):
        listening.hear(block)
    n = len(listening._frames)
    np.testing.assert_array_equal(listening._last(listening._frames, 9), V[:, :n])
    np.testing.assert_array_equal(listening._last(listening._odds, 9), odds[:, :n])
    assert n == 20000 // 256 - 1


def test_an_expert_that_is_not_there_is_refused(voice):
    """Before anything is heard."""
    for ask in (
        lambda: adapted(voice, "nowhere.wav", experts=["nobody"]),
        lambda: Listening(voice, experts=["nobody"]),
    ):
        with pytest.raises(ValueError, match="there is no expert 'nobody'"):
            ask()


def listened(dictionary, x, **options):
    """Return what has heard a signal, in blocks, and learned whenever that was due; and when that was, in seconds."""
    listening, times = Listening(dictionary, **options), []
    for start in range(0, len(x), 1000):
        listening.hear(x[start : start + 1000, None])
        if listening.is_due:
            listening.learn()
            times.append((start + 1000) / RATE)
    return listening, times


def test_the_rest_is_learned_while_it_sounds(voice, signals):
    """After 3 s of sound, and again after 5 s; the dictionary then separates better."""
    listening, times = listened(voice, np.concatenate([np.zeros(RATE), signals[1]]))
    assert times[0] == pytest.approx(4, abs=0.2)
    assert times[1] == pytest.approx(6, abs=0.4)
    assert 1 <= listening.n_rounds <= len(times)
    assert gained_db(signals, listening.dictionary) > gained_db(signals, voice)
    assert listening.learned_s > 0.3


def test_blocks_of_any_length_are_heard_alike(voice, signals):
    """What was heard does not depend on how it was cut."""
    whole, parts = Listening(voice), Listening(voice)
    x = signals[1][:20000, None]
    whole.hear(x)
    for block in np.split(x, [0, 1, 1, 700, 5000, 19999]):
        parts.hear(block)
    np.testing.assert_array_equal(whole._last(whole._frames, 9), parts._last(parts._frames, 9))
    assert whole.heard_s == parts.heard_s


def test_silence_teaches_nothing_while_it_sounds(voice):
    """Nothing is due, however long it lasts."""
    listening, times = listened(voice, np.zeros(7 * RATE, np.float32))
    assert (times, listening.heard_s, listening.n_rounds) == ([], 0.0, 0)


def test_it_is_said_why_nothing_is_learned(hiss):
    """A taught sound that is in every frame is named as the reason, and other tries are due."""
    dictionary, x = hiss
    listening, times = listened(dictionary, x[: 11 * RATE])
    np.testing.assert_allclose(times, [3, 5, 7, 10], atol=0.4)
    assert listening.n_rounds == 0
    assert listening.dictionary is dictionary
    assert listening.reason == "what was taught is in nearly all that was heard"
