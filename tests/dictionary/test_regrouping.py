"""Several sources of a dictionary as one."""

import dataclasses

import numpy as np
import pytest
from small_dictionaries import FRAMES, complete, small, trained

from rtnmf import separate

BLIND = small(labels=("component-1", "component-2", "component-3", "component-4"), divergences={"": [(0, 0.5)]})


def test_groups_come_first_and_keep_their_components():
    """Grouped sources come in the order of the groups, others after them; no component changes or is lost."""
    named = BLIND.regroup({"typing": ["component-4"], "voice": ("component-3", "component-1")})
    assert named.sources == ("typing", "voice", "component-2")
    assert named.labels == ("typing", "voice", "voice", "component-2")
    np.testing.assert_array_equal(named.components, BLIND.components[:, [3, 0, 2, 1]])
    assert named.divergences == BLIND.divergences


def test_the_stem_of_a_group_is_the_sum_of_its_parts():
    """The stem of a group is the sum of the stems of its sources, as the components explain the frame as before."""
    x = np.random.default_rng(0).standard_normal(2000).astype(np.float32)
    parts = BLIND.by_source(separate(x, BLIND))
    named = BLIND.regroup({"voice": ["component-3", "component-1"], "typing": ["component-2", "component-4"]})
    stems = named.by_source(separate(x, named, experts=()))
    np.testing.assert_allclose(stems["voice"], parts["component-1"] + parts["component-3"], atol=1e-4)
    np.testing.assert_allclose(stems["typing"], parts["component-2"] + parts["component-4"], atol=1e-4)


def test_training_and_all_else_is_kept():
    """Columns of training go with their components; a group of one keeps its divergences, larger ones have none."""
    made = complete()
    swapped = made.regroup({"b": ["a"], "a": ["b"]})
    assert swapped.select("a", "b") == made.rename({"a": "b", "b": "a"}).select("a", "b")
    one = made.regroup({"both": ["a", "b"]})
    kinds = {"rest": "both", "voices": ()}
    assert one == dataclasses.replace(made, labels=("both",) * 4, divergences={}, **kinds, frames={"both": FRAMES})
    assert trained().regroup({"x": ["b"]}).is_trained


@pytest.mark.parametrize(
    ("groups", "error", "message"),
    [
        ({"x": ["component-9"]}, ValueError, "there is no source 'component-9': choose from component-1"),
        ({"x": []}, ValueError, "no source is given for 'x', expected one or more of component-1"),
        ({"x": ["component-1", "component-1"]}, ValueError, "'component-1' is given 2 times: put it into one group"),
        ({"x": ["component-1"], "y": ["component-1"]}, ValueError, "'component-1' is given 2 times"),
        ({"component-2": ["component-1"]}, ValueError, "there is another source 'component-2': put it into that group"),
        ({"": ["component-1"]}, ValueError, "source name '' is not usable"),
        ({"x": "component-1"}, TypeError, r"groups are .*, expected \{name: \[source, ...\]\}"),
        (["component-1"], TypeError, r"groups are .*, expected"),
    ],
)
def test_groups_that_cannot_be_are_refused(groups, error, message):
    """Unknown, empty, overlapping and ambiguous groups are errors that name what to change."""
    with pytest.raises(error, match=message):
        BLIND.regroup(groups)
