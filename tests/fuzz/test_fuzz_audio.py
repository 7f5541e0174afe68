"""Audio files of every format that libsndfile and PyAV read, damaged, joined, cut and given other names."""

import contextlib
import functools
import subprocess

import numpy as np
import pytest
import soundfile
from guards import FindingError, check_finite, fuzz, integer, long, mutated, odd, of_corpus, replay, tried

from rtnmf import bounds
from rtnmf.audio import files

ENDINGS = ("wav", "mp3", "flac", "ogg", "m4a", "aiff", "raw", "mp4", "")
CODED = {  # for ffmpeg, which leaves out what it was built without
    "m4a": [], "aac": [], "mp2": [], "mp3": [], "ac3": [], "eac3": [], "wma": [], "webm": [], "mka": [], "mp4": [],
    "ogg": [], "opus": [], "wv": [], "tta": [], "alac.m4a": ["-c:a", "alac"], "mp3.wav": ["-c:a", "libmp3lame"],
    "mov": ["-c:a", "pcm_s16be"], "avi": [], "ts": [], "flv": ["-ar", "44100"], "dts": ["-strict", "-2"], "caf": [],
    "mpg": [], "nut": [], "mxf": ["-ar", "48000"], "oma": ["-c:a", "libmp3lame"], "w64": [], "au": [], "aiff": [],
    "flac": [], "oga": ["-c:a", "flac"], "latm": ["-strict", "-2"], "mlp": ["-strict", "-2"],
    "thd": ["-strict", "-2"], "swf": ["-ar", "44100"], "wtv": [], "rm": [], "asf": [], "mkv": [],
    "3gp": ["-c:a", "aac"], "spx": ["-c:a", "libspeex"], "ima.wav": ["-c:a", "adpcm_ima_wav"],
    "ms.wav": ["-c:a", "adpcm_ms"],
    "voc": [], "frag.mp4": ["-movflags", "frag_keyframe+empty_moov"], "fast.m4a": ["-movflags", "+faststart"],
    "vbr.mp3": ["-q:a", "4", "-write_xing", "0"], "gsm": ["-ar", "8000", "-ac", "1"], "nsv": [], "dsf": [],
}  # fmt: skip


def signal(n_samples, n_channels):
    """Return a tone in noise, shape (n_samples, n_channels)."""
    x = 0.3 * np.sin(np.arange(n_samples) / 9)[:, None] + 0.05 * np.random.default_rng(0).normal(size=(n_samples, 2))
    return np.clip(x, -0.9, 0.9)[:, :n_channels]


@functools.cache
def plain_files(folder):
    """Return the bytes of files of all formats and codings that libsndfile writes."""
    made = []
    for form in soundfile.available_formats():
        for coding in soundfile.available_subtypes(form):
            for rate, n_channels in ((8000, 1), (44100, 2)):
                path = folder / f"{form}-{coding}-{n_channels}"
                try:
                    soundfile.write(path, signal(1200, n_channels), rate, coding, format=form)
                except (soundfile.LibsndfileError, ValueError):  # not of this rate or number of channels
                    continue
                made.append(path.read_bytes())
    return made


@functools.cache
def coded_files(folder):
    """Return the bytes of files that ffmpeg writes, and of streams that have no length, or are broken off."""
    source, made = folder / "source.wav", []
    soundfile.write(source, signal(9000, 2), 44100, "PCM_16")
    tags = ["-metadata", "title=\x1b[2J\u202e", "-metadata", "artist=" + "x" * 500]
    for name, options in CODED.items():
        line = ["ffmpeg", "-y", "-loglevel", "quiet", "-i", source, *tags, *options, folder / f"x.{name}"]
        if subprocess.run(line, check=False).returncode == 0:
            made.append((folder / f"x.{name}").read_bytes())
    for form in ("flac", "wav", "matroska", "ogg"):
        line = ["ffmpeg", "-loglevel", "quiet", "-i", source, "-f", form, "-"]
        made.append(subprocess.run(line, check=True, capture_output=True).stdout)
    return made


def attempt(seeds, rng, folder):
    """Write a file that is not as it was made, and read it."""
    data = odd(rng, seeds)
    kind = rng.integers(8)
    if kind == 0:
        data += odd(rng, seeds)
    elif kind == 1:
        other = odd(rng, seeds)
        data = data[: rng.integers(len(data))] + other[rng.integers(len(other)) :]
    if kind > 0:
        data = mutated(rng, data)
    path = folder / f"x.{odd(rng, ENDINGS)}"
    path.write_bytes(data)
    use(rng, path)


def use(rng, path):
    """Read a file as a whole, a part of it, at another rate, and in blocks."""
    tried("the duration", files.duration_s, path)
    tried("reading", whole, path)
    tried("reading the end", sounds_right, path, start_s=0.05)
    if rng.random() < 0.5:
        part = {"start_s": odd(rng, (0.0, 0.01, 1e9)), "seconds": odd(rng, (None, 0.05, 1e9))}
        tried("reading a part", sounds_right, path, integer(rng, 8000, 48000, 44100, most=10**7), **part)
    if rng.random() < 0.3:
        tried("reading strictly", sounds_right, path, strict=True)
    if rng.random() < 0.3:
        tried("reading in blocks", in_blocks, path, integer(rng, 1, 512, 65536, most=10**6))


def whole(path):
    """Read all, and hold that it is no more than is believed to be in it."""
    x = sounds_right(path)
    if x.size > bounds.most_values(path.stat().st_size):
        raise FindingError(f"reading: made {x.size} values")


def sounds_right(path, *arguments, **options):
    """Read, and hold that it is sound."""
    x, rate = files.read(path, *arguments, **options)
    check_finite("what was read", x)
    is_empty = not len(x) and not arguments  # of very few samples, a lower rate has none
    if x.ndim != 2 or is_empty or rate < 1 or x.dtype != np.float32:
        raise FindingError(f"reading: {x.dtype} {x.shape} at {rate} Hz")
    return x


def in_blocks(path, length):
    """Read blocks of a length until there are no more, or enough."""
    with files.AudioReader(path) as reader:
        for n_done, block in enumerate(reader.blocks(length)):
            check_finite("a block", block)
            if n_done > 1000:
                return


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Return the files that libsndfile writes; one is read before all guards, as that loads what reads."""
    made = plain_files(tmp_path_factory.mktemp("plain"))
    path = tmp_path_factory.mktemp("first") / "x.wav"
    for data in made[::40]:
        path.write_bytes(data)
        with contextlib.suppress(ValueError):  # bare samples are among them
            files.read(path, 16000)
    return made


def test_damaged_audio_is_read_or_refused(tmp_path, plain):
    """Some damaged files give finite sound, or are refused in words."""
    fuzz(functools.partial(attempt, plain), tmp_path, n=1000)


@of_corpus("audio")
def test_audio_that_was_a_finding_is_read_or_refused(tmp_path, path, plain):
    """What was a bomb, or broke something, does so no more."""
    replay(use, path, tmp_path)


@long
def test_damaged_audio_is_read_or_refused_for_long(tmp_path, plain, tmp_path_factory):
    """So do many, of all formats of both decoders."""
    coded = coded_files(tmp_path_factory.mktemp("coded"))
    assert len(coded) > 30
    fuzz(functools.partial(attempt, plain + 3 * coded), tmp_path)
