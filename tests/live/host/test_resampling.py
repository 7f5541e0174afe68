"""Another rate inside than outside, and a delay that is known."""

import numpy as np
import pytest

from rtnmf.live.host import resampling
from rtnmf.live.host.resampling import Resampling


@pytest.mark.parametrize(("outer", "inner"), [(48000, 44100), (44100, 48000), (48000, 16000)])
@pytest.mark.parametrize("length", [64, 512, 1000])
def test_delay_is_as_stated(outer, inner, length):
    """A click comes out after `delay` samples, and a tone as it went in."""
    converter = Resampling(outer, inner, 1, 2, length)
    n_samples = 60 * 1000
    x = 0.5 * np.sin(2 * np.pi * 440 * np.arange(n_samples) / outer).astype(np.float32)
    x[30000:] = 0
    x[40000] = 1
    out = [
        converter.process(x[start : start + length, None], lambda inside: np.repeat(inside, 2, axis=1))
        for start in range(0, n_samples - length + 1, length)
    ]
    y = np.concatenate(out)
    assert all(len(block) == length for block in out)
    assert np.argmax(y[30000 + converter.delay + 4000 :, 0]) + 30000 + 4000 == 40000
    np.testing.assert_allclose(y[converter.delay + 2000 : 29000, 0], x[2000 : 29000 - converter.delay], atol=1e-3)
    assert np.array_equal(y[:, 0], y[:, 1])


def lateness(converter, outer, length, seconds):
    """Return by how many samples the clicks of each second are later than stated, and how many came out."""
    n_samples = seconds * outer // length * length
    x = np.zeros((n_samples, 1), np.float32)
    x[outer // 2 :: outer] = 1
    y = np.concatenate([converter.process(x[i : i + length], np.copy) for i in range(0, n_samples, length)])
    clicks = np.flatnonzero(y[:, 0] > 0.7 * y.max()) - converter.delay - outer // 2
    return set((clicks + 1000) % outer - 1000), len(set((clicks + 1000) // outer))


@pytest.mark.parametrize(("outer", "inner", "length"), [(48000, 44100, 512), (44100, 48000, 512), (48000, 44100, 128)])
def test_delay_stays_for_minutes(outer, inner, length):
    """A click every second comes out after `delay` samples for two minutes, though soxr holds back more at times."""
    late, n_clicks = lateness(Resampling(outer, inner, 1, 1, length), outer, length, 120)
    assert late <= {-1, 0, 1}
    assert n_clicks >= 119


def test_samples_that_come_too_late_cost_no_delay(monkeypatch):
    """When soxr holds back more than in the trial, silence goes out, and the delay stays."""
    monkeypatch.setattr(resampling, "_TRIAL_S", 1.0)
    monkeypatch.setattr(resampling, "_SPARE", 0)
    short = Resampling(48000, 44100, 1, 1, 512)
    late, n_clicks = lateness(short, 48000, 512, 30)
    assert late <= {-1, 0, 1}
    assert n_clicks >= 28
