"""What a running separation reports: each meter is declared once, as a field of `Stats`.

The cells that the sounding process writes to shared memory, the counters that are summed over several such processes
and the words of a display all derive from these declarations. To add a meter, add a field here, and the line that
counts or measures it in `host/callback.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["COUNTERS", "METERS", "N_TIMES", "N_TURNS", "Meter", "Stats", "cells", "reported", "shown_texts"]

N_TIMES = 1024
"""Blocks whose times are kept for the percentiles."""

ALWAYS, NONZERO, ELSEWHERE = "always", "when not 0", "elsewhere"
"""Where a display shows a meter: in its line of meters, there when it is not 0, or in a place of its own."""

N_TURNS = 256
"""Changes of the updates per frame, and of whether experts are asked, that are kept until the parent has seen them."""

_Size = str | tuple[str, str]

_PRIVATE: dict[str, _Size] = {  # for the parent, not shown
    "n_recorded": "u8",
    "n_flushed": "u8",
    "n_faded": "u8",
    "silent_s": "f8",
    "n_turns": "u8",
    "turned_at": ("u8", "n_turns_kept"),
    "turned_to": ("u8", "n_turns_kept"),
    "turned_asks": ("?", "n_turns_kept"),
}


class Meter(NamedTuple):
    """How a meter is written, read and shown."""

    label: str
    """One or two words for a display."""
    unit: str
    """`dB`, `ms`, `s`, `blocks`, `samples`; `%` for a fraction that is shown as a percentage; empty for none."""
    shown: str
    """`ALWAYS`, `NONZERO` or `ELSEWHERE`."""
    cells: Mapping[str, _Size]
    """Type of each cell that it adds to shared memory, with the name of its length where it is an array."""
    read: Callable[[_Seen], Any] | None
    """How its value follows from the cells; None for a counter, and for what the parent knows by itself."""
    is_counted: bool

    def text(self, value: Any) -> str:
        """Return the label and a value of this meter in words, such as `late 3` or `load 9 %`."""
        return f"{self.label} {100 * value:.0f} %" if self.unit == "%" else f"{self.label} {value}"


class _Seen(NamedTuple):
    """What values are read from: the cells and the facts of the process that sounds now, and the sources."""

    cells: NDArray[Any]
    facts: Mapping[str, Any]
    sources: tuple[str, ...]
    n_samples: int

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.facts.get("labels", ()))

    @property
    def times(self) -> NDArray[np.float32]:
        return self.cells["times"][: int(self.cells["n_blocks"])]

    def ms(self, samples: str, rate: str) -> float:
        return float(1000 * self.facts.get(samples, 0) / max(1, self.facts.get(rate, 1)))


def _meter(
    label: str = "",
    unit: str = "",
    shown: str = ELSEWHERE,
    cells: Mapping[str, _Size] | None = None,
    read: Callable[[_Seen], Any] | None = None,
) -> dict[str, Meter]:
    return {"meter": Meter(label, unit, shown, cells or {}, read, is_counted=False)}


def _counter(label: str, shown: str = NONZERO, unit: str = "blocks") -> dict[str, Meter]:
    """Declare what each process counts from 0 in a cell of the field's name, summed over the processes so far."""
    return {"meter": Meter(label, unit, shown, {}, None, is_counted=True)}


def _db(mean_square: NDArray[np.float64]) -> Any:
    """Return a level, or levels, in dB of full scale."""
    return (10 * np.log10(np.maximum(mean_square, 1e-20))).tolist()


def _peak_db(peak: NDArray[np.float64]) -> Any:
    """Return a peak, or peaks, in dB of full scale."""
    return _db(np.square(peak))


def _callback_ms(seen: _Seen) -> dict[str, float]:
    values = np.percentile(seen.times, [50, 99, 100]) * 1000 if len(seen.times) else np.zeros(3)
    return dict(zip(("p50", "p99", "max"), values.tolist(), strict=True))


def _load(seen: _Seen) -> float:
    block_s = float(seen.cells["block_s"])
    return float(seen.times.mean() / block_s) if block_s else 0.0


def _latency_ms(seen: _Seen) -> dict[str, float]:
    return {
        "device": 1000 * float(seen.cells["device_s"]),
        "blocks": 1000 * float(seen.cells["block_s"]),
        "resampling": seen.ms("resampling_delay", "device_rate"),
        "algorithm": seen.ms("latency", "sample_rate"),
    }


