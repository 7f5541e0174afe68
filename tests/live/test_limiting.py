"""What is too loud: limited unless that is turned off, metered by its peaks, and counted."""

import numpy as np
import pytest
from conftest import random_dictionary
from sounding import noise, recorded

from rtnmf import STFT, Separator
from rtnmf.live import Live
from rtnmf.live.host.callback import Callback
from rtnmf.live.host.engine import Engine
from rtnmf.live.host.pacing import Deadline
from rtnmf.live.link.protocol import Layout
from rtnmf.live.link.telemetry import COUNTERS, reported

DICTIONARY = random_dictionary(STFT(1024, 256), ("voice", "fan"), sample_rate=48000)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("is_limited", [True, False])
def test_what_goes_out_is_limited_unless_that_is_turned_off(peer, tmp_path, is_limited):
    """A gain of 60 dB makes nothing that is heard louder than -0.3 dB, unless asked for; recordings keep the level."""
    live = Live(DICTIONARY, input="peer", output="peer", limit=is_limited, record=tmp_path / "take")
    live.gains = {"voice": 1000, "fan": 1000}
    with live:
        peer.play(noise(0.5))
        heard = np.abs(peer.heard()).max()
        stats = live.stats
    assert heard == pytest.approx(10 ** (-0.3 / 20), abs=1e-6) if is_limited else heard > 300
    assert stats.n_over > 10
    assert (stats.n_limited > 10) is is_limited
    got = recorded(live)
    np.testing.assert_allclose(got["voice"] + got["fan"], got["input"], atol=1e-6)


def test_peaks_rise_at_once_and_fall_20_db_in_1_7_s():
    """Peaks of the input, the stems and the output are there with their block, and fall 20 dB in 1.7 s of silence."""
    settings = Live(DICTIONARY)._settings
    layout = Layout(settings)
    shared = layout.views(bytearray(layout.size))
    engine = Engine(Separator(DICTIONARY), 2, [2, 2, 0])
    callback = Callback(shared, engine, Deadline(5, 0.005), 48000, None)

    def stats_after(*blocks):
        for block in blocks:
            callback._heard(block)
        callback._publish()
        return reported(
            shared.telemetry.read(), DICTIONARY.sources, {}, dict.fromkeys(COUNTERS, 0), **dict.fromkeys(KNOWN, 0)
        )

    click = np.zeros((4800, 1), np.float32)
    click[100] = 0.5
    struck = stats_after(click)
    assert struck.input_peak_db == pytest.approx(-6.02, abs=0.01)
    assert struck.output_peak_db == pytest.approx(0, abs=0.01)
    assert max(struck.peaks_db.values()) > -14
    assert sum(10 ** (peak / 20) for peak in struck.peaks_db.values()) == pytest.approx(0.5, abs=0.05)
    fallen = stats_after(*[np.zeros((4800, 1), np.float32)] * 17)
    assert fallen.input_peak_db == pytest.approx(struck.input_peak_db - 20)
    assert fallen.output_peak_db == pytest.approx(struck.output_peak_db - 20)
    assert fallen.peaks_db == {source: pytest.approx(peak - 20) for source, peak in struck.peaks_db.items()}


KNOWN = (
    "state", "reason", "warning", "error", "n_restarts", "n_unrecorded", "training", "rest", "rest_s", "n_rest_rounds",
)  # fmt: skip
