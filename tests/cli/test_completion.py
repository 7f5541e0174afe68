"""Tab completion in a real shell."""

import subprocess
import sys

import pytest
from command_line import run_process

WORDS = """
source ./script
COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
$(complete -p rtnmf | sed 's/.* -F \\([^ ]*\\).*/\\1/')
printf '%s ' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with the script for bash, and files."""
    folder = tmp_path_factory.mktemp("completion")
    ended = run_process("--print-completion", "bash")
    assert ended.returncode == 0, ended.stderr
    (folder / "script").write_text(ended.stdout)
    (folder / "mix.m4a").touch()
    return folder


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("rtnmf sep", ["separate"]),
        ("rtnmf separate --form", ["--format"]),
        ("rtnmf separate mi", ["mix.m4a"]),
        ("rtnmf report x.safetensors --axis me", ["mel"]),
    ],
)
def test_bash_completes_commands_options_choices_and_files(folder, line, completed):
    """Bash completes what was begun: a command, an option, a choice, or the name of a file."""
    command = ["bash", "-c", WORDS, "bash", *line.split()]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert ended.stdout.split() == completed


def test_without_shtab_the_line_that_installs_it_is_given(tmp_path):
    """Where shtab is not installed, the error says how to install it."""
    code = (
        "import sys; sys.modules['shtab'] = None; from rtnmf.cli.main import main; main(['--print-completion', 'zsh'])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert 'rtnmf: --print-completion needs shtab: pip install "rtnmf[completion]"' in ended.stderr
