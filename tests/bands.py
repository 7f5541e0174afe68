"""A voice and a rest that are bands of noise: what is learned of them takes a second, and is sure to be a gain."""

import numpy as np

from rtnmf import STFT, Dictionary
from rtnmf.dictionary.examples import coded

RATE = 8000


def voice_and_rest(sources=("voice", "rest")):
    """Return a dictionary that was taught a voice from 250 to 1250 Hz, and that the rest is all that is higher."""
    stft, rng = STFT(256, 64), np.random.default_rng(0)
    parts, frames = {}, {}
    for source, (first, last) in zip(sources, ((8, 40), (50, 125)), strict=True):
        columns = np.full((stft.n_bins, 4), 1e-4)
        columns[first:last] += rng.random((last - first, 4)) ** 4
        parts[source] = columns / columns.sum(axis=0)
        frames[source] = coded((parts[source] @ rng.random((4, 200)) ** 3).astype(np.float32))
    labels = [source for source in sources for _ in range(4)]
    return Dictionary(np.hstack(list(parts.values())), labels, stft, RATE, rest=sources[1], frames=frames)


def mixture(seconds, rate=48000, rest_hz=(2000, 2600)):
    """Return a voice that pauses, and a rest that is narrower than what was taken for it, shape (n_samples,)."""
    rng, n_samples = np.random.default_rng(1), int(seconds * rate)
    hz = np.fft.rfftfreq(n_samples, 1 / rate)
    voice, rest = (
        np.fft.irfft(np.fft.rfft(rng.standard_normal(n_samples)) * ((hz > low) & (hz < high)), n_samples)
        for low, high in ((300, 1200), rest_hz)
    )
    voice *= np.sin(2 * np.pi * 0.7 * np.arange(n_samples) / rate) > 0.3
    return (0.1 * voice / voice.std() + 0.1 * rest / rest.std()).astype(np.float32)
