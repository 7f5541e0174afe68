"""Recordings of a running stream: the input and every stem, in files that can be played at every moment."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtnmf.audio.files import safe_names
from rtnmf.audio.lengths import folder_number, make_equal
from rtnmf.audio.names import printable
from rtnmf.audio.output import Output
from rtnmf.audio.outputs import reserved
from rtnmf.audio.replacing import replacing, why
from rtnmf.audio.sndfile import reason
from rtnmf.dictionary import Dictionary
from rtnmf.live.link.memory import Ring
from rtnmf.live.link.protocol import Turn

__all__ = ["Recorder", "new_folder"]

Array = NDArray[np.float32]

_DICTIONARY, _USES, _UPDATES = "dictionary-{}.safetensors", "dictionaries.json", "updates.json"
_FOLDER_MODE, _FILE_MODE = 0o700, 0o600  # what a microphone heard is its owner's alone
_LARGEST_FILE = 2**32 - 2**20  # a WAV file counts its bytes in 32 bits


_LIKE_PART = re.compile(r"\.(part\d+)$")  # the names of later parts end so


class Recorder:
    """Write the samples in the ring of a sounding process to WAV files of 32-bit floats, all equally long.

    Stems are aligned with the input. Each file is closed after each write, so that what was written is safe
    whatever happens to this process, and a recording that fails is cut to what all files hold. `Salvage` does so where
    this process is killed in the middle of a write. An outage is silence in the files. When a file would grow beyond
    what WAV can hold, or the sample rate changes, all continue in new files.

    Every dictionary is kept beside them, and `dictionaries.json` says which one separates from which sample on: of the
    recording, all its parts one after another. Where it `begins_anew` the separation has just begun, elsewhere the
    dictionary was set in `Separator.dictionary`; `experts` are those of the `Separator`. `updates.json` says the same
    of its `n_iter` and `asks`: when time is short, experts rest, and there are fewer updates. With both, a replay gives
    the same stems, to the bit, unless the recording began while it sounded already: then it does not begin anew, and
    what was heard before is not there.

    Parameters
    ----------
    folder : path
        For the files; `new_folder` makes one.
    sources : sequence of str
    n_channels : int
    announce : function, optional
        Called with the paths of the files that are written to, before they are made; with none when that has failed.

    Attributes
    ----------
    folder : path
    paths : list of paths
        Paths of all files so far.
    n_missed : int
        Samples that came faster than they could be written; they are silent in the files.
    failure : str
        Why nothing more is written; empty when all is well.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        sources: tuple[str, ...],
        n_channels: int,
        announce: Callable[[Sequence[Path]], object] = lambda _: None,
    ) -> None:
        self.folder = Path(folder)
        self._number = folder_number(self.folder) if self.folder.is_dir() else None
        self._announce = announce
        self._part: list[Path] = []
        self._names = safe_names([_LIKE_PART.sub(r"-\1", name) for name in ("input", *sources)])
        self._n_channels = n_channels
        self._sample_rate = self._n_parts = self._n_written = 0
        self._n_samples = self._first_sample = 0  # of all parts, and of them when the process began
        self._dictionary: Dictionary | None = None
        self._n_dictionaries = 0
        self._experts: list[str] = []
        self._uses: list[dict[str, Any]] = []
        self._turns: list[dict[str, Any]] = []
        self._position = self._skipped = 0
        self._waiting = np.empty((0, n_channels), np.float32)
        self.paths: list[Path] = []
        self.n_missed = 0
        self.failure = ""

    @property
    def seconds(self) -> float:
        """Duration of what was written so far."""
        return self._n_samples / max(1, self._sample_rate)

    def begin(
        self, sample_rate: int, latency: int, outage_s: float = 0.0, experts: Sequence[str] = (), position: int = 0
    ) -> None:
        """Start on the ring of a process which asks these experts, at a sample of its stream, after an outage."""
        self._experts = list(experts)
        if sample_rate != self._sample_rate:
            self._sample_rate, self._n_written = sample_rate, 0
        elif outage_s > 0:
            for silence in self._silence(round(outage_s * sample_rate)):
                self._write(silence)
        self._position, self._skipped, self._first_sample = position, latency, self._n_samples - position
        self._waiting = np.empty((0, self._n_channels), np.float32)

    def note_dictionary(self, dictionary: Dictionary, position: int, *, begins_anew: bool = False) -> None:
        """Keep a dictionary that separates from a sample of this ring's stream on."""
        if self.failure:
            return
        try:
            self._check_place()
            if dictionary != self._dictionary:
                self._n_dictionaries += 1
                dictionary.save(self.folder / _DICTIONARY.format(self._n_dictionaries))
                (self.folder / _DICTIONARY.format(self._n_dictionaries)).chmod(_FILE_MODE)
                self._dictionary = dictionary
            file = _DICTIONARY.format(self._n_dictionaries)
            sample = self._first_sample + position
            use = {"file": file, "sample": sample, "begins_anew": begins_anew, "experts": self._experts}
            self._uses.append(use)
            self._write_list(_USES, self._uses)
        except (OSError, ValueError) as error:
            self._fail(error)

    def note_turns(self, turns: list[Turn]) -> None:
        """Keep from which samples of this ring's stream on how much is done for each frame."""
        if self.failure or not turns:
            return
        self._turns += [turn._replace(sample=self._first_sample + turn.sample)._asdict() for turn in turns]
        try:
            self._check_place()
            self._write_list(_UPDATES, self._turns)
        except (OSError, ValueError) as error:
            self._fail(error)

    def _write_list(self, name: str, entries: list[dict[str, Any]]) -> None:
        with replacing(self.folder / name, private=True) as file:
            file.write(json.dumps(entries, indent=1).encode() + b"\n")

    def drain(self, ring: Ring, n_recorded: int) -> None:
        """Write the new ones of the first `n_recorded` samples of the ring's stream."""
        room = ring.length * 3 // 4  # the writer goes on while this reads
        missed = max(0, n_recorded - room - self._position)
        if missed:
            self.n_missed += missed
            for silence in self._silence(missed):
                self._take(silence)
        rows = ring.read(self._position + missed, n_recorded)
        self._take(rows.reshape(len(self._names), self._n_channels, -1).transpose(0, 2, 1))
        self._position = n_recorded

    def end(self, *, is_flushed: bool) -> None:
        """Finish the stream of this ring; if it was flushed, the input still waiting is the silence that did it."""
        if not is_flushed and len(self._waiting):
            block = np.zeros((len(self._names), *self._waiting.shape), np.float32)
            block[0] = self._waiting
            self._write(block)
        self._waiting = self._waiting[:0]
        if not self._n_parts:
            self._write(np.zeros((len(self._names), 0, self._n_channels), np.float32), is_first=True)

    def _silence(self, n_samples: int) -> Iterator[Array]:
        """Yield silence in pieces, as it may last for hours."""
        piece = 10 * self._sample_rate
        for start in range(0, n_samples, piece):
            yield np.zeros((len(self._names), min(piece, n_samples - start), self._n_channels), np.float32)

    def _take(self, block: Array) -> None:
        """Write a block of input and stems, shape (1 + n_sources, n_samples, n_channels); the input waits for them."""
        inputs = np.concatenate([self._waiting, block[0]])
        stems = block[1:, self._skipped :]
        self._skipped -= block.shape[1] - stems.shape[1]
        n_samples = stems.shape[1]
        self._waiting = inputs[n_samples:]
        self._write(np.concatenate([inputs[None, :n_samples], stems]))

    def _write(self, block: Array, *, is_first: bool = False) -> None:
        """Add a block to the files; the first one makes them, even if there is nothing in it."""
        if self.failure or not (block.shape[1] or is_first):
            return
        try:
            self._check_place()
            if not self._n_written or 4 * (self._n_written + block.shape[1]) * self._n_channels > _LARGEST_FILE:
                self._begin_part()
            with contextlib.ExitStack() as stack:  # all headers change at its end, as close together as can be
                for path, samples in zip(self._part, block, strict=True):
                    file, output = stack.enter_context(_opened(path, "r+"))
                    file.seek(0, soundfile.SEEK_END)
                    file.write(samples)
                    output.check()
            self._n_written += block.shape[1]
            self._n_samples += block.shape[1]
        except Exception as error:  # the sound goes on without it
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        text = why(error) if isinstance(error, OSError) else reason(error)
        with contextlib.suppress(OSError):  # then this is why it failed
            self._check_place()
            make_equal(self._part)
        self._announce([])
        self.failure = f"the recording in {printable(self.folder)} stopped ({text})"

    def _check_place(self) -> None:
        """Raise FileNotFoundError where the folder is no longer at its path: what is there now is somebody else's."""
        if folder_number(self.folder) != self._number:
            raise FileNotFoundError(errno.ENOENT, "the folder was moved")

    def _begin_part(self) -> None:
        self._n_parts += 1
        self._n_written = 0
        suffix = f".part{self._n_parts}" if self._n_parts > 1 else ""
        part = [self.folder / f"{name}{suffix}.wav" for name in self._names]
        for path in part:
            if os.path.lexists(path):  # somebody else's, which is not to be cut
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        self._part = part
        self._announce(part)
        for path in part:
            with _opened(path, "w", self._sample_rate, self._n_channels, "FLOAT", format="WAV"):
                pass
        self.paths += part


