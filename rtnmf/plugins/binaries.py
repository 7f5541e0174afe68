"""Where the binaries of the plugin are: in the package, in the cache, or not yet built."""

from __future__ import annotations

import functools
import hashlib
import platform
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
    kept = _cache()
    folders = (_PACKAGE / "binaries" / f"{sys.platform}-{machine()}", kept)
    found = {kind: next((f for f in folders if _is_usable(f / f"rtnmf.{kind}")), None) for kind in formats}
    missing = [kind for kind, folder in found.items() if folder is None]
    if missing:
        what = f"{', '.join(missing)} on {sys.platform} {machine()}"
        error = _load_error(folders[0] / f"rtnmf.{missing[0]}")
        has_none = f"has no plugin for {what}" + (f" that this system can load ({error})" if error else "")
        warnings.warn(f"the package {has_none}: building it, once", stacklevel=3)
        _build(kept)
    return {kind: (folder or kept) / f"rtnmf.{kind}" for kind, folder in found.items()}


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
    content = hashlib.sha256(f"{sys.platform} {machine()}".encode())
    for path in sorted(source_folder().rglob("*")):
        if path.is_file():
            content.update(str(path.relative_to(source_folder())).encode() + path.read_bytes())
    return user_cache_path("rtnmf") / "plugin" / content.hexdigest()[:16]


def _build(folder: Path) -> None:
    """Build all formats into a folder, each file of which is there whole or not at all."""
    if shutil.which("cmake") is None:
        raise ValueError(f"the plugin is to be built, and there is no cmake: {_NEEDS}")
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as build:
            _run("cmake", "-S", str(source_folder()), "-B", build)
            _run("cmake", "--build", build, "--config", "Release", "--parallel", "2")
            folder.mkdir(exist_ok=True)
            for built in (Path(build) / "binaries").iterdir():
                built.replace(folder / built.name)  # over one that is damaged, or does not suit this system any more


def _run(*command: str) -> None:
    """Run a program; where it fails, raise ValueError with the first line that it said of an error."""
    try:
        done = subprocess.run(  # noqa: S603  # our own command
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_LONGEST_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ValueError(f"the plugin cannot be built: {error}") from error
    if done.returncode:
        said = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        telling = [line for line in said if not line.startswith("CMake Error at")]  # its words are in the next line
        reason = next((line for line in telling if "rror" in line or "There is no" in line), "without a reason")
        raise ValueError(f"the plugin cannot be built ({printable(reason[:200])}): {_NEEDS}")
