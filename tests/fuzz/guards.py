"""What all fuzzers share: attempts for as long as there is time, and guards around each step of an attempt.

`RTNMF_FUZZ_S` says how many seconds each fuzzer takes in its long form, and `RTNMF_FUZZ_SEED` repeats an attempt that
found something. The folder `corpus` holds files that once were a finding: each is used again, in all its guards.
"""

import contextlib
import os
import resource
import secrets
import shutil
import time
import traceback
import warnings
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from rtnmf.words import is_plain

FUZZ_S = float(os.environ.get("RTNMF_FUZZ_S", "3600"))
_CORPUS = Path(__file__).parent / "corpus"

LONGEST_S, MOST_BYTES = 2.0, 10**9
_BACKSTOP = 3 * 10**9  # of memory: before the system ends us without a word
_MOST_FOUND = 20
_N_REPLAYS = 2  # of each file of the corpus, as what is done with it is drawn by lot
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def long(test):
    """Mark a test as one that goes on for `FUZZ_S`."""
    return pytest.mark.long(pytest.mark.timeout(FUZZ_S + 600)(test))


def of_corpus(kind):
    """Give a test each file of a folder of the corpus, as `path`."""
    paths = sorted((_CORPUS / kind).iterdir())
    return pytest.mark.parametrize("path", paths, ids=[path.name for path in paths])


class FindingError(AssertionError):
    """Something that no input may cause."""


def tried(what, function, *arguments, most_s=LONGEST_S, **options):
    """Return what a function returns, or None where it refuses in words; raise FindingError where it does neither.

    Time is that of the processor, as others may use the machine.
    """
    before, began = _reset_peak(), time.process_time()
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        try:
            result = function(*arguments, **options)
        except (ValueError, TypeError, OSError) as error:
            result = None
            _check_refusal(what, error)
    seconds, n_bytes = time.process_time() - began, _field("VmHWM") - before
    for note in notes:
        check_words(f"{what}: a note", str(note.message))
        if issubclass(note.category, (RuntimeWarning, ResourceWarning)):
            raise FindingError(f"{what}: {note.category.__name__} {note.message} at {note.filename}:{note.lineno}")
    if seconds > most_s:
        raise FindingError(f"{what}: took {seconds:.1f} s")
    if n_bytes > MOST_BYTES:
        raise FindingError(f"{what}: took {n_bytes / 1e6:.0f} MB")
    return result


def _check_refusal(what, error):
    """Raise FindingError unless an error was raised on purpose, or by the system, and says so in one line."""
    check_words(f"{what}: an error", str(error))
    frame = traceback.extract_tb(error.__traceback__)[-1]
    is_ours = "rtnmf" in Path(frame.filename).parts and frame.line.startswith("raise")
    if not is_ours and (not isinstance(error, OSError) or error.strerror is None):
        raise FindingError(f"{what}: {error!r:.200} is not meant") from error


def check_words(what, text):
    """Raise FindingError where a text has a character that moves a cursor or breaks the line."""
    if not is_plain(text):
        raise FindingError(f"{what} has characters that are not plain: {text!r:.300}")


def check_finite(what, x):
    """Raise FindingError where there is NaN or infinity."""
    if not np.isfinite(x).all():
        raise FindingError(f"{what}: not finite")


