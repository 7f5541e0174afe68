"""What the commands that need a sound card do."""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtnmf.cli import arguments
from rtnmf.control import terminal

if TYPE_CHECKING:
    from rtnmf.dictionary import Dictionary
    from rtnmf.live import Live

__all__ = ["devices", "doctor", "live", "recorded"]

_COUNTDOWN_S = 3
_FULL_SCALE = 0.999
_QUIET_DB = -60.0
_COST_AT_3_MS_DB = {False: 1.1, True: 1.7}  # untrained, trained; as measured on 32 mixtures, at 6 and 12 ms too
_COST_OF_DOUBLE_DB = {False: 0.3, True: 0.45}


def live(options: argparse.Namespace) -> None:
    """Separate the input device until it is enough."""
    from rtnmf.live import Live

    dictionary = arguments.loaded(options.dictionary)
    if len(dictionary.sources) == 1:
        raise ValueError(f"{options.dictionary} has one source only: add what it is to be told from, with +")
    gains = arguments.gains(options.gain, dictionary.sources)
    running = Live(
        dictionary,
        input=options.input,
        output=options.output,
        sample_rate=options.rate,
        n_channels=options.channels,
        block_length=options.block,
        latency_ms=options.latency_ms,
        n_iter=options.updates,
        mask_power=options.power,
        outputs=options.outputs,
        resample=options.resample,
        allow_feedback=options.allow_feedback,
        record=options.record,
    )
    if gains is not None:
        running.gains = dict(zip(dictionary.sources, gains, strict=True))
    if options.solo:
        running.solo(*options.solo)
    elif gains is None and options.outputs == "mix":
        running.solo(dictionary.sources[0])
    try:
        with running:
            _announce(running, options.dictionary, dictionary)
            (terminal.show if sys.stdout.isatty() else terminal.lines)(running, options.seconds)
    except KeyboardInterrupt:
        if not running.facts:
            raise
    _sum_up(running)


def _announce(running: Live, name: str, learned: Dictionary) -> None:
    facts, rate = running.facts, running.sample_rate
    if rate != learned.sample_rate:
        print(f"note: {name} was learned at {learned.sample_rate} Hz, is used at {rate} Hz", file=sys.stderr)
    was_ms, is_ms = 1000 * learned.stft.latency / learned.sample_rate, 1000 * running.latency / rate
    if is_ms < was_ms / 2:
        cost_db = _COST_AT_3_MS_DB[learned.is_trained] - _COST_OF_DOUBLE_DB[learned.is_trained] * math.log2(is_ms / 3)
        print(
            f"note: {name} was learned for {was_ms:.0f} ms and is used at {is_ms:.1f} ms: that costs"
            f" about {max(0, cost_db):.1f} dB of separation",
            file=sys.stderr,
        )
    if "JACK" not in facts["host"] and (facts["input"] == facts["output"] or "default" in facts["output"]):
        print("note: use headphones: loudspeakers that the microphone hears would howl", file=sys.stderr)
    resampled = f", converted to {rate} Hz and back" if rate != facts["device_rate"] else ""
    print(f"{facts['input']} to {facts['output']}, {facts['device_rate']} Hz{resampled}")
    heard = [source for source in running.heard if running.gains[source]]
    rest = [s for s in running.sources if s not in heard]
    muted = f"; muted: {', '.join(rest)} (choose with --solo or --gain)" if rest else ""
    print(f"you hear: {', '.join(heard) or 'nothing'}{muted}")
    print(f"latency: {1000 * running.latency / rate:.1f} ms = {running.latency} samples, and the device's blocks")
    sys.stdout.flush()


def _sum_up(running: Live) -> None:
    stats = running.stats
    print(f"sounded for {stats.seconds:.1f} s; latency {terminal.latency_text(stats)}")
    print(
        f"callback p50 {stats.callback_ms['p50']:.2f} ms, p99 {stats.callback_ms['p99']:.2f} ms; late {stats.n_late},"
        f" lost {stats.n_lost}, xruns {stats.n_xruns}, errors {stats.n_errors}, restarts {stats.n_restarts}"
    )
    if stats.n_errors:
        print(f"note: {stats.n_errors} blocks failed, the first with: {stats.error}", file=sys.stderr)
    if stats.n_lost and not stats.n_restarts:
        print(
            f"note: {stats.n_lost} blocks were lost: larger blocks (--block), real-time priority (rtnmf doctor) and"
            " fewer other programs help",
            file=sys.stderr,
        )
    if stats.n_unrecorded:
        print(f"note: {stats.n_unrecorded} samples came too fast to be recorded, and are silent", file=sys.stderr)
    for path in running.recordings:
        print(path)
    if running.recording_failure:
        raise ValueError(running.recording_failure)


