"""What the README shows works as it stands there."""

import contextlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import DEMO
from jack_server import ENVIRONMENT, Peer, Server

from rtnmf.audio import files

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
DEVICES = [("USB", 2, 0), ("Headphones", 0, 2), ("Mixer", 0, 4)]


def blocks(kind):
    """Return the fenced blocks of a kind, in their order."""
    return re.findall(rf"^```{kind}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """Return a folder with the recordings that the README names."""
    folder = tmp_path_factory.mktemp("desk")
    sources = {"me": "voice-train", "me2": "voice", "fan": "keyboard-train", "clip": "voice", "mix": "voice"}
    for name, clip in sources.items():
        x, rate = files.read(DEMO / f"{clip}.flac", 16000)
        files.write(folder / f"{name}.wav", x[: 4 * rate], rate)
    return folder


@pytest.fixture
def jack(tmp_path):
    """Run an audio server with the devices that the README names, one of which hears noise."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.closing(Server()))
        peers = [stack.enter_context(contextlib.closing(Peer(tmp_path, *of))) for of in DEVICES]
        peers[0].play(np.random.default_rng(0).uniform(-0.3, 0.3, 120 * 48000))
        yield os.environ | ENVIRONMENT


def path_with_rtnmf():
    """Return the environment with the commands of this Python first."""
    return os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def test_shell_lines_run(desk):
    """Shell lines run, but for the two that set a checkout up."""
    lines = [line for block in blocks("sh") for line in block.splitlines() if not line.startswith("scripts/")]
    assert len(lines) >= 10
    for line in lines:
        ended = subprocess.run(
            ["bash", "-c", line], cwd=desk, env=path_with_rtnmf(), capture_output=True, text=True, timeout=60
        )
        assert ended.returncode == 0, f"{line}: {ended.stderr}"


def test_python_blocks_run(desk):
    """Python blocks run, one after the other."""
    assert len(blocks("python")) == 2
    for block in blocks("python"):
        subprocess.run([sys.executable, "-c", block], cwd=desk, check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("number", [0, 1])
def test_live_blocks_sound_on_a_real_audio_server(desk, jack, number):
    """The live blocks open a stream on a real audio server and end on Enter."""
    block = blocks("python live")[number]
    program = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", block], cwd=desk, env=jack, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    for _ in range(100):
        time.sleep(0.2)
        ports = subprocess.run(["jack_lsp", "-c"], env=jack, capture_output=True, text=True, check=True).stdout
        is_wired = re.search(r"PortAudio:in_0\n +system:capture_1", ports)
        if is_wired or program.poll() is not None:
            break
    assert is_wired, ports
    said = program.communicate(b"\n", timeout=20)[1].decode()
    assert program.returncode == 0, said
    assert "Error" not in said


def test_live_lines_run_on_a_real_audio_server(desk, jack):
    """The live shell lines run, for a second each."""
    (block,) = blocks("sh live")
    for line in block.splitlines():
        short = re.sub(r"mic:10", "mic:1", re.sub(r" --for 10", "", line))
        short += " --for 1" if line.startswith("rtnmf live") else ""
        ended = subprocess.run(
            ["bash", "-c", short],
            cwd=desk,
            env=path_with_rtnmf() | ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ended.returncode == 0, f"{line}: {ended.stderr}"


def test_names_in_the_readme_exist():
    """Every file and preset that the README names exists."""
    root = Path(__file__).parent.parent
    for link in re.findall(r"\]\(([\w/.]+)\)|`(scripts/\w+(?:\.py)?)`", README):
        assert (root / (link[0] or link[1])).exists(), link
