"""Checks of arguments."""

import numpy as np
import pytest

from rtnmf.checks import check_channels, check_number, check_source_name, check_text, check_whole, whole_hz


def test_whole_numbers_come_back_as_int():
    """Integers of Python and numpy, and rates without a fraction, become plain ints."""
    assert [type(check_whole("n", value, 0)) for value in (3, np.int64(3))] == [int, int]
    assert [whole_hz(rate) for rate in (44100, 44100.0, np.float32(8000))] == [44100, 44100, 8000]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: check_whole("n", True, 0), TypeError, "n is True, expected a whole number"),
        (lambda: check_whole("n", 2.0, 0), TypeError, "n is 2.0, expected a whole number"),
        (lambda: check_whole("n", -1, 0), ValueError, "n is -1, expected at least 0"),
        (lambda: check_whole("n", 9, 1, 8), ValueError, "n is 9, expected 1 to 8"),
        (lambda: whole_hz("8000"), TypeError, "sample_rate is '8000'"),
        (lambda: whole_hz(8000.5), ValueError, "sample_rate is 8000.5, expected a whole number of Hz"),
        (lambda: whole_hz(float("nan")), ValueError, "sample_rate is nan"),
        (lambda: whole_hz(10**8), ValueError, "from 1 to 10 million"),
        (lambda: check_channels(48000), ValueError, "pass x.T if yours is the other way round"),
        (lambda: check_channels(0), ValueError, "n_channels is 0, expected 1 to 64$"),
        (lambda: check_number("wet", "1"), TypeError, "wet is '1', expected a number"),
        (lambda: check_number("wet", 1j), TypeError, "wet is 1j, expected a number"),
        (lambda: check_number("wet", True), TypeError, "wet is True, expected a number"),
        (lambda: check_source_name(5), TypeError, "source name is 5, expected text"),
        (lambda: check_source_name(" a"), ValueError, "source name ' a' is not usable"),
        (lambda: check_source_name("a" * 65), ValueError, "expected 1 to 64 printable characters"),
        (lambda: check_text("licence", "a\x1b[2J"), ValueError, "licence 'a.*' is not usable"),
    ],
)
def test_what_is_not_usable_is_named(call, error, message):
    """Each check names the argument, what it got and what was expected."""
    with pytest.raises(error, match=message):
        call()


def test_numbers_come_back_as_float():
    """Integers of any size become floats, and equal numbers the same bits."""
    assert [check_number("n", value) for value in (3, np.float32(0.5), 10**400, -(10**400))] == [
        3,
        0.5,
        np.inf,
        -np.inf,
    ]
    assert np.signbit(-0.0)
    assert not np.signbit(check_number("n", -0.0))
