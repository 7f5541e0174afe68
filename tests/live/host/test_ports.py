"""Names of ports in JACK."""

import pytest

from rtnmf.live.host.ports import input_names, output_names


@pytest.mark.parametrize(
    ("routes", "names"),
    [
        ({"mix": (1,)}, ["mix"]),
        ({"mix": (1, 2)}, ["mix_1", "mix_2"]),
        ({"drums": (1,), "bass": (2,)}, ["drums", "bass"]),
        ({"drums": (1, 2), "bass": (3, 4)}, ["drums_1", "drums_2", "bass_1", "bass_2"]),
        ({"a:b": (1,), "a-b": (2,), "a::b": (3,)}, ["a-b", "a-b-2", "a--b"]),
        ({"a:b": (1, 2), "a-b": (3, 4)}, ["a-b_1", "a-b_2", "a-b-2_1", "a-b-2_2"]),
        ({"in": (1,), "in_1": (2,)}, ["in-2", "in_1"]),
    ],
)
def test_outputs_are_called_after_their_sources(routes, names):
    """Outputs have the names of their sources, without colons, no name twice, and none that an input has."""
    assert output_names(routes, input_names(1)) == names


def test_inputs_are_numbered_when_there_are_several():
    """One input is called `in`, several have numbers."""
    assert (input_names(1), input_names(2)) == (["in"], ["in_1", "in_2"])
