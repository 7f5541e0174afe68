"""What a page is told of the studio: its state, which changes seldom, and its meters, which always do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from rtnmf.control.web import messages
from rtnmf.control.web.scope import band_hz

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtnmf.control.desk import Strip
    from rtnmf.control.studio import Studio
    from rtnmf.live import Stats

__all__ = ["Shelves", "meters_of", "state_of"]

_OPENING = "opening the devices; the first start compiles for a moment"
_SILENCE_DB = -200.0
_ACTIVE_DB = 60.0
"""Range of the activations that is shown, below that of a tone of full scale."""


class Shelves(NamedTuple):
    """What can be loaded, by name."""

    dictionaries: list[str]
    presets: list[str]


def state_of(studio: Studio, strips: Sequence[Strip], stats: Stats, shelves: Shelves) -> messages.State:
    """Return all that changes seldom. Times that go on are 0 here: the meters have them."""
    live, mixer = studio.live, studio.live.mixer
    dictionary, is_opening = live.dictionary, stats.state in ("idle", "starting") and not stats.reason
    return messages.State(
        sources=[_source(strip, is_rest=strip.source == dictionary.rest) for strip in strips],
        bypass=mixer.bypass,
        wet=mixer.wet,
        listening=studio.desk.listening,
        dictionary=studio.name,
        is_trained=dictionary.is_trained,
        components=list(stats.labels),
        experts=list(live.experts),
        adapts=live.adapts,
        frozen=live.freeze,
        rest=stats.rest,
        training=stats.training,
        lesson=messages.Lesson(cast(Any, studio.lesson.stage), studio.lesson.name, 0.0, studio.lesson.text),
        recording=messages.Recording(live.recording.is_on, 0.0, studio.recorded_in, list(studio.recordings)),
        dictionaries=shelves.dictionaries,
        presets=shelves.presets,
        devices=" to ".join(live.facts[end] for end in ("input", "output") if live.facts.get(end)),
        sample_rate=live.sample_rate,
        sounding=stats.state == "sounding",
        opening=_OPENING if is_opening else "",
        busy=studio.busy,
        trouble="" if is_opening else studio.desk.trouble(stats),
        notice=studio.notice,
        band_hz=band_hz(live.sample_rate) if live.sample_rate else [],
    )


def meters_of(studio: Studio, strips: Sequence[Strip], stats: Stats) -> messages.Meters:
    """Return all that changes all the time, in no more digits than can be seen."""
    return messages.Meters(
        peaks_db=[_db(strip.peak_db) for strip in strips],
        held_db=[_db(strip.held_db) for strip in strips],
        over=[strip.is_over for strip in strips],
        sounds=[strip.sounds for strip in strips],
        input_db=_db(stats.input_peak_db),
        output_db=_db(stats.output_peak_db),
        output_over=studio.desk.is_over(stats),
        n_limited=stats.n_limited,
        latency_ms={name: round(ms, 2) for name, ms in stats.latency_ms.items()},
        load=round(stats.load, 3),
        late=stats.n_late,
        lost=stats.n_lost,
        seconds=round(stats.seconds, 1),
        recorded_s=round(studio.live.recording.seconds, 1),
        left_s=round(studio.lesson.left_s, 1),
        activations=_activations(stats, studio.live.dictionary.stft.n_fft),
    )


def _source(strip: Strip, *, is_rest: bool) -> messages.Source:
    return messages.Source(
        name=strip.source,
        db=_db(strip.gain_db),
        fader=round(strip.fader, 4),
        solo=strip.is_soloed,
        mute=strip.is_muted,
        heard=strip.is_heard,
        rest=is_rest,
        channels=list(strip.channels),
    )


def _db(level_db: float) -> float:
    return round(max(_SILENCE_DB, level_db), 1) if math.isfinite(level_db) else _SILENCE_DB


def _activations(stats: Stats, n_fft: int) -> list[float]:
    """Return activations from 0, at -60 dB and less, to 1 at that of a tone of full scale."""
    level_db = 20 * np.log10(np.maximum(stats.activations, 1e-9) / (n_fft / 4))
    shown: list[float] = np.clip(1 + level_db / _ACTIVE_DB, 0, 1).round(2).tolist()
    return shown
