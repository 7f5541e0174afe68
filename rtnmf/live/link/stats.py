"""What a running separation reports, in the units that people read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["COUNTERS", "Stats", "reported"]

COUNTERS = ("n_blocks", "n_samples", "n_late", "n_xruns", "n_lost", "n_errors", "n_unseparated")
"""What each process counts from 0, and a separation that has had several adds up."""


class Stats(NamedTuple):
    """What a running separation reports: levels rise at once and fall slowly, counts are since the beginning."""

    state: str
    """`starting`, `sounding`, `waiting` (for devices) or `closed`."""
    reason: str
    """Why it waits, or started anew, in words."""
    levels_db: dict[str, float]
    """RMS of each stem, before its gain, in dB of full scale."""
    input_db: float
    output_db: float
    activations: NDArray[np.float32]
    """Of the last frame, shape (n_components,), in the order of `labels`."""
    labels: tuple[str, ...]
    """The source of each component."""
    n_iter: int
    """Updates per frame now; fewer than asked for when time is short."""
    callback_ms: dict[str, float]
    """`p50`, `p99` and `max` of the time a block took, over the last thousand blocks."""
    load: float
    """The mean of that time as a part of the time that a block lasts."""
    latency_ms: dict[str, float]
    """`device` (as it reports it), `blocks`, `resampling` and `algorithm`."""
    seconds: float
    """Of sound that was processed."""
    n_blocks: int
    n_late: int
    """Blocks that took longer than they last."""
    n_xruns: int
    """Blocks at which the device said that some were lost."""
    n_lost: int
    """Blocks that the clock says were lost."""
    n_errors: int
    """Blocks at which something failed."""
    error: str
    """The first failure of the process that sounds now, in words."""
    n_unseparated: int
    """Blocks at which the aligned input went out instead, after an error or for want of time."""
    n_restarts: int
    """Times that another process was started."""
    n_unrecorded: int
    """Samples that could not be recorded in time."""
    is_realtime: bool
    """Whether the system gave real-time priority."""


def reported(
    telemetry: NDArray[Any],
    sources: tuple[str, ...],
    facts: Mapping[str, Any],
    before: Mapping[str, int],
    **others: Any,
) -> Stats:
    """Return the stats of a process from its telemetry, the facts that it gave, and the counts of those before it."""
    counts: dict[str, Any] = {name: before[name] + int(telemetry[name]) for name in COUNTERS}
    times = telemetry["times"][: min(int(telemetry["n_blocks"]), len(telemetry["times"]))]
    p50, p99, most = np.percentile(times, [50, 99, 100]) * 1000 if len(times) else (0.0, 0.0, 0.0)
    block_s, rate = float(telemetry["block_s"]), max(1, facts.get("sample_rate", 1))
    labels = tuple(facts.get("labels", ()))
    return Stats(
        levels_db=dict(zip(sources, _db(telemetry["levels"]), strict=True)),
        input_db=float(_db(telemetry["input"])),
        output_db=float(_db(telemetry["output"])),
        activations=telemetry["activations"][: len(labels)].copy(),
        labels=labels,
        n_iter=int(telemetry["n_iter"]),
        callback_ms={"p50": float(p50), "p99": float(p99), "max": float(most)},
        load=float(times.mean() / block_s) if block_s else 0.0,
        latency_ms={
            "device": 1000 * float(telemetry["device_s"]),
            "blocks": 1000 * block_s,
            "resampling": 1000 * facts.get("resampling_delay", 0) / max(1, facts.get("device_rate", 1)),
            "algorithm": 1000 * facts.get("latency", 0) / rate,
        },
        seconds=counts.pop("n_samples") / rate,
        is_realtime=bool(telemetry["is_realtime"]),
        **counts,
        **others,
    )


def _db(mean_square: NDArray[np.float64]) -> Any:
    """Return a level, or levels, in dB of full scale."""
    return (10 * np.log10(np.maximum(mean_square, 1e-20))).tolist()
