"""Files that are replaced whole or not at all."""

import pytest

from rtnmf.audio.replacing import replacing


def test_a_file_takes_the_place_of_the_old_one_only_at_the_end(tmp_path):
    """The old content is there until the block ends."""
    path = tmp_path / "x"
    path.write_text("old")
    with replacing(path) as beside:
        beside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_and_what_it_points_to_is_replaced(tmp_path):
    """A symbolic link is followed, not replaced."""
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with replacing(tmp_path / "link") as beside:
        beside.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "new"


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_after_a_failure_the_old_file_is_there_and_nothing_else(tmp_path, failure):
    """An exception leaves the old file and no temporary one."""
    path = tmp_path / "x"
    path.write_text("old")
    with pytest.raises(failure), replacing(path) as beside:  # noqa: PT012  # the failure comes in the middle
        beside.write_text("half")
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
        first.write_text("one")
        second.write_text("two")
    assert [path.read_text() for path in paths] == ["one", "two"]


@pytest.mark.parametrize("name", ["loop", "x" * 300, "a\0b"], ids=["links in a circle", "too long", "NUL"])
def test_a_place_that_cannot_be_looked_up_is_refused_by_name(tmp_path, name):
    """Links in a circle and names that no system takes raise as other places that cannot be written do."""
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(ValueError, match=r"cannot be written .*choose another place"), replacing(tmp_path / name):
        pass
