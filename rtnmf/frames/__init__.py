"""Frames: the short-time Fourier transform, soft masks, and the model that explains a frame."""
