"""Files that are cut off, have holes, or hold what is no number."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from making import LOSSLESS, RATE, made, read_noting, similarity

from rtnmf.audio import files


def cut(folder, kind, part=0.5):
    """Write the beginning of a file."""
    whole = made(kind, 6).read_bytes()
    path = folder / f"cut.{kind}"
    path.write_bytes(whole[: int(part * len(whole)) + 1])
    return path


CUT_IS_SEEN = ["wav", "flac", "aiff", "caf", "au", "w64", "rf64", "m4a", "mp3", "ogg", "opus", "webm", "mka", "wma"]


@pytest.mark.parametrize("kind", CUT_IS_SEEN)
def test_what_is_left_of_a_cut_file_is_read_with_a_note(tmp_path, capfd, kind):
    """A file cut in half gives its first half and one note or two; `strict` refuses it; nothing is printed."""
    path = cut(tmp_path, kind)
    x, notes = read_noting(path)
    whole, _rate = files.read(made(kind, 6))
    assert 0.2 * len(whole) < len(x) < 0.6 * len(whole)
    same = len(x) - (0 if kind in LOSSLESS else 3000)
    np.testing.assert_allclose(x[:same], whole[:same], atol=1e-4)
    assert 1 <= len(notes) <= 2
    assert all(note.startswith(f"{path}: ") for note in notes)
    with pytest.raises(ValueError, match=rf"cut\.{kind}: .*make a new copy"):
        files.read(path, strict=True)
    assert capfd.readouterr() == ("", "")


def test_a_cut_file_is_told_from_a_whole_one_in_time(tmp_path):
    """The note says where the sound ends, and how much is missing."""
    assert read_noting(cut(tmp_path, "wav"))[1] == [f"{tmp_path}/cut.wav: is cut off at 0:03.0, 3.0 s are missing"]
    assert read_noting(cut(tmp_path, "flac", 0.6))[1][0].startswith(f"{tmp_path}/cut.flac: ends at 0:03.")


def test_an_mp4_without_its_index_says_so(tmp_path):
    """A video whose index never was written cannot be read, and the error says why."""
    (tmp_path / "x.m4a").write_bytes(cut(tmp_path, "alac.m4a").read_bytes())
    with pytest.raises(
        ValueError, match=r"x.m4a: not an audio file that can be read \(the index of this MP4 is missing"
    ):
        files.read(tmp_path / "x.m4a")


@pytest.mark.parametrize("kind", ["flac", "m4a", "ogg", "opus", "webm"])
def test_a_hole_is_silence_and_what_follows_stays_in_time(tmp_path, capfd, kind):
    """Behind 4 kB of zeros the sound goes on where it was, as the time stamps say, and a note counts what was lost."""
    whole = bytearray(made(kind, 6).read_bytes())
    at = len(whole) // 3
    whole[at : at + 4096] = bytes(4096)
    (tmp_path / f"x.{kind}").write_bytes(whole)
    x, notes = read_noting(tmp_path / f"x.{kind}")
    true, rate = files.read(made(kind, 6))
    assert abs(len(x) - len(true)) <= rate * 0.001
    n_wrong = np.count_nonzero(np.abs(x[: len(true)] - true[: len(x)]).max(axis=1) > 0.02)
    assert 0 < n_wrong < 4 * rate
    assert similarity(x[-rate // 4 :], true[-rate // 4 :]) > 0.95
    assert len(notes) == 1
    assert "s are lost at 0:0" in notes[0]
    assert "silence takes their place" in notes[0]
    with pytest.raises(ValueError, match="are lost at"):
        files.read(tmp_path / f"x.{kind}", strict=True)
    assert capfd.readouterr() == ("", "")


def test_a_hole_in_mp3_is_noted(tmp_path, capfd):
    """MP3 has no time of its own: what is left comes one part after the other, and the note says how much is lost."""
    whole = bytearray(made("mp3").read_bytes() * 2)
    whole[6000:10096] = bytes(4096)
    (tmp_path / "x.mp3").write_bytes(whole)
    x, notes = read_noting(tmp_path / "x.mp3")
    assert 3 < len(x) / RATE < 4
    assert len(notes) == 1
    assert "bytes at 0:00.7 cannot be decoded, at least 0." in notes[0]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_silence_and_counted(tmp_path, value):
    """NaN and infinities become zeros, their note counts them and names the first, and `strict` refuses them."""
    x = np.full((16000, 2), 0.25, np.float32)
    x[8000, 0] = x[12000] = value
    soundfile.write(tmp_path / "x.wav", x, 8000, "FLOAT")
    y, notes = read_noting(tmp_path / "x.wav")
    np.testing.assert_array_equal(y, np.where(np.isfinite(x), x, 0))
    assert notes == [f"{tmp_path}/x.wav: 2 samples are not a number (first at 0:01.0), read as silence"]
    with pytest.raises(ValueError, match=r"x.wav: a sample is NaN or infinite at 0:01.0"):
        files.read(tmp_path / "x.wav", strict=True)


def test_a_seek_that_fails_is_said_in_words_and_nothing_else(capfd):
    """A file that sends its decoder to before its beginning is refused, without a traceback on the screen."""
    path = Path(__file__).parent.parent / "fuzz" / "corpus" / "audio" / "seek-before-the-start.caf"
    with pytest.raises(ValueError, match="not an audio file that can be read"):
        files.read(path)
    assert capfd.readouterr().err == ""
