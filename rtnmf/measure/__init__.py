"""Measures: how good, how fast. Nothing here prints."""
