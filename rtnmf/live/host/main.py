"""The life of the sounding process: one PortAudio stream and one engine, until the parent closes its end of the pipe.

It has an interpreter lock of its own, so that nothing which the parent does can make a callback late. It reads
parameters from shared memory, and writes telemetry and samples to record there; messages in words go to the parent as
lines of JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, BinaryIO

from rtnmf.live.host.opening import Opened, opened, planned, warm_up
from rtnmf.live.host.portaudio import leave, portaudio, restart
from rtnmf.live.link.child import end_with_parent
from rtnmf.live.link.memory import attach
from rtnmf.live.link.protocol import Layout, Settings, Shared

__all__ = ["main"]

_RETRY_S = 0.25
_CLOSING_S = 0.4
_LOOK_S = 0.05
_PORTS_S = 0.5
_TRIES = 4


def main() -> None:
    """Separate until standard input ends; the settings are the first thing in it."""
    lines = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is not for the parent

    def say(**message: Any) -> None:
        with contextlib.suppress(OSError):  # the parent is gone
            print(json.dumps(message), file=lines, flush=True)

    settings: Settings = pickle.load(sys.stdin.buffer)  # noqa: S301  # from the parent
    told, ended = threading.Event(), threading.Event()
    threading.Thread(target=_obey, args=(sys.stdin.buffer, told, ended), daemon=True).start()
    end_with_parent(lambda: _end(ended))
    try:
        _sound(settings, say, told, ended)
    except ValueError as error:
        say(state="failed", reason=str(error))
    leave()


def _obey(pipe: BinaryIO, told: threading.Event, ended: threading.Event) -> None:
    """Wait for the byte that lets a process open the devices which `waits`, and for the end."""
    pipe.read(1)
    told.set()
    pipe.read()
    _end(ended)


def _end(ended: threading.Event) -> None:
    """Let the stream be closed, and end this process when that takes too long."""
    ended.set()
    time.sleep(_CLOSING_S)
    os._exit(1)


def _sound(settings: Settings, say: Callable[..., None], told: threading.Event, ended: threading.Event) -> None:
    if not settings.keep_trying:
        _check_devices(settings)
    say(state="warming")
    warm_up(settings)
    shared = Layout(settings).views(attach(settings.handle))
    if settings.waits:
        say(state="ready")
        told.wait()
    sounding = _opened_when_possible(settings, say, ended, shared)
    if sounding is None:
        return
    say(state="open", **sounding.facts)
    if not _followed(sounding, say, ended):
        say(state="ended", reason="the sound system ended the stream")
        return
    sounding.stream.abort()
    sounding.callback.finish()
    say(state="closed")
    if sounding.ports is not None:
        sounding.ports.close()


def _check_devices(settings: Settings) -> None:
    """Raise what is wrong with the devices before the long work of warming up."""
    sounddevice = portaudio()
    try:
        planned(sounddevice, settings)
    except ValueError as error:
        if not isinstance(error.__cause__, sounddevice.PortAudioError):  # which may be over in a moment
            raise


def _opened_when_possible(
    settings: Settings, say: Callable[..., None], ended: threading.Event, shared: Shared
) -> Opened | None:
    """Return a running stream, or None when the parent ended everything before there was one."""
    sounddevice = portaudio()
    n_tries = 0
    while not ended.is_set():
        say(state="opening")
        n_tries += 1
        try:
            return opened(sounddevice, settings, shared)
        except ValueError as error:
            is_busy = isinstance(error.__cause__, sounddevice.PortAudioError)  # which may be over in a moment
            if not settings.keep_trying and (not is_busy or n_tries == _TRIES):
                raise
            say(state="waiting", reason=str(error))
            ended.wait(_RETRY_S)
            if not restart():
                raise  # the parent starts another process, which sees what has come meanwhile
    return None


def _followed(sounding: Opened, say: Callable[..., None], ended: threading.Event) -> bool:
    """Report what goes wrong until the parent ends it; return False when the stream has ended by itself."""
    said, next_look_s = {"error": "", "warning": ""}, 0.0
    while not ended.wait(_LOOK_S):
        news = said | {"error": sounding.callback.error}
        if sounding.ports is not None and time.monotonic() >= next_look_s:
            news["warning"] = sounding.ports.look()
            next_look_s = time.monotonic() + _PORTS_S
        if news != said:
            said = news
            say(state="open", **sounding.facts, **said)
        if not sounding.stream.active:
            return False
    return True
