"""The engine between microphone and loudspeaker: exact, late by `latency`, and never without sound."""

import numpy as np
import pytest
from conftest import random_dictionary

from rtnmf import Separator, separate
from rtnmf.live.host.engine import Engine

BLOCKS = (0, 1, 17, 128, 509, 1024)


@pytest.fixture
def engine(dictionary):
    """Return an engine whose first source alone is heard, on two outputs."""
    return Engine(Separator(dictionary), 2, [1, 0, 0])


def blocks(x, length):
    """Cut a signal into blocks with one channel; 0 takes turns at several lengths."""
    start, turn = 0, 0
    while start < len(x):
        n = length or BLOCKS[turn % len(BLOCKS)]
        yield x[start : start + n, None]
        start, turn = start + n, turn + 1


def played(engine, x, length=0):
    """Return the whole output, shape (n_outputs, n_samples)."""
    return np.concatenate([engine.process(block).output for block in blocks(x, length)]).T


@pytest.mark.parametrize("length", [0, 1000])
def test_a_gain_of_one_changes_no_bit(engine, dictionary, speech, length):
    """A source that alone is heard goes out as its stem, to the bit, on both channels."""
    x = speech[:16000]
    out = played(engine, x, length)
    latency = engine.separator.latency
    stem = separate(x, dictionary)[0]
    assert np.array_equal(out[0, latency:], stem[: len(x) - latency])
    assert np.array_equal(out[0], out[1])


def test_flush_gives_the_rest_of_the_stems(engine, dictionary, speech):
    """The stems of all blocks and of the flush are those of `separate`."""
    x = speech[:5000]
    stems = np.hstack([engine.process(x[:, None]).stems[:, :, 0], engine.flush().stems[:, :, 0]])
    assert np.array_equal(stems[:, engine.separator.latency :], separate(x, dictionary))


def test_bypass_is_the_input_as_late_as_the_stems(engine, speech):
    """With all weight on the input, it goes out `latency` samples late, to the bit."""
    engine.weigh([0, 0, 1])
    played(engine, np.zeros(engine.separator.latency, np.float32))
    latency = engine.separator.latency
    out = played(engine, speech)
    assert np.array_equal(out[0, latency:], speech[:-latency])


