"""`rtnmf plugin`."""

import pytest
from command_line import assert_refused, run, save_desk

from rtnmf import Dictionary
from rtnmf.plugins.bundles import lv2_uri


def test_a_plugin_of_each_format_is_made(tmp_path, capsys, monkeypatch):
    """The plugins are named, with the sources and the latency, and nothing else is left behind."""
    monkeypatch.chdir(tmp_path)
    save_desk(tmp_path)
    assert run("plugin", "desk.safetensors", "-o", "My desk", "--folder", "plugins") == 0
    uri = lv2_uri(Dictionary.load("desk.safetensors"), "My desk")
    assert capsys.readouterr().out.splitlines() == [
        "wrote plugins/My desk.clap",
        "wrote plugins/My desk.vst3",
        f"wrote plugins/My desk.lv2, {uri}",
        "sources: voice, fan; latency 64 ms at 16000 Hz",
    ]
    assert uri.encode() in (tmp_path / "plugins" / "My desk.lv2" / "manifest.ttl").read_bytes()
    assert sorted(path.name for path in (tmp_path / "plugins").iterdir()) == [
        "My desk.clap",
        "My desk.lv2",
        "My desk.vst3",
    ]


def test_installed_plugins_are_where_hosts_look(tmp_path, capsys, monkeypatch):
    """With --install, they go to the folders of the user's plugins."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run("plugin", save_desk(tmp_path), "-o", "Desk", "--install", "--formats", "clap,LV2") == 0
    assert (tmp_path / ".clap" / "Desk.clap").is_file()
    assert (tmp_path / ".lv2" / "Desk.lv2" / "manifest.ttl").is_file()
    line = ["plugin", save_desk(tmp_path), "-o", "Desk", "--install", "--formats", "jack"]
    assert_refused(line, "jack makes a program", capsys)


def test_what_is_there_is_replaced_on_demand_only(tmp_path, capsys):
    """A plugin that is there stays, whatever other format is not, unless --overwrite is given."""
    desk = save_desk(tmp_path)
    line = ["plugin", desk, "-o", "Desk", "--folder", tmp_path]
    assert run(*line, "--formats", "lv2") == 0
    before = (tmp_path / "Desk.lv2" / "rtnmf.so").stat()
    assert_refused(line, "is there already: choose another name, or pass --overwrite", capsys)
    assert not (tmp_path / "Desk.clap").exists()
    assert run(*line, "--overwrite") == 0
    assert (tmp_path / "Desk.lv2" / "rtnmf.so").stat().st_ino != before.st_ino
    assert (tmp_path / "Desk.clap").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-o", "plugins/Desk", "--install"], "name is 'plugins/Desk', expected up to 60 visible characters"),
        (["-o", "De|sk"], "name is 'De|sk', expected up to 60 visible characters, none of them one of / "),
        (["-o", "My desk.vst3"], "each format has an ending of its own: write -o 'My desk' --formats vst3"),
        (["-o", "Desk", "--formats", "lv2,x"], "formats are 'x', expected some of clap, vst3, lv2, jack"),
        (["-o", "Desk", "--folder", "desk.safetensors"], "cannot make this folder"),
    ],
)
def test_what_cannot_be_made_is_refused(tmp_path, capsys, monkeypatch, words, message):
    """Names that no file or host can have, endings, and folders that are files are refused."""
    monkeypatch.chdir(tmp_path)
    save_desk(tmp_path)
    assert_refused(["plugin", "desk.safetensors", *words], message, capsys)
