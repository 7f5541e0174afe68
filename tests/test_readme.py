"""What the README shows works as it stands there."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import DEMO

from rtnmf import files

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
SERVER = {"JACK_DEFAULT_SERVER": "rtnmf", "JACK_NO_START_SERVER": "1"}


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
def jack():
    """Run a JACK server with its dummy driver: a sound card without hardware."""
    if shutil.which("jackd") is None:
        pytest.fail("jackd is missing: apt-get install jackd2 libportaudio2")
    environment = os.environ | SERVER
    line = ["jackd", "-r", "-n", "rtnmf", "-d", "dummy", "-r", "48000", "-p", "512"]
    server = subprocess.Popen(line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run(["jack_wait", "-s", "rtnmf", "-w", "-t", "10"], env=environment, check=True, capture_output=True)
    yield environment
    server.terminate()
    server.wait(10)


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


def test_live_block_sounds_on_a_real_audio_server(desk, jack):
    """The live block opens a stream on a real audio server and ends on Enter."""
    (block,) = blocks("python live")
    program = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", block], cwd=desk, env=jack, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    for _ in range(100):
        time.sleep(0.2)
        ports = subprocess.run(["jack_lsp", "-c"], env=jack, capture_output=True, text=True, check=True).stdout
        if "PortAudio" in ports or program.poll() is not None:
            break
    assert re.search(r"PortAudio:in_0\n +system:capture_1", ports), ports
    said = program.communicate(b"\n", timeout=20)[1].decode()
    assert program.returncode == 0, said
    assert "Error" not in said


def test_names_in_the_readme_exist():
    """Every file and preset that the README names exists."""
    root = Path(__file__).parent.parent
    for link in re.findall(r"\]\(([\w/.]+)\)|`(scripts/\w+(?:\.py)?)`", README):
        assert (root / (link[0] or link[1])).exists(), link
