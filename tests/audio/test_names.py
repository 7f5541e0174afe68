"""Names of files in a list, and in a folder."""

import pytest

from rtnmf.audio.names import audio_files, split


def test_an_existing_file_keeps_the_separators_in_its_name(tmp_path, monkeypatch):
    """The longest name that is a file wins, wherever it stands; other separators separate."""
    monkeypatch.chdir(tmp_path)
    for name in ("a,b.wav", "c,d,e.wav", "c"):
        (tmp_path / name).touch()
    assert split("x.wav,a,b.wav,c,d,e.wav,c,y", ",") == ["x.wav", "a,b.wav", "c,d,e.wav", "c", "y"]


def test_a_backslash_keeps_a_separator(tmp_path, monkeypatch):
    """A separator with a backslash before it belongs to the name, which has no backslash."""
    monkeypatch.chdir(tmp_path)
    assert split(r"a\,b.wav,c\,d,e+f", ",") == ["a,b.wav", "c,d", "e+f"]
    assert split(r"C:\x\y+drums", "+") == [r"C:\x\y", "drums"]
    assert split("", ",") == [""]


def test_a_folder_gives_its_audio_files_and_says_what_it_leaves_out(tmp_path):
    """Files with an ending of audio are given in order, others named in a warning, hidden ones and folders left out."""
    for name in ("b.m4a", "a.WAV", "notes.txt", ".x.wav"):
        (tmp_path / name).touch()
    (tmp_path / "folder.wav").mkdir()
    with pytest.warns(UserWarning, match=r": left out, as not audio by their endings: notes.txt$"):
        assert audio_files(tmp_path) == [str(tmp_path / "a.WAV"), str(tmp_path / "b.m4a")]
    with pytest.raises(ValueError, match="there are no audio files in this folder"):
        audio_files(tmp_path / "folder.wav")
