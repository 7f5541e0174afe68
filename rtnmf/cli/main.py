"""The command `rtnmf`: it finds the commands, prints errors and notes in one line each, and gives the exit code."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import errno
import importlib
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import FrameType
from typing import Any, NoReturn

from rtnmf import screen
from rtnmf.cli.arguments import translated
from rtnmf.cli.completion import PrintCompletion

__all__ = ["COMMANDS", "main"]

COMMANDS = (
    "learn",
    "separate",
    "live",
    "studio",
    "osc-layout",
    "devices",
    "doctor",
    "presets",
    "pool",
    "info",
    "name",
    "export",
    "import",
    "plugin",
    "report",
    "evaluate",
    "bench",
    "demo",
)
"""Each is a module of this room, with _ for -, with SUMMARY, EXAMPLES, `add_arguments(parser)` and `run(options)`."""

_LATER_S = 0.005
_EXAMPLES = """examples:
  rtnmf demo                                              hear it work, without a sound card
  rtnmf learn voice=me.wav fan=fan.wav -o desk.safetensors
  rtnmf separate call.m4a desk.safetensors -o out/
  rtnmf live desk.safetensors                             microphone in, the first source out
  rtnmf studio                                            teach, mix and record on a page in the browser
  rtnmf COMMAND --help                                    more on a command"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 2 after an error or without a command, 130 after Ctrl-C.

    Parameters
    ----------
    arguments : sequence of str, optional
        None means those of the process.

    Raises
    ------
    SystemExit
        If the arguments cannot be parsed, or ask for help or the version.
    """
    flags: dict[str, str] = {}
    if arguments is None:
        sys.excepthook = screen.say_traceback
    with _ended_like_ctrl_c():
        try:
            words = sys.argv[1:] if arguments is None else arguments
            if not words:
                _parser(words).print_help(sys.stderr)
                return 2
            options = _parsed(_parser(words), words)
            flags = options.flags
            with _notes(flags):
                options.run(options)
            sys.stdout.flush()
        except BrokenPipeError:
            sys.stdout = None  # the reader has gone: nothing more to flush
            return 0
        except KeyboardInterrupt as stop:
            return _failed(": ".join(["stopped", *map(str, stop.args)]), 130)
        except Exception as error:
            if isinstance(error.__cause__, KeyboardInterrupt):  # a class that was being made wraps it
                return _failed("stopped", 130)
            if isinstance(error, MemoryError):
                return _failed("there is not enough memory for this: give shorter recordings", 2)
            if isinstance(error, (ValueError, TypeError, OSError)):
                return _failed(translated(_said(error), flags), 2)
            raise
    return 0


def _parsed(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """Parse a line; words that follow options are added to those before, where a command takes any number of them."""
    options, left = parser.parse_known_args(words)
    unknown = [word for word in left if word.startswith("-") and word != "-"]
    if unknown or (left and options.further is None):
        options.fail(f"unrecognized arguments: {' '.join(unknown or left)}{_guess(unknown, options.known)}")
    if left:
        setattr(options, options.further, [*getattr(options, options.further), *left])
    return options


def _guess(words: Sequence[str], known: Iterable[str]) -> str:
    """Return a question after the first of some words that is like a known one."""
    found = [guess for word in words for guess in difflib.get_close_matches(word, known, 1)]
    return f": did you mean {found[0]}?" if found else ""


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    description = "Teach a computer sounds from a few seconds of audio, then separate them."
    parser = argparse.ArgumentParser("rtnmf", **_texts(description, _EXAMPLES))
    parser.error = _usage_error(parser, words)  # type: ignore[assignment,method-assign]
    parser.add_argument("--version", action=_Version)
    parser.add_argument("--print-completion", action=PrintCompletion)
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        command = importlib.import_module(f"rtnmf.cli.{name.replace('-', '_')}")
        sub = subparsers.add_parser(name, help=command.SUMMARY, **_texts(command.SUMMARY, command.EXAMPLES))
        sub.error = _usage_error(sub, words)  # type: ignore[assignment,method-assign]  # one line
        sub.set_defaults(run=command.run, flags={}, further=None, fail=sub.error)
        command.add_arguments(sub)
        sub.set_defaults(known=list(getattr(sub, "_option_string_actions", ())))
    return parser


def _texts(description: str, examples: str) -> dict[str, Any]:
    return {
        "description": f"{description[0].upper()}{description[1:].rstrip('.')}.",
        "epilog": examples,
        "formatter_class": argparse.RawDescriptionHelpFormatter,
        "allow_abbrev": False,  # an option that is misspelt must not become another one
    }


def _usage_error(parser: argparse.ArgumentParser, words: Sequence[str]) -> Callable[[str], NoReturn]:
    def fail(message: str) -> NoReturn:
        actions = getattr(parser, "_actions", ())
        several = [flag for action in actions if action.nargs == "+" for flag in action.option_strings]
        taken = " and ".join(flag for flag in several if flag in words)
        if "required" in message and taken:
            message = f"{message}: write them before {taken}, which takes all words that follow"
        if "arguments: --port" in message and "--web" in getattr(parser, "_option_string_actions", ()):
            message = "unrecognized arguments: --port: the port of the page stands behind --web, as in --web 8799"
        unknown = re.match(r"argument COMMAND: invalid choice: '(.*?)'", message)
        if unknown:
            message = f"there is no command {unknown[1]!r}{_guess([unknown[1]], COMMANDS)}"
        screen.tell(f"rtnmf: {message}{'' if message.endswith('?') else f': see {parser.prog} --help'}")
        raise SystemExit(2)

    return fail


class _Version(argparse.Action):
    """Look the version up only when it is asked for."""

    def __init__(self, **options: Any) -> None:
        super().__init__(nargs=0, help="print the version", **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from rtnmf.version import version

        screen.say(f"rtnmf {version()}")
        parser.exit()


@contextlib.contextmanager
def _notes(flags: Mapping[str, str]) -> Iterator[None]:
    """Print the warnings of the library as notes of one line, each text once."""
    said = set[str]()

    def note(message: Warning | str, *_: object, **__: object) -> None:
        line = translated(str(message), flags)
        if line not in said:
            screen.note(line)
        said.add(line)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = note
        yield


@contextlib.contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """Let a closed terminal and `kill` end the command as Ctrl-C does, so that no half-written file stays.

    While libsndfile calls soundfile back, where an exception would be lost, it waits for a moment.
    """

    def end(number: int, frame: FrameType | None) -> None:
        while frame is not None:
            if frame.f_code.co_name.startswith("vio_"):
                threading.Timer(_LATER_S, os.kill, (os.getpid(), number)).start()
                return
            frame = frame.f_back
        raise KeyboardInterrupt

    names = ("SIGINT", "SIGTERM", "SIGHUP") if threading.current_thread() is threading.main_thread() else ()
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _said(error: Exception) -> str:
    """Return the text of an error; of one of the system, the file first, as our own have it."""
    if not isinstance(error, OSError) or error.filename is None or not error.strerror:
        return str(error)
    shorter = ": choose a shorter name" if error.errno == errno.ENAMETOOLONG else ""
    return f"{error.filename}: {error.strerror}{shorter}"


def _failed(text: str, code: int) -> int:
    """Print why a command failed, and return the exit code."""
    try:
        screen.tell(f"rtnmf: {text}")
    except OSError:  # the terminal has gone, and what is still buffered for it cannot be written
        sys.stdout = sys.stderr = None
    return code
