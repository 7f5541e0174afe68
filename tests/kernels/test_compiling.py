"""How inner loops are compiled and kept."""

import os
import subprocess
import sys

import numpy as np
import pytest

from rtnmf.kernels.compiling import log, power

SEPARATE = """
import hashlib, numpy as np
from rtnmf import STFT, Dictionary, nmf, separate
rng = np.random.default_rng(0)
W = rng.random((129, 7)) ** 4
x = rng.uniform(-1, 1, 4000).astype(np.float32)
stems = separate(x, Dictionary(W, tuple("aaaabbb"), STFT(256, 64), 8000))
fitted = nmf.fit(np.abs(STFT(256, 64).forward(x)), 3, n_iter=5)
print(hashlib.sha256(stems.tobytes() + fitted.W.tobytes()).hexdigest())
"""


def ran(**environment):
    """Return what a new process makes of the same sound."""
    ended = subprocess.run(
        [sys.executable, "-c", SEPARATE], env=os.environ | environment, capture_output=True, text=True, timeout=120
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def test_code_from_the_cache_rounds_as_code_just_compiled(tmp_path):
    """A process that compiles, one that finds the code kept, and one that may keep none, give the same to the bit."""
    compiled = ran(NUMBA_CACHE_DIR=str(tmp_path))
    assert list(tmp_path.rglob("*.nbc"))
    assert ran(NUMBA_CACHE_DIR=str(tmp_path)) == compiled
    only_there = {"NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator", "NUMBA_CACHE_DIR": "/dev/null/no"}
    assert ran(**only_there) == compiled


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.7, 3.0])
def test_powers_are_those_of_numpy(exponent):
    """Powers are those of numpy, held between 1e-37 and 1e37, and zero gives next to nothing."""
    x = np.float32(10.0) ** np.linspace(-10, 10, 201, dtype=np.float32)
    found = np.array([power(one, np.float32(exponent)) for one in x])
    np.testing.assert_allclose(found, x.astype(float) ** exponent, rtol=1e-5)
    assert 0 < power(np.float32(0), np.float32(exponent)) < 1e-18


def test_logarithms_are_those_of_numpy():
    """Logarithms are those of numpy."""
    x = np.float32(10.0) ** np.linspace(-30, 30, 601, dtype=np.float32)
    np.testing.assert_allclose([log(one) for one in x], np.log(x.astype(float)), rtol=1e-6, atol=1e-6)
