"""The transform: its settings, its windows, forward and inverse, and sound from magnitudes alone."""

import copy
import pickle

import numpy as np
import pytest

from rtnmf.frames.griffin_lim import griffin_lim
from rtnmf.frames.stft import STFT


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((2, 1), "n_fft is 2, expected at least 4"),
        ((1025, 256), "n_fft is 1025, expected an even number"),
        ((1024, 0), "hop_length is 0, expected at least 1"),
        ((1024, 513), r"latency is 1024, expected .* from 2 \* hop_length = 1026"),
        ((1024, 64, 100_000), "latency is 100000, expected"),
        ((1024, 64, 127), "latency is 127, expected an even number"),
    ],
)
def test_bad_settings_are_refused(arguments, message):
    """Each setting out of its range is refused, naming it, its value and what was expected."""
    with pytest.raises(ValueError, match=message):
        STFT(*arguments[:2], latency=arguments[2] if len(arguments) > 2 else None)


@pytest.mark.parametrize("value", [1024.0, "1024", True, None])
def test_settings_are_whole_numbers(value):
    """A window length that is no integer is a TypeError that names it."""
    with pytest.raises(TypeError, match=r"n_fft is .*, expected a whole number"):
        STFT(value, 256)


@pytest.mark.parametrize(
    ("rate", "n_fft"), [(8000, 512), (16000, 1024), (24000, 1024), (44100, 2048), (48000, 2048), (96000, 4096)]
)
def test_default_window_follows_the_rate(rate, n_fft):
    """The default window is 42 ms, rounded up to a power of two, with a hop of a quarter."""
    assert STFT.default(rate) == STFT(n_fft, n_fft // 4, latency=n_fft)


@pytest.mark.parametrize("sample_rate", [0, -8000, 44100.5, 10**8])
def test_default_refuses_a_rate_that_is_none(sample_rate):
    """A sample rate that is not a whole number of Hz from 1 to 10 million is refused by its name."""
    with pytest.raises(ValueError, match=f"sample_rate is {sample_rate}, expected a whole number of Hz"):
        STFT.default(sample_rate)


@pytest.mark.parametrize(
    ("latency_ms", "expected"),
    [
        (3, STFT(2048, 36, latency=144)),
        (2.9999, STFT(2048, 35, latency=142)),
        (0.05, STFT(2048, 1, latency=2)),
        (1000, STFT(2048, 512)),
    ],
)
def test_default_keeps_to_a_latency_in_ms(latency_ms, expected):
    """The latency is the largest even number of samples within the milliseconds, and at most the window."""
    assert STFT.default(48000, latency_ms=latency_ms) == expected


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"latency_ms": 0.01}, ValueError, "latency_ms is 0.01, expected at least two samples, 0.0417 ms"),
        ({"latency_ms": "low"}, TypeError, "latency_ms is 'low', expected a number of milliseconds"),
        ({"latency_ms": 3, "latency": 64}, ValueError, "latency and latency_ms are given together"),
    ],
)
def test_default_refuses_other_latencies(options, error, message):
    """A latency too short, not a number, or given in two units is refused."""
    with pytest.raises(error, match=message):
        STFT.default(48000, **options)


def test_windows_are_root_hann_when_symmetric():
    """With a latency of the whole window, the square of the analysis window is a periodic Hann window."""
    window = STFT(1024, 256).analysis_window
    np.testing.assert_allclose(window**2, 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024), atol=1e-7)


def test_windows_multiply_to_a_short_hann_at_low_latency():
    """At low latency the product of both windows is a Hann window over the last `latency` samples."""
    stft = STFT(2048, 32, latency=128)
    product = stft.analysis_window[-128:] * stft.synthesis_window
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(128) / 128)
    np.testing.assert_allclose(product / product.max(), hann, atol=1e-6)


def test_windows_cannot_be_changed():
    """Writing to a window raises, since all users of the settings share it."""
    with pytest.raises(ValueError, match="read-only"):
        STFT().analysis_window[0] = 1


