"""`rtnmf live`: the microphone in, the sources that are to be heard out."""

from __future__ import annotations

import argparse
import contextlib
import math
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from rtnmf import screen
from rtnmf.cli import arguments, controllers, pages, studio, teaching, voices

if TYPE_CHECKING:
    from rtnmf.cli.teaching import Lesson
    from rtnmf.control.desk import Desk
    from rtnmf.control.studio import Studio
    from rtnmf.dictionary import Dictionary
    from rtnmf.engine.mixer import Mixer
    from rtnmf.live import Live

__all__ = ["EXAMPLES", "SUMMARY", "add_arguments", "run"]

SUMMARY = "separate what a microphone hears, while it hears it"
EXAMPLES = """examples:
  rtnmf live desk.safetensors                                   the first source is heard, the others are not
  rtnmf live speech+keyboard --solo keyboard --input USB --output Headphones
  rtnmf live drums+bass+piano --gain drums=-20 --channels 2 --record take/
  rtnmf live speech+keyboard --outputs stems --latency-ms 3     every source on outputs of its own
  rtnmf live voice=mic:10                                       teaches it now, and separates it from all else
  rtnmf live voice=me.wav fan=mic:5 keyboard=keyboard           a file, a take and a preset, taught now
  rtnmf live drums+bass+piano --osc --midi nanoKONTROL          faders on a phone and on a controller
  rtnmf live me.safetensors --save-rest here.safetensors        keeps what it learned of all that is not me"""

_COST_AT_3_MS_DB = {False: 1.1, True: 1.7}  # untrained, trained; as measured on 32 mixtures, at 6 and 12 ms too
_COST_OF_DOUBLE_DB = {False: 0.3, True: 0.45}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    text = (
        "dictionary files and presets; or sounds to teach now, NAME=FILE[,FILE] or NAME=mic:SECONDS as for"
        " `rtnmf learn`: they sound at once, and are trained meanwhile"
    )
    parser.add_argument("words", nargs="*", metavar="DICT[+DICT...]", help=text)
    parser.set_defaults(further="words")
    arguments.add_devices(parser)
    text = "sources to hear (default: the first; all with --gain, and with stems)"
    parser.add_argument("--solo", nargs="+", metavar="NAME", help=text)
    arguments.add_gain(parser, "gains in dB (default: 0)")
    arguments.add_separation(parser)
    parser.add_argument("--record", metavar="DIR", help="write the input and every stem to this folder")
    text = "stop after this time (default: when interrupted)"
    parser.add_argument("--for", type=arguments.positive("seconds"), dest="seconds", metavar="SECONDS", help=text)
    arguments.add_rest(parser)
    text = "leave the rest as it is until f is pressed (default: learn it from what comes in)"
    arguments.switch(parser, "--freeze", "freeze", text)
    text = "write the dictionary with the rest that was learned to this .safetensors file in the end"
    parser.add_argument("--save-rest", metavar="FILE", help=text)
    arguments.add_overwrite(parser)
    controllers.add_arguments(parser)
    studio.add_web(parser)
    arguments.add_host(parser)


def run(options: argparse.Namespace) -> None:
    """Separate the input device until interrupted."""
    from rtnmf.control import terminal

    if options.save_rest:
        pages.check_dictionary(options.save_rest, overwrite=options.overwrite, flag="--save-rest")
    elif options.overwrite:
        raise ValueError("--overwrite: there is no --save-rest, leave it out")
    name, dictionary, lesson, trains = _asked_for(options)
    arguments.check_sources(name, dictionary)
    mixer = _mixer(options, dictionary.sources)
    has_takes = lesson is not None and lesson.has_takes
    desk, page = _desk(options, name, dictionary, has_takes=has_takes)
    live = desk.live
    live.mixer = replace(mixer, muted=mixer.sources) if has_takes else mixer
    if options.freeze:
        live.freeze = True
    if options.save_rest and not live.adapts:
        raise ValueError(f"--save-rest: {name} has no rest that is learned, leave it out")
    has_begun = False
    try:
        with controllers.running(options, desk, page) as midi, _sounding(options, live, page):
            if lesson is not None and has_takes:
                _teach(live, lesson, freeze=options.freeze)
                live.mixer = mixer
            has_begun = True
            if trains:
                live.train()
            used = live.dictionary.at_latency(options.latency_ms) if options.latency_ms else live.dictionary
            _announce(live, name, live.dictionary, voices.asked(used, options.experts))
            if sys.stdout.isatty():
                terminal.show(desk, options.seconds, midi)
            else:
                terminal.lines(desk, options.seconds)
    except KeyboardInterrupt:
        if not has_begun:
            raise
    if options.save_rest:
        _save(desk.live, options.save_rest, overwrite=options.overwrite)
    _sum_up(desk.live)


