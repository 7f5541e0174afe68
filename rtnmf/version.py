"""Which version of rtnmf runs."""

from __future__ import annotations

from importlib import metadata

__all__ = ["version"]


def version() -> str:
    """Return the version that is installed, "unknown" for code that runs without being installed."""
    try:
        return metadata.version("rtnmf")
    except metadata.PackageNotFoundError:
        return "unknown"
