"""What the documentation shows works as it stands there, and what it names exists.

Commands run in this process, and those that sound on a real audio server, for a moment each. Blocks without a language
are not run.
"""

import contextlib
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import DEMO
from jack_server import ENVIRONMENT, Peer

from rtnmf.audio import files
from rtnmf.cli import microphone_takes
from rtnmf.cli.main import main

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
OTHERS = [ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "presets" / "README.md"]
CLIPS = {"me": "voice-train", "me2": "voice", "fan": "keyboard-train", "clip": "voice", "mix": "voice"}
CLIPS |= {"noises/typing": "keyboard", "archive/birds": "voice"}
RATE = 8000
DEVICES = [("USB", 2, 0), ("Headphones", 0, 2), ("Mixer", 0, 4)]
SOUNDING = re.compile(r"rtnmf (live|studio|devices|doctor)|.*mic:")


def blocks(language):
    """Return the fenced blocks in a language, each with the name of its page."""
    found = re.compile(rf"^```{language}\n(.*?)^```", re.MULTILINE | re.DOTALL)
    return [(page, block) for page, text in TEXTS.items() for block in found.findall(text)]


def lines(*, sounding):
    """Return the shell lines that need a sound device, or those that do not, in their order and each once."""
    of_all = [line for _, block in blocks("sh") for line in block.splitlines()]
    own = [re.sub(r"\s+#.*", "", line) for line in of_all if not line.startswith("scripts/")]
    return [line for line in dict.fromkeys(own) if bool(SOUNDING.match(line)) is sounding]


def programs(*, sounding):
    """Return the Python blocks that open a stream, or those that do not, each with the name of its page."""
    return [found for found in blocks("python") if ("input(" in found[1]) is sounding]


def run(line):
    """Run a line of the shell in this process."""
    words = shlex.split(line)
    assert words[0] == "rtnmf", line
    assert main(words[1:]) == 0, line


def wiring_of_the_microphone(jack, program):
    """Return what is connected to the server's microphone as soon as something is, or the program has ended."""
    wiring = b""
    for _ in range(300):
        asked = ["jack_lsp", "-c", "system:capture_1"]
        wiring = subprocess.run(asked, env=jack, capture_output=True, check=True).stdout
        if b"\n   " in wiring or program.poll() is not None:
            break
        time.sleep(0.1)
    return wiring


def quick(line):
    """Return a shell line that learns little where it learns; as much as usual is learned for `desk`."""
    if "--passes" in line:
        return f"{line} --steps 20"
    return f"{line} --iterations 10 --steps 20" if line.startswith("rtnmf learn voice") else line


def teaching():
    """Return the lines of the README that learn from recordings."""
    (block,) = [block for page, block in blocks("sh") if page == "README.md" and "rtnmf learn" in block]
    return [line for line in lines(sounding=False) if line.startswith("rtnmf learn") and line in block]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """Return a folder with the recordings that the documentation names, in which the README was taught."""
    folder = tmp_path_factory.mktemp("desk")
    for name in ("noises", "archive"):
        (folder / name).mkdir()
    for name, clip in CLIPS.items():
        x, rate = files.read(DEMO / f"{clip}.flac", RATE)
        files.write(folder / f"{name}.wav", x[: 3 * rate], rate)
    with contextlib.chdir(folder):
        for line in teaching():
            run(line)
    return folder


@pytest.fixture(scope="module")
def jack(audio_server, tmp_path_factory):
    """Return the environment of an audio server with the devices that the documentation names; one hears noise."""
    audio_server.ensure()
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        folder = tmp_path_factory.mktemp("peers")
        peers = [stack.enter_context(contextlib.closing(Peer(folder, *of))) for of in DEVICES]
        peers[0].play(np.random.default_rng(0).uniform(-0.3, 0.3, 120 * 48000))
        yield os.environ


def test_the_readme_learns_what_the_others_use():
    """The README begins with one sound, and makes the dictionaries that all other pages name."""
    alone, several = teaching()
    assert alone == lines(sounding=False)[0]
    assert "me.safetensors" in alone
    assert "desk.safetensors" in several
    assert len(lines(sounding=False)) >= 12


@pytest.mark.parametrize("line", [line for line in lines(sounding=False) if line not in teaching()])
def test_shell_lines_run(desk, hardly_joined, monkeypatch, line):
    """A shell line ends well after little training, but for those that set a checkout up, which are not tried."""
    monkeypatch.chdir(desk)
    run(quick(line))


@pytest.fixture(scope="module")
def phone(desk, tmp_path_factory):
    """Return a folder with the same recordings as m4a, and the dictionaries."""
    folder = tmp_path_factory.mktemp("phone")
    for name in ("noises", "archive"):
        (folder / name).mkdir()
    for name in CLIPS:
        line = ["ffmpeg", "-loglevel", "error", "-i", desk / f"{name}.wav", folder / f"{name}.m4a"]
        subprocess.run(line, check=True)
    for name in ("me.safetensors", "desk.safetensors"):
        (folder / name).write_bytes((desk / name).read_bytes())
    return folder


