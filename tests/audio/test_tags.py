"""Titles and timecode, from a recording into what is made of it."""

import subprocess

import numpy as np
import pytest
import soundfile

from rtnmf.audio import files, headers, media, tags

X = np.random.default_rng(0).uniform(-0.5, 0.5, (30_000, 1)).astype(np.float32)
TEXTS = {"title": "Söng", "artist": "Me", "album": "Ours", "date": "2026", "comment": "No 1", "genre": "Noise"}


def tagged(path, x=X, **more):
    """Write a signal with tags by ffmpeg, and return the path."""
    words = [word for name, text in {**TEXTS, **more}.items() for word in ("-metadata", f"{name}={text}")]
    soundfile.write(path.with_name("plain.wav"), x, 16000)
    source, bext = ["-i", path.with_name("plain.wav")], ["-write_bext", "1"] if more else []
    subprocess.run(["ffmpeg", "-loglevel", "error", *source, *words, *bext, path], check=True)
    return path


def copied(path, to, container, subtype):
    """Write what a file holds, with its tags, and return the tags of the copy."""
    with files.AudioReader(path) as reader:
        first = next(reader.blocks(1000))
        kept, rest = reader.tags, next(reader.blocks(10**6))
    np.testing.assert_array_equal(rest[:1000], first)
    with files.AudioWriter([to], 16000, 1, container, subtype, tags=kept) as writer:
        writer.write([rest])
    with files.AudioReader(to) as reader:
        assert len(next(reader.blocks(10**6))) == len(rest)
        return reader.tags


@pytest.mark.parametrize("kind", ["m4a", "mp3", "ogg", "flac", "wav"])
@pytest.mark.parametrize(
    ("container", "subtype"), [("WAV", "PCM_24"), ("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")]
)
def test_titles_are_carried_over(tmp_path, kind, container, subtype):
    """Title, artist and the like of any kind of file are in a file of any other kind, letters beyond ASCII too."""
    assert copied(tagged(tmp_path / f"x.{kind}"), tmp_path / "copy", container, subtype).texts == TEXTS


def test_tags_are_read_while_a_file_is_read(tmp_path):
    """Reading the tags in the middle of a file does not change what comes after."""
    for path in (tagged(tmp_path / f"x.{kind}", np.tile(X, (10, 1))) for kind in ("wav", "m4a", "flac")):
        with files.AudioReader(path) as reader:
            whole = np.concatenate(list(reader.blocks(50_000)))
            again = []
            for block in reader.blocks(50_000):
                again.append(block)
                assert reader.tags.texts == TEXTS
        np.testing.assert_array_equal(np.concatenate(again), whole)


@pytest.mark.parametrize("container", ["WAV", "RF64"])
def test_timecode_is_carried_over(tmp_path, container):
    """The `bext` chunk of a Broadcast Wave file is in WAV outputs: the same but for a line in its coding history."""
    path = tagged(tmp_path / "x.wav", time_reference="123456789012", description="take 1", originator="field")
    copied(path, tmp_path / "copy.wav", container, "PCM_24")
    with open(path, "rb") as file, open(tmp_path / "copy.wav", "rb") as copy:  # noqa: PTH123
        before, after = headers.chunk(file, b"bext"), headers.chunk(copy, b"bext")
    assert before[338:346] == (123456789012).to_bytes(8, "little")
    assert after[:346] == before[:346]
    assert after[348:602] == before[348:602]
    assert b"libsndfile" in after[602:]


def test_formats_without_tags_take_none(tmp_path):
    """A format that can hold no tags, and a file that has none, are no error."""
    assert copied(tagged(tmp_path / "x.m4a"), tmp_path / "copy.w64", "W64", "PCM_16").texts == {}
    soundfile.write(tmp_path / "plain.wav", X, 16000)
    assert copied(tmp_path / "plain.wav", tmp_path / "copy.wav", "WAV", "PCM_16") == tags.NONE


def test_without_pyav_libsndfile_reads_the_tags(tmp_path, monkeypatch):
    """Tags of what libsndfile reads need no PyAV."""
    path = tagged(tmp_path / "x.flac")
    monkeypatch.setattr(media, "is_installed", lambda: False)
    with files.AudioReader(path) as reader:
        assert reader.tags.texts == {name: TEXTS[name] for name in TEXTS if name != "comment"}  # ffmpeg's is no COMMENT


def test_without_libsndfiles_own_command_the_timecode_is_missed(tmp_path, monkeypatch):
    """Where soundfile has no way to it, the timecode is left out with a warning, and all else is written."""
    path = tagged(tmp_path / "x.wav", time_reference="5", description="take 1", originator="field")
    real = soundfile._snd

    class Without:
        """The library without that command."""

        def __getattr__(self, name):
            return getattr(real, name)

        def sf_command(self, file, command, *rest):
            if command == tags._SET_BROADCAST_INFO:
                raise AttributeError("sf_command")
            return real.sf_command(file, command, *rest)

    monkeypatch.setattr(soundfile, "_snd", Without())
    with pytest.warns(UserWarning, match="has no way to write a timecode, which is left out"):
        assert copied(path, tmp_path / "copy.wav", "WAV", "PCM_24").texts["title"] == TEXTS["title"]