def fuzz(attempt, folder, n=None):
    """Attempt with generators of random numbers: n fixed ones, or without that new ones until the time is over.

    An attempt gets its generator and an empty folder. What was found is gathered, each kind once, and what is in the
    folder then is kept beside it.
    """
    found, end, given = {}, time.monotonic() + FUZZ_S, os.environ.get("RTNMF_FUZZ_SEED")
    seeds = [int(given)] if given else range(n) if n else iter(lambda: secrets.randbits(48), None)
    n_attempts = 0
    folder.mkdir(exist_ok=True)
    with _bounded_memory(), threadpool_limits(1):  # threads that wait for each other would count as well
        for seed in seeds:
            if len(found) >= _MOST_FOUND or (not n and not given and time.monotonic() > end):
                break
            n_attempts += 1
            here = folder / "attempt"
            shutil.rmtree(here, ignore_errors=True)
            here.mkdir()
            (folder / "seed").write_text(f"{seed}\n")  # for who finds this process dead
            try:
                attempt(np.random.default_rng(seed), here)
            except Exception as error:
                place = _place(error)
                if place not in found:
                    shutil.copytree(here, folder / f"found-{seed}", symlinks=True)
                    found[place] = f"seed {seed}, {place}: {error!r:.500}"
                    (folder / f"found-{seed}.txt").write_text(found[place])
    print(f"{n_attempts} attempts")
    assert not found, "\n".join([f"in {folder}, of {n_attempts} attempts:", *found.values()])


def replay(use, path, folder):
    """Use copies of a file of the corpus, each with another generator of random numbers."""
    fuzz(lambda rng, here: use(rng, Path(shutil.copy(path, here))), folder, n=_N_REPLAYS)


def _place(error):
    """Return which kind of finding it is: where in our code, and what."""
    cause = error.__cause__ or error
    ours = [f for f in traceback.extract_tb(cause.__traceback__) if "rtnmf" in Path(f.filename).parts]
    where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
    return f"{type(cause).__name__} {where} {str(error).split(':')[0] if isinstance(error, FindingError) else ''}"


def _field(name):
    """Return a size in the status of this process, in bytes."""
    return next(int(line.split()[1]) * 1024 for line in _STATUS.read_text().splitlines() if line.startswith(name))


def _reset_peak():
    """Forget how much memory was in use at most, and return how much is now."""
    _CLEAR.write_text("5")
    return _field("VmRSS")


@contextlib.contextmanager
def _bounded_memory():
    """Turn what would end this process for want of memory into a MemoryError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_field("VmSize") + _BACKSTOP, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def integer(rng, *usual, most=2**31):
    """Return one of the usual integers, or one of any size."""
    return int(rng.choice(usual)) if usual and rng.random() < 0.7 else int(np.exp(rng.uniform(0, np.log(most))))


def mutated(rng, data):
    """Return bytes with some of them changed, left out, repeated or put in."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        at = int(len(data) * rng.random() ** rng.integers(1, 4))  # mostly at the beginning, where headers are
        length = integer(rng, 1, 2, 4, 8, most=max(2, len(data)))
        kind = rng.integers(7)
        if kind == 0:
            data[at : at + length] = rng.bytes(length)
        elif kind == 1:
            odd = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]))
            data[at : at + 4] = odd.to_bytes(4, "little" if rng.random() < 0.5 else "big")
        elif kind == 2:
            del data[at : at + length]
        elif kind == 3:
            data[at:at] = data[at : at + length]
        elif kind == 4:
            data[at : at + length] = bytes(length)
        elif kind == 5:
            del data[at:]
        elif at < len(data):
            data[at] ^= 1 << rng.integers(8)
    return bytes(data)


ODD_TEXTS = (
    "", " ", "a", "voice", "a" * 64, "a" * 65, "\x1b[2J", "\x9b31m", "\u202eevil", "\u200b", "é", "\ud800", "a\nb",
    "\0", "x" * 10_000, "\U0001f469\u200d\U0001f469", "../../x", "/etc/passwd", "<script>alert(1)</script>", "{{7*7}}",
    "%s%n", "NaN", "a+b", "\U0001d518" * 30, "\u0301" * 20, "voice 1", "component-1",
)  # fmt: skip
ODD_NUMBERS = (
    0, 1, -1, 0.5, -0.0, 1e-45, 1e-320, 3e38, 1e39, 1e308, float("nan"), float("inf"), 10**400, 2**31, 2**63, True,
    None, "1", [1], {},
)  # fmt: skip


def odd(rng, values):
    """Return one of several values, as it is."""
    return values[rng.integers(len(values))]
