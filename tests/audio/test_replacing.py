"""Files that are replaced whole or not at all."""

import contextlib
import os
import threading

import pytest

from rtnmf.audio.replacing import remove_remains, replacing


def test_a_file_takes_the_place_of_the_old_one_only_at_the_end(tmp_path):
    """The old content is there until the block ends."""
    path = tmp_path / "x"
    path.write_text("old")
    with replacing(path) as file:
        file.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_and_what_it_points_to_is_replaced(tmp_path):
    """A symbolic link is followed, not replaced."""
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with replacing(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "new"


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_after_a_failure_the_old_file_is_there_and_nothing_else(tmp_path, failure):
    """An exception leaves the old file and no temporary one."""
    path = tmp_path / "x"
    path.write_text("old")
    with pytest.raises(failure), replacing(path) as file:  # noqa: PT012  # the failure comes in the middle
        file.write(b"half")
        raise failure
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_places_that_cannot_be_written_are_named(tmp_path):
    """A folder that is missing or not writable raises, naming the path."""
    missing = r"no/x: cannot be written \(No such file or directory: choose another"
    with pytest.raises(ValueError, match=missing), replacing(tmp_path / "no" / "x"):
        pytest.fail("there is no such folder")
    with pytest.raises(ValueError, match="something of that name that is no file"), replacing(tmp_path):
        pytest.fail("this is a folder")
    with pytest.raises(ValueError, match=r"x: cannot be written .No space left"), replacing(tmp_path / "x"):
        raise OSError(28, "No space left on device")
    assert not list(tmp_path.iterdir())


def test_files_whose_long_names_begin_alike_are_written_side_by_side(tmp_path):
    """Two files of one process whose names share their first 200 characters get temporary files of their own."""
    paths = [tmp_path / f"{'x' * 200}{i}" for i in (1, 2)]
    with replacing(paths[0]) as first, replacing(paths[1]) as second:
        first.write(b"one")
        second.write(b"two")
    assert [path.read_text() for path in paths] == ["one", "two"]


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("loop", "choose another place"), ("x" * 300, "choose a shorter name"), ("a\0b", "choose another place")],
    ids=["links in a circle", "too long", "NUL"],
)
def test_a_place_that_cannot_be_looked_up_is_refused_by_name(tmp_path, name, remedy):
    """Links in a circle and names that no system takes raise as other places that cannot be written do."""
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(ValueError, match=rf"cannot be written .*{remedy}"), replacing(tmp_path / name):
        pass


def test_a_link_in_place_of_the_temporary_file_is_not_followed(tmp_path, monkeypatch):
    """Who could guess the temporary name still cannot lead what is written elsewhere."""
    monkeypatch.setattr("secrets.token_hex", lambda _: "guessed")
    (tmp_path / "mine").write_text("mine")
    (tmp_path / ".guessed.part").symlink_to(tmp_path / "mine")
    with pytest.raises(ValueError, match=r"cannot be written .File exists"), replacing(tmp_path / "x"):
        pytest.fail("there is a link of that name")
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path, mode):
    """What was for its owner alone, for a group, or not to be written stays so, also while it is written."""
    path = tmp_path / "x"
    path.touch()
    path.chmod(mode)
    with replacing(path) as file:
        file.write(b"new")
        assert [p.stat().st_mode & 0o777 for p in tmp_path.iterdir()] == [mode, mode]
    assert path.stat().st_mode & 0o777 == mode
    assert path.read_bytes() == b"new"


def test_a_private_file_is_its_owners_alone(tmp_path):
    """A new file has the usual permissions; a private one never has others than its owner's."""
    with replacing(tmp_path / "x"), replacing(tmp_path / "y", private=True):
        pass
    mask = os.umask(0o022)
    os.umask(mask)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in "xy"] == [0o666 & ~mask, 0o600]


@pytest.mark.parametrize("overwrite", [True, False])
def test_four_threads_that_write_to_one_path_leave_one_whole_file(tmp_path, overwrite):
    """All succeed, and the last stays; where nothing may be replaced, one succeeds, and the others are told."""
    barrier, failures = threading.Barrier(4), list[str]()

    def write(letter):
        try:
            with replacing(tmp_path / "x", overwrite=overwrite) as file:
                barrier.wait()
                file.write(letter * 2**20)
                barrier.wait()
        except ValueError as error:
            failures.append(str(error))

    threads = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b", b"c", b"d")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    content = (tmp_path / "x").read_bytes()
    assert content == content[:1] * 2**20
    assert len(failures) == (0 if overwrite else 3)
    assert all("there is a file of that name by now" in failure for failure in failures)


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    """The file that is not yet in its place is found by its name; others stay."""
    for name in ("take.wav", ".part", ".hidden.part", "0123456789abcdef.part"):
        (tmp_path / name).touch()
    kept = set(tmp_path.iterdir())
    with contextlib.suppress(ValueError), replacing(tmp_path / "new"):  # which finds nothing to put into its place
        assert set(tmp_path.iterdir()) != kept
        remove_remains(tmp_path)
        assert set(tmp_path.iterdir()) == kept
    assert set(tmp_path.iterdir()) == kept
    remove_remains(tmp_path / "missing")
