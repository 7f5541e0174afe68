"""Plugins of small dictionaries, for tests of them in hosts."""

import functools
import tempfile
from pathlib import Path

import numpy as np
from conftest import random_dictionary

import rtnmf
from rtnmf import STFT
from rtnmf.plugins import make

RATE = 16000
OUTPUTS = 18
GAINS_DB = {"a": -6.0, "b": 3.0}
FOLDER = tempfile.TemporaryDirectory()  # of all plugins of a process: what is loaded once is never unloaded


def desk():
    """Return a trained dictionary of two sources."""
    return random_dictionary(STFT(1024, 256), trained=True, sample_rate=RATE)


def quick():
    """Return a dictionary of three sources with a short latency."""
    return random_dictionary(STFT(1024, 32, latency=128), ("a", "b", "c"), sample_rate=RATE)


def foreign():
    """Return a dictionary whose sources have names that are not ASCII, and two as long as names may be."""
    names = ("Küche", "音楽", "雨音", "😀" * 64, "é" * 64)
    return random_dictionary(STFT(256, 128), names, sample_rate=RATE)


@functools.cache
def plugins(name, dictionary=desk, formats=("clap", "vst3", "lv2")):
    """Return the paths of plugins of a dictionary, made once."""
    return make(dictionary and dictionary(), name, Path(FOLDER.name) / name, formats)


@functools.cache
def noise(n_samples=RATE // 2, seed=0):
    """Return noise, shape (2, n_samples)."""
    return (0.1 * np.random.default_rng(seed).standard_normal((2, n_samples))).astype(np.float32)


def linear(gain_db):
    """Return a gain that is given in dB."""
    return 10 ** (gain_db / 20)


@functools.cache
def late(dictionary=desk, sample_rate=RATE):
    """Return the stems of the noise as a stream gives them, shape (n_sources, 2, n_samples)."""
    separator = rtnmf.Separator(dictionary().at_rate(sample_rate), n_channels=2, experts=())
    return separator.process(noise().T).transpose(0, 2, 1)


def in_blocks(process, x, length):
    """Return what a function of blocks of samples gives for them all."""
    return np.hstack([process(x[:, i : i + length]) for i in range(0, x.shape[1], length)])
