"""`rtnmf studio`: the microphone in, and a page in the browser to teach, mix and record what it hears."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rtnmf import screen
from rtnmf.cli import arguments, controllers
from rtnmf.cli.progress_bar import progress_bar

if TYPE_CHECKING:
    from rtnmf.control.studio import Studio
    from rtnmf.control.web.server import Server
    from rtnmf.dictionary import Dictionary
    from rtnmf.live import Live

__all__ = ["EXAMPLES", "SUMMARY", "add_arguments", "add_web", "made", "run", "served"]

SUMMARY = "teach, mix and record what a microphone hears, on a page in the browser"
EXAMPLES = """examples:
  rtnmf studio                                        begins with nothing: teach it sounds on the page
  rtnmf studio speech+keyboard --input USB --output Headphones
  rtnmf studio desk.safetensors --folder songs/       dictionaries, takes and recordings are kept there
  rtnmf studio desk.safetensors --osc --midi          faders on controllers, too
  rtnmf studio desk.safetensors --host 0.0.0.0        the page opens on a phone, too, by the link that is printed"""

_NOTHING = "rest"
_USUAL = -1
"""The port that the server chooses."""
_LOOK_S = 0.25


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    text = "a dictionary file, or presets, to begin with (default: nothing but the rest, to teach sounds beside)"
    parser.add_argument("dictionary", nargs="?", metavar="DICT[+DICT...]", help=text)
    arguments.add_devices(parser)
    arguments.add_separation(parser)
    add_folder(parser)
    text = "port of the page, 0 for any that is free (default: 8765, or any where that is in use)"
    parser.add_argument("--port", dest="web", type=arguments.whole(0), metavar="PORT", default=_USUAL, help=text)
    parser.set_defaults(flags={**(parser.get_default("flags") or {}), "port": "--port"})
    parser.add_argument("--no-browser", action="store_true", help="print the link, and open no browser")
    controllers.add_arguments(parser)
    arguments.add_host(parser)
    text = "stop after this time (default: when interrupted)"
    parser.add_argument("--for", type=arguments.positive("seconds"), dest="seconds", metavar="SECONDS", help=text)


def add_web(parser: argparse.ArgumentParser) -> None:
    """Declare the options of a command that may serve the page, too."""
    text = "let a page in a browser steer it, as rtnmf studio does, at this port (default: 8765, or any that is free)"
    parser.add_argument("--web", nargs="?", const=_USUAL, type=arguments.whole(0), metavar="PORT", help=text)
    parser.set_defaults(flags={**(parser.get_default("flags") or {}), "port": "--web"})
    add_folder(parser)


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Declare the option of where the page writes."""
    text = "folder for the dictionaries, takes and recordings of the page (default: rtnmf in the folder for music)"
    parser.add_argument("--folder", metavar="DIR", help=text)


def run(options: argparse.Namespace) -> None:
    """Serve the page until interrupted."""
    from rtnmf.learning.joining import load
    from rtnmf.live import Live

    _check_extra()
    settings = arguments.given(options, *arguments.DEVICE, *arguments.SEPARATION)
    name = options.dictionary or _NOTHING
    with progress_bar("loading", name) as progress:
        dictionary = load(name, progress=progress)
    studio = made(partial(Live, **settings, tap=True), dictionary, options.dictionary or "", options)
    controlled, page = controllers.running(options, studio.desk, studio), served(studio, options)
    with contextlib.closing(studio), contextlib.suppress(KeyboardInterrupt), controlled, page as server:
        studio.open()
        if not options.no_browser and server.is_private and _has_display():
            webbrowser.open(server.url)
        _watch(studio, options.seconds)


def made(make: Callable[[Dictionary], Live], dictionary: Dictionary, name: str, options: argparse.Namespace) -> Studio:
    """Return the studio of a command, which does not sound yet."""
    from rtnmf.control.studio import Studio

    return Studio(make, dictionary, name, _default_folder() if options.folder is None else Path(options.folder))


@contextlib.contextmanager
def served(studio: Studio, options: argparse.Namespace) -> Iterator[Server]:
    """Serve the page of a studio while the context lasts, and print its link.

    Raises
    ------
    ValueError
        If its packages are not there, or it cannot listen.
    """
    _check_extra()
    from rtnmf.control.web.server import Server

    port = None if options.web == _USUAL else options.web
    with Server(studio, port=port, **arguments.given(options, "host")) as server:
        screen.say(f"page: {server.url}", flush=True)
        yield server


def _check_extra() -> None:
    for name in ("msgspec", "starlette", "uvicorn", "websockets"):
        if importlib.util.find_spec(name) is None:
            raise ValueError(f"the page needs {name}: pip install 'rtnmf[studio]'")


def _default_folder() -> Path:
    from platformdirs import user_music_path

    return user_music_path() / "rtnmf"


def _has_display() -> bool:
    """Return whether a browser that opens would be seen: a text browser would take the terminal."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _watch(studio: Studio, seconds: float | None) -> None:
    """Print what is worth saying, and on stderr what is wrong, once each, until the time is over."""
    end = None if seconds is None else time.monotonic() + seconds
    trouble, notice = "", studio.notice
    while end is None or time.monotonic() < end:
        before = trouble, notice
        trouble, notice = studio.desk.trouble(studio.live.stats), studio.notice
        if trouble and trouble != before[0]:
            screen.note(trouble)
        if notice and notice != before[1]:
            screen.say(notice, flush=True)
        time.sleep(_LOOK_S)
