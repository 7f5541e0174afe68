"""How a frame is explained: all that learning, the stream, its oracle and any other engine must agree on.

Nothing here computes. A `Model` is kept in the file of a dictionary, so that columns trained for these updates are
used with the same.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from rtnmf.checks import check_number, check_whole, single

__all__ = ["MOST_UPDATES", "Model"]

MOST_UPDATES = 1000
"""Updates of a frame at most, wherever their number is given."""

_HIGHEST_WEIGHT = 10.0  # a higher power of a share leaves the range of float32

_HIGHEST_INAUDIBLE_HZ = 100.0


@dataclass(frozen=True)
class Model:
    """Settings by which the activations of a frame are found and made into masks.

    A frame `v` gets `n_iter` updates `h *= (W.T @ (v / (W @ h))) ** relaxation`, the first of them with exponent 1,
    from `memory` times the last frame's activations and the rest uniform. A source's share of a bin is its fraction
    of the model. Before shares are taken, `reach` times the mean level is added to each bin and divided among the
    sources as the whole frame is. A trained dictionary explains a frame twice; the shares `p` of its components and
    `q` of its trained columns become `p ** weights[0] * q ** weights[1]`, normalised: weights that sum to more than
    1 make agreement sharpen the mask.

    Parameters
    ----------
    n_iter : int
        Updates per frame, from 1 to 1000.
    relaxation : float
        Exponent of the second and later updates, from 1 to below 2; above 1 they converge faster.
    memory : float
        Fraction of the last frame's activations in the start of the next, from 0 to below 1. Trained columns always
        start from uniform activations, as they were trained.
    reach : float
        Floor relative to the mean level, above 0 and at most 1; bins below it follow the broadband mask.
    weights : (float, float)
        Powers of the masks that the components and the trained columns propose, above 0 and at most 10.
    audible_hz : float
        What is lower, such as a constant offset, is taken out of each frame before it is explained, and shared out in
        constant parts; 0 leaves it in. With 20, rumble weighs even less, but as it often tells one source from another,
        some mixtures lose 1 to 2 dB.

    Raises
    ------
    TypeError, ValueError
        If a value is out of its range.

    References
    ----------
    R. Badeau, N. Bertin and E. Vincent, "Stability analysis of multiplicative update algorithms and application
    to nonnegative matrix factorization", IEEE Transactions on Neural Networks 21(12), 2010 (the exponent).
    G. E. Hinton, "Products of experts", ICANN 1999, equation 1 (the product of the masks).
    """

    n_iter: int = 5
    relaxation: float = 1.7
    memory: float = 0.9
    reach: float = 1e-4
    weights: tuple[float, float] = (0.45, 0.85)
    audible_hz: float = 10.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_iter", check_whole("n_iter", self.n_iter, 1, MOST_UPDATES))
        numbers = {
            name: check_number(name, getattr(self, name)) for name in ("relaxation", "memory", "reach", "audible_hz")
        }
        used = {name: single(number) for name, number in numbers.items()}
        if not 1 <= used["relaxation"] < 2:
            raise ValueError(f"relaxation is {self.relaxation}, expected from 1 to below 2")
        if not 0 <= used["memory"] < 1:
            raise ValueError(f"memory is {self.memory}, expected from 0 to below 1")
        if not single(1e-12) <= used["reach"] <= 1:
            raise ValueError(f"reach is {self.reach}, expected from 1e-12 to 1")
        if not 0 <= used["audible_hz"] <= _HIGHEST_INAUDIBLE_HZ:
            raise ValueError(f"audible_hz is {self.audible_hz}, expected from 0 to {_HIGHEST_INAUDIBLE_HZ:g}")
        for name, number in numbers.items():  # so that equal models have equal hashes and files
            object.__setattr__(self, name, number)
        object.__setattr__(self, "weights", _checked_weights(self.weights))

    def explanations(self, *, is_trained: bool) -> tuple[tuple[float, float], ...]:
        """Return memory and weight of each explanation of a frame: by the components, and by trained columns."""
        if not is_trained:
            return ((self.memory, 1.0),)
        return (self.memory, self.weights[0]), (0.0, self.weights[1])

    def used_updates(self, n_iter: int | None, *, is_trained: bool) -> int:
        """Return the updates per frame to use: the model's when None.

        Warns when columns that were trained for the model's updates are used with another number.
        """
        if n_iter is None:
            return self.n_iter
        if is_trained and check_whole("n_iter", n_iter, 1, MOST_UPDATES) != self.n_iter:
            warnings.warn(
                f"the dictionary was trained for {self.n_iter} updates per frame and is used with {n_iter}:"
                f" leave n_iter out to use {self.n_iter}",
                stacklevel=3,
            )
        return n_iter


def _checked_weights(weights: object) -> tuple[float, ...]:
    if not isinstance(weights, (tuple, list)):
        raise TypeError(f"weights are {weights!r:.80}, expected two positive numbers")
    checked = tuple(check_number("a weight of the model", weight) for weight in weights)
    if len(checked) != 2 or not all(0 < single(weight) <= _HIGHEST_WEIGHT for weight in checked):
        raise ValueError(f"weights are {checked}, expected two positive numbers, at most {_HIGHEST_WEIGHT:g}")
    return checked
