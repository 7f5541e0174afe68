"""Transform and Griffin-Lim against librosa's, where both know the window: the symmetric pair."""

import inspect

import librosa
import numpy as np
import pytest
from scipy.signal import get_window

from rtnmf.frames.griffin_lim import griffin_lim
from rtnmf.frames.stft import STFT

SYMMETRIC = [STFT(1024, 512), STFT(1024, 256), STFT(2048, 128)]
SEED = {"rng" if "rng" in inspect.signature(librosa.griffinlim).parameters else "random_state": 0}  # before librosa 1.0
each_symmetric = pytest.mark.parametrize("stft", SYMMETRIC, ids=str)


def settings(stft):
    """Return the same transform in librosa's words."""
    window = np.sqrt(get_window("hann", stft.n_fft))
    return {"n_fft": stft.n_fft, "hop_length": stft.hop_length, "window": window, "center": False}


def padded(x, stft):
    """Return a signal as librosa wants it to cut it into the same frames: the first ends after one hop."""
    return np.concatenate([np.zeros(stft.n_fft - stft.hop_length), x, np.zeros(stft.n_fft)]).astype(np.float32)


@each_symmetric
def test_forward_is_librosas(stft, speech):
    """Every bin of every frame, also of those that reach over the ends, is that of librosa."""
    ours = stft.forward(speech[:9001])
    theirs = librosa.stft(padded(speech[:9001], stft), **settings(stft))[:, : ours.shape[1]]
    np.testing.assert_allclose(ours, theirs, atol=1e-6 * np.abs(theirs).max())


@each_symmetric
def test_inverse_of_a_changed_spectrum_is_librosas(stft, speech):
    """Away from the ends the inverse of a spectrum that no signal has is that of librosa."""
    rng = np.random.default_rng(0)
    spectrum = stft.forward(speech[:9001])
    masked = spectrum * rng.random(spectrum.shape).astype(np.float32)
    ours = stft.inverse(masked, 9001)
    theirs = librosa.istft(masked, **settings(stft))[stft.n_fft - stft.hop_length :]
    inner = slice(stft.n_fft, 9001 - stft.n_fft)
    np.testing.assert_allclose(ours[inner], theirs[inner], atol=1e-6)


@pytest.mark.parametrize("n_iter", [8, 32])
@pytest.mark.parametrize("stft", SYMMETRIC[1:], ids=str)
def test_griffin_lim_converges_like_librosas(stft, n_iter, speech):
    """From the same magnitudes, ours comes about as near to them as librosa's does in as many iterations.

    The spectral convergence is the norm of the difference of the magnitudes, divided by that of the magnitudes. Both
    start from random phases of their own; librosa's may sound before the first sample, where ours is silent.
    """
    silence = np.zeros(stft.n_fft, np.float32)
    x = np.concatenate([silence, speech[:16000], silence])
    magnitudes = np.abs(stft.forward(x))[:, : len(x) // stft.hop_length]

    def convergence(found):
        return np.linalg.norm(found - magnitudes) / np.linalg.norm(magnitudes)

    ours = griffin_lim(magnitudes, stft, n_iter=n_iter)
    theirs = librosa.griffinlim(magnitudes, n_iter=n_iter, momentum=0.99, **SEED, **settings(stft))
    found = convergence(np.abs(stft.forward(ours))[:, : magnitudes.shape[1]])
    assert found < 1.2 * convergence(np.abs(librosa.stft(theirs, **settings(stft))))
    assert found < 0.2
