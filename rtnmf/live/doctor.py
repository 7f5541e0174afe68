"""What live audio needs on this machine, what it finds, and how to get what is missing."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import threading
from pathlib import Path
from typing import NamedTuple

from rtnmf.experts import named
from rtnmf.live.devices import Device, listing
from rtnmf.live.link.device import SHARED, has_room

__all__ = ["Finding", "examined"]


class Finding(NamedTuple):
    """One thing that was examined."""

    what: str
    is_well: bool
    text: str
    remedy: str = ""
    """What to type or do; empty if all is well."""
    is_needed: bool = False
    """Whether nothing can sound without it."""


def examined() -> list[Finding]:
    """Return the findings, in the order in which to deal with them."""
    findings = []
    try:
        devices = listing()
        findings.append(Finding("PortAudio", True, "is installed"))
    except ValueError as error:
        devices = []
        text, _, remedy = str(error).partition(": install it, ")
        findings.append(Finding("PortAudio", False, text, remedy or "restart the sound server", is_needed=True))
    if not has_room():
        findings.append(_full())
    findings += [_of_kind(devices, "input", "microphone"), _of_kind(devices, "output", "output")]
    if sys.platform.startswith("linux"):
        findings += [_servers(devices), _realtime()]
    findings.append(_compiled_code())
    return findings + [_expert(name) for name in named.NAMES]


def _of_kind(devices: list[Device], kind: str, word: str) -> Finding:
    found = [device for device in devices if (device.n_inputs if kind == "input" else device.n_outputs)]
    default = [d.name for d in found if (d.is_default_input if kind == "input" else d.is_default_output)]
    if not found:
        remedy = "plug one in, or start the sound server (PipeWire: systemctl --user start pipewire)"
        return Finding(word, False, f"no {kind} device was found", remedy, is_needed=True)
    names = ", ".join(device.name for device in found)
    if not default:
        return Finding(word, False, f"there is no default {kind}; there are: {names}", f"choose one with --{kind}")
    return Finding(word, True, f"default {default[0]!r}; all: {names}")


def _servers(devices: list[Device]) -> Finding:
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    running = [
        name
        for name, socket in (("PipeWire", "pipewire-0"), ("PulseAudio", "pulse/native"))
        if _exists(runtime / socket)
    ]
    if any("JACK" in device.host for device in devices):
        running.append("JACK")
    if not running:
        remedy = (
            "nothing to do with one sound card; for more: sudo apt-get install pipewire pipewire-alsa pipewire-jack"
        )
        return Finding("sound server", False, "neither PipeWire, PulseAudio nor JACK is running", remedy)
    names = {device.name.lower() for device in devices}
    if "PipeWire" in running and not names & {"pipewire", "default", "pulse"} and "JACK" not in running:
        return Finding(
            "sound server", False, "PipeWire runs, but PortAudio cannot reach it", "sudo apt-get install pipewire-alsa"
        )
    jack = "" if "JACK" in running or not shutil.which("pw-jack") else "; its JACK side: pw-jack rtnmf live ..."
    return Finding("sound server", True, f"{' and '.join(running)} running{jack}")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _full(folder: str = SHARED) -> Finding:
    remedy = f"remove what is not needed in {folder}"
    return Finding("shared memory", False, f"{folder} is full, and JACK needs room there", remedy, is_needed=True)


def _realtime() -> Finding:
    """Find out by trying, in a thread that ends at once."""
    permitted: list[bool] = []

    def attempt() -> None:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
        except OSError:
            permitted.append(False)
        else:
            permitted.append(True)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    if permitted[0]:
        return Finding("real-time priority", True, "is permitted")
    return Finding(
        "real-time priority",
        False,
        "is not permitted: other programs can make the sound stutter",
        "echo '@audio - rtprio 95' | sudo tee /etc/security/limits.d/audio.conf; sudo usermod -aG audio $USER;"
        " then log in anew",
    )


def _expert(name: str) -> Finding:
    remedy = named.remedy(name).replace("'rtnmf[", "'.[")  # in a clone, as the README has it
    text = "is not installed: it would help to separate voices" if remedy else "is installed"
    return Finding(f"expert {name}", not remedy, text, remedy)


def _compiled_code() -> Finding:
    spec = importlib.util.find_spec("rtnmf.kernels.compiling")
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    beside = Path(spec.origin).parent / "__pycache__" if spec and spec.origin else Path()
    folders = [Path(chosen)] if chosen else [beside, Path.home() / ".cache"]
    if any(os.access(folder if folder.exists() else folder.parent, os.W_OK) for folder in folders):
        return Finding("compiled code", True, "is kept from one start to the next")
    return Finding(
        "compiled code",
        False,
        "cannot be kept, each start compiles for some seconds",
        "export NUMBA_CACHE_DIR=/a/folder/you/can/write/to",
    )
