"""Learning on a device of torch: what it finds, and what is said where it cannot be had."""

import sys

import numpy as np
import pytest

from rtnmf import STFT, learn, nmf
from rtnmf.learning import archive

STFT_16K = STFT(512, 128)


def recordings():
    """Return two sources of noise of different colours, 2 s each."""
    rng = np.random.default_rng(0)
    return {name: np.convolve(rng.normal(size=32000), rng.normal(size=9)).astype(np.float32) for name in "xy"}


def learned(given, **settings):
    """Learn few components, with a short training."""
    return learn(given, 16000, **{"stft": STFT_16K, "n_components": 3, "n_steps": 20, "rest": False, **settings})


def assert_close(one, other):
    """Assert that two dictionaries are the same but for rounding, which the training lets grow."""
    for name, curve in one.divergences.items():
        np.testing.assert_allclose(curve, other.divergences[name], rtol=1e-5)
    np.testing.assert_allclose(one.components, other.components, rtol=1e-3, atol=1e-6)
    for a, b in ((one.update_components, other.update_components), (one.mask_components, other.mask_components)):
        np.testing.assert_allclose(a, b, atol=1e-3 * a.max())


@pytest.mark.parametrize("n_passes", [0, 2])
def test_a_dictionary_is_the_same_but_for_rounding(monkeypatch, n_passes):
    """Passes and training on a device find what they find on the processors, or the training alone does."""
    pytest.importorskip("torch")
    monkeypatch.setattr(archive, "_PARTITION_VALUES", 100 * STFT_16K.n_bins)
    one, other = (learned(recordings(), n_passes=n_passes, device=device) for device in (None, "cpu"))
    assert_close(one, other)
    assert not np.array_equal(one.mask_components, other.mask_components)  # so torch was asked


def test_what_was_interrupted_is_gone_on_from_on_another_device(tmp_path):
    """The first pass is done with kernels, the second one with torch: no more than rounding tells."""
    pytest.importorskip("torch")
    settings, stages = {"n_passes": 2, "checkpoint": tmp_path / "kept"}, []

    def leave(stage, *_):
        if stage.startswith("y, pass 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learned(recordings(), **settings, progress=leave)
    resumed = learned(recordings(), **settings, device="cpu", progress=lambda stage, *_: stages.append(stage))
    assert not any(stage.startswith("y, pass 1") for stage in stages)
    assert_close(resumed, learned(recordings(), n_passes=2))


def test_blocks_are_factorised_on_a_device():
    """`fit_blocks` finds the same with torch but for rounding."""
    pytest.importorskip("torch")
    blocks = [np.random.default_rng(seed).rayleigh(size=(33, 400)) for seed in range(3)]
    one, other = (nmf.fit_blocks(blocks, 4, device=device) for device in (None, "cpu"))
    np.testing.assert_allclose(other.W, one.W, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(other.divergences, one.divergences, rtol=1e-6)


@pytest.mark.parametrize("n_passes", [0, 2])
def test_torch_that_is_not_installed_is_said_before_anything_is_read(monkeypatch, n_passes):
    """The error says what to install; no recording is opened."""
    monkeypatch.setitem(sys.modules, "torch", None)
    message = r"^device is 'cuda', which needs torch: pip install 'rtnmf\[gpu\]' \("
    with pytest.raises(ValueError, match=message):
        learned({"x": "nowhere.wav", "y": "nowhere.wav"}, n_passes=n_passes, device="cuda")
    with pytest.raises(ValueError, match=message):
        nmf.fit_blocks([], 2, device="cuda")


@pytest.mark.parametrize("device", ["nosuch", "cuda:999", "meta", ""])
def test_a_device_that_cannot_be_had_is_said_before_anything_is_read(device):
    """An unknown one, one that this machine lacks, and one that computes nothing."""
    pytest.importorskip("torch")
    message = rf"^device is '{device}', on which torch cannot compute here: choose another, or leave it out \(.+\)$"
    with pytest.raises(ValueError, match=message):
        learned({"x": "nowhere.wav", "y": "nowhere.wav"}, device=device)


def test_what_is_no_name_of_a_device_is_refused():
    """Numbers are."""
    with pytest.raises(TypeError, match="device is 0, expected the name of a device of torch, such as 'cuda'"):
        learned(recordings(), device=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_steps": 0}, "there are neither passes nor a training to be done on device 'cpu': leave it out"),
        ({"n_passes": 1, "memory": 10**9}, "memory is limited without torch only, and device is 'cpu': leave one"),
    ],
)
def test_what_a_device_would_ignore_is_refused(settings, message):
    """A device without work, and a limit on the memory that would not hold."""
    pytest.importorskip("torch")
    with pytest.raises(ValueError, match=message):
        learned(recordings(), device="cpu", **settings)
