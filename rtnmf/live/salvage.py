"""What outlives a process that records, and leaves the files equally long when that process is killed."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from rtnmf.audio.lengths import folder_number, make_equal
from rtnmf.audio.replacing import remove_remains
from rtnmf.live.link.child import apart, end_with_parent, environment, python

__all__ = ["Salvage", "main"]

_log = logging.getLogger(__name__)


class Salvage:
    """A small process that waits for the end of this one, seen from here.

    When this process ends without `end`, that one makes the files that were named last equally long, and removes what
    is half written beside them. A killed process can have written to some of the files only.

    Raises
    ------
    OSError
        If no process can be started.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            python(f"from {__name__} import main; main()"),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
            **apart(),
        )

    def watch(self, paths: Iterable[Path]) -> None:
        """Name the files, before any of them is made, instead of those before; none are left as they are."""
        names = [str(path.absolute()) for path in paths]
        line = json.dumps([names, [folder_number(Path(name).parent) for name in names[:1]]])
        try:
            self._process.stdin.write(line.encode() + b"\n")  # type: ignore[union-attr]
            self._process.stdin.flush()  # type: ignore[union-attr]
        except OSError as error:
            _log.warning("the recording goes on, but files may differ in length if it is killed: %s", error)

    def end(self) -> None:
        """End the process, which leaves the files as they are."""
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(OSError):  # what could not be written any more
            self._process.stdin.close()  # type: ignore[union-attr]


def main() -> None:
    """Wait until the parent has ended, and then salvage the files that the last whole line on standard input names."""
    named: list[Any] = [[], []]
    is_over = threading.Event()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, named, is_over), daemon=True).start()
    end_with_parent(is_over.set)
    is_over.wait()
    paths = [Path(name) for name in named[0]]
    with contextlib.suppress(OSError):  # they are gone, and nobody is left to be told
        if paths and [list(folder_number(paths[0].parent))] == named[1]:
            remove_remains(paths[0].parent)
            make_equal(paths)
    os._exit(0)  # standard input may still be open


def _listen(pipe: BinaryIO, named: list[Any], is_over: threading.Event) -> None:
    for line in pipe:
        if line.endswith(b"\n"):
            named[:] = json.loads(line)
    is_over.set()
