"""Ten minutes of all kinds of sound, hour-long runs being `scripts/soak.py`."""

import numpy as np
import pytest
from soak import KINDS, soak

from rtnmf import Separator, load_preset

LONGER = [pytest.param(12, (), marks=pytest.mark.long), pytest.param(None, None, marks=pytest.mark.long)]


@pytest.mark.parametrize(("latency_ms", "experts"), [(None, ()), *LONGER])
def test_ten_minutes_neither_drift_nor_grow(latency_ms, experts):
    """Stems sum to the input of `latency` samples ago, all is finite, and memory stays as it is."""
    dictionary = load_preset("speech").merge(load_preset("keyboard")).at_rate(11025)
    if latency_ms:
        dictionary = dictionary.at_latency(latency_ms)
    rows = list(soak(Separator(dictionary, experts=experts), 10, 1, np.random.default_rng(0)))
    assert [row["kind"] for row in rows] == [*KINDS, *KINDS[:3]]
    assert max(row["largest_error"] for row in rows) <= 1e-6
    assert all(row["is_finite"] for row in rows)
    assert rows[-1]["resident_mb"] - rows[len(KINDS) - 1]["resident_mb"] < 10
