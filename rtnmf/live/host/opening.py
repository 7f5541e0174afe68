"""How a stream is opened: the devices, a sample rate that they take, and an engine that is ready for it."""

from __future__ import annotations

import contextlib
import gc
import math
import time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtnmf.dictionary import Dictionary
from rtnmf.engine.separator import Separator
from rtnmf.experts.network import FRAME, RATE
from rtnmf.live.host import ports
from rtnmf.live.host.callback import Callback
from rtnmf.live.host.choosing import Pair, check_inputs, chosen
from rtnmf.live.host.engine import Engine
from rtnmf.live.host.pacing import NEAR, Cost, Deadline
from rtnmf.live.host.portaudio import in_time
from rtnmf.live.host.resampling import Resampling
from rtnmf.live.link.memory import Mailbox
from rtnmf.live.link.protocol import Settings, Shared, routes

__all__ = ["Opened", "Plan", "opened", "planned", "warm_up"]

_RESAMPLING_BLOCK = 512
_REHEARSAL = 4
_STARTING_S = 3.0
_INVALID_RATE = -9997


class Plan(NamedTuple):
    """What a stream is opened with."""

    pair: Pair
    n_outputs: int
    device_rate: int
    rate: int
    """Of the separation."""


class Opened(NamedTuple):
    """A stream that runs."""

    stream: Any
    callback: Callback
    facts: dict[str, Any]
    """What the parent is told about it."""
    ports: ports.Ports | None
    """On a JACK server, where they can be watched."""


def warm_up(settings: Settings) -> None:
    """Compile and touch everything once, so that the first callback takes no longer than any other."""
    separator = _separator(settings, settings.dictionary)
    weights = np.ones(len(separator.sources) + 1, np.float32)
    engine = Engine(separator, settings.n_channels, weights, limit=settings.limit)
    noise = np.random.default_rng(0).uniform(-1, 1, (separator.latency, settings.n_channels)).astype(np.float32)
    for i in range(3):
        engine.weigh(weights * i)
        separator.turn_to(separator.plan._replace())
        engine.process(noise)


def _separator(settings: Settings, dictionary: Dictionary) -> Separator:
    n_channels, mask_power, experts = settings.n_channels, settings.mask_power, settings.experts
    return Separator(dictionary, n_channels=n_channels, mask_power=mask_power, experts=experts)


def _rehearsed(separator: Separator, wanted: int) -> Deadline:
    """Return a deadline that starts with as much work as a trial without a device has time for."""
    frame_s = separator.dictionary.stft.hop_length / separator.sample_rate
    one_s = float(_hops_s(separator, 1, _REHEARSAL).min())
    update_s = max(1e-9, (float(_hops_s(separator, 1 + _REHEARSAL, _REHEARSAL).min()) - one_s) / _REHEARSAL)
    experts = _cost(separator, frame_s, one_s) if separator.experts else None
    separator.reset()
    deadline = Deadline(wanted, frame_s, experts)
    deadline.n_iter = max(1, min(wanted, 1 + int((NEAR * frame_s - one_s) / update_s)))
    plain = (one_s + (wanted - 1) * update_s) / frame_s
    deadline.asks = experts is None or plain + experts.load(experts.span_s) <= NEAR
    return deadline


def _cost(separator: Separator, frame_s: float, plain_s: float) -> Cost:
    """Return what experts cost beside hops that take so long without them."""
    span_s = max(frame_s, FRAME / RATE)
    n_hops = math.ceil(span_s / frame_s)
    tries = []
    for _ in range(1 + _REHEARSAL):
        _hops_s(separator, 1, 1)  # they rest
        tries.append(_hops_s(separator, 1, 1 + n_hops, asks=True))
    times = np.min(tries[1:], axis=0)  # the first time they are new, and need not begin anew
    added_s = (times[1:] - plain_s).clip(0)
    return Cost(span_s, float(added_s.mean()) * span_s / frame_s, float(added_s.max()), float(times[0]))


def _hops_s(separator: Separator, n_iter: int, n_hops: int, *, asks: bool = False) -> NDArray[np.float64]:
    """Return how long some hops of noise take."""
    hop_length = separator.dictionary.stft.hop_length
    noise = np.random.default_rng(0).uniform(-1, 1, (hop_length, separator.n_channels)).astype(np.float32)
    separator.n_iter, separator.asks = n_iter, asks
    times = [time.perf_counter()]
    for _ in range(n_hops):
        separator.process(noise)
        times.append(time.perf_counter())
    return np.diff(times)


def planned(sounddevice: Any, settings: Settings) -> Plan:
    """Return the devices, channels and rates that the settings ask for.

    Raises
    ------
    ValueError
        If the devices cannot be used; caused by a PortAudioError where that may be over in a moment.
    """
    pair = chosen(settings.input, settings.output, allow_feedback=settings.allow_feedback)
    n_outputs = _n_outputs(settings, pair)
    return Plan(pair, n_outputs, *_sample_rates(sounddevice, settings, pair, n_outputs))


