"""Plans that cross to the sounding process."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import noise, random_dictionary

from rtnmf import STFT, Model, Separator
from rtnmf.dictionary.planning import planned
from rtnmf.live.link.plans import PlanSlot, most_bytes
from rtnmf.live.link.protocol import Layout, Settings

SMALL = STFT(128, 32)


def slot_for(n_components, stft=SMALL):
    """Return a slot that is as large as it must be."""
    return PlanSlot(memoryview(bytearray(most_bytes(n_components, stft.n_bins))))


@pytest.mark.parametrize("model", [Model(), Model(audible_hz=0), Model(3, 1.3, 0.5, 1e-3, (0.5, 0.7), 100)])
@pytest.mark.parametrize(("n_each", "trained"), [(1, True), (4, False), (31, True)])
def test_a_plan_is_read_as_it_was_written(n_each, trained, model):
    """A separator that turns to a plan out of a slot gives the stems of one whose dictionary is set, to the bit."""
    first = random_dictionary(SMALL, ("a", "b"), 4)
    second = replace(random_dictionary(SMALL, ("a", "b"), n_each, trained=trained), model=model)
    through, directly = (Separator(first, n_iter=2) for _ in range(2))
    slot = slot_for(second.n_components)
    slot.write(planned(first, 1.0))
    slot.write(planned(second, 1.0))
    x = noise(6000)
    for separator in (through, directly):
        separator.process(x[:2000])
    through.turn_to(slot.read(through.plan))
    directly.turn_to(planned(second, 1.0))
    np.testing.assert_array_equal(through.process(x[2000:]), directly.process(x[2000:]))
    np.testing.assert_array_equal(through.activations, directly.activations)


def test_nothing_is_copied_when_a_plan_is_read():
    """The columns of a plan that is read are the slot's own memory, and those of masks the same where untrained."""
    slot = slot_for(8)
    slot.write(planned(random_dictionary(SMALL), 1.0))
    plan = slot.read(planned(random_dictionary(SMALL), 1.0))
    assert plan.M is plan.W
    slot.write(planned(random_dictionary(SMALL, ("b", "a"), 2), 1.0))
    assert not np.array_equal(plan.W, planned(random_dictionary(SMALL), 1.0).W)


@pytest.mark.parametrize("sample_rate", [8000, 16000, 44100, 96000, 192000])
@pytest.mark.parametrize("n_each", [1, 200, 700])
def test_a_slot_holds_as_many_components_as_are_promised(sample_rate, n_each):
    """A dictionary of as many components as may take over at a sample rate fits in, and one of 256 up to 96 kHz."""
    dictionary = random_dictionary(STFT(512, 128), ("a", "b"), n_each)
    settings = Settings(*[None] * len(Settings._fields))._replace(dictionary=dictionary, n_channels=1)
    layout = Layout(settings)
    converted = settings.dictionary_at(sample_rate)
    n_most = layout.most_components(converted.stft.n_bins)
    assert n_most >= dictionary.n_components or sample_rate > 96000
    assert n_most >= 256 or sample_rate > 96000
    largest = random_dictionary(converted.stft, ("a", "b"), n_most // 2, sample_rate, trained=True)
    plans = layout.plans
    slot = PlanSlot(memoryview(bytearray(plans[0].stop - plans[0].start)))
    slot.write(planned(largest, 1.0))
    assert slot.read(planned(converted, 1.0)).W.shape[2] == n_most // 2 * 2
    assert all(part.start % 64 == 0 for part in plans)
