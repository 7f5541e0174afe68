#!/usr/bin/env python3
"""Learn a dictionary from one recording per sound: `scripts/learn.py voice.wav fan.wav desk.safetensors`."""

import sys
from pathlib import Path

import rtnmf

*clips, output = map(Path, sys.argv[1:])

# A source takes the name of its file; several recordings of it may be given as a list.
recordings = {clip.stem: clip for clip in clips}

# Each recording becomes a magnitude spectrogram V; KL-NMF finds W and H with V ~ W H, and W is kept. Columns of the
# same number are then trained on mixtures of the recordings, to separate them better.
dictionary = rtnmf.learn(recordings, n_components=32, seed=0)

# One file holds the components, whose they are, the sample rate and the STFT they belong to.
dictionary.save(output)
print(f"{output}: {', '.join(dictionary.sources)}, {dictionary.n_components} components")
