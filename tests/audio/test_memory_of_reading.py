"""Memory does not grow with the length of what is read."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile

import rtnmf

RATE = 44100
MEASURED = """
import sys, rtnmf
path, folder = sys.argv[1:]
{}
print([int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")][0])
"""
LEARN = "rtnmf.learn({'a': path, 'b': folder + '/short.flac'}, n_components=4, n_iter=2, n_steps=2)"
SEPARATE = """
both = rtnmf.load_preset('speech').merge(rtnmf.load_preset('keyboard')).at_rate(44100)
rtnmf.separate_file(path, both, folder + '/stems', n_iter=1)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder to write in, with a short recording; what is compiled once is kept, as compiling takes memory."""
    both = rtnmf.load_preset("speech").merge(rtnmf.load_preset("keyboard")).at_rate(RATE)
    for experts in ((), None):
        rtnmf.Separator(both, n_channels=2, experts=experts)
    folder = tmp_path_factory.mktemp("memory")
    soundfile.write(folder / "short.flac", np.random.default_rng(1).uniform(-0.3, 0.3, (RATE * 3, 2)), RATE)
    return folder


def recording(folder, minutes):
    """Write soft stereo noise, which FLAC makes small, and return its path."""
    path = folder / f"{minutes}.flac"
    noise = np.random.default_rng(0).uniform(-1e-4, 1e-4, (RATE * 60, 2)).astype(np.float32)
    with soundfile.SoundFile(path, "w", RATE, 2) as file:
        for _ in range(minutes):
            file.write(noise)
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("code", "most"), [(LEARN, 600), (SEPARATE, 300)], ids=["learn", "separate"])
@pytest.mark.parametrize("minutes", [2, pytest.param(120, marks=pytest.mark.long)])
def test_memory_stays_within_its_limit_in_mb(folder, code, most, minutes):
    """Learning from two hours of stereo takes less than 600 MB, separating them less than 300."""
    command = [sys.executable, "-c", MEASURED.format(code), recording(folder, minutes), folder]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < most
