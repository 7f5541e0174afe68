"""What tests of live audio share: signals, where they are found again, and the processes that sound."""

import contextlib
import os
import re
import time
from pathlib import Path

import numpy as np
import pytest
from jack_server import NAME

from rtnmf.audio import files

DEMO = Path(__file__).parent.parent / "presets" / "demo"
PIECE = slice(9000, 12000)
_SERVER = f"JACK_DEFAULT_SERVER={NAME}\0".encode()


def sounding_processes():
    """Return the process numbers of all sounding processes of these tests."""
    return [n for n, environment in _processes(b"rtnmf.live.host.main") if _SERVER in environment]


def learning_processes():
    """Return the process numbers of the processes of these tests that learn the rest."""
    return [number for number, _ in _processes(b"rtnmf.live.worker") if _parent(number) == os.getpid()]


def training_processes():
    """Return the process numbers of the processes of these tests that train a dictionary."""
    return [number for number, environment in _processes(b"rtnmf.live.trainer") if _SERVER in environment]


def salvaging_processes():
    """Return the process numbers of the processes of these tests that leave recordings whole."""
    return [number for number, environment in _processes(b"rtnmf.live.salvage") if _SERVER in environment]


def _parent(number):
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[1])
    return 0


def _processes(name):
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line, environment = ((path / name).read_bytes() for name in ("cmdline", "environ"))
        except OSError:
            continue
        if name in line:
            found.append((int(path.name), environment))
    return found


def noise(seconds, seed=0):
    """Return noise at 48 kHz that starts and ends with a sample that is not zero."""
    return np.random.default_rng(seed).uniform(0.1, 0.5, int(48000 * seconds)).astype(np.float32)


def eventually(what, seconds=40.0):
    """Wait until something holds, and fail when it does not in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return
        time.sleep(0.02)
    pytest.fail(f"it did not hold within {seconds} s")


def recorded(live):
    """Return {name: samples} of what was recorded, mono."""
    return {Path(path).stem: files.read(path)[0][:, 0] for path in live.recordings}


def recorded_samples(folder):
    """Return how many samples there are at least in each WAV file of a recording that goes on, mono."""
    return min((path.stat().st_size // 4 for path in folder.glob("*.wav")), default=0) - 32  # less than its header


def found_at(haystack, needle):
    """Return where an array begins in another, to the bit."""
    loudest = int(np.argmax(np.abs(needle)))
    last = len(haystack) - len(needle)
    for start in np.flatnonzero(haystack[loudest : last + loudest + 1] == needle[loudest]):
        if np.array_equal(haystack[start : start + len(needle)], needle):
            return int(start)
    pytest.fail("it is not in there")


def delay_of(heard, x):
    """Return how late a signal is heard, by a piece of it: now and then a machine loses a block."""
    return found_at(heard, x[PIECE]) - PIECE.start


def speech_at(rate, seconds):
    """Return `seconds` of real speech and typing."""
    voice, keys = (files.read(DEMO / f"{name}.flac", rate)[0][:, 0] for name in ("voice", "keyboard"))
    return np.tile(voice[: len(keys)] + keys[: len(voice)], 20)[: int(seconds * rate)]


def private_bytes(number):
    """Return the memory that a process holds for itself, without what it shares or has read from files."""
    status = Path(f"/proc/{number}/status").read_text()
    return 1024 * int(re.search(r"RssAnon:\s+(\d+) kB", status)[1])
