"""The streaming engine: how a stream becomes stems."""
