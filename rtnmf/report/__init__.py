"""The report: one HTML page on which a dictionary, and what it finds in a clip, can be seen and heard.

`describe` gathers what is shown, `render` makes the page of it; `render_evaluation` does so for measured cases.
"""

from rtnmf.report.description import Description, Row, describe
from rtnmf.report.page import render, render_evaluation

__all__ = ["Description", "Row", "describe", "render", "render_evaluation"]
