"""Dictionaries that are replaced while they separate."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from conftest import noise, random_dictionary
from hypothesis import given, settings
from hypothesis import strategies as st

from rtnmf import STFT, Mixer, Model, Separator, separate

SMALL = STFT(128, 32)


def others(stft, sources=("a", "b")):
    """Return dictionaries that may replace each other: plain and trained, of few and of many components."""
    return [
        random_dictionary(stft, sources, n_each, trained=trained)
        for n_each, trained in ((4, False), (1, True), (9, True))
    ]


def swapped(separator, x, swaps, cuts=()):
    """Return what comes of a signal, flushed, with dictionaries set before some of its samples, in some blocks."""
    at = dict(swaps)
    outputs = []
    edges = sorted({0, len(x), *at, *cuts})
    for start, stop in zip(edges, [*edges[1:], len(x)], strict=True):
        if start in at:
            separator.dictionary = at[start]
        outputs.append(separator.process(x[start:stop]))
    return np.concatenate([*outputs, separator.flush()], axis=1)[:, separator.latency :]


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.integers(0, 1500), st.integers(0, 2), max_size=5),
    st.lists(st.integers(0, 2000), max_size=12),
    st.sampled_from([None, 32]),
    st.integers(1, 2),
)
def test_any_swaps_in_any_blocks_give_the_same_to_the_bit(swaps, cuts, latency, n_channels):
    """Wherever dictionaries are set, in the middle of a cross-fade too, blocks do not matter, and stems sum up."""
    stft = STFT(128, 32 if latency is None else 8, latency=latency)
    dictionaries, x = others(stft), noise(2000, n_channels)
    swaps = [(at, dictionaries[i]) for at, i in swaps.items()]
    stems = [swapped(Separator(dictionaries[0], n_channels=n_channels), x, swaps, some) for some in ((), cuts)]
    np.testing.assert_array_equal(*stems)
    np.testing.assert_allclose(stems[0].sum(axis=0), x, atol=1e-6)


def test_stems_are_faded_in_a_straight_line_over_50_ms(stft, speech):
    """Stems are the old ones before, the new dictionary's 50 ms later, and in between a mix that moves in a line."""
    before, after = random_dictionary(stft), random_dictionary(stft, n_each=7, trained=True)
    after = replace(after, model=Model(memory=0))  # so that what was before does not matter
    at, length, x = 10000, 800, speech[:20000]
    stems, old, new = swapped(Separator(before), x, [(at, after)]), separate(x, before), separate(x, after)
    late = at - stft.latency  # what was set at a sample of the input is heard at the one that comes out then
    np.testing.assert_array_equal(stems[:, :late], old[:, :late])
    settled = at + max(0, length - stft.latency)
    np.testing.assert_array_equal(stems[:, settled:], new[:, settled:])
    if stft.latency < length:  # frames that were wholly made by the new dictionary, while the fade goes on
        part = slice(at, late + length)
        share = np.arange(part.start - late + 1, length + 1) / length
        mixed = old[:, part] + share * (new[:, part] - old[:, part])
        np.testing.assert_allclose(stems[:, part], mixed, atol=1e-6)


def test_a_swap_makes_no_click():
    """A tone that both sources share differently before and after a swap has no larger step than without a swap."""
    rate = 16000
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate).astype(np.float32)
    for stft in (STFT(1024, 256), STFT(1024, 32, latency=128)):
        first, _, last = others(stft)
        swaps = [(8000, last), (8300, first), (16000, last), (20000, first)]
        stems = swapped(Separator(first), tone, swaps)
        assert np.abs(stems - separate(tone, first))[:, 17000:19000].max() > 0.05  # it is another one
        steepest = np.abs(np.diff(tone)).max()
        assert np.abs(np.diff(stems[:, 2000:-2000], axis=1)).max() < 1.05 * steepest


def test_an_equal_dictionary_changes_next_to_nothing(dictionary, speech):
    """When a dictionary replaces its equal, only activations start anew: stems differ by less than -40 dB."""
    x = speech[:16000]
    stems, same = swapped(Separator(dictionary), x, [(8000, replace(dictionary))]), separate(x, dictionary)
    np.testing.assert_array_equal(stems[:, : 8000 - dictionary.stft.latency], same[:, : 8000 - dictionary.stft.latency])
    assert 0 < np.square(stems - same).mean() < 1e-4 * np.square(same).mean()


def test_flush_and_reset_end_a_cross_fade(stft, speech):
    """After `flush` or `reset` in the middle of a cross-fade, a stream is as new, with the dictionary set last."""
    first, _, last = others(stft)
    for end in (Separator.flush, Separator.reset):
        separator = Separator(first)
        separator.process(speech[:5000])
        separator.dictionary = last
        separator.process(speech[5000:5100])
        assert separator.is_fading
        end(separator)
        assert not separator.is_fading
        np.testing.assert_array_equal(separator.process(speech[:6000]), Separator(last).process(speech[:6000]))
        separator.dictionary = first
        end(separator)
        np.testing.assert_array_equal(separator.process(speech[:6000]), Separator(first).process(speech[:6000]))