def _desk(
    options: argparse.Namespace, name: str, dictionary: Dictionary, *, has_takes: bool
) -> tuple[Desk, Studio | None]:
    """Return the desk of what is to sound, and the studio that it belongs to where there is a page."""
    from rtnmf.control.desk import Desk
    from rtnmf.live import Live

    settings = arguments.given(options, *arguments.DEVICE, *arguments.SEPARATION)
    if options.web is None:
        arguments.refuse(options, "there is no --web", "folder")
        return Desk(Live(dictionary, **settings, **arguments.given(options, "record"), tap=has_takes)), None
    page = studio.made(partial(Live, **settings, tap=True), dictionary, name, options)
    return page.desk, page


@contextlib.contextmanager
def _sounding(options: argparse.Namespace, live: Live, page: Studio | None) -> Iterator[None]:
    """Sound while the context lasts, with a page where there is to be one."""
    if page is None:
        with live:
            yield
        return
    with contextlib.closing(page), studio.served(page, options):
        page.open()
        if options.record:
            live.recording.start(options.record)
        yield


def _asked_for(options: argparse.Namespace) -> tuple[str, Dictionary, Lesson | None, bool]:
    """Return the name of what is to be heard, its dictionary, what is to be taught, and whether to train it then.

    The dictionary is trained already where that was done before.
    """
    from rtnmf.learning.joining import known, plain

    words = _words(options)
    if teaching.are_taught(words):
        if options.web is not None and any(re.search(r"[=,]mic:", word) for word in words):
            raise ValueError("--web: the page teaches from the microphone: leave NAME=mic:SECONDS out")
        lesson = teaching.prepared(words, rest=options.rest, sample_rate=options.sample_rate)
        found = None if lesson.has_takes else known(lesson.dictionary)
        return "what was taught", found or lesson.dictionary, lesson, found is None
    if len(words) != 1:
        raise ValueError(f"expected one dictionary, such as desk.safetensors or speech+keyboard, got {len(words)}")
    arguments.refuse(options, "a dictionary has the sources that it has", "rest")
    dictionary, is_to_be_joined = plain(words[0])
    found = known(dictionary) if is_to_be_joined else None
    return words[0], found or dictionary, None, is_to_be_joined and found is None


def _teach(live: Live, lesson: Lesson, *, freeze: bool) -> None:
    """Record the takes of a lesson from what sounds, and let what they teach take over."""
    if live.adapts:
        live.freeze = True  # what is learned of the takes is not the rest
    live.dictionary = lesson.given(live)
    if live.adapts:
        live.freeze = freeze


def _save(live: Live, path: str, *, overwrite: bool) -> None:
    """Write the dictionary if anything was learned, and say so."""
    if live.stats.n_rest_rounds:
        place = pages.written(path, live.dictionary.save, overwrite=overwrite)
        screen.say(f"{place}: the rest was {live.stats.rest}")
    else:
        screen.note(f"{path} was not written, as nothing was learned of the rest")


def _words(options: argparse.Namespace) -> list[str]:
    """Return the dictionary, or what is to be taught; what stands behind gains or sources to hear is found there."""
    words = [*options.words, *arguments.not_gains(options.gain or [])]
    for word in [word for word in options.solo or [] if teaching.are_taught([word])]:
        options.solo.remove(word)
        words.append(word)
    if not words and len(options.solo or []) > 1:
        words.append(options.solo.pop())
    if not words and options.midi:
        words, options.midi = [options.midi], ""
    return words