def opened(sounddevice: Any, settings: Settings, shared: Shared) -> Opened:
    """Open and start the stream that the settings ask for; raises as `planned` does."""
    plan = planned(sounddevice, settings)
    pair, n_outputs, device_rate, rate = plan
    block_length, resampling = settings.block_length, None
    if device_rate != rate:
        block_length = block_length or _RESAMPLING_BLOCK
        resampling = Resampling(device_rate, rate, settings.n_channels, n_outputs, block_length)
    engine, deadline = _prepared(settings, shared.parameters, rate, n_outputs)
    callback = Callback(shared, engine, deadline, device_rate, resampling)
    facts = {
        "input": pair.input.name,
        "output": pair.output.name,
        "host": pair.input.host,
        "device_rate": device_rate,
        "sample_rate": rate,
        "latency": engine.separator.latency,
        "resampling_delay": resampling.delay if resampling else 0,
        "labels": engine.separator.dictionary.labels,
        "n_outputs": n_outputs,
    }
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        stream, watched = _started(sounddevice, settings, plan, blocksize=block_length, callback=callback)
    except sounddevice.PortAudioError as error:
        gc.unfreeze()
        gc.enable()
        raise _unusable(pair, error) from error
    return Opened(stream, callback, facts, watched)


def _started(sounddevice: Any, settings: Settings, plan: Plan, **options: Any) -> tuple[Any, ports.Ports | None]:
    """Open the stream, name its ports in JACK, and start it; close it when it does not start."""
    stream = sounddevice.Stream(
        device=plan.pair.numbers,
        channels=(settings.n_channels, plan.n_outputs),
        samplerate=plan.device_rate,
        latency="low",
        dtype="float32",
        **options,
    )
    watched, is_jack = None, "JACK" in plan.pair.input.host
    try:
        watched = ports.opened() if is_jack else None
        if watched is not None:
            inputs = ports.input_names(settings.n_channels)
            watched.rename(inputs, ports.output_names(routes(settings, plan.n_outputs), inputs))
        with _called_in_time() if is_jack else contextlib.nullcontext():
            stream.start()
        if watched is not None:
            watched.look()  # what PortAudio has connected is to be known before any of it can go
    except BaseException:
        stream.close()
        if watched is not None:
            watched.close()
        raise
    return stream, watched


def _called_in_time() -> contextlib.AbstractContextManager[None]:
    """Give up where JACK never calls a client that it has taken, as happens when several come up at once."""
    return in_time(_STARTING_S, f"JACK has not begun to call within {_STARTING_S:g} s")


def _prepared(settings: Settings, parameters: Mailbox, sample_rate: int, n_outputs: int) -> tuple[Engine, Deadline]:
    """Make the engine for a sample rate, and find out how many updates it has time for."""
    wished = parameters.read()
    if wished is None:
        raise ValueError("the parent has sent no parameters")
    separator = _separator(settings, settings.dictionary_at(sample_rate))
    engine = Engine(separator, n_outputs, wished["weights"], as_stems=settings.as_stems, limit=settings.limit)
    return engine, _rehearsed(separator, int(wished["n_iter"]))


def _n_outputs(settings: Settings, pair: Pair) -> int:
    """Return how many output channels to open: pairs where the device has them, so that both ears hear."""
    n_sources, n_channels = len(settings.dictionary.sources), settings.n_channels
    check_inputs(pair.input, n_channels)
    n_each = 1 if settings.outputs == "mono-stems" else max(2, n_channels)
    n_outputs = n_each * (n_sources if settings.as_stems else 1)
    if n_channels == 1 and not settings.as_stems:
        n_outputs = min(n_outputs, pair.output.n_outputs)
    if pair.output.n_outputs < n_outputs:
        wish = f"{n_sources} stems" if settings.as_stems else f"{n_channels} channels"
        remedy = "a mix of fewer channels"
        if settings.outputs == "stems":
            remedy = f"mono-stems, which need {n_sources}" if n_channels == 1 else "a mix"
        raise ValueError(
            f"{pair.output.name!r} has {pair.output.n_outputs} output channels, {wish} need {n_outputs}:"
            f" use another device, or {remedy}"
        )
    return n_outputs


def _sample_rates(sounddevice: Any, settings: Settings, pair: Pair, n_outputs: int) -> tuple[int, int]:
    """Return the rates of the device and of the separation."""

    def is_taken(rate: int) -> bool:
        try:
            sounddevice.check_input_settings(pair.numbers[0], settings.n_channels, samplerate=rate)
            sounddevice.check_output_settings(pair.numbers[1], n_outputs, samplerate=rate)
        except sounddevice.PortAudioError as error:
            if error.args[-1] == _INVALID_RATE:
                return False
            raise _unusable(pair, error) from error
        return True

    offers = [pair.input.sample_rate, pair.output.sample_rate, settings.dictionary.sample_rate, 48000, 44100]
    if settings.resample:
        rate = settings.sample_rate or settings.dictionary.sample_rate
        offers.insert(0, rate)
    elif settings.sample_rate:
        offers = [rate := settings.sample_rate]
    taken = next((offer for offer in offers if is_taken(offer)), None)
    if taken is not None:
        return taken, rate if settings.resample else taken
    if settings.sample_rate and not settings.resample:
        raise ValueError(
            f"{pair.input.name!r} to {pair.output.name!r} refuses {settings.sample_rate} Hz, it prefers"
            f" {pair.input.sample_rate} Hz: leave sample_rate out, or pass resample=True to convert, which adds"
            " latency"
        )
    raise ValueError(
        f"{pair.input.name!r} and {pair.output.name!r} have no sample rate in common: set both to the same one in the"
        " system's sound settings"
    )


def _unusable(pair: Pair, error: Exception) -> ValueError:
    return ValueError(
        f"{pair.input.name!r} to {pair.output.name!r} cannot be opened ({error.args[0]}): close other programs"
        " that use them, or choose others, see: rtnmf devices"
    )
