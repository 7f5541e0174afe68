"""Soft masks."""

import numpy as np
import pytest

from rtnmf.frames.masks import agreed_masks, soft_masks


@pytest.mark.parametrize("power", [0.5, 1, 1.5, 2, 6])
def test_masks_are_the_shares_and_sum_to_one(power):
    """Masks are powers of the spectra divided by their sum, and the input is not changed."""
    spectra = np.random.default_rng(0).random((3, 50)).astype(np.float32) + 0.1
    kept = spectra.copy()
    masks = soft_masks(spectra, power)
    np.testing.assert_allclose(masks, spectra**power / (spectra**power).sum(axis=0), rtol=1e-2)
    np.testing.assert_allclose(masks.sum(axis=0), 1, atol=3e-7)
    np.testing.assert_array_equal(spectra, kept)


def test_bins_that_no_source_reaches_follow_the_broadband_mask():
    """Where all spectra are 0 the sources share as they share the whole frame."""
    spectra = np.zeros((2, 8), np.float32)
    spectra[0, :3], spectra[1, :3] = 3, 1
    np.testing.assert_allclose(soft_masks(spectra)[:, 3:], [[0.75] * 5, [0.25] * 5], rtol=1e-6)


def test_what_is_added_for_empty_bins_is_a_ten_thousandth():
    """What is added for empty bins is a ten-thousandth of the mean level."""
    spectra = np.array([[1, 1, 1, 1], [1, 1, 1, 0]], np.float32)
    assert soft_masks(spectra)[1, 3] == pytest.approx(1e-4 * 3 / 7 / (8 / 7 * 0.5 + 1e-4), rel=0.2)


def test_any_power_gives_finite_masks():
    """Any power gives finite masks; a large one lets the loudest source have the bin."""
    spectra = np.random.default_rng(0).random((3, 50)).astype(np.float32) ** 8
    masks = soft_masks(spectra, 1000)
    assert (masks.max(axis=0) > 0.5).all()
    np.testing.assert_allclose(masks.sum(axis=0), 1, rtol=1e-6)


@pytest.mark.parametrize("level", [0, 1e-38, 1e30])
def test_silence_and_any_level_give_finite_masks(level):
    """Silent, tiny and huge spectra give finite masks that sum to 1."""
    masks = soft_masks(np.full((4, 10), level, np.float32), 2)
    np.testing.assert_allclose(masks, 0.25, rtol=1e-6)


def test_agreed_masks_are_the_product_and_sum_to_one():
    """Agreed masks are the product of powers, divided by its sum; one proposal alone stays as it is."""
    first, second = (soft_masks(np.random.default_rng(seed).random((3, 50)).astype(np.float32)) for seed in (0, 1))
    product = first**0.5 * second**1.5
    agreed = agreed_masks([first, second], (0.5, 1.5))
    np.testing.assert_allclose(agreed, product / product.sum(axis=0), rtol=1e-5)
    np.testing.assert_allclose(agreed_masks([first, second], (0.25, 0.75), 2), agreed, rtol=1e-5)
    np.testing.assert_allclose(agreed_masks([first], (1,)), first, rtol=1e-5)


def test_the_surer_mask_decides_and_contradictions_are_no_harm():
    """A mask that is sure outweighs one that is not; two that are sure of opposites give finite masks."""
    first, second = np.float32([[0.999, 1, 0], [0.001, 0, 1]]), np.float32([[0.4, 0, 1], [0.6, 1, 0]])
    agreed = agreed_masks([first, second])
    assert agreed[0, 0] > 0.9
    np.testing.assert_allclose(agreed.sum(axis=0), 1, rtol=1e-6)