def devices(_: argparse.Namespace) -> None:
    """Print what devices there are."""
    from rich.console import Console
    from rich.table import Table

    from rtnmf.live.devices import listing

    found = listing(with_rates=True)
    if not found:
        raise ValueError("there is no sound device: see what is missing with: rtnmf doctor")
    table = Table("device", "by", "default", box=None, pad_edge=False)
    for column in ("in", "out", "prefers Hz"):
        table.add_column(column, justify="right")
    table.add_column("takes Hz", overflow="fold")
    for device in found:
        defaults = [w for w, on in (("in", device.is_default_input), ("out", device.is_default_output)) if on]
        rates = ", ".join(map(str, device.sample_rates))
        counts = (str(device.n_inputs), str(device.n_outputs), str(device.sample_rate))
        table.add_row(device.name, device.host, " ".join(defaults), *counts, rates)
    Console(width=None if sys.stdout.isatty() else 160, markup=False, highlight=False).print(table)


def doctor(_: argparse.Namespace) -> None:
    """Print what live sound needs, what is there, and what mends the rest."""
    from rtnmf.live.doctor import examined

    findings = examined()
    for finding in findings:
        print(
            f"{'ok  ' if finding.is_well else 'MISS' if finding.is_needed else 'note'} {finding.what}: {finding.text}"
        )
        if finding.remedy:
            print(f"     -> {finding.remedy}")
    missing = [finding.what for finding in findings if finding.is_needed and not finding.is_well]
    if missing:
        raise ValueError(f"nothing can sound yet, missing: {', '.join(missing)}")
    print("rtnmf live can sound here; try: rtnmf live speech+keyboard")


def recorded(wishes: dict[str, float], options: argparse.Namespace) -> dict[str, str]:
    """Record sources from the microphone, so many seconds each, and return {source: path of a new file}."""
    from rtnmf.audio import files
    from rtnmf.live.microphone import Microphone

    paths = {}
    for source, name in zip(wishes, files.safe_names(list(wishes)), strict=True):
        with Microphone(options.input, options.channels) as microphone:
            x = _take(microphone, source, wishes[source])
        path = _free_path(Path(options.output).with_suffix(""), name)
        files.write(path, x, microphone.sample_rate, "FLOAT")
        print(path)
        _judge(source, x)
        paths[source] = str(path)
    return paths


def _take(microphone: Any, source: str, seconds: float) -> Any:
    """Count down, and record."""
    import numpy as np

    for left in range(_COUNTDOWN_S, 0, -1):
        print(f"{source}: {seconds:g} s from {microphone.name!r} in {left} ...", flush=True)
        list(microphone.blocks(1.0))
    print(f"{source}: recording", flush=True)
    blocks = []
    began = time.monotonic()
    with terminal.progress_bar("recording") as progress:
        for block in microphone.blocks(seconds):
            blocks.append(block)
            level = f"{source} {_level_db(block):4.0f} dB"
            progress(level, min(int(1000 * (time.monotonic() - began)), int(1000 * seconds)), int(1000 * seconds))
    return np.concatenate(blocks)


def _judge(source: str, x: Any) -> None:
    """Warn of a recording that is not worth learning from."""
    import numpy as np

    if not x.any():
        raise ValueError(f"{source}: the microphone gave nothing but silence: is it muted, or the wrong --input?")
    n_clipped, level_db = int((np.abs(x) >= _FULL_SCALE).sum()), _level_db(x)
    print(f"{source}: {level_db:.0f} dB in the mean, peak {20 * math.log10(np.abs(x).max()):.0f} dB")
    if n_clipped:
        print(f"note: {source}: {n_clipped} samples are clipped: turn the input down, record again", file=sys.stderr)
    if level_db < _QUIET_DB:
        print(f"note: {source}: is nearly silent: turn the input up, or come closer, record again", file=sys.stderr)


def _level_db(x: Any) -> float:
    return 10 * math.log10(max(1e-20, float((x**2).mean())))


def _free_path(beside: Path, name: str) -> Path:
    """Return a path for a recording that replaces no other."""
    wishes = (Path(f"{beside}-{name}{'' if i == 1 else f'-{i}'}.wav") for i in itertools.count(1))
    return next(path for path in wishes if not path.exists())
