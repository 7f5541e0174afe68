"""Files on a server, of which only what is read is fetched, a few MB at a time, and nothing is kept."""

from __future__ import annotations

import contextlib
import io
import os
from typing import Any, BinaryIO, cast

from rtnmf.words import plain

__all__ = ["RemoteFile", "opened"]


_NO_PARTS = "its server gives no parts of files: download it first"


class RemoteFile(io.RawIOBase):
    """A file on a server that ends where its server fails, and then says why: decoders cannot pass errors on."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._remote, self._name, self._reason = file, name, ""

    def check(self) -> None:
        """Raise ValueError if the server has failed."""
        if self._reason:
            raise ValueError(f"{self._name}: {self._reason}")

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that it can be searched."""
        return True

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._remote.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, and return it."""
        return self._remote.seek(offset, whence)

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, and return the number of bytes: none once the server has failed."""
        view = memoryview(buffer).cast("B")
        try:
            part = b"" if self._reason else self._remote.read(len(view))
        except ValueError:  # of servers that say so only when a part is asked for
            self._reason, part = _NO_PARTS, b""
        except Exception as error:  # each kind of server has its own; their texts hold keys
            self._reason, part = f"its server failed while it was read ({type(error).__name__}): try again", b""
        view[: len(part)] = part
        return len(part)

    def close(self) -> None:
        """Close the file."""
        self._remote.close()
        super().close()


def opened(url: str, name: str) -> BinaryIO:
    """Open a file on a server, as a `RemoteFile`.

    Raises
    ------
    ValueError
        If fsspec is not installed, there is no such file, or its server gives no parts of files.
    """
    try:
        import fsspec
    except ImportError as error:
        raise ValueError(f"{name}: is on a server, which needs fsspec: pip install 'rtnmf[remote]'") from error
    kind, _, place = url.partition("://")
    try:
        file: BinaryIO = fsspec.open(f"{kind.lower()}://{place}", "rb").open()
    except FileNotFoundError as error:
        raise ValueError(f"{name}: no such file, or its server cannot be reached") from error
    except Exception as error:  # as above
        reason = plain(str(error)) if isinstance(error, ImportError) else type(error).__name__
        raise ValueError(f"{name}: cannot be opened ({reason:.200})") from error
    with contextlib.suppress(ValueError, OSError):
        file.seek(0, os.SEEK_END)
        return cast(BinaryIO, RemoteFile(file, name))
    file.close()
    raise ValueError(f"{name}: {_NO_PARTS}")
