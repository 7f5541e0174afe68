"""Options of a command that sounds for whoever steers it from elsewhere: OSC and MIDI."""

from __future__ import annotations

import argparse
import contextlib
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from rtnmf import screen
from rtnmf.control import osc

if TYPE_CHECKING:
    from rtnmf.control.desk import Desk
    from rtnmf.control.midi import Midi
    from rtnmf.control.studio import Studio

__all__ = ["add_arguments", "running"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options, but for the address to listen at, which they share with the page."""
    text = f"let OSC controllers steer it, at this UDP port (default: {osc.PORT})"
    parser.add_argument("--osc", nargs="?", const=osc.PORT, type=_port, metavar="PORT", help=text)
    text = "tell this place, too, what changes; may be repeated (default: whoever sent last)"
    parser.add_argument("--osc-to", action="append", type=_place, metavar="HOST:PORT", help=text)
    text = "let a MIDI controller steer it: part of the name of its input (default: the first one)"
    parser.add_argument("--midi", nargs="?", const="", metavar="NAME", help=text)


@contextlib.contextmanager
def running(options: argparse.Namespace, desk: Desk, studio: Studio | None = None) -> Iterator[Midi | None]:
    """Let controllers steer a desk while the context lasts, say how, and give MIDI where it was asked for.

    Parameters
    ----------
    options : Namespace
    desk : Desk
    studio : Studio, optional
        That the desk belongs to, for controllers which teach and load.

    Raises
    ------
    ValueError
        If a port is taken or missing, or an option makes no sense without another one.
    """
    if options.osc is None and options.osc_to:
        raise ValueError("--osc-to: there is no --osc, add it or leave it out")
    if options.osc is None and options.host and studio is None:
        raise ValueError("--host: there is no --osc and no --web, add one or leave it out")
    host, midi = options.host or "127.0.0.1", None
    with contextlib.ExitStack() as stack:
        if options.osc is not None:
            sends_to = options.osc_to or []
            stack.enter_context(osc.Osc(desk, host, options.osc, send_to=sends_to, studio=_verbs(studio)))
            example = f"{osc.PREFIX}/{osc.address_part(desk.sources[0])}/fader"
            screen.say(f"OSC: listening at {host}:{options.osc}, for addresses such as {example}", flush=True)
        if options.midi is not None:
            from rtnmf.control.midi import Midi

            midi = stack.enter_context(Midi(desk, options.midi))
            how = "move it, press l, then what it is to do" if studio is None else f"write it into {midi.path}"
            screen.say(f"MIDI: listening to {midi.port}; to map another control, {how}", flush=True)
        yield midi


def _verbs(studio: Studio | None) -> dict[str, Callable[..., object]]:
    """Return what controllers may ask of a studio."""
    if studio is None:
        return {}
    return {
        "preset": lambda name: studio.load(name, "preset"),
        "teach": studio.teach,
        "keep": studio.keep,
        "drop": studio.drop,
        "record": studio.record,
    }


def _port(text: str) -> int:
    if not re.fullmatch(r"\d{1,5}", text, re.ASCII) or not 0 < int(text) < 2**16:
        raise argparse.ArgumentTypeError(f"{text[:40]} is not a port: write a number, or --osc behind all else")
    return int(text)


def _place(text: str) -> tuple[str, int]:
    try:
        return osc.host_and_port(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
