"""Names of files in a list, and in a folder."""

import errno
import os

import pytest

from rtnmf.audio.names import audio_files, is_file, is_folder, is_there, shortened, split


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
    """Files with an ending of audio are given in order, others named in a warning, hidden ones left out."""
    for name in ("b.m4a", "a.WAV", "notes.txt", ".x.wav"):
        (tmp_path / name).touch()
    with pytest.warns(UserWarning, match=r": left out, as not audio by their endings: notes.txt$"):
        assert audio_files(tmp_path) == [str(tmp_path / "a.WAV"), str(tmp_path / "b.m4a")]
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(ValueError, match="there are no audio files in this folder"):
        audio_files(tmp_path / "folder.wav")


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path):
    """What a link leads to is read once, under its own name where it has one; links that add nothing are named."""
    top, elsewhere = tmp_path / "top", tmp_path / "elsewhere"
    (top / "sub").mkdir(parents=True)
    (elsewhere / "deep").mkdir(parents=True)
    for path in (top / "sub" / "a.wav", elsewhere / "deep" / "b.wav"):
        path.touch()
    (top / "again").symlink_to(top / "sub")
    (top / "linked").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(top)
    (elsewhere / "deep" / "up").symlink_to("..")
    (top / "sub" / "above").symlink_to(tmp_path)
    with pytest.warns(UserWarning, match=r": left out, 4 in all: again \(a link to a folder that is read without it"):
        found = audio_files(top, subfolders=True)
    assert found == [str(top / "linked" / "deep" / "b.wav"), str(top / "sub" / "a.wav")]


def test_what_cannot_be_read_in_a_folder_is_named(tmp_path, monkeypatch):
    """Links to nothing and to themselves, pipes, and folders that cannot be listed are named and counted."""
    for name in ("gone", "fine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.wav").touch()
    (tmp_path / "x.wav").symlink_to("nothing")
    (tmp_path / "y.wav").symlink_to("y.wav")
    (tmp_path / ".z.wav").symlink_to("nothing")
    os.mkfifo(tmp_path / "p.wav")
    scandir = os.scandir

    def refused(folder):
        if folder == tmp_path / "gone":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))  # which root never gets
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refused)
    left = [
        r"gone \(Permission denied\)",
        r"p\.wav \(no file\)",
        r"x\.wav \(a link to nothing\)",
        r"y\.wav \(Too many levels of symbolic links\)",
    ]
    with pytest.warns(UserWarning, match=f": left out, 4 in all: {', '.join(left)}$"):
        assert audio_files(tmp_path, subfolders=True) == [str(tmp_path / "fine" / "fine.wav")]
    with pytest.raises(ValueError, match=r"gone: cannot be read \(Permission denied\)$"):
        audio_files(tmp_path / "gone")


def test_what_the_system_cannot_look_up_is_not_there(tmp_path):
    """Names that are too long or hold a NUL are those of no file, in each Python."""
    (tmp_path / "x").touch()
    assert [is_there(tmp_path), is_folder(tmp_path), is_file(tmp_path)] == [True, True, False]
    assert [is_there(tmp_path / "x"), is_folder(tmp_path / "x"), is_file(tmp_path / "x")] == [True, False, True]
    for name in ("n" * 300, "a\0b", "none"):
        assert [is_there(name), is_folder(name), is_file(name)] == [False] * 3


def test_a_long_name_is_cut_by_bytes():
    """Names of more than 200 bytes lose their ends, and no character is cut in two."""
    assert shortened("é" * 100) == "é" * 100
    assert shortened("a" + "é" * 150) == "a" + "é" * 99


def test_subfolders_that_are_not_searched_are_named(tmp_path):
    """A note names subfolders, but not those that stems were written into, nor hidden ones."""
    for name in ("a.wav", "monday/b.wav", "a-stems/voice.wav", "a-stems-2/voice.wav", ".cache/c.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.warns(UserWarning, match=r"left out, 1 in all: monday \(a subfolder: name it, too\)$"):
        assert audio_files(tmp_path) == [str(tmp_path / "a.wav")]