def _mixer(options: argparse.Namespace, sources: tuple[str, ...]) -> Mixer:
    from rtnmf.engine.mixer import Mixer

    soloed = tuple(options.solo or ())
    if not (options.solo or options.gain or options.outputs in ("stems", "mono-stems")):
        soloed = sources[:1]
    return Mixer(sources, arguments.gains(options.gain or [], sources), soloed=soloed)


def _announce(live: Live, name: str, learned: Dictionary, about_voices: str) -> None:
    """Print which experts are asked, notes on what costs quality, and what a panel would show of sound and devices."""
    for note in (_note_on_rate(live, name, learned), _note_on_latency(live, name, learned), _note_on_feedback(live)):
        if note:
            screen.note(note)
    if about_voices:
        screen.say(about_voices)
    if not sys.stdout.isatty():
        _announce_sound(live)


def _announce_sound(live: Live) -> None:
    facts, rate = live.facts, live.sample_rate
    resampled = f", converted to {rate} Hz and back" if rate != facts["device_rate"] else ""
    screen.say(f"{facts['input']} to {facts['output']}, {facts['device_rate']} Hz{resampled}")
    screen.say(f"output channels: {', '.join(f'{what} {_channels(numbers)}' for what, numbers in live.routes.items())}")
    screen.say(f"you hear: {_heard(live.mixer)}")
    screen.say(
        f"latency: {1000 * live.latency / rate:.1f} ms = {live.latency} samples, plus the blocks of the device",
        flush=True,
    )


def _note_on_rate(live: Live, name: str, learned: Dictionary) -> str:
    if live.sample_rate == learned.sample_rate:
        return ""
    return f"{name} was learned at {learned.sample_rate} Hz and is converted to {live.sample_rate} Hz"


def _note_on_latency(live: Live, name: str, learned: Dictionary) -> str:
    was_ms, is_ms = 1000 * learned.stft.latency / learned.sample_rate, 1000 * live.latency / live.sample_rate
    if is_ms >= was_ms / 2:
        return ""
    is_trained = learned.is_trained
    cost_db = max(0, _COST_AT_3_MS_DB[is_trained] - _COST_OF_DOUBLE_DB[is_trained] * math.log2(is_ms / 3))
    return (
        f"{name} was learned for {was_ms:.0f} ms and is used at {is_ms:.1f} ms: that costs about {cost_db:.1f} dB"
        " of separation"
    )


def _note_on_feedback(live: Live) -> str:
    facts = live.facts
    if "JACK" in facts["host"] or (facts["input"] != facts["output"] and "default" not in facts["output"]):
        return ""
    return "use headphones: loudspeakers that the microphone hears would howl"


def _channels(numbers: tuple[int, ...]) -> str:
    return f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]}-{numbers[-1]}"


def _heard(mixer: Mixer) -> str:
    heard = [source for source in mixer.heard if mixer.gains[source]]
    muted = [source for source in mixer.sources if source not in heard]
    rest = f"; muted: {', '.join(muted)} (choose with --solo or --gain)" if muted else ""
    return f"{', '.join(heard) or 'nothing'}{rest}"


def _sum_up(live: Live) -> None:
    """Print how it went, and what was recorded."""
    from rtnmf.control import panel
    from rtnmf.live.link.telemetry import shown_texts

    stats = live.stats
    screen.say(f"sounded for {stats.seconds:.1f} s; latency {panel.latency_text(stats)}")
    screen.say(", ".join(shown_texts(stats)))
    if stats.rest:
        screen.say(f"rest: {stats.rest}")
    for note in _notes_on_faults(live):
        screen.note(note)
    for path in live.recordings:
        screen.say(path)
    if live.recording_failure:
        raise ValueError(live.recording_failure)


def _notes_on_faults(live: Live) -> list[str]:
    stats = live.stats
    notes = {
        f"{stats.n_errors} blocks failed, the first with: {stats.error}": stats.n_errors,
        f"{stats.n_lost} blocks were lost: larger blocks (--block), real-time priority (rtnmf doctor) and fewer other"
        " programs help": stats.n_lost and not stats.n_restarts,
        f"{stats.n_unrecorded} samples came too fast to be recorded, and are silent": stats.n_unrecorded,
    }
    return [note for note, is_due in notes.items() if is_due]
