"""Decoding with FFmpeg's libraries through PyAV: video, m4a, MP3, Ogg, and whatever else libsndfile reads badly."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from rtnmf.audio import headers
from rtnmf.audio.sound import BLOCK_VALUES, Notes, Sound, clock, without_start
from rtnmf.bounds import most_values

__all__ = ["INSTALL", "NotDecodedError", "is_installed", "metadata", "opened"]

Array = NDArray[np.float32]

INSTALL = 'pip install "rtnmf[media]"'

# Demuxers that read one file and nothing else: no playlist, and none that opens other files or the network.
_CONTAINERS = (
    "aac,ac3,aiff,amr,ape,asf,ast,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,gsm,iff,loas,matroska,mlp,mov,mp3,mpc,mpc8,"
    "mpeg,mpegts,mxf,nsv,nut,oma,ogg,qcp,rm,shn,smk,swf,tak,truehd,tta,voc,vqf,w64,wav,wsaud,wtv,wv,xa,xwma"
)
_RAW = {"aac", "ac3", "amr", "dts", "eac3", "loas", "mlp", "mp3", "truehd"}  # frames without a time of their own
_JOINTS = (b"ID3", b"TAG", b"Xing", b"Info")  # what stands between the parts of joined MP3 files
_FRAME_BYTES = 2048  # more than any MP3 frame has
_MOST_FAILURES = 16  # of the container, one after the other, before the rest is given up
_GAP_S = 0.1  # a jump in time that stands for silence; shorter ones are rounding, except right after damage,
_EXACT_GAP_S = 0.02  # or where the container counts in samples
_MOST_GAP_S = 60.0  # the longest one that is believed where the length of the file is unknown
_PADDING_S = 0.1  # what an encoder leaves after the end that the edit list of an MP4 gives
_MISSING_S = 0.25  # headers of video are no more exact
_MOST_PLANES = 8  # FFmpeg ends the list of planes behind these only; PyAV would read on behind it


class NotDecodedError(ValueError):
    """What PyAV cannot read."""


def is_installed() -> bool:
    """Return whether PyAV is installed, without loading it."""
    return importlib.util.find_spec("av") is not None


def opened(file: BinaryIO, notes: Notes) -> Sound:
    """Open the first audio track of a file.

    Raises
    ------
    NotDecodedError
        If there is none, or it cannot be decoded.
    """
    import av

    is_cut, n_bytes = _is_cut(file), file.seek(0, os.SEEK_END)
    file.seek(0)
    with contextlib.ExitStack() as stack:
        try:
            container = _container(file)
        except MemoryError as error:
            raise NotDecodedError("it would take more memory than there is") from error
        except (av.error.FFmpegError, ValueError) as error:
            raise NotDecodedError(_reason(error, file)) from error
        stack.callback(container.close)
        tracks = container.streams.audio
        if not tracks:
            raise NotDecodedError("there is no audio track in it")
        if len(tracks) > 1:
            notes.add(f"has {len(tracks)} audio tracks, the first one is read")
        track = _Track(container, is_cut, notes, n_bytes)
        stack.pop_all()
    return Sound(track.sample_rate, track.n_channels, track.n_samples, "WAV", "PCM_24", track.blocks, container.close)


def _container(file: BinaryIO) -> Any:
    import av

    options, source = {"format_whitelist": _CONTAINERS}, _Source(file)
    try:
        return av.open(source, options=options, metadata_errors="ignore")
    except TypeError:  # version 19 has no such parameter
        return av.open(source, options=options)


class _Source:
    """What FFmpeg reads a file through. A seek that fails returns a number below 0: PyAV would print a traceback."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError):
            return -errno.EINVAL


def metadata(file: BinaryIO) -> dict[str, str]:
    """Return the tags of a file and of its first audio track; none where it cannot be read."""
    import av

    file.seek(0)
    with (
        contextlib.suppress(av.error.FFmpegError, ValueError, IndexError, MemoryError),
        _container(file) as container,
    ):
        return {**container.streams.audio[0].metadata, **container.metadata}
    return {}


def _is_cut(file: BinaryIO) -> bool:
    """Return whether the file ends before its end, as far as its first bytes tell."""
    file.seek(0)
    head = file.read(4)
    if head == b"OggS":
        return not headers.ogg_ends(file)
    if headers.says_mpeg(head):
        return (headers.mpeg_excess(file) or 0) < 0
    found = headers.wave(file)
    return found is not None and found.is_cut


