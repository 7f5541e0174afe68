"""Whole recordings: how a file becomes stems."""