def test_a_dictionary_that_had_no_sample_leaves_no_trace(speech):
    """Of several dictionaries set between the same two samples only the last matters, also with empty blocks."""
    first, second, last = others(SMALL)
    separators = Separator(first), Separator(first)
    for separator, some in zip(separators, ((last,), (second, last)), strict=True):
        separator.process(speech[:1000])
        for dictionary in some:
            separator.dictionary = dictionary
            separator.process(speech[:0])
    np.testing.assert_array_equal(*(separator.process(speech[1000:4000]) for separator in separators))


def test_gains_and_the_dry_signal_go_on_through_a_swap(speech):
    """Outputs are mixed from the cross-faded stems, and what is dry stays aligned."""
    first, _, last = others(STFT(512, 128))
    x, swaps = speech[:12000], [(5000, last), (5200, first)]
    stems = swapped(Separator(first), x, swaps)
    remix = swapped(Separator(first, gains=[[1, 0], [0.5, 2]]), x, swaps)
    np.testing.assert_allclose(remix, [stems[0], 0.5 * stems[0] + 2 * stems[1]], atol=1e-6)
    np.testing.assert_allclose(swapped(Separator(first, gains=Mixer(("a", "b"), wet=0)), x, swaps)[0], x, atol=1e-7)


def test_what_is_reported_is_that_of_the_new_dictionary(speech):
    """Dictionary, activations and updates are those of the new dictionary, in the order of the first one's sources."""
    first = random_dictionary(SMALL)
    separator = Separator(first)
    separator.process(speech[:2000])
    last = replace(random_dictionary(SMALL, ("b", "a"), 3, trained=True), model=Model(n_iter=7))
    separator.dictionary = last
    assert separator.dictionary == last.select("a", "b")
    assert (separator.n_iter, separator.sources) == (7, ("a", "b"))
    np.testing.assert_array_equal(separator.activations, np.zeros(6))
    separator.process(speech[2000:2100])
    assert separator.activations.sum() > 0


@pytest.mark.filterwarnings("ignore:the dictionary was trained for 5 updates")
def test_updates_that_were_asked_for_stay():
    """A number of updates that was given when the separator was made, or set, outlives a swap."""
    first, _, last = others(SMALL)
    made, turned = Separator(first, n_iter=3), Separator(first)
    turned.n_iter = 2
    made.dictionary = turned.dictionary = last
    assert (made.n_iter, turned.n_iter) == (3, 2)


@pytest.mark.parametrize(
    ("other", "error", "message"),
    [
        ("speech", TypeError, "dictionary is str, expected a Dictionary: load or learn one"),
        (random_dictionary(SMALL, ("a", "c")), ValueError, "has the sources a, c, expected a, b: use .rename"),
        (random_dictionary(SMALL, ("a", "b", "c")), ValueError, "has the sources a, b, c, expected a, b"),
        (random_dictionary(SMALL, sample_rate=8000), ValueError, "is for 8000 Hz and STFT.* expected 16000 Hz and"),
        (random_dictionary(STFT(128, 16)), ValueError, r"convert it with .at_rate\(sample_rate, stft\)"),
        (random_dictionary(STFT(128, 32, latency=64)), ValueError, "latency=64"),
    ],
)
def test_a_dictionary_that_does_not_fit_is_refused(other, error, message, speech):
    """Another type, other sources, another rate or STFT raise, and the stream goes on as before."""
    separator, same = Separator(random_dictionary(SMALL)), Separator(random_dictionary(SMALL))
    with pytest.raises(error, match=message):
        separator.dictionary = other
    np.testing.assert_array_equal(separator.process(speech[:3000]), same.process(speech[:3000]))


def test_a_dictionary_may_be_set_from_another_thread(speech):
    """While another thread sets dictionaries as fast as it can, stems sum to the input and the last one stays."""
    first, second, last = others(SMALL)
    separator, done = Separator(first, n_channels=1), threading.Event()

    def replace_it():
        for _ in range(30):
            separator.dictionary = second
            separator.dictionary = last
        done.set()

    thread = threading.Thread(target=replace_it)
    thread.start()
    x, outputs = np.tile(speech, 10), []
    for block in np.split(x, range(0, len(x), 64)):
        outputs.append(separator.process(block))
        if done.is_set() and not separator.is_fading:
            break
    thread.join()
    stems = np.concatenate(outputs, axis=1)[:, separator.latency :]
    np.testing.assert_allclose(stems.sum(axis=0), x[: stems.shape[1]], atol=1e-6)
    assert done.is_set()
    assert separator.dictionary == last
    assert separator.activations.shape == (last.n_components,)