def test_weights_move_in_a_line_over_one_hop(engine):
    """New weights are reached in a straight line over one hop, also when they change in the middle of it."""
    one, hop_length = np.ones((64, 1), np.float32), engine.separator.dictionary.stft.hop_length
    engine.weigh([0, 0, 1])
    for _ in range(100):
        engine.process(one)
    engine.weigh([0, 0, 0])
    parts = [engine.process(one[: hop_length // 4]).output[:, 0]]
    engine.weigh([0, 0, 1])
    parts += [engine.process(one).output[:, 0] for _ in range(2 * hop_length // 64 + 1)]
    out = np.concatenate(parts)
    assert out[hop_length // 4 - 1] == pytest.approx(0.75)
    assert np.abs(np.diff(out)).max() <= 1.01 / hop_length
    assert (out[hop_length + hop_length // 4 :] == 1).all()


def test_stems_go_to_channels_of_their_own(dictionary, speech):
    """Stems go to channels of their own and are repeated to fill a pair; what is left over is silent."""
    engine = Engine(Separator(dictionary), 5, [1, 1, 0], as_stems=True)
    out = played(engine, speech[:8000])
    stems = separate(speech[:8000], dictionary)
    latency = engine.separator.latency
    for channel, stem in enumerate((0, 0, 1, 1)):
        assert np.array_equal(out[channel, latency:], stems[stem, : 8000 - latency])
    assert not out[4].any()


@pytest.mark.parametrize("length", [0, 1000])
def test_each_output_is_limited_by_itself_and_stems_are_not(dictionary, speech, length):
    """With a limiter an output that would go over full scale does not, the others and the stems keep every bit."""
    x = speech[:8000]
    engines = [
        Engine(Separator(dictionary), 2, [1000, 1, 0], as_stems=True, limit=is_limited) for is_limited in (False, True)
    ]
    free, limited = ([engine.process(block) for block in blocks(x, length)] for engine in engines)
    assert np.array_equal(*(np.concatenate([heard.output[:, 1] for heard in way]) for way in (free, limited)))
    assert np.array_equal(*(np.hstack([heard.stems for heard in way]) for way in (free, limited)))
    assert max(np.abs(heard.output).max(initial=0) for heard in limited) == pytest.approx(0.966, abs=1e-3)
    assert [heard.is_over for heard in free] == [np.abs(heard.output).max(initial=0) > 1 for heard in free]
    assert [heard.is_over for heard in limited] == [heard.is_over for heard in free]
    assert any(heard.is_over for heard in free)
    assert all(heard.is_limited for heard in limited if heard.is_over)
    assert not any(heard.is_limited for heard in free)


def test_stereo_keeps_its_sides(dictionary, speech):
    """In a stereo mix left stays left, and stereo stems lie side by side, each left and right."""
    x = np.column_stack([speech[:8000], -0.5 * speech[:8000]])
    stems = separate(x, dictionary)
    mix = Engine(Separator(dictionary, n_channels=2), 2, [1, 0, 0]).process(x).output
    both = Engine(Separator(dictionary, n_channels=2), 4, [1, 1, 0], as_stems=True).process(x).output
    latency = dictionary.stft.latency
    assert np.array_equal(mix[latency:], stems[0, :-latency])
    assert np.array_equal(both[latency:], np.hstack([stems[0], stems[1]])[:-latency])


def test_exception_lets_the_aligned_input_out_and_the_stems_come_back(engine, dictionary, speech, monkeypatch):
    """After an exception the aligned input goes out until the stems are whole again, then the stems, to the bit."""
    x, latency = speech, engine.separator.latency
    first = played(engine, x[:8000], 500)
    monkeypatch.setattr(Separator, "process", lambda *_: 1 / 0)
    failing = [engine.process(block) for block in blocks(x[8000:16000], 500)]
    monkeypatch.undo()
    after = [engine.process(block) for block in blocks(x[16000:], 500)]
    assert engine.n_errors == 16
    assert not any(heard.is_separated for heard in failing)
    n_primed = -(-latency // 500)
    assert [heard.is_separated for heard in after[: n_primed + 1]] == [False] * n_primed + [True]
    out = np.concatenate([first[0], *(heard.output[:, 0] for heard in failing + after)])
    hop_length = dictionary.stft.hop_length
    dry = slice(8000 + hop_length, 16000 + 500 * n_primed)
    np.testing.assert_allclose(out[dry], x[dry.start - latency : dry.stop - latency], atol=1e-7)
    restarted = separate(x[16000:], dictionary)[0]
    wet = slice(dry.stop + hop_length, len(x))
    assert np.array_equal(out[wet], restarted[wet.start - 16000 - latency :][: len(x) - wet.start])


def test_rest_keeps_the_weight_of_the_loudest(engine, speech):
    """Without separation the aligned input has the weight of the loudest source; when all are muted it is silent."""
    latency = engine.separator.latency
    for weight in (0.25, 0.0):
        engine.weigh([weight, 0, 0])
        outputs = [engine.process(block, separate=False).output for block in blocks(speech[:16000], 500)]
        out = np.concatenate(outputs)[:, 0]
        np.testing.assert_allclose(out[8000:], weight * speech[8000 - latency : 16000 - latency], atol=1e-7)


@pytest.mark.parametrize("level", [np.nan, np.inf, 1e30, 0.0, 1.0])
def test_hostile_input_gives_finite_output(engine, level):
    """NaN, infinity and absurd levels in the input leave the output finite."""
    heard = engine.process(np.full((5000, 1), level, np.float32))
    assert all(np.isfinite(part).all() for part in heard[:3])


def test_giving_way_makes_no_step(dictionary):
    """A tone goes through without a step when the separation rests and when it comes back."""
    engine = Engine(Separator(dictionary), 1, [1, 0, 0])
    tone = 0.5 * np.sin(2 * np.pi * 50 * np.arange(48000) / 16000).astype(np.float32)
    outputs = [engine.process(block, separate=not 40 < i < 80).output for i, block in enumerate(blocks(tone, 400))]
    assert np.abs(np.diff(np.concatenate(outputs)[8000:, 0])).max() < 1.5 * np.abs(np.diff(tone)).max()


def test_negative_weight_is_kept_without_separation(engine, speech):
    """A source with a negative weight is inverted without separation, too."""
    engine.weigh([-1, 0, 0])
    latency = engine.separator.latency
    outputs = [engine.process(block, separate=False).output for block in blocks(speech[:16000], 500)]
    np.testing.assert_allclose(np.concatenate(outputs)[8000:, 0], -speech[8000 - latency : 16000 - latency], atol=1e-7)


def test_dry_signal_is_shared_out_among_stems(dictionary, speech):
    """With stems on outputs of their own, the dry signal is shared out evenly, so that all outputs sum to it."""
    engine = Engine(Separator(dictionary), 2, [0, 0, 1], as_stems=True)
    out = played(engine, speech[:8000])
    latency = engine.separator.latency
    assert np.array_equal(out[0], out[1])
    np.testing.assert_allclose(out.sum(axis=0)[latency:], speech[: 8000 - latency], atol=1e-7)


def test_dictionary_of_one_component_lets_everything_through(stft, speech):
    """A dictionary of one component, and so of one source, gives the aligned input."""
    engine = Engine(Separator(random_dictionary(stft, ("a",), n_each=1)), 1, [1, 0])
    latency = engine.separator.latency
    np.testing.assert_allclose(played(engine, speech[:8000])[0, latency:], speech[: 8000 - latency], atol=1e-6)
