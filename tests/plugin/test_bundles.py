"""How plugins are made of dictionaries."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from bundled import desk, plugins
from conftest import random_dictionary

import rtnmf
from rtnmf import STFT
from rtnmf.plugins import binaries, make
from rtnmf.plugins.bundles import lv2_uri


def identity(path):
    """Return the identity of a plugin in the URI of its LV2 form."""
    return re.search(r"<urn:rtnmf:plugin:([0-9a-f]{16})>", (path / "manifest.ttl").read_text())[1]


def test_a_plugin_is_known_by_its_name_and_its_sources(tmp_path):
    """Relearned sources of the same names are the same plugin to a host; other names are another one."""
    relearned = random_dictionary(STFT(1024, 256), n_each=2)
    others = random_dictionary(STFT(1024, 256), ("a", "c"))
    found = [
        identity(make(dictionary, name, tmp_path / str(i), ["lv2"])["lv2"])
        for i, (dictionary, name) in enumerate([(desk(), "Desk"), (relearned, "Desk"), (others, "Desk"), (desk(), "D")])
    ]
    assert found[0] == found[1] == identity(plugins("Desk")["lv2"])
    assert len(set(found)) == 3


def test_what_was_learned_from_stays_out_of_the_plugin(tmp_path):
    """The frames of the recordings, which only training needs, are not in a plugin."""
    dictionary = rtnmf.load_preset("keyboard")
    assert dictionary.frames
    with pytest.warns(UserWarning, match="keyboard is the only source, so all that comes in is keyboard: join others"):
        content = make(dictionary, "Keys", tmp_path, ["clap"])["clap"].read_bytes()
    path = tmp_path / "inside.safetensors"
    name, size = len("Keys"), int.from_bytes(content[-32:-24], "little")
    path.write_bytes(content[-32 - name - size : -32 - name])
    inside = rtnmf.Dictionary.load(path)
    assert not inside.frames
    np.testing.assert_array_equal(inside.components, dictionary.components)


def test_sources_without_an_output_are_said(tmp_path):
    """Of more than eight sources, those that are in the mix only are named."""
    many = random_dictionary(STFT(1024, 256), [f"s{i}" for i in range(10)], n_each=1)
    with pytest.warns(UserWarning, match="only 8 sources have outputs of their own; in the mix only: s8, s9"):
        path = make(many, "Many", tmp_path, ["lv2"])["lv2"]
    described = (path / "rtnmf.ttl").read_text()
    assert "s9 mute" in described
    assert "s8 left" not in described
    assert "s7 left" in described


def test_generic_plugins_of_other_names_are_others(tmp_path):
    """A plugin without a dictionary is called as it was asked for, and has a URI of its own."""
    for name, uri in (("rtnmf", "urn:rtnmf:plugin"), ("Other", lv2_uri(None, "Other"))):
        path = make(None, name, tmp_path, ["lv2"])["lv2"]
        described = (path / "rtnmf.ttl").read_text()
        assert f"<{uri}>\n" in described
        assert f'doap:name "{name}"' in described
        assert '"Source 8 gain"' in described


def test_a_rest_that_is_not_learned_anew_is_said(tmp_path):
    """The stand-in for all that was not taught stays as it was learned."""
    made = dataclasses.replace(random_dictionary(STFT(1024, 256), ("voice", "rest")), rest="rest")
    with pytest.warns(UserWarning, match="rest stays as it was learned: a plugin does not learn it anew"):
        make(made, "Me", tmp_path, ["clap"])


def test_names_that_a_description_cannot_hold_are_written_otherwise(tmp_path):
    """Quotes and backslashes in the name of a source leave the description of LV2 valid."""
    odd = random_dictionary(STFT(1024, 256), ('"a"', "b\\n"))
    described = (make(odd, "Odd", tmp_path, ["lv2"])["lv2"] / "rtnmf.ttl").read_text()
    assert "\"'a' gain\"" in described
    assert '"b/n gain"' in described


def test_without_a_compiler_the_remedy_is_said(tmp_path, monkeypatch):
    """Where there is neither a binary nor what builds one, the error says what it takes."""
    monkeypatch.setattr("rtnmf.plugins.binaries._PACKAGE", tmp_path / "rtnmf" / "plugins")
    monkeypatch.setattr("rtnmf.plugins.binaries.user_cache_path", lambda _: tmp_path / "cache")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match=r"there is no cmake: it takes cmake, .* apt install cmake g\+\+ dpf-source"):
        make(desk(), "Desk", tmp_path, ["clap"])
    assert callable(binaries.binaries)


@pytest.fixture
def built(tmp_path, monkeypatch):
    """Let the package have no binaries, and the compiler be quick: what is built are those that the package had."""
    ready = binaries._PACKAGE / "binaries" / f"linux-{binaries.machine()}"
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\nproject(none NONE)\n"
        f"file(COPY {ready}/ DESTINATION binaries)\nfile(APPEND {tmp_path}/builds .)\n"
    )
    monkeypatch.setattr("rtnmf.plugins.binaries._PACKAGE", tmp_path)
    monkeypatch.setattr("rtnmf.plugins.binaries.source_folder", lambda: tmp_path / "source")
    monkeypatch.setattr("rtnmf.plugins.binaries.user_cache_path", lambda _: tmp_path / "cache")
    return tmp_path


def test_a_cache_that_lacks_a_format_is_completed(built):
    """Where a binary is missing in the cache, or damaged, it is built once and then found."""
    folder = binaries._cache()
    folder.mkdir(parents=True)
    (folder / "rtnmf.clap").write_bytes(b"")
    with pytest.warns(UserWarning, match="no plugin for clap, lv2 on linux .*: building it, once"):
        make(desk(), "Desk", built, ["clap", "lv2"])
    make(desk(), "Desk", built, ["clap", "lv2", "vst3", "jack"], overwrite=True)
    assert (built / "builds").read_text() == "."


@pytest.mark.parametrize("kind", ["vst3", "jack"])
def test_a_binary_for_a_newer_system_is_not_used(built, kind):
    """What the system cannot load is not put into plugins: the reason is said, and another is built."""
    folder = built / "binaries" / f"linux-{binaries.machine()}"
    folder.mkdir(parents=True)
    for name in ("lv2", kind):
        (folder / f"rtnmf.{name}").write_bytes(b"\x7fELF of tomorrow")
    with pytest.warns(UserWarning, match=r"that this system can load \(.*rtnmf.*\): building it, once"):
        path = make(desk(), "Desk", built, [kind])[kind]
    (file,) = path.rglob("*.so") if path.is_dir() else [path]
    assert file.read_bytes().startswith((binaries._cache() / f"rtnmf.{kind}").read_bytes())


def test_a_build_that_fails_says_why(tmp_path, monkeypatch):
    """Where DPF is missing, the error of the build is passed on, and nothing stays in the cache."""
    cache = tmp_path / "cache"
    monkeypatch.setattr("rtnmf.plugins.binaries.user_cache_path", lambda _: cache)
    monkeypatch.setattr("rtnmf.plugins.binaries._PACKAGE", binaries._PACKAGE.parent / "no")
    monkeypatch.setenv("DPF_DIR", str(tmp_path))
    with (
        pytest.warns(UserWarning, match="building it, once"),
        pytest.raises(ValueError, match=r"cannot be built .*There is no DPF in"),
    ):
        make(desk(), "Desk", tmp_path, ["clap"])
    assert not list((cache / "plugin").iterdir())


def test_a_compiler_that_fails_is_named(built, monkeypatch):
    """Where the compiler does not work, the error is what cmake says of it, not what make does."""
    monkeypatch.setenv("CXX", "/bin/false")
    (built / "source" / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.16)\nproject(none CXX)\n")
    with (
        pytest.warns(UserWarning, match="building it, once"),
        pytest.raises(ValueError, match=r'cannot be built \(The C\+\+ compiler "/bin/false" is not able to compile a'),
    ):
        make(desk(), "Desk", built, ["clap"])


def test_no_home_folder_is_needed_but_to_install(tmp_path, monkeypatch):
    """A user without a home gets plugins in a folder, and an error with the remedy where hosts would look."""

    def none(path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("rtnmf.plugins.binaries.user_cache_path", none)
    monkeypatch.setattr(Path, "expanduser", none)
    make(desk(), "Desk", tmp_path, ["clap"])
    with pytest.raises(ValueError, match=r"~/\.clap: no home folder: set HOME, or say which folder to use"):
        make(desk(), "Desk", None, ["clap"])
