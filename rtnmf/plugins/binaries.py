"""Where the binaries of the plugin are: in the package, in the cache, or not yet built."""

from __future__ import annotations

import functools
import hashlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterable
from pathlib import Path

from platformdirs import user_cache_path

from rtnmf.audio.names import printable
from rtnmf.plugins.placing import writing

__all__ = ["binaries", "machine", "source_folder"]

_PACKAGE = Path(__file__).parent
_NEEDS = "it takes cmake, a C++ compiler and DPF 1.6 or 1.7 (on Debian: apt install cmake g++ dpf-source)"
_LONGEST_S = 600


def machine() -> str:
    """Return the kind of processor that this process runs on, as VST3 calls it: `x86_64`, `aarch64`."""
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())


def source_folder() -> Path:
    """Return the folder of the C++ sources, of an installed package or of a checkout."""
    installed = _PACKAGE.parent / "plugin_source"
    return installed if installed.is_dir() else _PACKAGE.parent.parent / "plugin"


def binaries(formats: Iterable[str]) -> dict[str, Path]:
    """Return the file with the code of each format: of the package, else of the cache, else built into the cache.

    What this system cannot load, because it was built for a newer one, is passed over. Warns before it builds, which
    takes some 20 seconds.

    Raises
    ------
    ValueError
        If there are none, and they cannot be built.
    """
    packed = _PACKAGE / "binaries" / f"{sys.platform}-{machine()}"
    found = {kind: packed / f"rtnmf.{kind}" for kind in formats}
    if all(_is_usable(code) for code in found.values()):
        return found
    kept = _cache()
    found = {kind: code if _is_usable(code) else kept / code.name for kind, code in found.items()}
    missing = [kind for kind, code in found.items() if not _is_usable(code)]
    if missing:
        what = f"{', '.join(missing)} on {sys.platform} {machine()}"
        error = _load_error(packed / f"rtnmf.{missing[0]}")
        has_none = f"has no plugin for {what}" + (f" that this system can load ({error})" if error else "")
        _check_tools()
        warnings.warn(f"the package {has_none}: building it, once", stacklevel=3)
        _build(kept)
    return found


def _is_usable(code: Path) -> bool:
    return code.is_file() and not _load_error(code)


def _load_error(code: Path) -> str:
    """Return what this system says against loading the code of a format; empty where it can, or there is none."""
    # A program cannot be loaded; what was built along with it needs the same of the system.
    library = code.with_name("rtnmf.lv2") if code.name == "rtnmf.jack" else code
    return _load_error_of(library, library.stat().st_mtime_ns) if library.is_file() else ""


@functools.cache
def _load_error_of(library: Path, changed_ns: int) -> str:
    """Return what this system says against loading a library that was last changed then, in a process of its own."""
    del changed_ns
    command = [sys.executable, "-I", "-S", "-c", "import ctypes, sys; ctypes.CDLL(sys.argv[1])", str(library)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own command
    return printable(done.stderr.strip().rpartition("\n")[2][:200]) or "it crashes" if done.returncode else ""


def _cache() -> Path:
    """Return the folder in the user's cache of what is built from these sources."""
    try:
        place = user_cache_path("rtnmf") / "plugin"
    except RuntimeError as error:
        raise ValueError(f"the plugin is to be built, and there is no folder to keep it in: {error}") from error
    content = hashlib.sha256(f"{sys.platform} {machine()}".encode())
    for path in sorted(source_folder().rglob("*")):
        if path.is_file():
            content.update(str(path.relative_to(source_folder())).encode() + path.read_bytes())
    return place / content.hexdigest()[:16]


def _check_tools() -> None:
    if shutil.which("cmake") is None:
        raise ValueError(f"the plugin is to be built, and there is no cmake: {_NEEDS}")


def _build(folder: Path) -> None:
    """Build all formats into a folder, each file of which is there whole or not at all."""
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as build:
            _run("cmake", "-S", str(source_folder()), "-B", build)
            _run("cmake", "--build", build, "--config", "Release", "--parallel", "2")
            folder.mkdir(exist_ok=True)
            for built in (Path(build) / "binaries").iterdir():
                built.replace(folder / built.name)  # over one that is damaged, or does not suit this system any more


def _run(*command: str) -> None:
    """Run a program; where it fails, raise ValueError with the first error that it printed."""
    try:
        done = subprocess.run(  # noqa: S603  # our own command
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_LONGEST_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ValueError(f"the plugin cannot be built: {error}") from error
    if done.returncode:
        reason = printable(_telling(done.stderr + done.stdout)[:200])
        raise ValueError(f"the plugin cannot be built ({reason}): {_NEEDS}")


def _telling(said: str) -> str:
    """Return what is to be known of the output of a build that failed: CMake's message, or the compiler's."""
    of_cmake = re.search(r"CMake Error(?: at [^\n]*)?:(.+?)(?:\n\n\n|It fails with|Call Stack|\Z)", said, re.DOTALL)
    if of_cmake:
        return " ".join(of_cmake[1].split())
    lines = [line.strip() for line in said.splitlines() if "rror" in line]
    of_compiler = [line for line in lines if not re.match(r"g?make\b", line)]
    return next(iter(of_compiler + lines), "without a reason")
