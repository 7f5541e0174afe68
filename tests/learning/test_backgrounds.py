"""The backgrounds that ship, those of a folder, and which are akin to a source."""

import csv
import shutil
import tomllib

import numpy as np
import pytest

import rtnmf
from rtnmf.audio import files
from rtnmf.dictionary import preset_folder
from rtnmf.learning.backgrounds import own, pool, without_kin

POOL = preset_folder() / "pool"
LICENCES = {
    "CC-BY-3.0",
    "CC-BY-SA-3.0",
    "CC0-1.0",
    "GPL-2.0-only",
    "GPL-2.0-or-later",
    "GPL-3.0-only",
    "GPL-3.0-or-later",
    "LicenseRef-public-domain",
    "MIT",
}


def test_the_pool_is_what_its_folder_holds():
    """Each recording of the pool is in the list of them, and each in the list is a file."""
    assert [background.path for background in pool()] == sorted(POOL.glob("*.ogg"))
    assert len(pool()) > 100
    assert len({background.kind for background in pool()}) > 20


def test_each_background_says_what_it_is_and_whose():
    """No recording ships without a kind, a sound, an author, an origin and a licence that is known to be free."""
    for background in pool():
        author, _, origin = background.source.partition("; ")
        assert background.kind, background.path
        assert background.path.name.startswith(f"{background.kind}_")
        assert background.sound, background.path
        assert author, background.path
        assert origin.startswith(("Debian ", "PyPI ")), background.path
        assert background.licence in LICENCES, background.path


def test_the_licences_are_explained_and_counted():
    """The README beside the recordings has a line for each licence, with the number of its files."""
    text = (POOL / "README.md").read_text(encoding="utf-8")
    licences = [background.licence for background in pool()]
    for licence in LICENCES:
        assert f"| {licence} | {licences.count(licence)} |" in text
    for name in ("GPL-2.0.txt", "GPL-3.0.txt"):
        assert "GNU GENERAL PUBLIC LICENSE" in (POOL / name).read_text(encoding="utf-8")
        assert f"]({name})" in text


def test_each_background_can_be_learned_from():
    """Each is read whole without a note, lasts two seconds or more, is mono, sounds, and is not cut off."""
    for background in pool():
        x, rate = files.read(background.path, strict=True)
        assert x.shape[1] == 1, background.path
        assert 2 <= len(x) / rate < 8, background.path
        assert 16000 <= rate <= 48000, background.path
        assert np.abs(x).max() < 0.99, background.path
        assert np.sqrt(np.mean(x**2)) > 1e-3, background.path


def test_the_pool_is_small_enough_to_be_installed():
    """What ships for it stays below 8 MB."""
    assert sum(path.stat().st_size for path in POOL.iterdir()) < 8e6


def test_the_pool_is_in_the_wheel():
    """What the package is said to hold of the presets includes every file of the pool, and none of the clips."""
    project = tomllib.loads((preset_folder().parent / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["rtnmf.preset_data"]
    packed = {path for pattern in patterns for path in preset_folder().glob(pattern)}
    assert packed > set(POOL.iterdir())
    assert packed.isdisjoint((preset_folder() / "clips").iterdir())


def test_the_pool_is_found_where_it_is_installed(tmp_path, monkeypatch):
    """The pool is beside the presets, of an installed package or of a checkout."""
    (tmp_path / "pool").mkdir()
    shutil.copy(POOL / "kin.csv", tmp_path / "pool")
    (tmp_path / "pool" / "manifest.csv").write_text(
        "file,kind,sound,author,origin,licence\nx.ogg,fan,a fan,me,home,CC0-1.0\n"
    )
    monkeypatch.setattr(rtnmf.learning.backgrounds, "preset_folder", lambda: tmp_path)
    assert pool() == ((tmp_path / "pool" / "x.ogg", "fan", "a fan", "me; home", "CC0-1.0"),)


def test_a_folder_of_ones_own(tmp_path):
    """Audio files of a folder and its subfolders are backgrounds; a kind is a subfolder or a file by itself."""
    (tmp_path / "kitchen" / "old").mkdir(parents=True)
    for name in ("hum.wav", "kitchen/fridge.FLAC", "kitchen/old/mill.ogg", ".hidden.wav", "kitchen/.cache.wav"):
        (tmp_path / name).touch()
    assert own(str(tmp_path)) == (
        (tmp_path / "hum.wav", "hum", "hum", "", ""),
        (tmp_path / "kitchen" / "fridge.FLAC", "kitchen", "fridge", "", ""),
        (tmp_path / "kitchen" / "old" / "mill.ogg", "kitchen", "mill", "", ""),
    )


def test_what_is_not_audio_is_named(tmp_path):
    """Files of other kinds are left out with a warning that names them."""
    (tmp_path / "kitchen").mkdir()
    for name in ("hum.wav", "kitchen/list.txt"):
        (tmp_path / name).touch()
    with pytest.warns(UserWarning, match=r"left out, as not audio by their endings: kitchen.list\.txt"):
        assert len(own(tmp_path)) == 1


def test_folders_of_nothing_are_refused(tmp_path):
    """A folder without audio, a file and a name of nothing are each refused in words."""
    with pytest.raises(ValueError, match="there are no audio files in this folder and its subfolders"):
        own(tmp_path)
    (tmp_path / "hum.wav").touch()
    for name in ("hum.wav", "nothing"):
        with pytest.raises(ValueError, match=f"{name}: is not a folder, expected one with recordings of backgrounds"):
            own(tmp_path / name)


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ("keyboard", {"typing", "mouse"}),
        ("rain", {"rain", "water"}),
        ("piano", {"music"}),
        ("static", {"static"}),
        ("voice", set()),
    ],
)
def test_the_kin_of_a_source_are_left_out(source, kinds):
    """Backgrounds whose names the table lists for a source, or whose kind is its name, are dropped; all others stay."""
    left = without_kin(pool(), source)
    dropped = [background for background in pool() if background not in left]
    assert {background.kind for background in dropped} == kinds
    assert kinds.isdisjoint(background.kind for background in left)


def test_each_line_of_the_table_of_kin_is_of_use():
    """Each beginning that the table names is that of a file in the pool, and no source stands there twice."""
    with (POOL / "kin.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len({row["source"] for row in rows}) == len(rows)
    for row in rows:
        for prefix in row["kin"].split():
            assert any(background.path.name.startswith(prefix) for background in pool()), (row["source"], prefix)


def test_ones_own_kin_are_left_out_by_kind(tmp_path):
    """A folder named like a source is left out with it."""
    for name in ("fan", "kitchen"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.wav").touch()
    assert [background.kind for background in without_kin(own(tmp_path), "fan")] == ["kitchen"]


def test_the_pool_is_public():
    """`rtnmf.pool` is the function."""
    assert rtnmf.pool is pool
