"""The model of a frame."""

import numpy as np
import pytest

from rtnmf import Model


def test_a_plain_frame_is_explained_once_and_a_trained_one_twice():
    """The components keep some of the last frame; trained columns start afresh, and both have a weight."""
    model = Model(memory=0.5, weights=(0.3, 0.7))
    assert model.explanations(is_trained=False) == ((0.5, 1.0),)
    assert model.explanations(is_trained=True) == ((0.5, 0.3), (0.0, 0.7))


def test_equal_models_are_equal_whatever_types_they_were_given():
    """Lists and numpy numbers make the same value as tuples and ints."""
    assert Model(np.int64(5), weights=[0.45, 0.85]) == Model()
    assert hash(Model(weights=[0.45, 0.85])) == hash(Model())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_iter": 0}, ValueError, "n_iter is 0, expected 1 to 1000"),
        ({"n_iter": 2.5}, TypeError, "n_iter is 2.5"),
        ({"relaxation": 2}, ValueError, "relaxation is 2, expected from 1 to below 2"),
        ({"relaxation": float("nan")}, ValueError, "relaxation is nan"),
        ({"memory": 1}, ValueError, "memory is 1, expected from 0 to below 1"),
        ({"reach": 0}, ValueError, "reach is 0, expected from 1e-12 to 1"),
        ({"relaxation": "1"}, TypeError, "relaxation is '1', expected a number"),
        ({"memory": None}, TypeError, "memory is None, expected a number"),
        ({"reach": True}, TypeError, "reach is True, expected a number"),
        ({"weights": 1}, TypeError, "weights are 1, expected two positive numbers"),
        ({"weights": ("1", 1)}, TypeError, "a weight of the model is '1', expected a number"),
        ({"weights": (1, 11)}, ValueError, "two positive numbers, at most 10"),
        ({"audible_hz": -1}, ValueError, "audible_hz is -1, expected from 0 to 100"),
        ({"audible_hz": float("nan")}, ValueError, "audible_hz is nan"),
        ({"weights": (1,)}, ValueError, "weights are .* expected two positive numbers"),
        ({"weights": (1, 0)}, ValueError, "expected two positive numbers"),
        ({"weights": (1, float("inf"))}, ValueError, "expected two positive numbers"),
    ],
)
def test_values_out_of_range_are_refused(options, error, message):
    """Each value is checked when the model is made."""
    with pytest.raises(error, match=message):
        Model(**options)