def test_forward_is_the_fourier_transform_of_each_frame(stft):
    """A frame in the middle is the Fourier transform of its windowed samples, as complex64."""
    x = np.random.default_rng(0).standard_normal(5000).astype(np.float32)
    spectrum = stft.forward(x)
    t = stft.n_fft // stft.hop_length + 1
    frame = x[(t + 1) * stft.hop_length - stft.n_fft :][: stft.n_fft]
    np.testing.assert_allclose(spectrum[:, t], np.fft.rfft(frame * stft.analysis_window), atol=1e-3)
    assert spectrum.shape == (stft.n_bins, (5000 + stft.latency - 1) // stft.hop_length)
    assert spectrum.dtype == np.complex64


@pytest.mark.parametrize("n_samples", [0, 1, 31, 256, 1025, 20000])
def test_inverse_has_the_exact_length_and_returns_the_signal(stft, n_samples):
    """Signals of any length, also none, come back from their spectra with the same length, to 1e-6."""
    x = np.random.default_rng(1).uniform(-1, 1, n_samples).astype(np.float32)
    y = stft.inverse(stft.forward(x), n_samples)
    assert y.shape == x.shape
    np.testing.assert_allclose(y, x, atol=1e-6)


def test_wrong_shapes_are_refused(stft):
    """Signals with channels, spectra of another window and lengths beyond the frames are refused by name."""
    with pytest.raises(ValueError, match=r"x has shape \(5, 2\)"):
        stft.forward(np.zeros((5, 2)))
    with pytest.raises(ValueError, match=r"spectrum has shape \(3, 4\)"):
        stft.inverse(np.zeros((3, 4), complex), 1)
    with pytest.raises(ValueError, match="n_samples is 9000, more than"):
        stft.inverse(stft.forward(np.zeros(1000)), 9000)


def test_griffin_lim_finds_a_signal_with_the_spectrogram(stft, speech):
    """The spectrogram of what Griffin-Lim finds comes closer with more iterations; silence stays finite."""
    magnitudes = np.abs(stft.forward(speech[:8000]))[:, : 8000 // stft.hop_length]

    def distance(n_iter):
        y = griffin_lim(magnitudes, stft, n_iter=n_iter)
        again = np.abs(stft.forward(y))[:, : magnitudes.shape[1]]
        return np.linalg.norm(again - magnitudes) / np.linalg.norm(magnitudes)

    assert distance(32) < distance(2)
    assert distance(32) < 0.35
    assert np.isfinite(griffin_lim(0 * magnitudes, stft, n_iter=2)).all()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda stft: stft.forward(np.zeros(9, complex)), TypeError, "x is complex, expected real samples"),
        (lambda stft: stft.forward(np.zeros(9), 0), ValueError, "hop_length is 0, expected at least 1"),
        (lambda stft: stft.forward(np.zeros(9), True), TypeError, "hop_length is True"),
        (
            lambda stft: stft.inverse(stft.forward(np.zeros(900)), -1),
            ValueError,
            "n_samples is -1, expected at least 0",
        ),
        (lambda stft: stft.default(8000, latency="lowest"), TypeError, "latency is 'lowest', expected a whole number"),
    ],
)
def test_arguments_that_would_give_something_else_are_refused(stft, call, error, message):
    """No imaginary part, sign or word is dropped in silence; the error names the argument."""
    with pytest.raises(error, match=message):
        call(stft)


@pytest.mark.parametrize(
    ("sample_rate", "n_fft", "n_terms"),
    [(44100, 2048, 2), (16000, 1024, 3), (44100, 8192, 7), (16000, 64, 0), (1, 64, 16)],
)
def test_trend_holds_what_is_low_and_nothing_else(sample_rate, n_fft, n_terms):
    """The basis is orthonormal, has a term for each half period of 20 Hz, and holds 10 Hz but hardly 60 Hz."""
    stft = STFT(n_fft, n_fft // 4)
    basis = stft.trend(sample_rate, 20.0)
    assert basis.shape == (n_terms, n_fft)
    np.testing.assert_allclose(basis @ basis.T, np.eye(n_terms), atol=1e-5)
    if sample_rate == 44100:
        t = np.arange(n_fft) / sample_rate
        for hz, least, most in ((0, 0.999, 1), (8, 0.95, 1), (60, 0, 0.03)):
            frame = stft.analysis_window * np.cos(2 * np.pi * hz * t + 1)
            assert least <= ((basis @ frame) ** 2).sum() / (frame**2).sum() <= most + 1e-6


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda stft: pickle.loads(pickle.dumps(stft))])  # noqa: S301  # our own
def test_the_windows_of_a_copy_are_read_only_too(stft, copied):
    """A copy is equal, and its windows cannot be changed, whether they were computed before it was made or not."""
    assert not stft.analysis_window.flags.writeable
    assert not stft.synthesis_window.flags.writeable
    same = copied(stft)
    assert same == stft
    assert not same.analysis_window.flags.writeable
    assert not same.synthesis_window.flags.writeable
