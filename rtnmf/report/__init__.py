"""The report: one HTML page on which a dictionary, and what it finds in a clip, can be seen and heard.

`describe` gathers what is shown, `render` makes the page of it, which a notebook shows as it is, and
`render_evaluation` that of measured cases.
"""

from rtnmf.report.description import Description, Origin, Row, describe
from rtnmf.report.page import Page, render, render_evaluation

__all__ = ["Description", "Origin", "Page", "Row", "describe", "render", "render_evaluation"]
