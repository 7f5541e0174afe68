"""Factorisation of a spectrogram in blocks."""

import numpy as np
import pytest
from spectrograms import spread_spectrogram

from rtnmf import nmf


class Blocks:
    """Blocks that are made anew whenever they are asked for."""

    def __init__(self, V, length):
        self.V, self.length, self.n_readings = V, length, 0

    def __iter__(self):
        self.n_readings += 1
        for start in range(0, self.V.shape[1], self.length):
            yield self.V[:, start : start + self.length].copy()


def test_blocks_of_any_length_come_to_what_fifty_iterations_over_all_do():
    """The divergence of the last W is that of 50 plain iterations to 1 %, or below; it is the same from a list."""
    V = spread_spectrogram(20_000).T
    blocks = Blocks(V, 3000)
    found = nmf.fit_blocks(blocks, 8, n_passes=3)
    assert blocks.n_readings == 4  # the first one finds where to begin
    full = nmf.fit(V, 8, n_iter=50, tolerance=0, accelerated=False)
    assert found.W.shape == (65, 8)
    np.testing.assert_allclose(found.W.sum(axis=0), 1, rtol=1e-5)
    assert found.divergences.shape == (3,)
    assert found.divergences[-1] < 1.01 * full.divergences[-1] / V.sum(dtype=np.float64)
    assert (np.diff(found.divergences) < 0).all()
    again = nmf.fit_blocks(list(blocks), 8, n_passes=3)
    np.testing.assert_array_equal(found.W, again.W)


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        (iter([np.ones((5, 9))]), "can be read only once: pass a list"),
        ([], "have 0 frames, none of which sounds"),
        ([np.zeros((5, 9))], "have 9 frames, none of which sounds"),
        ([np.full((5, 9), 1e31)], "expected 1e-30 to 1e[+]30: divide them by the largest value"),
        ([np.ones((5, 9)), np.ones((6, 9))], r"a block of V has shape \(6, 9\), expected \(5, n_frames\)"),
        ([np.ones((5, 9)), np.full((5, 2), np.nan)], "a block of V holds negative or non-finite values"),
        ([np.ones((5, 9), complex)], "a block of V is complex, expected magnitudes"),
        (np.ones((5, 9)), r"a block of V has shape \(9,\), expected \(n_bins, n_frames\)"),
    ],
)
def test_blocks_that_cannot_be_factorised_are_refused(blocks, message):
    """What is no sequence of magnitudes, or can be read only once, is named."""
    with pytest.raises((TypeError, ValueError), match=message):
        nmf.fit_blocks(blocks, 2)


def test_blocks_that_change_between_readings_are_refused():
    """Fewer frames in a pass than in the first reading are no silence."""
    V = spread_spectrogram(300).T

    class Changing:
        is_read = False

        def __iter__(self):
            yield V[:, :200]
            if not self.is_read:
                yield V[:, 200:]
            self.is_read = True

    with pytest.raises(ValueError, match="had 300 frames when they were read first, and now 200"):
        nmf.fit_blocks(Changing(), 2)
