"""The engine of the plugin for Python: compiled with g++ where it has to be, and called through its C interface."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

PLUGIN = Path(__file__).parent.parent / "plugin"
COMPILER = shutil.which(os.environ.get("CXX", "g++"))
PROCESSORS = {"any": 0, "AVX2": 1}
"""The kinds of processors that the hop is compiled for."""

Array = NDArray[np.float32]

_BUILT = PLUGIN.parent / "build" / "engine"
_SHARED = ("-O3", "-fPIC", "-shared")
_POINTER, _FLOATS, _TEXT = ctypes.c_void_p, np.ctypeslib.ndpointer(np.float32, flags="C"), ctypes.c_char_p
_INT, _UINT, _SIZE, _FLOAT, _BOOL = ctypes.c_int, ctypes.c_uint32, ctypes.c_size_t, ctypes.c_float, ctypes.c_bool
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "error": (_TEXT, []),
    "check": (_BOOL, [_TEXT, _SIZE]),
    "open": (_POINTER, [_TEXT, _SIZE, _UINT, _UINT]),
    "close": (None, [_POINTER]),
    "latency": (_UINT, [_POINTER]),
    "n_sources": (_UINT, [_POINTER]),
    "source": (_TEXT, [_POINTER, _UINT]),
    "set_processor": (None, [_POINTER, _INT]),
    "processor": (_INT, []),
    "set_n_iter": (None, [_POINTER, _INT]),
    "set_mask_power": (None, [_POINTER, _FLOAT]),
    "reset": (None, [_POINTER]),
    "process": (None, [_POINTER, _FLOATS, _FLOATS, _UINT]),
    "set_strip": (None, [_POINTER, _UINT, _FLOAT, _BOOL, _BOOL]),
    "set_master": (None, [_POINTER, _FLOAT, _BOOL]),
    "mix": (None, [_POINTER, _FLOATS, _FLOATS, _FLOATS, _UINT]),
    "is_name": (_BOOL, [_TEXT]),
    "is_text": (_BOOL, [_TEXT]),
}


def compiled(source: Path, flags: tuple[str, ...]) -> Path:
    """Return the path of a compiled source file, which later calls with the same sources find again."""
    if COMPILER is None:
        raise FileNotFoundError("there is no g++: apt-get install g++, or set CXX to a compiler of C++17")
    line = [COMPILER, "-std=c++17", "-Wall", "-Wextra", *flags, f"-I{PLUGIN / 'engine'}", str(source)]
    sources = [source, *sorted((PLUGIN / "engine").glob("*.hpp"))]
    content = b"\0".join([*(path.read_bytes() for path in sources), " ".join(line).encode()])
    path = _BUILT / f"{source.stem}-{hashlib.sha256(content).hexdigest()[:16]}"
    if not path.exists():
        _BUILT.mkdir(parents=True, exist_ok=True)
        made = path.with_suffix(f".{os.getpid()}")
        subprocess.run([*line, "-o", made], check=True)  # noqa: S603  # what is run is the compiler
        made.replace(path)  # whole or not at all, as other processes may look for it
    return path


@functools.cache
def library() -> Any:
    """Return the engine, with the types of its functions."""
    loaded = ctypes.CDLL(os.fspath(compiled(PLUGIN / "engine" / "c_api.cpp", _SHARED)))
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(loaded, f"rtnmf_{name}")
        function.restype, function.argtypes = result, arguments
    return loaded


def refusal(data: bytes) -> str:
    """Return why the engine refuses the bytes of a dictionary file, or an empty text."""
    return "" if library().rtnmf_check(data, len(data)) else library().rtnmf_error().decode("ascii")


class Engine:
    """An instance of the engine, closed at the end of a `with` block.

    Parameters
    ----------
    path : path of a dictionary
    n_channels : int
    sample_rate : int
        In Hz, 0 for that of the dictionary.
    processor : str, optional
        One of `PROCESSORS`; the best that is there where it is left out.
    """

    def __init__(
        self, path: str | os.PathLike[str], n_channels: int = 1, sample_rate: int = 0, processor: str | None = None
    ) -> None:
        self._library, data = library(), Path(path).read_bytes()
        self._instance = self._library.rtnmf_open(data, len(data), sample_rate, n_channels)
        if not self._instance:
            raise ValueError(self._library.rtnmf_error().decode("ascii"))
        if processor is not None:
            self.call("set_processor", PROCESSORS[processor])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.call("close")

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a function of the C interface."""
        return getattr(self._library, f"rtnmf_{name}")(self._instance, *arguments)

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the sources."""
        return tuple(self.call("source", s).decode() for s in range(self.call("n_sources")))

    def process(self, block: Array) -> Array:
        """Return the stems of a block, shape (n_samples, n_channels), as (n_sources, n_samples, n_channels)."""
        inputs = np.ascontiguousarray(block.T)
        stems = np.empty((self.call("n_sources"), *inputs.shape), np.float32)
        self.call("process", inputs, stems, len(block))
        return stems.transpose(0, 2, 1)

    def mix(self, block: Array, stems: Array) -> Array:
        """Return the mix of the stems of a block, shape (n_samples, n_channels)."""
        outputs = np.empty(block.T.shape, np.float32)
        rows = np.ascontiguousarray(stems.transpose(0, 2, 1))
        self.call("mix", np.ascontiguousarray(block.T), rows, outputs, len(block))
        return outputs.T
