"""rtnmf: teach a computer sounds from a few seconds of audio, then separate them live.

`learn` makes a `Dictionary` from recordings, `Separator` streams sound through it, `separate` does so in one call.
Names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtnmf.dictionary import Dictionary, load_preset, presets
    from rtnmf.engine.mixer import Mixer
    from rtnmf.engine.separator import Separator, separate
    from rtnmf.frames.model import Model
    from rtnmf.frames.stft import STFT
    from rtnmf.learning.adapting import adapted
    from rtnmf.learning.backgrounds import pool
    from rtnmf.learning.clips import Clip, Together
    from rtnmf.learning.joining import load
    from rtnmf.learning.learn import learn
    from rtnmf.offline.many_files import separate_files
    from rtnmf.offline.separation import separate_file

__all__ = [
    "STFT",
    "Clip",
    "Dictionary",
    "Mixer",
    "Model",
    "Separator",
    "Together",
    "adapted",
    "learn",
    "load",
    "load_preset",
    "pool",
    "presets",
    "separate",
    "separate_file",
    "separate_files",
]

_NAMES = {
    "STFT": "frames.stft",
    "Dictionary": "dictionary",
    "load": "learning.joining",
    "load_preset": "dictionary",
    "presets": "dictionary",
    "Mixer": "engine.mixer",
    "Model": "frames.model",
    "Separator": "engine.separator",
    "separate": "engine.separator",
    "separate_file": "offline.separation",
    "separate_files": "offline.many_files",
    "pool": "learning.backgrounds",
    "adapted": "learning.adapting",
    "Clip": "learning.clips",
    "Together": "learning.clips",
    "learn": "learning.learn",
}
_MODULES = {
    "evaluation": "measure.evaluation",
    "files": "audio.files",
    "live": "live",
    "nmf": "nmf",
    "report": "report",
}

logging.getLogger(__name__).addHandler(logging.NullHandler())  # nothing on stderr unless the application asks for it


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"rtnmf.{_NAMES[name]}"), name)
    if name == "__version__":
        return importlib.import_module("rtnmf.version").version()
    if name in _MODULES:
        return importlib.import_module(f"rtnmf.{_MODULES[name]}")
    raise AttributeError(f"module 'rtnmf' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, *_MODULES, "__version__"]
