"""Bundles of the plugin with a dictionary in them.

A bundle has the code of the plugin, the same for all, in a file behind whose end there are the bytes of a dictionary,
the name of the plugin and its identity, as `plugin/dpf/payload.hpp` reads them.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rtnmf.audio.names import printable
from rtnmf.checks import few
from rtnmf.plugins.binaries import binaries, machine
from rtnmf.plugins.placing import URI, placing, writing

if TYPE_CHECKING:
    from rtnmf.dictionary import Dictionary

__all__ = ["FORMATS", "lv2_uri", "make"]

FORMATS = ("clap", "vst3", "lv2", "jack")
"""The first three are plugins, the last a program for the JACK audio server."""

_INSTALLED = {"clap": "~/.clap", "vst3": "~/.vst3", "lv2": "~/.lv2"}  # where hosts look for the plugins of a user
_STEMS = 8  # that have outputs of their own, as plugin/dpf/strips.hpp has it
_MAGIC = b"rtnmfplg"
_LONGEST_NAME = 60
_GENERIC = "rtnmf"  # the name in the code
_WRITE_TTL = "import ctypes, sys; ctypes.CDLL(sys.argv[1]).lv2_generate_ttl(b'rtnmf')"


def make(
    dictionary: Dictionary | None,
    name: str,
    folder: str | Path | None = ".",
    formats: Iterable[str] = FORMATS[:3],
    *,
    overwrite: bool = False,
) -> dict[str, Path]:
    """Make plugins of a dictionary: a fader per source, in a host that knows nothing of Python.

    Plugins of the same name for the same sources are the same one to a host: a session that had one finds the other.

    Parameters
    ----------
    dictionary : Dictionary or None
        Goes into each plugin, without the frames that it was learned from. None makes the generic plugin, into which
        an LV2 host loads any dictionary.
    name : str
        What hosts show, and the name of the files: up to 60 characters that a file name and a host can have.
    folder : path or None
        Where to put them, made where it is missing. None is where hosts look for the plugins of a user.
    formats : sequence of str
        Some of `FORMATS`.
    overwrite : bool
        Replace plugins of that name that rtnmf has made; anything else stays.

    Returns
    -------
    {format: path}
        `NAME.clap` is a file, `NAME.vst3` and `NAME.lv2` are folders, and `NAME` is a program. All of them are put
        in their places, or none is.

    Raises
    ------
    ValueError
        If a name or format is unusable, there is something of that name, the plugin is not built and cannot be, or a
        file cannot be written.
    """
    formats = _checked_formats(formats)
    _check_name(name)
    if sys.platform != "linux":
        raise ValueError("plugins are made on Linux only: docs/plugin.md says how to build one here")
    paths = {kind: _place(kind, folder) / (name if kind == "jack" else f"{name}.{kind}") for kind in formats}
    with placing(paths, overwrite=overwrite) as made:
        code = {kind: path.read_bytes() for kind, path in binaries(formats).items()}
        payload, uri = _payload(dictionary, name), lv2_uri(dictionary, name)
        for kind, path in paths.items():
            with writing(path):
                _BUNDLES[kind](made[kind], code[kind] + payload, uri)
    return paths


def _place(kind: str, folder: str | Path | None) -> Path:
    """Return the folder for the plugins of a format."""
    if folder is not None:
        return Path(folder)
    if kind not in _INSTALLED:
        raise ValueError(f"{kind} makes a program, which no host looks for: say which folder to put it into")
    try:
        return Path(_INSTALLED[kind]).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{_INSTALLED[kind]}: no home folder: set HOME, or say which folder to use") from error


def _checked_formats(formats: Iterable[str]) -> list[str]:
    formats = list(dict.fromkeys([formats] if isinstance(formats, str) else formats))
    unknown = [kind for kind in formats if kind not in FORMATS]
    if unknown or not formats:
        raise ValueError(
            f"formats are {', '.join(map(repr, unknown)) or 'none'}, expected some of {', '.join(FORMATS)}"
        )
    return formats


def _check_name(name: str) -> None:
    is_usable = isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME and name.isprintable()
    if not is_usable or name != name.strip() or name.startswith((".", "-")) or re.search(r'[/\\"<>:|?*]', name):
        raise ValueError(
            f"name is {name!r:.80}, expected up to {_LONGEST_NAME} visible characters, none of them one of"
            ' / \\ " < > : | ? *, with no space at either end and no . or - at the start'
        )


def lv2_uri(dictionary: Dictionary | None, name: str) -> str:
    """Return the URI by which LV2 hosts know the plugin of a dictionary."""
    return URI if dictionary is None and name == _GENERIC else f"{URI}:{_identity(dictionary, name):016x}"


def _identity(dictionary: Dictionary | None, name: str) -> int:
    who = json.dumps([name, *(dictionary.sources if dictionary else ())]).encode()
    return int.from_bytes(hashlib.sha256(who).digest()[:8], "little")


def _payload(dictionary: Dictionary | None, name: str) -> bytes:
    """Return what goes behind the code of a plugin."""
    if dictionary is None and name == _GENERIC:
        return b""
    content, words = b"" if dictionary is None else _content(dictionary), name.encode()
    return content + words + struct.pack("<3Q", len(content), len(words), _identity(dictionary, name)) + _MAGIC


def _content(dictionary: Dictionary) -> bytes:
    """Return the file of a dictionary without its frames; warn of what a plugin of it cannot do."""
    sources = dictionary.sources
    if len(sources) == 1:
        warnings.warn(
            f"{sources[0]} is the only source, so all that comes in is {sources[0]}: join others to it", stacklevel=4
        )
    if len(sources) > _STEMS:
        rest = few(sources[_STEMS:])
        warnings.warn(f"only {_STEMS} sources have outputs of their own; in the mix only: {rest}", stacklevel=4)
    if dictionary.rest:
        warnings.warn(f"{dictionary.rest} stays as it was learned: a plugin does not learn it anew", stacklevel=4)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dictionary.safetensors"
        replace(dictionary, frames={}).save(path)
        return path.read_bytes()


def _make_file(made: Path, content: bytes, uri: str) -> None:
    del uri
    made.write_bytes(content)
    made.chmod(0o755)


def _make_vst3(made: Path, content: bytes, uri: str) -> None:
    binary = made / "Contents" / f"{machine()}-linux" / f"{made.stem}.so"
    binary.parent.mkdir(parents=True)
    _make_file(binary, content, uri)


def _make_lv2(made: Path, content: bytes, uri: str) -> None:
    made.mkdir()
    _make_file(made / "rtnmf.so", content, uri)
    command = [sys.executable, "-c", _WRITE_TTL, str((made / "rtnmf.so").resolve())]
    done = subprocess.run(command, cwd=made, capture_output=True, text=True, check=False)  # noqa: S603  # our own
    if done.returncode or not (made / "rtnmf.ttl").is_file():
        reason = (done.stderr.strip().splitlines() or ["without a reason"])[-1]  # not the traceback before it
        raise ValueError(f"{printable(made.name)}: cannot be loaded and described ({printable(reason[:200])})")
    for path in made.glob("*.ttl"):
        # The property of the file keeps its name, which the code has.
        text = re.sub(rf"<{URI}(?!#file>)", f"<{uri}", path.read_text(encoding="utf-8"))
        path.write_text(text, encoding="utf-8")


_BUNDLES: dict[str, Callable[[Path, bytes, str], None]] = {
    "clap": _make_file,
    "vst3": _make_vst3,
    "lv2": _make_lv2,
    "jack": _make_file,
}