class _Track:
    """The first audio track of a container: what is decoded, and silence where something is lost.

    Opening it decodes the first frame: what a header says of rate and channels is not always so.
    """

    def __init__(self, container: Any, is_cut: bool, notes: Notes, n_bytes: int) -> None:
        self._container, self._stream, self._notes, self._is_cut = container, container.streams.audio[0], notes, is_cut
        names = set(container.format.name.split(","))
        self._is_raw = bool(names & _RAW)
        self._done = 0  # samples that were yielded
        self._bytes = self._lost_bytes = 0  # decoded, and not decoded since the last frame
        self._frames = self._decoded()
        first = next(self._frames, None)
        if first is None:
            raise NotDecodedError("no sound in it can be decoded")
        self._first, self._layout = first, first.layout
        self._resampler: Any = None
        self._is_mixed = False
        self.sample_rate, self.n_channels = first.sample_rate, len(first.layout.channels)
        self._form = self.sample_rate, self.n_channels  # of the last frame
        self._stated_s = None if self._is_raw or "ogg" in names else self._header_s()
        if (self._stated_s or 0) * self.sample_rate * self.n_channels > most_values(n_bytes):
            self._stated_s = None  # no file of this size is so long
        self._ends_exactly = "mov" in names
        self.n_samples = None
        if self._stated_s and names & {"mov", "flac"}:
            self.n_samples = round(self._stated_s * self.sample_rate)

    def _header_s(self) -> float | None:
        if self._stream.duration:
            return float(self._stream.duration * self._stream.time_base)
        return self._container.duration / 1e6 if self._container.duration else None

    def _decoded(self) -> Iterator[Any]:
        """Yield all frames that can be decoded, and count the bytes that cannot."""
        import av

        for packet in self._packets():
            try:
                frames = packet.decode()
            except EOFError:
                return
            except (av.error.FFmpegError, ValueError):
                if not self._is_joint(packet):
                    self._lost_bytes += packet.size or 1
                continue
            self._bytes += packet.size
            yield from (frame for frame in frames if frame.samples)

    def _packets(self) -> Iterator[Any]:
        """Yield all packets, also those behind a place where the container is broken."""
        import av

        packets, failures = self._container.demux(self._stream), 0
        while failures < _MOST_FAILURES:
            try:
                packet = next(packets, None)
            except (av.error.FFmpegError, ValueError, IndexError) as error:  # IndexError: of a track found only now
                if isinstance(error, EOFError):
                    return
                failures += 1
                self._lost_bytes += 1
                packets = self._container.demux(self._stream)
                continue
            if packet is None:
                return
            failures = 0
            yield packet

    def _is_joint(self, packet: Any) -> bool:
        """Return whether what could not be decoded is a tag between two MP3 files that were joined."""
        return self._is_raw and any(tag in bytes(packet)[:_FRAME_BYTES] for tag in _JOINTS)

    def blocks(self, start: int) -> Iterator[Array]:
        """Yield blocks from a sample on, until the decoder ends."""
        return without_start(self._blocks(), start)

    def _blocks(self) -> Iterator[Array]:
        limit, beyond = self.n_samples if self._ends_exactly else None, list[Array]()
        for samples in self._aligned():
            if limit is None or self._done + len(samples) <= limit:
                self._done += len(samples)
                yield samples
                continue
            part, rest = np.split(samples, [max(0, limit - self._done)])
            self._done += len(part)
            yield part
            beyond.append(rest)
            if sum(map(len, beyond)) > _PADDING_S * self.sample_rate:  # this is no padding: the header is wrong
                limit = None
                self._done += sum(map(len, beyond))
                yield from beyond
        self._check_end()

    def _aligned(self) -> Iterator[Array]:
        """Yield each frame in the form of the first one, and before it silence for what is missing by its time."""
        expected = None
        frame, self._first = self._first, None
        while frame is not None:
            now = expected if self._is_raw or frame.pts is None else float(frame.pts * frame.time_base)
            jump = 0.0 if now is None or expected is None else now - expected
            yield from self._silence(jump, float(frame.time_base or 0))
            expected = None if now is None else now + frame.samples / frame.sample_rate
            samples = self._converted(frame)
            if len(samples):
                yield samples
            frame = next(self._frames, None)
        yield from self._flushed()

    def _silence(self, jump_s: float, tick_s: float) -> Iterator[Array]:
        """Yield silence as long as a jump in time, and note what was lost."""
        lost, self._lost_bytes = self._lost_bytes, 0
        usual_s = _EXACT_GAP_S if tick_s * self.sample_rate <= 1 else _GAP_S
        if jump_s <= (2 * tick_s + 2 / self.sample_rate if lost else usual_s):
            if lost:
                self._notes.damage(self._loss(lost))
            return
        left_s = _MOST_GAP_S if self._stated_s is None else self._stated_s - self._done / self.sample_rate
        if jump_s > left_s:
            self._notes.add(f"its time stamps jump by {jump_s:.1f} s at {self._now()}, which is ignored")
            return
        self._notes.damage(f"{jump_s:.2f} s are lost at {self._now()}, silence takes their place")
        missing = round(jump_s * self.sample_rate)
        length = max(1, BLOCK_VALUES // self.n_channels)
        for start in range(0, missing, length):
            yield np.zeros((min(length, missing - start), self.n_channels), np.float32)

    def _loss(self, n_bytes: int) -> str:
        seconds = n_bytes / max(self._bytes, 1) * self._done / self.sample_rate
        moved = ", what follows comes earlier by that" if self._is_raw else ""
        return f"{n_bytes} bytes at {self._now()} cannot be decoded, at least {seconds:.2f} s{moved}"

    def _converted(self, frame: Any) -> Array:
        """Return the samples of a frame at the rate and in the channels of the first one."""
        import av

        form = frame.sample_rate, len(frame.layout.channels)
        parts = self._flushed() if form != self._form else []
        if form == (self.sample_rate, self.n_channels):
            parts.append(_floats(frame))
        else:
            if self._resampler is None:
                if not self._is_mixed:
                    self._notes.add(
                        f"changes its rate or channels at {self._now()}, and is converted to its first ones"
                    )
                self._is_mixed = True
                self._resampler = av.AudioResampler("flt", self._layout, self.sample_rate)
            parts += self._resampled(frame)
        self._form = form
        return np.concatenate(parts) if parts else np.zeros((0, self.n_channels), np.float32)

    def _resampled(self, frame: Any) -> list[Array]:
        """Return what is ready of a frame of another form, or silence where it cannot be converted."""
        import av

        try:
            return [_floats(one) for one in self._resampler.resample(frame)]
        except av.error.FFmpegError:  # such as 31 channels, of which nobody knows where they are
            self._resampler = None
            length_s = frame.samples / frame.sample_rate
            self._notes.damage(f"{length_s:.2f} s at {self._now()} cannot be converted, silence takes their place")
            return [np.zeros((round(length_s * self.sample_rate), self.n_channels), np.float32)]

    def _flushed(self) -> list[Array]:
        """Return what is left of a part that was converted."""
        resampler, self._resampler = self._resampler, None
        return [] if resampler is None else [_floats(frame) for frame in resampler.resample(None)]

    def _check_end(self) -> None:
        seconds = self._done / self.sample_rate
        if self._stated_s is not None and seconds < self._stated_s - _MISSING_S:
            self._notes.damage(f"ends at {clock(seconds)} of {clock(self._stated_s)}")
        elif self._lost_bytes or self._is_cut:
            self._notes.damage(f"seems to be cut off at {clock(seconds)}")

    def _now(self) -> str:
        return clock(self._done / self.sample_rate)


def _floats(frame: Any) -> Array:
    """Return the samples of a frame, shape (n_samples, n_channels)."""
    is_wide = frame.format.is_planar and len(frame.layout.channels) > _MOST_PLANES
    if is_wide or frame.format.name.startswith("s64"):  # which PyAV makes no array of
        import av

        converter = av.AudioResampler("flt", frame.layout, frame.sample_rate)
        return np.concatenate([_floats(part) for part in converter.resample(frame)])
    x = frame.to_ndarray()
    x = x.T if frame.format.is_planar else x.reshape(frame.samples, -1)
    if x.dtype == np.uint8:
        return (x.astype(np.float32) - 128) / 128
    if x.dtype.kind == "i":
        return x.astype(np.float32) / np.float32(2.0 ** (8 * x.dtype.itemsize - 1))
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite then is counted by who reads
        return np.ascontiguousarray(x, np.float32)


def _reason(error: Exception, file: BinaryIO) -> str:
    file.seek(4)
    if file.read(4) == b"ftyp":
        return "the index of this MP4 is missing or damaged, it is probably cut off"
    return str(getattr(error, "strerror", None) or error).strip(" .")
