"""Where plugins are put, and what of what is there they replace."""

import os
import signal
import tempfile
from pathlib import Path

import pytest
from bundled import quick

from rtnmf.plugins import make
from rtnmf.plugins.placing import placing

FORMATS = ["clap", "vst3", "lv2", "jack"]


def content(folder):
    """Return the content of each file under a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def at_the_rename(monkeypatch, number, action):
    """Do something right after the given rename of a file or folder from now on, counted from 1."""
    rename, count = Path.rename, iter(range(1, 100))

    def renamed(self, target):
        result = rename(self, target)
        if next(count) == number:
            action()
        return result

    monkeypatch.setattr(Path, "rename", renamed)


@pytest.mark.parametrize(
    ("kind", "foreign"),
    [
        ("jack", "P/photo.jpg"),
        ("jack", "P"),
        ("clap", "P.clap"),
        ("vst3", "P.vst3/Contents/Music.xml"),
        ("lv2", "P.lv2/presets.ttl"),
    ],
)
def test_what_is_not_ours_is_never_replaced(tmp_path, kind, foreign):
    """Folders and files that rtnmf has not made stay, beside ours as well, and even with overwrite."""
    if kind == "lv2":
        make(None, "P", tmp_path, [kind])
    (tmp_path / foreign).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / foreign).write_text("about <urn:rtnmf:plugin>" if kind == "lv2" else "mine")
    before = content(tmp_path)
    with pytest.raises(ValueError, match=r"rtnmf has not made .* so it stays: choose another name, or remove it"):
        make(quick(), "P", tmp_path, ["vst3", kind], overwrite=True)
    assert content(tmp_path) == before


def test_a_link_is_not_replaced(tmp_path):
    """A link to a plugin stays with overwrite, and so does the plugin."""
    path = make(None, "P", tmp_path, ["clap"])["clap"]
    (tmp_path / "Q.clap").symlink_to(path)
    with pytest.raises(ValueError, match="rtnmf has not made"):
        make(quick(), "Q", tmp_path, ["clap"], overwrite=True)
    assert (tmp_path / "Q.clap").is_symlink()


@pytest.mark.parametrize("taken", ["P.clap", "P.vst3/mine.txt"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_what_appears_while_the_plugin_is_made_stays(tmp_path, monkeypatch, taken, overwrite):
    """What others put into a place while the plugin is being built is not replaced, and no other format is put."""
    binaries = make.__globals__["binaries"]

    def slow(formats):
        (tmp_path / taken).parent.mkdir(exist_ok=True)
        (tmp_path / taken).write_text("mine")
        return binaries(formats)

    monkeypatch.setitem(make.__globals__, "binaries", slow)
    with pytest.raises(ValueError, match=r"has not made|by now"):
        make(quick(), "P", tmp_path, ["clap", "vst3"], overwrite=overwrite)
    assert content(tmp_path) == {taken: b"mine"}


@pytest.mark.parametrize("number", [1, 2, 4, 6])
def test_an_interrupted_replacement_leaves_what_was_there(tmp_path, monkeypatch, number):
    """Ctrl-C between any two steps puts the plugins of all formats back, and leaves nothing else."""
    make(None, "P", tmp_path, FORMATS)
    before = content(tmp_path)
    with monkeypatch.context() as patch:
        at_the_rename(patch, number, lambda: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            make(quick(), "P", tmp_path, FORMATS, overwrite=True)
    assert content(tmp_path) == before
    make(quick(), "P", tmp_path, FORMATS, overwrite=True)
    assert content(tmp_path).keys() == before.keys()
    assert all(content(tmp_path)[name] != before[name] for name in before)


def test_formats_are_made_all_or_none(tmp_path, monkeypatch):
    """Where the last format cannot be put, the others are not there either, nor a folder made for them."""
    folder = tmp_path / "new" / "plugins"
    at_the_rename(monkeypatch, 2, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        make(quick(), "P", folder, ["clap", "vst3", "lv2"])
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of another user")
def test_what_was_replaced_and_cannot_be_removed_is_said():
    """A plugin is put in place of one with files of another user, and what is left over is named."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        old = make(None, "P", folder, ["vst3"])["vst3"]
        for path in (folder, old):
            os.chown(path, 65534, 65534)
        os.seteuid(65534)
        try:
            with (
                pytest.warns(UserWarning, match=r"part: this has what was replaced and cannot be removed: remove it"),
                placing({"vst3": old}, overwrite=True) as made,
            ):
                made["vst3"].mkdir()
        finally:
            os.seteuid(0)
        assert not list(old.iterdir())
        (left,) = folder.glob(".*.part")
        assert (left / ".old" / "Contents").is_dir()


def test_no_plugin_is_put_where_it_cannot_be_loaded(tmp_path, monkeypatch):
    """A folder on a disk that is mounted noexec is refused before anything is made."""
    facts = list(os.statvfs(tmp_path))
    facts[8] |= os.ST_NOEXEC
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(facts))
    with pytest.raises(ValueError, match="mounted noexec: choose another place"):
        make(quick(), "P", tmp_path / "new", ["clap", "lv2"])
    assert not list(tmp_path.iterdir())