def _swapped_at(seen: _Seen) -> int:
    cells = seen.cells
    return seen.n_samples - int(cells["n_samples"]) + int(cells["swapped_at"]) if cells["n_swaps"] else 0


@dataclass(frozen=True, eq=False)
class Stats:
    """What a running separation reports: levels rise at once and fall slowly, counts are since the beginning."""

    state: str = field(metadata=_meter("state"))
    """`idle` (before it is entered), `starting`, `sounding`, `waiting` (for devices) or `closed`."""
    reason: str = field(metadata=_meter("reason"))
    """Why it waits, or why another process was started."""
    warning: str = field(metadata=_meter("warning"))
    """What keeps the sound from being heard, in one sentence, such as that nothing is connected; empty if nothing."""
    levels_db: dict[str, float] = field(
        metadata=_meter(
            "level",
            "dB",
            cells={"levels": ("f8", "n_sources")},
            read=lambda seen: dict(zip(seen.sources, _db(seen.cells["levels"]), strict=True)),
        )
    )
    """RMS of each stem, before its gain, in dB of full scale."""
    input_db: float = field(
        metadata=_meter("in", "dB", cells={"input": "f8"}, read=lambda seen: _db(seen.cells["input"]))
    )
    """RMS of the input in dB of full scale."""
    output_db: float = field(
        metadata=_meter("out", "dB", cells={"output": "f8"}, read=lambda seen: _db(seen.cells["output"]))
    )
    """RMS of the output in dB of full scale."""
    peaks_db: dict[str, float] = field(
        metadata=_meter(
            "peak",
            "dB",
            cells={"peaks": ("f8", "n_sources")},
            read=lambda seen: dict(zip(seen.sources, _peak_db(seen.cells["peaks"]), strict=True)),
        )
    )
    """Loudest sample of each stem, before its gain, in dB of full scale; peaks fall 20 dB in 1.7 s (IEC 60268-18)."""
    input_peak_db: float = field(
        metadata=_meter(
            "peak in", "dB", cells={"input_peak": "f8"}, read=lambda seen: _peak_db(seen.cells["input_peak"])
        )
    )
    """Loudest sample of the input in dB of full scale, falling as the other peaks do."""
    output_peak_db: float = field(
        metadata=_meter(
            "peak out", "dB", cells={"output_peak": "f8"}, read=lambda seen: _peak_db(seen.cells["output_peak"])
        )
    )
    """Loudest sample of what goes out, limited or not, in dB of full scale, falling as the other peaks do."""
    activations: NDArray[np.float32] = field(
        metadata=_meter(
            "activations",
            cells={"activations": ("f4", "n_components")},
            read=lambda seen: seen.cells["activations"][: len(seen.labels)].copy(),
        )
    )
    """Activations in the last frame, shape (n_components,), in the order of `labels`."""
    labels: tuple[str, ...] = field(metadata=_meter("labels", read=lambda seen: seen.labels))
    """The source of each component."""
    seconds: float = field(
        metadata=_meter("time", "s", read=lambda seen: seen.n_samples / max(1, seen.facts.get("sample_rate", 1)))
    )
    """Duration of the sound that was processed, in seconds."""
    callback_ms: dict[str, float] = field(
        metadata=_meter("callback", "ms", cells={"times": ("f4", "n_times")}, read=_callback_ms)
    )
    """`p50`, `p99` and `max` of the time a block took, over the last thousand blocks."""
    latency_ms: dict[str, float] = field(
        metadata=_meter("latency", "ms", cells={"device_s": "f8", "block_s": "f8"}, read=_latency_ms)
    )
    """`device` (as it reports it), `blocks`, `resampling` and `algorithm`."""
    is_realtime: bool = field(
        metadata=_meter(
            "real-time priority", cells={"is_realtime": "?"}, read=lambda seen: bool(seen.cells["is_realtime"])
        )
    )
    """Whether the system gave real-time priority."""
    load: float = field(metadata=_meter("load", "%", ALWAYS, read=_load))
    """Mean time that a block took divided by the duration of a block."""
    n_iter: int = field(metadata=_meter("updates", cells={"n_iter": "u8"}, read=lambda seen: int(seen.cells["n_iter"])))
    """Updates per frame now; fewer than asked for when time is short."""
    n_samples: int = field(metadata=_counter("samples", ELSEWHERE, "samples"))
    """Samples that were processed."""
    n_blocks: int = field(metadata=_counter("blocks", ELSEWHERE))
    """Blocks that were processed."""
    n_late: int = field(metadata=_counter("late", ALWAYS))
    """Blocks that took longer than they last."""
    n_lost: int = field(metadata=_counter("lost", ALWAYS))
    """Blocks that never came, by the clock."""
    n_xruns: int = field(metadata=_counter("dropouts of the device"))
    """Blocks at which the device reported that some were lost."""
    n_errors: int = field(metadata=_counter("failed"))
    """Blocks at which something failed."""
    n_unseparated: int = field(metadata=_counter("not separated"))
    """Blocks at which the aligned input went out instead, after an error or for want of time."""
    n_over: int = field(metadata=_counter("over", ELSEWHERE))
    """Blocks at which the output was over full scale, before it was limited."""
    n_limited: int = field(metadata=_counter("limited"))
    """Blocks at which the output was turned down, so as not to go over full scale."""
    n_unasked: int = field(metadata=_counter("without experts", NONZERO, "frames"))
    """Frames that experts were to be asked about, for which there was no time."""
    n_swaps: int = field(metadata=_counter("swaps", ELSEWHERE, ""))
    """Times that the dictionary was replaced while it sounded."""
    swapped_at: int = field(metadata=_meter("swapped at", "samples", cells={"swapped_at": "u8"}, read=_swapped_at))
    """The sample, of all that were processed, from which on the last of these separates; 0 when there was none."""
    training: str = field(metadata=_meter("training"))
    """How the training of the dictionary that sounds goes, such as `training 40 %`, then `trained`; empty without."""
    rest: str = field(metadata=_meter("rest"))
    """How learning the rest goes, such as `learned from 8 s, 2 rounds`; empty when it is not learned."""
    rest_s: float = field(metadata=_meter("rest learned from", "s"))
    """Seconds of sound that the rest was learned from, besides the dictionary that was given."""
    n_rest_rounds: int = field(metadata=_meter("rest rounds"))
    """Times that the rest was learned anew."""
    n_restarts: int = field(metadata=_meter("restarts", "", NONZERO))
    """Times that another process was started."""
    n_unrecorded: int = field(metadata=_meter("not recorded", "samples", NONZERO))
    """Samples that could not be recorded in time."""
    error: str = field(metadata=_meter("error"))
    """The first failure of the process that sounds now, in words."""