def lines_that_read():
    """Return a line of each command that is given recordings, and each that is given parts or sums of them."""
    given = [line for line in lines(sounding=False) if ".wav" in line and "bases.wav" not in line]
    first = {line.split()[1]: line for line in reversed(given)}.values()
    return [line for line in given if line in first or re.search(r"\.wav[@&]", line)]


@pytest.mark.parametrize("line", lines_that_read())
def test_shell_lines_run_on_m4a(phone, hardly_joined, monkeypatch, line):
    """A command does the same with the recordings of a phone, after little training."""
    monkeypatch.chdir(phone)
    run(quick(line.replace(".wav", ".m4a")) + " --overwrite")


@pytest.mark.parametrize(("page", "block"), programs(sounding=False), ids=lambda value: value.partition("\n")[0])
def test_python_blocks_run(desk, page, block):
    """A Python block runs."""
    ended = subprocess.run([sys.executable, "-c", block], cwd=desk, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, f"{page}: {ended.stderr}"


@pytest.mark.parametrize("line", lines(sounding=True))
def test_sounding_lines_run_on_a_real_audio_server(desk, jack, monkeypatch, line):
    """A shell line that needs sound devices ends well, after no countdown, half a second of sound, little training."""
    monkeypatch.chdir(desk)
    monkeypatch.setattr(microphone_takes, "_COUNTDOWN_S", 0)
    short = line.replace("mic:10", "mic:0.5").replace(" --for 10", "")
    if "mic:" in short and "--input" not in short:
        short += " --input USB"  # what the server calls its own is silent
    run(quick(short) + (" --for 0.5" if line.startswith(("rtnmf live", "rtnmf studio")) else ""))


@pytest.mark.parametrize(("page", "block"), programs(sounding=True), ids=lambda value: value.partition("\n")[0])
def test_sounding_programs_run_on_a_real_audio_server(desk, jack, page, block):
    """A Python block that opens a stream is connected to the audio server, and ends well on Enter."""
    command = [sys.executable, "-W", "ignore", "-c", block]
    with subprocess.Popen(command, cwd=desk, env=jack, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        try:
            wiring = wiring_of_the_microphone(jack, program)
            said = program.communicate(b"\n", timeout=60)[1].decode()
        finally:
            program.kill()
    assert program.returncode == 0, f"{page}: {said}"
    assert "Error" not in said
    assert b"\n   " in wiring, wiring


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=lambda page: page.name)
def test_links_and_files_exist(page):
    """Every file that a page links to or names exists, and every heading that it links to."""
    text = page.read_text(encoding="utf-8")
    for target, heading in re.findall(r"\]\(([\w/.-]+)#?([\w-]*)\)", text):
        linked = page.parent / target
        assert linked.exists(), target
        titles = re.findall(r"^#+ (.*)", linked.read_text(encoding="utf-8"), re.MULTILINE) if heading else []
        assert not heading or heading in [re.sub(r"[^\w-]", "", t.lower().replace(" ", "-")) for t in titles]
    for named in re.findall(r"`((?:rtnmf|scripts|tests|docs|presets)/[\w/.-]*)`", text):
        assert (ROOT / named).exists(), named


def test_readme_is_one_screen():
    """The README, and every other page, stays as long as a newcomer reads to its end."""
    assert TEXTS["README.md"].count("\n") <= 95
    assert all(text.count("\n") <= 150 for text in TEXTS.values())


def test_architecture_mentions_every_room():
    """The page on the architecture has every room of the package, and every file that it names is there."""
    text = TEXTS["docs/architecture.md"]
    package = ROOT / "rtnmf"
    rooms = [path.name for path in package.iterdir() if path.is_dir() and (path / "__init__.py").exists()]
    assert [room for room in rooms if f"{room}/" not in text] == []
    for named in re.findall(r"`(\w+(?:/\w+)*\.py)`", text):
        assert (package / named).exists() or (ROOT / named).exists(), named
    for named in re.findall(r"`(\w+(?:/\w+)*/)`", text):
        assert (package / named).is_dir() or (ROOT / named).is_dir(), named


def test_tests_that_are_left_out_without_a_sound_card_exist():
    """What the public checks leave out on machines without a sound card is there to be left out."""
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    ignored = re.findall(r"--ignore=(\S+)", workflow)
    assert "tests/live" in ignored
    assert [path for path in ignored if not (ROOT / path).exists()] == []


def test_picture_of_the_readme_is_small():
    """The picture of the README is small enough to load at once."""
    assert (ROOT / "docs" / "separation.png").stat().st_size < 200_000
