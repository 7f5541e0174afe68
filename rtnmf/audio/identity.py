"""Is a file still the one that was read before? What tells it from others, without reading all of it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from rtnmf.audio.names import is_url
from rtnmf.audio.reading import AudioReader

__all__ = ["identity"]

_PLACE_BYTES = 4096  # at the beginning, with its header, in the middle and at the end
_DIGEST_BYTES = 8  # few, as an archive may have very many files, and enough as files of other names are never compared


def identity(path: str | os.PathLike[str], reader: AudioReader) -> str:
    """Return what tells a file from others that may be at its path, and is the same for a copy of another time.

    Parameters
    ----------
    path : path
        That of the reader. Of a URL only the size and the form count, since anything else would have to be fetched.
    reader : AudioReader

    Raises
    ------
    OSError
        If it cannot be read.
    """
    facts = f"{reader.n_bytes} {reader.n_samples} {reader.sample_rate} {reader.n_channels}"
    digest = hashlib.blake2b(facts.encode(), digest_size=_DIGEST_BYTES)
    if not is_url(path):
        with Path(path).open("rb", buffering=0) as file:
            for at in (0, reader.n_bytes // 2, max(0, reader.n_bytes - _PLACE_BYTES)):
                file.seek(at)
                digest.update(file.read(_PLACE_BYTES))
    return digest.hexdigest()
