"""What all commands have in common: help, errors, notes, exit codes, an end by a signal."""

import os
import resource
import signal
import subprocess
import sys
import time
import warnings

import pytest
from command_line import assert_refused, run, run_process, save_desk, sound

from rtnmf.cli.main import COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_examples(name, capsys):
    """The help of each command ends in examples of it."""
    with pytest.raises(SystemExit) as ended:
        run(name, "--help")
    assert ended.value.code == 0
    assert f"examples:\n  rtnmf {name}" in capsys.readouterr().out


def test_help_lists_the_commands(capsys):
    """`rtnmf --help` lists every command with its summary, and examples."""
    with pytest.raises(SystemExit) as ended:
        run("--help")
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert all(f"\n    {name} " in said for name in COMMANDS)
    assert "examples:\n  rtnmf demo" in said


def test_help_is_in_sentences(capsys):
    """What a command does is a sentence in its help."""
    with pytest.raises(SystemExit):
        run("separate", "--help")
    assert "\n\nSeparate recordings into one file per source, or remix them.\n\n" in capsys.readouterr().out


def test_help_loads_no_library():
    """Help is quick because it loads neither numpy nor rich."""
    code = """
import sys
from rtnmf.cli.main import main
try:
    main(["--help"])
except SystemExit:
    assert not {"numpy", "rich", "rtnmf.dictionary"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_version(capsys):
    """`--version` prints the version and ends with code 0, also as `python -m rtnmf`."""
    assert run_process("--version").stdout.startswith("rtnmf 0.")
    with pytest.raises(SystemExit) as ended:
        run("--version")
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("rtnmf 0.")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("sing", "there is no command 'sing': see rtnmf --help"),
        ("seperate x", "there is no command 'seperate': did you mean separate?"),
        ("separate x --gian a=1", "unrecognized arguments: --gian: did you mean --gain?"),
        ("info x y", "unrecognized arguments: y: see rtnmf info --help"),
        ("learn x", "the following arguments are required: -o/--output: see rtnmf learn --help"),
        ("report --truth a=0 x y", "required: INPUT: write them before --truth, which takes all words"),
        ("learn x -o x --components 0", "argument --components: 0 is not a whole number of 1 or more: see"),
        ("learn x -o x --rate -1", "argument --rate: -1 is not a whole number of 1 or more: see"),
        ("learn x -o x --steps -1", "argument --steps: -1 is not a whole number of 0 or more: see"),
        ("learn x -o x --seed -1", "argument --seed: -1 is not a whole number of 0 or more: see"),
        ("learn x -o x --latency-ms 0", "argument --latency-ms: 0 is not a positive number of milliseconds, nor"),
        ("learn x -o x --latency 128", "unrecognized arguments: --latency: did you mean --latency-ms?"),
        ("separate x y --updates 0", "argument --updates: 0 is not a whole number of 1 or more: see"),
        ("demo --block 99999999999", "argument --block: 99999999999 is not a whole number of 1 or more: see"),
        ("live x --outputs quad", "argument --outputs: invalid choice: 'quad'"),
        ("live x --for 0", "argument --for: 0 is not a positive number of seconds: see rtnmf live --help"),
        ("report x --axis bark", "argument --axis: invalid choice: 'bark'"),
    ],
)
def test_a_line_that_cannot_be_parsed_is_one_line_on_stderr(line, message, capsys):
    """What cannot be parsed ends with code 2 and one line that names the argument."""
    with pytest.raises(SystemExit) as ended:
        run(*line.split())
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("rtnmf: ")
    assert said.count("\n") == 1
    assert message in said


def test_no_command_shows_what_there_is(capsys):
    """Without a command the help is shown, as an error."""
    assert run() == 2
    assert "usage: rtnmf" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ValueError("n_iter is 0,\n expected more"), 2, "rtnmf: --updates is 0, expected more\n"),
        (TypeError("mask_power is 'x'"), 2, "rtnmf: --power is 'x'\n"),
        (OSError("the disk is full"), 2, "rtnmf: the disk is full\n"),
        (OSError(36, "File name too long", "x"), 2, "rtnmf: x: File name too long: choose a shorter name\n"),
        (MemoryError(), 2, "rtnmf: there is not enough memory for this: give shorter recordings\n"),
        (KeyboardInterrupt(), 130, "rtnmf: stopped\n"),
    ],
)
def test_errors_become_one_line_and_an_exit_code(error, code, said, monkeypatch, capsys):
    """An error of the library is one line on stderr, with flags for parameters; Ctrl-C has a code of its own."""

    def failing(_):
        raise error

    monkeypatch.setattr("rtnmf.cli.separate.run", failing)
    assert run("separate", "x", "y") == code
    assert capsys.readouterr() == ("", said)


def test_a_fault_of_the_program_is_not_hidden(monkeypatch):
    """Any other exception is a fault of ours, and keeps its traceback."""
    monkeypatch.setattr("rtnmf.cli.presets.run", lambda _: {}["missing"])
    with pytest.raises(KeyError):
        run("presets")


def test_warnings_become_notes(monkeypatch, capsys):
    """A warning of the library is a note of one line, once per text, and what was set for warnings comes back."""

    def warning(_):
        for n_iter in (7, 7, 8):
            warnings.warn(f"used with n_iter={n_iter},\n trained for 5", stacklevel=1)

    before = warnings.showwarning
    monkeypatch.setattr("rtnmf.cli.separate.run", warning)
    assert run("separate", "x", "y") == 0
    assert capsys.readouterr() == (
        "",
        "note: used with --updates 7, trained for 5\nnote: used with --updates 8, trained for 5\n",
    )
    assert warnings.showwarning is before


def test_a_closed_pipe_is_not_an_error():
    """A reader that leaves early ends the command without a word."""
    line = f"{sys.executable} -m rtnmf presets | true"
    ended = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert ended.stderr == ""


def stopped_while(line, folder, sign, number=signal.SIGINT):
    """Run a command in a folder, send it a signal as soon as there is a sign, and return its code and stderr."""
    command = [sys.executable, "-m", "rtnmf", *line]
    started = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not sign() and time.monotonic() < deadline and started.poll() is None:
        time.sleep(0.01)
    started.send_signal(number)
    said = started.communicate(timeout=60)[1]
    return started.returncode, said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_kill_and_a_closed_terminal_leave_nothing(tmp_path, number):
    """Each stops a command, and removes half-written files and the folders that were made for them."""
    mix, desk = sound(tmp_path / "mix.wav", 3_000_000, 2), save_desk(tmp_path)
    line = ["separate", mix, desk, "-o", "new/out"]
    code, said = stopped_while(line, tmp_path, lambda: list(tmp_path.glob("new/out/.*.part")), number)
    assert said == "rtnmf: stopped\n"
    assert code in (130, -signal.SIGINT)  # the latter when it came while code was being compiled
    assert sorted(tmp_path.iterdir()) == [desk, mix]


def test_ctrl_c_in_a_callback_is_kept_for_later(tmp_path):
    """An interrupt while libsndfile calls soundfile back, where it would be lost, ends the command as well."""
    code = f"""
