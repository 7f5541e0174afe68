"""Pages that commands write."""

import pytest

from rtnmf.cli import pages


def test_a_page_is_an_html_file_in_a_folder_that_exists(tmp_path):
    """A page ends in .html or .htm and its folder exists; None is no page."""
    for path in (None, "page.html", str(tmp_path / "PAGE.HTM")):
        pages.check_page(path)
    with pytest.raises(ValueError, match=r"'clip.wav' is not the name of a page, expected one that ends in .html"):
        pages.check_page("clip.wav")
    with pytest.raises(ValueError, match="there is no such folder"):
        pages.check_page(str(tmp_path / "no" / "page.html"))


def test_a_page_is_written_and_named_on_stderr(tmp_path, capsys):
    """A written page is named on stderr, so that stdout stays what the command prints."""
    path = str(tmp_path / "page.html")
    pages.write_page(path, "<p>Übung")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == "<p>Übung"
    assert capsys.readouterr() == ("", f"{path}\n")
