"""What the tests of the plugin's engine share."""

import os
from pathlib import Path

import numpy as np
import pytest
from conftest import noise
from plugin_engine import COMPILER, compiled

needs_compiler = pytest.mark.skipif(
    COMPILER is None and "CI" not in os.environ, reason="there is no g++: apt-get install g++, or set CXX"
)

_SANITIZED = ("-O0", "-g1", "-DRTNMF_PORTABLE", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def sanitized_driver():
    """Return the path of the program that runs the engine under the sanitizers of the compiler."""
    return compiled(Path(__file__).parent / "drive_engine.cpp", _SANITIZED)


def hostile(n_samples=6000, n_channels=2):
    """Return noise with an offset, silence, denormal numbers, and samples that count as silence."""
    x = noise(n_samples, n_channels) * 0.3 + np.float32(0.05)
    x[1500:2600] = 0
    x[3000:3100] *= np.float32(1e-38)
    x[3500:3510, 0] = [np.nan, np.inf, -np.inf, 1e9, 1e30, -1e9, 1e-11, -1e-11, 0, -0.0]
    x[4000:, -1] = x[4000:, 0]
    return x
