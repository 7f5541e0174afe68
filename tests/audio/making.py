"""Audio files of many kinds, made with sox, ffmpeg and libsndfile, and what ffmpeg plays of them."""

import functools
import subprocess
import tempfile
import warnings
from pathlib import Path

import numpy as np
import soundfile

from rtnmf.audio import files

RATE = 44100
FOLDER = tempfile.TemporaryDirectory()  # of this process
CLICK = 30_000  # the sample that is louder than all others


def signal(seconds=2.0, rate=RATE):
    """Return a tone that swells, some noise, and a click, shape (n_samples,)."""
    t = np.arange(round(seconds * rate)) / rate
    tone = np.sin(2 * np.pi * 220 * t) + 0.5 * np.sin(2 * np.pi * 1100 * t)
    x = 0.2 * tone * (0.6 + 0.4 * np.sin(2 * np.pi * 0.7 * t)) + np.random.default_rng(0).normal(0, 0.01, len(t))
    x[CLICK - 8 : CLICK + 9] += 0.6 * np.hanning(17)
    return x


X = signal()[:, None].astype(np.float32)


def ffmpeg(*arguments):
    """Run ffmpeg, and return what it writes."""
    return subprocess.run(["ffmpeg", "-y", "-loglevel", "error", *arguments], check=True, capture_output=True).stdout


def played(path):
    """Return what ffmpeg plays of the first audio track of a file, shape (n_samples, n_channels)."""
    shape = ["-show_entries", "stream=channels", "-of", "csv=p=0", "-select_streams", "a:0", path]
    n_channels = subprocess.run(["ffprobe", "-v", "error", *shape], check=True, capture_output=True, text=True).stdout
    raw = ffmpeg("-i", path, "-map", "a:0", "-f", "f32le", "-")
    return np.frombuffer(raw, "<f4").reshape(-1, int(n_channels.split()[0].strip(",")))


LOSSY = {
    "m4a": ["-movflags", "+faststart"],
    "aac": [],
    "mp3": [],
    "mp2": [],
    "ac3": [],
    "wma": [],
    "ogg": [],
    "opus": [],
    "webm": [],
    "mka": [],
    "mp4": ["-movflags", "+faststart"],
    "mp3.wav": ["-c:a", "libmp3lame"],
}
LOSSLESS = {
    "wav": "WAV PCM_16",
    "flac": "FLAC PCM_16",
    "aiff": "AIFF PCM_24",
    "caf": "CAF PCM_24",
    "au": "AU PCM_16",
    "w64": "W64 PCM_16",
    "rf64": "RF64 PCM_16",
}
CODED = {"wv": [], "tta": [], "alac.m4a": ["-c:a", "alac"]}


@functools.cache
def made(kind, seconds=2):
    """Make a file of a kind, once, with `signal(seconds)` in it, and return its path."""
    folder, x = Path(FOLDER.name) / f"{kind}-{seconds}", signal(seconds)
    folder.mkdir()
    path = folder / f"x.{kind}"
    if kind in LOSSLESS:
        container, subtype = LOSSLESS[kind].split()
        soundfile.write(path, x, RATE, subtype, format=container)
        return path
    source = folder / "source.wav"
    soundfile.write(source, x, RATE, "PCM_16")
    picture = ["-f", "lavfi", "-i", "color=c=black:s=64x64", "-shortest"] if kind == "mp4" else []
    ffmpeg(*picture[:4], "-i", source, *picture[4:], *{**LOSSY, **CODED}[kind], path)
    return path


def read_noting(path, **options):
    """Return the samples of a file and the warnings about it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        x, _ = files.read(path, **options)
    return x, [str(warning.message) for warning in caught]


def similarity(x, y):
    """Return the correlation of two signals, 1 for equal ones."""
    n = min(len(x), len(y))
    return float(np.corrcoef(x[:n, 0], y[:n, 0])[0, 1])
