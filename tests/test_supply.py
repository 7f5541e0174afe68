"""What comes from others: private names that we use although they may change, and the licences of all packages."""

import argparse
import ast
import subprocess
import sys
from pathlib import Path

import numba
import pytest
import sounddevice
import soundfile
from test_rooms import MODULES, PACKAGE

from rtnmf.cli import main as command_line

PRIVATE = {
    # as it is written: where it is, and what happens without it
    "soundfile._snd": (lambda: soundfile._snd.sf_command, "a timecode is left out, with a warning"),
    "sound._file": (lambda: soundfile.SoundFile._file, "the same"),
    "module._terminate": (lambda: sounddevice._terminate, "devices that come later are not seen"),
    "module._initialize": (lambda: sounddevice._initialize, "the same"),
    "portaudio()._terminate": (lambda: sounddevice._terminate, "the sound system tidies up"),
    "kept._cache": (lambda: numba.njit(cache=True)(lambda: 0)._cache._cache_file, "kernels are compiled each time"),
    "kept._cache._cache_file": (lambda: numba.njit(cache=True)(lambda: 0)._cache._cache_file, "the same"),
    "file._source_stamp": (lambda: numba.njit(cache=True)(lambda: 0)._cache._cache_file._source_stamp, "the same"),
    "parser._actions": (lambda: argparse.ArgumentParser()._actions, "no tab completion; shtab needs it, too"),
    "argparse._SubParsersAction": (lambda: argparse._SubParsersAction, "the same"),
}
OURS = {"_asdict", "_replace", "_exit"}  # documented, though they begin like private ones


def private_names():
    """Yield the attributes that begin with _ and that nothing in the package defines."""
    trees = [ast.parse(PACKAGE.joinpath(*m).with_suffix(".py").read_text(encoding="utf-8")) for m in MODULES]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    defined = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    defined |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
            defined.add(node.attr)
    for node in nodes:
        is_private = isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__")
        if is_private and node.attr not in defined | OURS:
            yield ast.unparse(node)


def test_private_names_of_others_are_listed_here():
    """No other private name is used: whoever needs one adds it here, with what happens without it."""
    assert set(private_names()) <= set(PRIVATE)


@pytest.mark.parametrize("name", PRIVATE)
def test_private_names_of_others_are_there(name):
    """The packages that are installed have them still. When this fails, look for a public way first."""
    found, _ = PRIVATE[name]
    found()


def test_callbacks_of_soundfile_have_the_name_by_which_they_are_told(tmp_path):
    """Ctrl-C waits while libsndfile calls soundfile back, which is told by the names of these functions."""
    called = set()

    class File:
        def __init__(self):
            self.file = (tmp_path / "x").open("wb+")

        def __getattr__(self, name):
            called.add(sys._getframe(1).f_code.co_name)
            return getattr(self.file, name)

    file = File()
    with soundfile.SoundFile(file, "w", 16000, 1, format="WAV") as sound:
        sound.write([0.0, 0.5])
        assert "vio_write" in called
    file.file.close()


def test_a_line_is_refused_without_the_private_names_of_argparse(capsys):
    """A Python that keeps options elsewhere costs a guess at what was meant, and nothing else."""

    class Bare:
        prog = "rtnmf info"

    with pytest.raises(SystemExit):
        command_line._usage_error(Bare(), ["--sed"])("unrecognized arguments: --sed")
    assert capsys.readouterr().err == "rtnmf: unrecognized arguments: --sed: see rtnmf info --help\n"


def test_the_licence_of_every_package_is_listed():
    """The script names version and licence of all that rtnmf needs, with all extras, and fails where one has none."""
    script = Path(__file__).parent.parent / "scripts" / "list_licences.py"
    listed = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True).stdout
    lines = dict(line.split(maxsplit=1) for line in listed.splitlines())
    assert lines["numpy"].split()[1].startswith("BSD-3-Clause")
    assert {"soundfile", "numba", "jinja2", "safetensors", "cffi", "markupsafe"} <= set(lines)
