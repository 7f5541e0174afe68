"""A process beside the sound, of the lowest priority, seen from its parent: what is told to it, what it says."""

from __future__ import annotations

import contextlib
import pickle
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable
from typing import Any

from rtnmf.live.link.child import apart, environment, obituary, python

__all__ = ["Helper"]


class Helper:
    """One process, and the two threads that talk to it.

    Parameters
    ----------
    module : str
        Whose `main` runs in the process, with objects to unpickle on standard input, and pickles what it says.
    messages : function
        Called with the helper, in a thread; what it returns or yields is told to the process.
    keep : function
        Called in a thread with each object that the process says.

    Raises
    ------
    OSError
        If no process can be started.
    """

    def __init__(self, module: str, messages: Callable[[Helper], Iterable[Any]], keep: Callable[[Any], object]) -> None:
        self.has_ended = False
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the process
        self._process = subprocess.Popen(
            python(f"from {module} import main; main()"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=environment(),
            **apart(is_idle=True),
        )
        self._threads = [
            threading.Thread(target=self._tell, args=(messages,), name="rtnmf-tell", daemon=True),
            threading.Thread(target=self._listen, args=(keep,), name="rtnmf-listen", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended yet."""
        return self._process.poll() is None

    def end(self) -> str:
        """Kill the process, and return how it had ended."""
        self.has_ended = True
        self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join()
        reason = obituary(self._process.returncode, self._stderr)
        for pipe in (self._process.stdin, self._process.stdout, self._stderr):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        return reason

    def _tell(self, messages: Callable[[Helper], Iterable[Any]]) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        with contextlib.suppress(OSError):
            for message in messages(self):
                pickle.dump(message, pipe)
                pipe.flush()

    def _listen(self, keep: Callable[[Any], object]) -> None:
        pipe = self._process.stdout
        assert pipe is not None
        try:
            while True:
                keep(pickle.load(pipe))  # noqa: S301  # from our own child
        except (EOFError, OSError, pickle.UnpicklingError):  # truncated where the process was killed
            pass
        finally:
            self._process.kill()  # one that cannot be understood is of no use