@contextlib.contextmanager
def _opened(path: Path, mode: str, *form: Any, **options: Any) -> Iterator[tuple[Any, Output]]:
    """Open a WAV file of a recording, new where the mode is `w`, and raise what the system says of any failure."""
    is_new = os.O_CREAT | os.O_EXCL if mode == "w" else getattr(os, "O_NOFOLLOW", 0)
    raw = io.FileIO(os.open(path, os.O_RDWR | is_new, _FILE_MODE), "r+")
    with Output(path, io.BufferedRandom(raw)) as output:
        try:
            with soundfile.SoundFile(output, mode, *form, **options) as file:
                yield file, output
        except (soundfile.SoundFileError, AssertionError):
            output.check()
            raise


def new_folder(path: str | os.PathLike[str]) -> tuple[Path, contextlib.ExitStack]:
    """Choose an empty folder: `path`, or `path-2`, `path-3`, ... where there is something in it, or it is reserved.

    Returns
    -------
    the path, and what keeps others from choosing it until it is closed
        A folder that is made is for its owner alone.

    Raises
    ------
    ValueError
        If `path` is a file, or the folder cannot be made, or cannot be written to.
    """
    given = Path(path)
    if given.name in ("", ".."):  # such as ".", which has no name that a number could follow
        given = given.resolve()
    try:
        if os.path.lexists(given) and not given.is_dir():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        folder, _, reservation = reserved(given, _FOLDER_MODE)
        with contextlib.ExitStack() as stack:
            stack.push(reservation)
            tempfile.TemporaryFile(dir=folder).close()
            stack.pop_all()
    except OSError as error:
        raise ValueError(f"{printable(given)}: cannot record there ({why(error)})") from error
    return folder, reservation
