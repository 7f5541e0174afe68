"""Reading audio in blocks, whatever it comes in: the decoder says where it ends, and no header.

The content of a file decides its decoder, not its name. libsndfile (`sndfile`) reads what it reads well; the rest goes
through PyAV (`media`), if that is installed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from rtnmf.audio import headers, media, remote, sndfile, tags
from rtnmf.audio.names import is_url, name, printable
from rtnmf.audio.replacing import why
from rtnmf.audio.sound import Notes, Sound, clock
from rtnmf.audio.tags import Tags
from rtnmf.bounds import counted

__all__ = ["AudioReader", "is_pipe", "opened"]

Array = NDArray[np.float32]

_TAGS_BYTES = 4096  # what may stand behind the last frame of a whole MP3 file
_STANDARD_INPUT = "-"
_BARE = {".raw", ".pcm", ".ul", ".al", ".ulaw", ".alaw", ".sb", ".sw", ".s8", ".s16", ".s24", ".s32", ".f32"}
_SUFFIXES = {  # of lossless files, the usual one first
    "WAV": (".wav", ".wave"),
    "WAVEX": (".wav", ".wave"),
    "RF64": (".wav", ".wave", ".rf64"),
    "W64": (".w64",),
    "AIFF": (".aiff", ".aif", ".aifc"),
    "CAF": (".caf",),
    "AU": (".au", ".snd"),
    "FLAC": (".flac",),
}


class AudioReader:
    """Read an audio file, a pipe, or the first audio track of a video in blocks, until its decoder ends.

    A context manager. It can be read several times; a pipe is copied to an unnamed temporary file at first.

    Parameters
    ----------
    path : path
        `-` is the standard input.
    strict : bool
        Raise where something is damaged, instead of noting it and reading on.

    Attributes
    ----------
    path : Path
        Of the file; "stdin" or the like in the current folder for what has no name.
    name : str
        The path, fit to be printed.
    sample_rate, n_channels : int
    n_samples : int or None
        Length by the header, where headers of this kind can be trusted. A damaged file may be shorter or longer.
    container, subtype : str
        A lossless format to write the like of it in, in libsndfile's words, such as `WAV` and `PCM_24`.
    suffix : str
        A usual extension of that format: the file's own, if it is one.
    position : int
        Samples read so far.
    n_bytes : int
        Size of the file.
    can_seek : bool
        Whether `blocks` from a sample on need not decode what is before it.

    Raises
    ------
    ValueError
        If there is no such file, it is not audio, it holds no samples, or its decoder is not installed.
    """

    def __init__(self, path: str | os.PathLike[str], *, strict: bool = False) -> None:
        self.path, self.name = _named(path)
        self._notes = Notes(self.name, strict)
        self._file = _source(path, self.name)
        try:
            self.n_bytes = self._file.seek(0, os.SEEK_END)
            if not self.n_bytes:
                raise ValueError(f"{self.name}: the file is empty, expected audio")
            self._sound = self._decoded()
            if self._sound.n_samples == 0:
                self._sound.close()
                raise ValueError(f"{self.name}: the file holds no samples")
        except BaseException:
            self._file.close()
            raise
        self.sample_rate, self.n_channels = self._sound.sample_rate, self._sound.n_channels
        self.n_samples = self._sound.n_samples
        self.can_seek = self._sound.can_seek
        self.container, self.subtype = self._sound.container, self._sound.subtype
        usual = _SUFFIXES[self.container]
        self.suffix = self.path.suffix if self.path.suffix.lower() in usual else usual[0]
        self.position, self._is_fresh = 0, True
        self._n_invalid, self._first_invalid = 0, 0
        self._warned: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._sound.close()
        self._file.close()

    @property
    def notes(self) -> list[str]:
        """What was odd, lost or counted so far, in plain sentences without the name of the file."""
        texts = list(self._notes.texts)
        if self._notes.n_left_out:
            texts.append(f"{self._notes.n_left_out} more places like these")
        if self._n_invalid:
            count = "1 sample is" if self._n_invalid == 1 else f"{self._n_invalid} samples are"
            where = clock(self._first_invalid / self.sample_rate)
            texts.append(f"{count} not a number (first at {where}), read as silence")
        return texts

    def warn(self, stacklevel: int = 2) -> None:
        """Warn of each note that there was no warning of yet, with the name of the file."""
        for note in self.notes:
            if note not in self._warned:
                self._warned.add(note)
                warnings.warn(f"{self.name}: {note}", stacklevel=stacklevel + 1)

    @property
    def tags(self) -> Tags:
        """What the file says of itself: title, artist and the like, and timecode."""
        return tags.read(self._file)

    @property
    def progress(self) -> tuple[int, int]:
        """How much is read, and of how much: in samples, or in bytes where the length is not known."""
        if self.n_samples is not None and self.position <= self.n_samples:
            return self.position, self.n_samples
        return min(self._file.tell(), self.n_bytes), self.n_bytes

    def blocks(self, block_length: int, start: int = 0) -> Iterator[Array]:
        """Yield the sound in blocks.

        Parameters
        ----------
        block_length : int
            Samples of each block but the last one.
        start : int
            Sample to begin at.

        Yields
        ------
        array, shape (n_samples, n_channels), float32
            The caller's own.

        Raises
        ------
        ValueError
            If there is no sound at all, more than a file of this size can hold, or something is damaged and the
            reader is strict.
        """
        if not self._is_fresh:
            self._sound.close()
            self._sound = self._decoded()
        self._is_fresh, self._n_invalid = False, 0
        self.position, waiting, n_waiting = start, list[Array](), 0
        for part in counted(self.name, self._sound.blocks(start), self.n_bytes):
            self._check_server()
            waiting.append(part)
            n_waiting += len(part)
            if n_waiting >= block_length:
                samples = np.concatenate(waiting)
                whole = n_waiting // block_length * block_length
                for at in range(0, whole, block_length):
                    yield self._next(samples[at : at + block_length])
                waiting, n_waiting = [samples[whole:]], n_waiting - whole
        self._check_server()
        if n_waiting:
            yield self._next(np.concatenate(waiting))
        if not self.position:
            raise ValueError(f"{self.name}: the file holds no samples")

    def _decoded(self) -> Sound:
        try:
            return _decoder(self._file, self.path, self._notes)
        finally:
            self._check_server()  # which is why, then

    def _check_server(self) -> None:
        if isinstance(self._file, remote.RemoteFile):
            self._file.check()

    def _next(self, block: Array) -> Array:
        """Count a block, and make silence of what is no number in it."""
        block = block.copy()
        invalid = ~np.isfinite(block).all(axis=1)
        if invalid.any():
            where = self.position + int(invalid.argmax())
            if self._notes.strict:
                self._notes.damage(f"a sample is NaN or infinite at {clock(where / self.sample_rate)}")
            self._first_invalid = self._first_invalid if self._n_invalid else where
            self._n_invalid += int(invalid.sum())
            block[~np.isfinite(block)] = 0
        self.position += len(block)
        return block


@contextlib.contextmanager
def opened(recording: str | os.PathLike[str] | AudioReader, *, strict: bool = False) -> Iterator[AudioReader]:
    """Open a file for a while; a reader that is given is used, and left open."""
    if isinstance(recording, AudioReader):
        yield recording
    else:
        with AudioReader(recording, strict=strict) as reader:
            yield reader


def is_pipe(path: str | os.PathLike[str]) -> bool:
    """Return whether a path can be opened only once; an `AudioReader` of it can be read again."""
    return os.fspath(path) == _STANDARD_INPUT or _is_fifo(path)


def _is_fifo(path: str | os.PathLike[str]) -> bool:
    try:
        return Path(path).is_fifo()
    except (OSError, ValueError):
        return False


def _named(path: str | os.PathLike[str]) -> tuple[Path, str]:
    """Return a path to name outputs after, and a name to print."""
    if os.fspath(path) == _STANDARD_INPUT:
        return Path("stdin"), "standard input"
    if is_url(path):
        return Path(name(path)), printable(path)
    is_device = Path(path).parts[:2] == ("/", "dev")
    return Path(Path(path).name) if is_device else Path(path), printable(path)


def _source(path: str | os.PathLike[str], name: str) -> BinaryIO:
    """Open a file, or copy a pipe, so that it can be searched."""
    if os.fspath(path) == _STANDARD_INPUT:
        return _searchable(os.fdopen(os.dup(sys.stdin.fileno()), "rb", 0), name)
    if is_url(path):
        return remote.opened(os.fspath(path), name)
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError) as error:
        missing = isinstance(error, FileNotFoundError)
        raise ValueError(f"{name}: {'no such file' if missing else f'cannot be opened ({why(error)})'}") from error
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        raise ValueError(f"{name}: not a file, expected an audio file")
    try:
        return _searchable(Path(path).open("rb", buffering=0), name)
    except OSError as error:
        raise ValueError(f"{name}: cannot be opened ({why(error)})") from error


def _searchable(file: BinaryIO, name: str) -> BinaryIO:
    mode = os.fstat(file.fileno()).st_mode
    if stat.S_ISREG(mode):
        return file
    with file:
        if not stat.S_ISFIFO(mode) and not stat.S_ISSOCK(mode):
            raise ValueError(f"{name}: is a terminal or a device, expected a file or a pipe")
        copy = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - the reader closes it
        try:
            shutil.copyfileobj(file, copy)
        except OSError as error:
            copy.close()
            raise ValueError(f"{name}: cannot be copied to {tempfile.gettempdir()} ({error.strerror})") from error
    return copy


def _decoder(file: BinaryIO, path: str | os.PathLike[str], notes: Notes) -> Sound:
    """Choose the decoder by the content of a file, and open it.

    libsndfile stops behind the first of joined Ogg streams, and takes the length of MP3 from tags and guesses.
    """
    file.seek(0)
    head = file.read(16)
    is_mpeg, is_ogg, found = headers.says_mpeg(head), head[:4] == b"OggS", headers.wave(file)
    if is_mpeg or is_ogg or (found is not None and found.is_mpeg):
        if media.is_installed():
            try:
                return media.opened(file, notes)
            except media.NotDecodedError:
                pass
        elif is_mpeg and headers.mpeg_excess(file) not in range(_TAGS_BYTES):
            raise ValueError(f"{notes.name}: how long this MP3 is only its decoder can say: {media.INSTALL}")
        elif is_ogg and not headers.has_one_ogg_link(file):
            raise ValueError(f"{notes.name}: is several Ogg files joined: to read them, {media.INSTALL}")
    try:
        return sndfile.opened(file, path, notes)
    except sndfile.NotOpenedError as error:
        return _by_media(file, path, notes, error)


def _by_media(file: BinaryIO, path: str | os.PathLike[str], notes: Notes, refused: sndfile.NotOpenedError) -> Sound:
    if Path(path).suffix.lower() in _BARE:
        raise ValueError(
            f"{notes.name}: holds bare samples, and nothing says at which rate or in how many channels: make a WAV file"
            " of it, such as with: sox -t raw -r 48000 -e signed -b 16 -c 1 IN.raw OUT.wav"
        ) from refused
    if not media.is_installed():
        raise ValueError(
            f"{notes.name}: not an audio file that can be read ({refused}):"
            f" for m4a, mp4, webm and the like, {media.INSTALL}"
        ) from refused
    try:
        sound = media.opened(file, notes)
    except media.NotDecodedError as error:
        raise ValueError(
            f"{notes.name}: not an audio file that can be read ({error}): convert it to WAV or FLAC"
        ) from error
    if "malformed" in str(refused):
        notes.damage(f"its header is damaged ({refused})")
    return sound
