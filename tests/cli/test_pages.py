"""Pages that commands write."""

import pytest
from conftest import random_dictionary

from rtnmf import STFT, Dictionary
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


def test_what_took_a_name_meanwhile_is_not_replaced(tmp_path, capsys):
    """A file that appeared under a name while something was made for it stays, and nothing that was made is lost."""
    path = str(tmp_path / "desk.safetensors")
    made, other = (random_dictionary(STFT(64, 16), names) for names in (("voice",), ("fan",)))
    other.save(path)
    place = pages.written(path, made.save, overwrite=False)
    assert place == str(tmp_path / "desk-2.safetensors")
    assert capsys.readouterr().err == f"note: {path} is there by now, and was not replaced: written as {place}\n"
    assert (Dictionary.load(path), Dictionary.load(place)) == (other, made)
    assert pages.written(path, made.save, overwrite=True) == path
    assert Dictionary.load(path) == made
    with pytest.raises(ValueError, match="cannot be written"):
        pages.written(str(tmp_path / "no" / "x.safetensors"), made.save, overwrite=False)
