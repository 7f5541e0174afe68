"""The engine of the plugin, compiled once for all tests, and called through its C interface."""

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import noise

PLUGIN = Path(__file__).parent.parent.parent / "plugin"
DRIVER = Path(__file__).parent / "drive_engine.cpp"
BUILT = PLUGIN.parent / "build" / "engine-tests"
COMPILER = shutil.which(os.environ.get("CXX", "g++"))
PROCESSORS = {"any": 0, "AVX2": 1, "AVX-512": 2}

needs_compiler = pytest.mark.skipif(
    COMPILER is None and "CI" not in os.environ, reason="there is no g++: apt-get install g++, or set CXX"
)

_FLAGS = {
    "so": ["-O3", "-fPIC", "-shared"],
    "sanitized": ["-O0", "-g1", "-DRTNMF_PORTABLE", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
}
_POINTER, _FLOATS = ctypes.c_void_p, np.ctypeslib.ndpointer(np.float32, flags="C")
_INT, _UINT, _SIZE, _FLOAT, _BOOL, _TEXT = (
    ctypes.c_int,
    ctypes.c_uint32,
    ctypes.c_size_t,
    ctypes.c_float,
    ctypes.c_bool,
    ctypes.c_char_p,
)
_FUNCTIONS = {
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


def compiled(kind, source):
    """Return the path of a source file compiled in some way, which later runs of the same sources find again."""
    sources = [source, *sorted((PLUGIN / "engine").glob("*.hpp"))]
    line = [COMPILER, "-std=c++17", "-Wall", "-Wextra", "-Werror", *_FLAGS[kind], f"-I{PLUGIN / 'engine'}", str(source)]
    content = b"\0".join([*(path.read_bytes() for path in sources), " ".join(map(str, line)).encode()])
    path = BUILT / f"{hashlib.sha256(content).hexdigest()[:16]}.{kind}"
    if not path.exists():
        BUILT.mkdir(parents=True, exist_ok=True)
        made = path.with_suffix(f".{os.getpid()}")
        subprocess.run([*line, "-o", made], check=True)
        made.replace(path)
    return path


@functools.cache
def library():
    """Return the engine, with the types of its functions."""
    loaded = ctypes.CDLL(os.fspath(compiled("so", PLUGIN / "engine" / "c_api.cpp")))
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(loaded, f"rtnmf_{name}")
        function.restype, function.argtypes = result, arguments
    return loaded


def refusal(data):
    """Return why the engine refuses the bytes of a file, or an empty text."""
    return "" if library().rtnmf_check(data, len(data)) else library().rtnmf_error().decode("ascii")


def hostile(n_samples=6000, n_channels=2):
    """Return noise with an offset, silence, denormal numbers, and samples that count as silence."""
    x = noise(n_samples, n_channels) * 0.3 + np.float32(0.05)
    x[1500:2600] = 0
    x[3000:3100] *= np.float32(1e-38)
    x[3500:3510, 0] = [np.nan, np.inf, -np.inf, 1e9, 1e30, -1e9, 1e-11, -1e-11, 0, -0.0]
    x[4000:, -1] = x[4000:, 0]
    return x


class Engine:
    """An instance of the engine, closed at the end of a `with` block."""

    def __init__(self, path, n_channels=1, sample_rate=0, processor=None):
        self._library, data = library(), Path(path).read_bytes()
        self._instance = self._library.rtnmf_open(data, len(data), sample_rate, n_channels)
        if not self._instance:
            raise ValueError(self._library.rtnmf_error().decode("ascii"))
        if processor is not None:
            self.call("set_processor", PROCESSORS[processor])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.call("close")

    def call(self, name, *arguments):
        """Call a function of the C interface."""
        return getattr(self._library, f"rtnmf_{name}")(self._instance, *arguments)

    @property
    def sources(self):
        """The names of the sources."""
        return tuple(self.call("source", s).decode() for s in range(self.call("n_sources")))

    def process(self, block):
        """Return the stems of a block, shape (n_samples, n_channels), as (n_sources, n_samples, n_channels)."""
        inputs = np.ascontiguousarray(block.T)
        stems = np.empty((self.call("n_sources"), *inputs.shape), np.float32)
        self.call("process", inputs, stems, len(block))
        return stems.transpose(0, 2, 1)

    def mix(self, block, stems):
        """Return the mix of the stems of a block, shape (n_samples, n_channels)."""
        outputs = np.empty(block.T.shape, np.float32)
        rows = np.ascontiguousarray(stems.transpose(0, 2, 1))
        self.call("mix", np.ascontiguousarray(block.T), rows, outputs, len(block))
        return outputs.T
