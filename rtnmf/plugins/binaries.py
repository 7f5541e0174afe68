"""Where the binaries of the plugin are: in the package, in the cache, or not yet built."""

from __future__ import annotations

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

    Warns before it builds, which takes some 20 seconds.

    Raises
    ------
    ValueError
        If there are none, and they cannot be built.
    """
    kept = _cache()
    folders = (_PACKAGE / "binaries" / f"{sys.platform}-{machine()}", kept)
    found = {kind: next((f for f in folders if (f / f"rtnmf.{kind}").is_file()), None) for kind in formats}
    missing = [kind for kind, folder in found.items() if folder is None]
    if missing:
        what = f"{', '.join(missing)} on {sys.platform} {machine()}"
        warnings.warn(f"the package has no plugin for {what}: building it, once", stacklevel=3)
        _build(kept)
    return {kind: (folder or kept) / f"rtnmf.{kind}" for kind, folder in found.items()}


def _cache() -> Path:
    """Return the folder in the user's cache of what is built from these sources."""
    content = hashlib.sha256(f"{sys.platform} {machine()}".encode())
    for path in sorted(source_folder().rglob("*")):
        if path.is_file():
            content.update(str(path.relative_to(source_folder())).encode() + path.read_bytes())
    return user_cache_path("rtnmf") / "plugin" / content.hexdigest()[:16]


def _build(folder: Path) -> None:
    """Build all formats into a folder, which is there whole or not at all."""
    if shutil.which("cmake") is None:
        raise ValueError(f"the plugin is to be built, and there is no cmake: {_NEEDS}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as build:
        _run("cmake", "-S", str(source_folder()), "-B", build)
        _run("cmake", "--build", build, "--config", "Release", "--parallel", "2")
        built = Path(build) / "binaries"
        if not folder.is_dir():  # another process may have been faster
            built.replace(folder)


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
