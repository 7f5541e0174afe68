"""What libsndfile writes to: a file of the system that remembers what went wrong."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from rtnmf.audio.replacing import not_written, why

__all__ = ["Output"]


class Output(io.RawIOBase):
    """A file that libsndfile writes to, and that keeps the error of the system until it is asked for.

    libsndfile forgets what goes wrong, such as a disk that is full.

    Parameters
    ----------
    path : path
        How the file is called in errors.
    file : binary file
        It is used without its buffer, and closed with this.
    """

    def __init__(self, path: Path, file: io.BufferedRandom) -> None:
        self.path = path
        self._error: OSError | None = None
        self._file, self._buffered = file.raw, file  # which would close it when nobody holds it

    def __exit__(self, *failure: object) -> None:
        self.close()
        if failure[0] is None:
            self.check()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()

    def check(self) -> None:
        """Raise what went wrong, if anything."""
        if self._error is not None:
            raise not_written(self.path, why(self._error)) from self._error

    def write(self, data: Any) -> int:
        """Write all of some bytes, as far as there is room; `check` raises what went wrong."""
        left = memoryview(data)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            self._error = self._error or error
        return len(data) - len(left)

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer."""
        return self._file.readinto(buffer) or 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the place."""
        return self._file.tell()

    def readable(self) -> bool:
        """Return True."""
        return True

    def writable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True
