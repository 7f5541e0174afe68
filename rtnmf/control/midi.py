"""MIDI: knobs, faders and buttons of a controller steer a running separation, and learn what they are for.

A control is mapped to a place among the strips, not to a name, so that the first fader is that of the first source of
any dictionary. Buttons act when they are pressed; what comes when they are let go does nothing.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from rtnmf.control.desk import Desk

__all__ = ["DEFAULT", "DOES", "Action", "Control", "Midi", "map_path", "read_map", "write_map"]

_log = logging.getLogger(__name__)

INSTALL = "pip install 'rtnmf[midi]'"
STRIP_DOES = ("fader", "solo", "mute")
DOES = (*STRIP_DOES, "bypass", "record", "wet")
"""What a control may do; the first three need a strip."""

_HIGHEST = 127
_LARGEST_FILE = 2**20


class Control(NamedTuple):
    """A knob, fader or button."""

    kind: str
    """`control` (a control change) or `note`."""
    channel: int
    """From 1 to 16."""
    number: int
    """From 0 to 127."""

    def __str__(self) -> str:
        return f"{self.kind} {self.number} on channel {self.channel}"


class Action(NamedTuple):
    """What a control does."""

    does: str
    """One of `DOES`."""
    strip: int = 0
    """The place of a source, from 1; 0 where it is about none."""

    def __str__(self) -> str:
        return f"{self.does} of strip {self.strip}" if self.strip else self.does


def _default() -> dict[Control, Action]:
    first = {"fader": 0, "solo": 32, "mute": 48}  # as many small controllers send it
    return {Control("control", 1, number + i): Action(does, i + 1) for does, number in first.items() for i in range(8)}


DEFAULT: Mapping[Control, Action] = _default()
"""What controls do where nothing was learned: faders 0 to 7, solo 32 to 39 and mute 48 to 55 of channel 1."""


def map_path() -> Path:
    """Return where the map of the user is kept."""
    from platformdirs import user_config_path

    return user_config_path("rtnmf") / "midi.json"


def read_map(path: Path) -> dict[Control, Action]:
    """Return what controls do, as a file says, or by default where there is none.

    Raises
    ------
    ValueError
        If it is not such a file.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ValueError("it is too large")
        return dict(_entry(entry) for entry in json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return dict(DEFAULT)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is no map of MIDI controls ({error}): mend it, or remove it to begin anew") from error


def _entry(entry: Any) -> tuple[Control, Action]:
    if not isinstance(entry, dict):
        raise ValueError(f"got {entry!r:.80}, expected a list of objects")
    kinds = [kind for kind in ("control", "note") if kind in entry]
    if len(kinds) != 1 or not set(entry) <= {kinds[0], "channel", "does", "strip"}:
        raise ValueError(f"got {entry!r:.80}, expected control or note, channel, does and strip")
    control = Control(kinds[0], _whole(entry, "channel", 1, 16), _whole(entry, kinds[0], 0, _HIGHEST))
    does = entry.get("does")
    if does not in DOES:
        raise ValueError(f"does is {does!r:.80}, expected one of {', '.join(DOES)}")
    return control, Action(does, _whole(entry, "strip", 1, 999) if does in STRIP_DOES else 0)


def _whole(entry: Mapping[str, Any], name: str, least: int, most: int) -> int:
    value = entry.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{name} is {value!r:.80}, expected {least} to {most}")
    return value


def write_map(path: Path, actions: Mapping[Control, Action]) -> None:
    """Write what controls do, whole or not at all.

    Raises
    ------
    ValueError
        If it cannot be written.
    """
    from rtnmf.audio.replacing import replacing

    entries = []
    for control, action in sorted(actions.items()):
        strip = {"strip": action.strip} if action.strip else {}
        entries.append({control.kind: control.number, "channel": control.channel, "does": action.does, **strip})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{path.parent}: cannot be made ({error.strerror})") from error
    with replacing(path) as file:
        lines = ",\n".join(f" {json.dumps(entry)}" for entry in entries)
        file.write(f"[\n{lines}\n]\n".encode())


class Midi:
    """Do what the controls of a MIDI port ask of a desk, from `open` to `close`, or within a context.

    Thread safety
        All methods may be called from any thread.

    Parameters
    ----------
    desk : Desk
    port : str
        Part of the name of an input; empty for the first one.
    path : path, optional
        Of the map of controls; None means that of the user.

    Attributes
    ----------
    path : path
        Of the map.
    actions : {control: action}
    last : Control, optional
        What was moved or pressed last.
    n_refused : int
        Messages that asked for what there is not, such as the fader of a strip that is not there.

    Raises
    ------
    ValueError
        If there is no such port, the map cannot be read, or what this needs is not installed.
    """

    def __init__(self, desk: Desk, port: str = "", path: Path | None = None) -> None:
        self._desk = desk
        self.path = map_path() if path is None else path
        self.actions = read_map(self.path)
        self._backend = _backend()
        self.port = _chosen(port, _inputs(self._backend))
        self.last: Control | None = None
        self.n_refused = 0
        self._lock = threading.Lock()
        self._input: Any = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Begin to listen; raises ValueError if the port cannot be opened."""
        try:
            self._input = self._backend.open_input(self.port, callback=self.hear)
        except Exception as error:  # rtmidi raises errors of its own
            raise ValueError(f"{self.port!r} cannot be opened ({error}): does another program hold it?") from error

    def close(self) -> None:
        """Stop listening."""
        if self._input is not None:
            self._input.close()
            self._input = None

    def hear(self, message: Any) -> None:
        """Do what a message of mido asks for, by the map; others than control changes and notes do nothing."""
        if message.type == "control_change":
            control, value = Control("control", message.channel + 1, message.control), message.value
        elif message.type == "note_on":
            control, value = Control("note", message.channel + 1, message.note), message.velocity
        else:
            return
        self.last = control
        action = self.actions.get(control)
        if action is None:
            return
        try:
            self._act(action, value)
        except (ValueError, OSError) as error:
            self.n_refused += 1
            _log.info("%s: %s", control, error)
        except Exception:  # a controller must not cost the others
            self.n_refused += 1
            _log.exception("what %s asked for failed", control)

    def learn(self, does: str, source: str = "") -> str:
        """Let what was moved last do something, from now on and in the map that is kept, and return that in words.

        What did the same before does nothing any more.

        Parameters
        ----------
        does : str
            One of `DOES`.
        source : str
            Of the strip, where that needs one.

        Raises
        ------
        ValueError
            If nothing was moved yet, there is no such source, or the map cannot be written.
        """
        control, sources = self.last, self._desk.sources
        if control is None:
            raise ValueError(f"nothing has come from {self.port}: move a fader, or press a button of it")
        if does not in DOES or (does in STRIP_DOES and source not in sources):
            raise ValueError(f"there is no {does} of {source!r}: choose from {', '.join(sources)}")
        action = Action(does, sources.index(source) + 1 if does in STRIP_DOES else 0)
        with self._lock:
            others = {c: a for c, a in self.actions.items() if a != action}
            write_map(self.path, others | {control: action})
            self.actions = others | {control: action}
        return f"{control}: {does}{f' of {source}' if action.strip else ''}"

    def _act(self, action: Action, value: int) -> None:
        desk = self._desk
        if action.does == "wet":
            desk.set_wet(value / _HIGHEST)
        elif action.does == "fader":
            desk.set_fader(self._source(action), value / _HIGHEST)
        elif not value:
            return
        elif action.does == "solo":
            desk.solo(self._source(action), self._source(action) not in desk.live.soloed)
        elif action.does == "mute":
            desk.mute(self._source(action), self._source(action) not in desk.live.muted)
        elif action.does == "bypass":
            desk.set_bypass(not desk.live.bypass)
        elif action.does == "record":
            desk.record(not desk.live.recording.is_on)

    def _source(self, action: Action) -> str:
        sources = self._desk.sources
        if action.strip > len(sources):
            raise ValueError(f"there is no strip {action.strip}: {', '.join(sources)} are all")
        return sources[action.strip - 1]


def _backend() -> Any:
    """Return mido's backend: that of the system, or of JACK where the kernel has no sequencer but JACK runs."""
    try:
        import mido
        import rtmidi
    except ImportError as error:
        raise ValueError(f"MIDI needs mido and python-rtmidi: {INSTALL}") from error
    is_without_alsa = rtmidi.API_LINUX_ALSA in rtmidi.get_compiled_api() and not Path("/dev/snd/seq").exists()
    if is_without_alsa and rtmidi.API_UNIX_JACK in rtmidi.get_compiled_api():
        return mido.Backend("mido.backends.rtmidi/UNIX_JACK")
    return mido.Backend("mido.backends.rtmidi")


def _inputs(backend: Any) -> list[str]:
    """Return the names of all inputs."""
    try:
        names: list[str] = backend.get_input_names()
    except Exception as error:  # rtmidi raises errors of its own
        raise ValueError(f"there is no MIDI on this system ({error}): plug a controller in") from error
    return names


def _chosen(wish: str, names: list[str]) -> str:
    """Return the first name that has a wish in it; without a wish, of a controller rather than what is always there."""
    found = [name for name in names if wish.lower() in name.lower()]
    if not found and not names:
        raise ValueError("there is no MIDI input: plug a controller in, and let its program run if it needs one")
    if not found:
        raise ValueError(f"no MIDI input is called {wish!r}: choose one of: {', '.join(names)}")
    return next((name for name in found if wish or "Midi Through" not in name), found[0])
