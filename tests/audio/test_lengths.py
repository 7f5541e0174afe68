"""WAV files that belong together are made equally long."""

import os

import numpy as np
import soundfile

from rtnmf.audio import files
from rtnmf.audio.headers import chunk_at
from rtnmf.audio.lengths import make_equal


def made(folder, lengths, n_channels=2):
    """Return paths of new files of noise, and the noise, of which each holds so many samples."""
    x = np.random.default_rng(0).uniform(-1, 1, (max(lengths), n_channels)).astype(np.float32)
    paths = [folder / f"{number}.wav" for number in range(len(lengths))]
    for path, length in zip(paths, lengths, strict=True):
        soundfile.write(path, x[:length], 48000, "FLOAT")
    return paths, x


def test_files_are_cut_to_the_shortest(tmp_path):
    """All have the samples of the shortest, also where a file holds more than its header says, or half a sample."""
    paths, x = made(tmp_path, [300, 280, 300])
    for path, n_bytes in zip(paths, (0, 100, 3), strict=True):
        path.write_bytes(path.read_bytes() + bytes(n_bytes))
    make_equal(paths)
    for path in paths:
        assert np.array_equal(files.read(path, strict=True)[0], x[:280])
        with path.open("rb") as file:
            at, _ = chunk_at(file, b"fact")
            file.seek(at)
            assert int.from_bytes(file.read(4), "little") == 280
            size = path.stat().st_size
            file.seek(4)
            assert int.from_bytes(file.read(4), "little") == size - 8


def test_files_that_are_equally_long_are_not_touched(tmp_path):
    """What is right already stays as it is, also where one of the files is missing."""
    paths, _ = made(tmp_path, [300, 300])
    before = [path.stat() for path in paths]
    make_equal([*paths, tmp_path / "missing.wav"])
    assert [path.stat().st_mtime_ns for path in paths] == [stat.st_mtime_ns for stat in before]


def test_files_of_nothing_are_removed_where_not_all_were_made(tmp_path):
    """Files without sound are kept where all are there, and removed where one has not even a header."""
    paths, _ = made(tmp_path, [0, 0])
    make_equal(paths)
    assert all(path.exists() for path in paths)
    paths[1].write_bytes(b"RIFF")
    make_equal(paths)
    assert not list(tmp_path.iterdir())


def test_a_link_is_not_followed(tmp_path):
    """Where a link took the place of a file, nothing is cut."""
    paths, x = made(tmp_path, [300, 200])
    (tmp_path / "link.wav").symlink_to(paths[0])
    make_equal([paths[1], tmp_path / "link.wav"])
    assert len(files.read(paths[0])[0]) == len(x)


def test_what_others_put_in_the_place_of_a_file_stays(tmp_path):
    """Nothing is cut or removed beside a text, a pipe, or a file that is in another folder as well."""
    paths, x = made(tmp_path, [0, 300])
    (tmp_path / "text.wav").write_bytes(b"a text")
    os.mkfifo(tmp_path / "pipe.wav")
    os.link(paths[1], tmp_path / "kept.wav")
    for other in ("text.wav", "pipe.wav", "kept.wav"):
        make_equal([paths[0], tmp_path / other])
    assert (tmp_path / "text.wav").read_bytes() == b"a text"
    assert paths[0].exists()
    assert len(files.read(tmp_path / "kept.wav")[0]) == len(x)
