"""The report: one HTML page on which a dictionary, and what it finds in a clip, can be seen and heard."""

from rtnmf.report.page import Description, Row, describe, render, render_evaluation

__all__ = ["Description", "Row", "describe", "render", "render_evaluation"]