METERS: dict[str, Meter] = {declared.name: declared.metadata["meter"] for declared in fields(Stats)}
"""Every meter, by its name in `Stats`, in the order in which a display shows them."""

COUNTERS = tuple(name for name, meter in METERS.items() if meter.is_counted)
"""What each process counts from 0, and a separation that has had several adds up."""


def cells(n_sources: int, n_components: int) -> np.dtype[Any]:
    """Return the dtype of the shared memory that the sounding process reports in."""
    lengths = {"n_sources": n_sources, "n_components": n_components, "n_times": N_TIMES, "n_turns_kept": N_TURNS}
    declared: dict[str, _Size] = {**_PRIVATE, **dict.fromkeys(COUNTERS, "u8")}
    for meter in METERS.values():
        declared |= meter.cells
    return np.dtype([(n, s) if isinstance(s, str) else (n, s[0], lengths[s[1]]) for n, s in declared.items()])


def reported(
    telemetry: NDArray[Any],
    sources: tuple[str, ...],
    facts: Mapping[str, Any],
    before: Mapping[str, int],
    **known: Any,
) -> Stats:
    """Return the stats of a running separation.

    Parameters
    ----------
    telemetry : structured array, shape ()
        The cells of the process that sounds now.
    sources : sequence of str
    facts : mapping
        What that process said when it opened its stream.
    before : {counter: count}
        Sums over the processes before it.
    **known
        The fields that the parent knows by itself.
    """
    counts: dict[str, Any] = {name: before[name] + int(telemetry[name]) for name in COUNTERS}
    seen = _Seen(telemetry, facts, sources, counts["n_samples"])
    read = {name: meter.read(seen) for name, meter in METERS.items() if meter.read is not None}
    return Stats(**counts, **read, **known)


def shown_texts(stats: Stats) -> list[str]:
    """Return the line of meters of a display, such as `["load 9 %", "late 0", "lost 0"]`."""
    values = {name: getattr(stats, name) for name in METERS}
    return [
        meter.text(values[name])
        for name, meter in METERS.items()
        if meter.shown == ALWAYS or (meter.shown == NONZERO and values[name])
    ]
