"""`rtnmf studio`: the microphone in, and a page in the browser to teach, mix and record what it hears."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
import webbrowser
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rtnmf.cli import arguments, controllers

if TYPE_CHECKING:
    from rtnmf.control.studio import Studio
    from rtnmf.control.web.server import Server

__all__ = ["EXAMPLES", "SUMMARY", "add_arguments", "run", "served"]

SUMMARY = "teach, mix and record what a microphone hears, on a page in the browser"
EXAMPLES = """examples:
  rtnmf studio                                        begins with nothing: teach it sounds on the page
  rtnmf studio speech+keyboard --input USB --output Headphones
  rtnmf studio desk.safetensors --folder songs/       dictionaries, takes and recordings are kept there
  rtnmf studio desk.safetensors --host 0.0.0.0        the page opens on a phone, too, by the link that is printed"""

_NOTHING = "rest"
_LOOK_S = 0.25


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    text = "a dictionary file, or presets, to begin with (default: nothing but the rest, to teach sounds beside)"
    parser.add_argument("dictionary", nargs="?", metavar="DICT[+DICT...]", help=text)
    arguments.add_devices(parser)
    arguments.add_separation(parser)
    text = "folder for dictionaries, takes and recordings (default: rtnmf in the folder for music)"
    parser.add_argument("--folder", metavar="DIR", help=text)
    controllers.add_arguments(parser)
    arguments.add_host(parser)
    text = "port of the page, 0 for any that is free (default: 8765)"
    arguments.option(parser, "--port", "port", arguments.whole(0), "PORT", text)
    parser.add_argument("--no-browser", action="store_true", help="print the link, and open no browser")
    text = "stop after this time (default: when interrupted)"
    parser.add_argument("--for", type=arguments.positive("seconds"), dest="seconds", metavar="SECONDS", help=text)


def run(options: argparse.Namespace) -> None:
    """Serve the page until interrupted."""
    from rtnmf.control.studio import Studio
    from rtnmf.learning.joining import load
    from rtnmf.live import Live

    _check_extra()
    name = options.dictionary or _NOTHING
    settings = arguments.given(options, *arguments.DEVICE, *arguments.SEPARATION)
    folder = _default_folder() if options.folder is None else Path(options.folder)
    studio = Studio(partial(Live, **settings, tap=True), load(name), name if options.dictionary else "", folder)
    server = served(studio, options)
    controlled = controllers.running(options, studio.desk, studio)
    with contextlib.closing(studio), controlled, contextlib.suppress(KeyboardInterrupt):
        studio.open()
        with server:
            print(f"the studio is at {server.url}\nCtrl-C ends it; what it writes is in {folder}", flush=True)
            if not options.no_browser and server.is_private and _has_display():
                webbrowser.open(server.url)
            _watch(studio, options.seconds)


def served(studio: Studio, options: argparse.Namespace) -> Server:
    """Return the server of the page of a studio, which listens already and is to be entered.

    Raises
    ------
    ValueError
        If its packages are not there, or it cannot listen.
    """
    _check_extra()
    from rtnmf.control.web.server import Server

    return Server(studio, **arguments.given(options, "host", "port"))


def _check_extra() -> None:
    try:
        import msgspec  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
        import websockets  # noqa: F401
    except ImportError as error:
        raise ValueError(f"the page needs {error.name}: pip install 'rtnmf[studio]'") from error


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
            print(f"note: {trouble}", file=sys.stderr, flush=True)
        if notice and notice != before[1]:
            print(notice, flush=True)
        time.sleep(_LOOK_S)
