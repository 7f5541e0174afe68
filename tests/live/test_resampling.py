"""Another rate inside than outside, and a delay that is known."""

import numpy as np
import pytest

from rtnmf.live.resampling import Resampling


@pytest.mark.parametrize(("outer", "inner"), [(48000, 44100), (44100, 48000), (48000, 16000)])
@pytest.mark.parametrize("length", [64, 512, 1000])
def test_delay_is_as_stated(outer, inner, length):
    """A click comes out after `delay` samples, and a tone as it went in."""
    resampling = Resampling(outer, inner, 1, 2, length)
    n_samples = 60 * 1000
    x = 0.5 * np.sin(2 * np.pi * 440 * np.arange(n_samples) / outer).astype(np.float32)
    x[30000:] = 0
    x[40000] = 1
    out = [
        resampling.process(x[start : start + length, None], lambda inside: np.repeat(inside, 2, axis=1))
        for start in range(0, n_samples - length + 1, length)
    ]
    y = np.concatenate(out)
    assert all(len(block) == length for block in out)
    assert np.argmax(y[30000 + resampling.delay + 4000 :, 0]) + 30000 + 4000 == 40000
    np.testing.assert_allclose(y[resampling.delay + 2000 : 29000, 0], x[2000 : 29000 - resampling.delay], atol=1e-3)
    assert np.array_equal(y[:, 0], y[:, 1])
