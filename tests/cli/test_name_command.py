"""`rtnmf name`; what grouping does is tested with `Dictionary.regroup`."""

import pytest
from command_line import assert_refused, run, sound
from conftest import random_dictionary

from rtnmf import STFT, Dictionary


@pytest.fixture
def clip(tmp_path, monkeypatch):
    """Work in a folder with a dictionary of five components that were learned blind."""
    monkeypatch.chdir(tmp_path)
    made = random_dictionary(STFT(256, 64), [f"component-{k}" for k in range(1, 6)], n_each=1)
    made.save("clip.safetensors")
    return made


def test_numbers_and_names_become_sources(clip, capsys):
    """Components are given by number or name; others keep their names, with a note; the result separates."""
    assert run("name", "clip.safetensors", "voice=1,component-4,5", "-o", "named.safetensors", "typing=2") == 0
    said = capsys.readouterr()
    assert said.out == "named.safetensors: voice (3), typing (1), component-3 (1)\n"
    assert said.err == "note: component-3: not mentioned, kept as it was named\n"
    named = Dictionary.load("named.safetensors")
    assert named == clip.regroup({"voice": ["component-1", "component-4", "component-5"], "typing": ["component-2"]})
    assert run("separate", sound("mix.wav"), "named.safetensors", "-o", "out") == 0


def test_named_sources_can_be_named_again(clip):
    """A dictionary that has names can be grouped further by these."""
    assert run("name", "clip.safetensors", "a=1,2", "b=3,4,5", "-o", "x.safetensors") == 0
    assert run("name", "x.safetensors", "all=b,a", "-o", "y.safetensors") == 0
    assert Dictionary.load("y.safetensors").sources == ("all",)


@pytest.mark.usefixtures("clip")
def test_bad_requests_are_one_line(tmp_path, capsys):
    """What cannot be named is one line, and nothing is written or replaced."""
    for words, message in {
        ("voice",): "'voice' names no component: write NAME=N,N",
        ("voice=",): "'voice=' names no component",
        ("voice=1", "voice=2"): "source 'voice' is named twice: write voice=N,N",
        ("voice=9",): "there is no source '9': choose from component-1",
        ("voice=1,1",): "source 'component-1' is given 2 times",
    }.items():
        assert_refused(["name", "clip.safetensors", *words, "-o", "o.safetensors"], message, capsys)
    line = ["name", "clip.safetensors", "voice=1", "-o"]
    assert_refused([*line, "clip.safetensors"], "clip.safetensors: is there already: choose another name", capsys)
    assert_refused([*line, "x.wav"], "expected a name that ends in .safetensors", capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.safetensors"]
    assert run(*line, "clip.safetensors", "--overwrite") == 0
