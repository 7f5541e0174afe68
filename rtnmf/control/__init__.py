"""How hands and eyes reach a running separation: each controller reads `Stats` and writes `Mixer`."""