import os, signal, sys
from rtnmf.audio import files
from rtnmf.cli.main import main
written = files.Output.write
def write(self, data):
    def vio_write():
        files.Output.write = written
        os.kill(os.getpid(), signal.SIGINT)
        return written(self, data)
    return vio_write()
files.Output.write = write
sys.exit(main(["separate", {str(sound(tmp_path / "mix.wav", 500_000))!r}, {str(save_desk(tmp_path))!r}]))
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stderr) == (130, "rtnmf: stopped\n")
    assert not (tmp_path / "mix-stems").exists()


def test_ctrl_c_ends_with_130_while_a_page_is_drawn(tmp_path):
    """An interrupt that matplotlib makes another error of is still one, and leaves no page."""
    code = f"""
import sys
from rtnmf import report
from rtnmf.cli.main import main
class Interrupting:
    def __set_name__(self, *_):
        raise KeyboardInterrupt
def describe(*_, **__):
    type("Class", (), {{"part": Interrupting()}})
report.describe = describe
sys.exit(main(["report", {str(save_desk(tmp_path))!r}]))
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stderr) == (130, "rtnmf: stopped\n")
    assert not (tmp_path / "report.html").exists()


def full_disk():
    """Let files grow to 20 kB and no further, as a full disk would."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


@pytest.mark.parametrize(
    "arguments",
    [
        ["separate", "mix.wav", "desk.safetensors", "-o", "out"],
        ["learn", "mix.wav", "-o", "out/d.safetensors", "--components", "16"],
    ],
)
def test_a_full_disk_is_one_line(tmp_path, arguments):
    """A full disk ends a command with one line on stderr and leaves no half-written file."""
    sound(tmp_path / "mix.wav", 100_000)
    save_desk(tmp_path)
    (tmp_path / "out").mkdir()
    environment = os.environ | {"NUMBA_CACHE_DIR": "/dev/null/x"}
    ended = run_process(*arguments, cwd=tmp_path, preexec_fn=full_disk, env=environment)
    assert ended.returncode == 2, ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert "cannot be written" in ended.stderr
    assert not list((tmp_path / "out").iterdir())


def test_a_missing_file_is_named(tmp_path, capsys):
    """A file that is not there is named in the one line of the error."""
    assert_refused(["separate", tmp_path / "no.wav", save_desk(tmp_path)], "no.wav: no such file", capsys)
