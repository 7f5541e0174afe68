"""The command in this process or in one of its own, and what tests give it to work on."""

import subprocess
import sys

import numpy as np
from conftest import random_dictionary

from rtnmf import STFT
from rtnmf.audio import files
from rtnmf.cli.main import main


def run(*arguments):
    """Run the command in this process and return its exit code."""
    return main([str(argument) for argument in arguments])


def run_process(*arguments, **options):
    """Run the command in a process of its own and return that."""
    line = [sys.executable, "-m", "rtnmf", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=120, **options)


def sound(path, n_samples=30_000, n_channels=1, rate=16000, subtype=None):
    """Write noise and return the path."""
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (n_samples, n_channels)).astype(np.float32)
    files.write(path, x, rate, subtype)
    return path


def save_desk(folder, sample_rate=16000):
    """Save a dictionary with the sources voice and fan, and return its path."""
    path = folder / "desk.safetensors"
    random_dictionary(STFT(1024, 256), ("voice", "fan"), sample_rate=sample_rate).save(path)
    return path


def assert_refused(arguments, message, capsys):
    """Assert that a command ends with code 2, and a line with a message on stderr, besides notes and training."""
    assert run(*arguments) == 2, arguments
    said = capsys.readouterr().err.splitlines()
    assert [line for line in said if not line.startswith(("note: ", "training "))] == said[-1:]
    assert said[-1].startswith("rtnmf: ")
    assert message in said[-1]
