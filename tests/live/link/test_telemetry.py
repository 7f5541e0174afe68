"""Meters are declared once: what is written, added up and shown derives from that."""

import dataclasses

import numpy as np
import pytest

from rtnmf.live.link import telemetry
from rtnmf.live.link.telemetry import ALWAYS, COUNTERS, ELSEWHERE, METERS, NONZERO, cells, reported, shown_texts

KNOWN = {
    "state": "sounding",
    "reason": "",
    "warning": "",
    "error": "",
    "n_restarts": 0,
    "n_unrecorded": 0,
    "training": "",
    "rest": "",
    "rest_s": 0.0,
    "n_rest_rounds": 0,
}
FACTS = {"sample_rate": 16000, "latency": 160, "resampling_delay": 48, "device_rate": 48000, "labels": ["a", "b", "b"]}


def stats_of(facts=FACTS, known=KNOWN, before=None, **values):
    """Return the stats of cells that are zero but for these values."""
    state = np.zeros((), cells(2, 3))
    for name, value in values.items():
        state[name] = value
    return reported(state, ("a", "b"), facts, dict.fromkeys(COUNTERS, 0) | (before or {}), **known)


def test_every_declared_counter_is_written_summed_and_shown():
    """Each counter has a cell, is summed over the processes, and has a label in the display unless it says not to."""
    assert set(COUNTERS) == {name for name, meter in METERS.items() if meter.is_counted} > {"n_late", "n_lost"}
    for name in COUNTERS:
        assert cells(2, 3)[name] == np.dtype("u8")
        stats = stats_of(**{name: 3}, before={name: 4})
        assert getattr(stats, name) == 7
        assert (f"{METERS[name].label} 7" in shown_texts(stats)) is (METERS[name].shown != ELSEWHERE)


def test_every_meter_says_how_it_is_shown():
    """Each field of `Stats` is a meter with a label, and a place where it is shown."""
    assert list(METERS) == [declared.name for declared in dataclasses.fields(telemetry.Stats)]
    assert all(meter.label and meter.shown in (ALWAYS, NONZERO, ELSEWHERE) for meter in METERS.values())
    assert all(set(meter.cells) <= set(cells(2, 3).names) for meter in METERS.values())


def test_display_shows_what_is_not_zero():
    """The line of meters has load, late and lost, and what else is not 0."""
    stats = stats_of(n_iter=5, n_late=2, n_xruns=1, n_blocks=2, block_s=0.01, times=np.full(1024, 0.002))
    assert shown_texts(stats) == ["load 20 %", "late 2", "lost 0", "dropouts of the device 1"]


def test_cells_are_converted_to_the_units_of_people():
    """Levels are in dB, times in ms and s, and latency is made of what the process said and what it wrote."""
    stats = stats_of(
        levels=[0.01, 0], input=1, n_samples=8000, n_blocks=2, times=[0.001, 0.003] + [0] * 1022, block_s=0.01,
        device_s=0.005, activations=[1, 2, 3], peaks=[0.5, 0], input_peak=1, output_peak=2, n_over=4, n_limited=3,
    )  # fmt: skip
    assert stats.levels_db == {"a": pytest.approx(-20), "b": -200}
    assert (stats.input_db, stats.seconds) == (0, 0.5)
    assert stats.peaks_db == {"a": pytest.approx(-6.02, abs=0.01), "b": -200}
    assert (stats.input_peak_db, stats.output_peak_db) == (0, pytest.approx(6.02, abs=0.01))
    assert (stats.n_over, stats.n_limited) == (4, 3)
    assert stats.callback_ms == {"p50": pytest.approx(2), "p99": pytest.approx(2.98), "max": pytest.approx(3)}
    assert stats.load == pytest.approx(0.2)
    assert stats.latency_ms == {"device": 5, "blocks": 10, "resampling": 1, "algorithm": 10}
    assert (list(stats.activations), stats.labels) == ([1, 2, 3], ("a", "b", "b"))


def test_a_swap_is_told_in_samples_of_the_whole_stream():
    """Where a dictionary took over counts the samples of the processes before; it is 0 while there was no swap."""
    assert stats_of(n_samples=500, n_swaps=2, swapped_at=300, before={"n_samples": 1000}).swapped_at == 1300
    assert stats_of(n_samples=500, before={"n_samples": 1000, "n_swaps": 3}).swapped_at == 0


def test_before_it_sounds_everything_is_zero():
    """Without facts and with empty cells all counts and times are 0, and levels are those of silence."""
    stats = stats_of(facts={})
    assert (stats.seconds, stats.load, stats.callback_ms["max"], stats.n_blocks) == (0, 0, 0, 0)
    assert set(stats.latency_ms.values()) == {0}
    assert len(stats.activations) == 0
