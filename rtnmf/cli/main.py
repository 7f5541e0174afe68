"""The command `rtnmf`: it finds the commands, prints errors and notes in one line each, and gives the exit code."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from rtnmf.cli.arguments import translated

__all__ = ["COMMANDS", "main"]

COMMANDS = (
    "learn",
    "separate",
    "live",
    "devices",
    "doctor",
    "presets",
    "info",
    "report",
    "evaluate",
    "bench",
    "demo",
)
"""Each is a module of this room with SUMMARY, EXAMPLES, `add_arguments(parser)` and `run(options)`."""

_EXAMPLES = """examples:
  rtnmf demo                                              hear it work, without a sound card
  rtnmf learn voice=me.wav fan=fan.wav -o desk.safetensors
  rtnmf separate call.wav desk.safetensors -o out/
  rtnmf live desk.safetensors                             microphone in, the first source out
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
    words = sys.argv[1:] if arguments is None else arguments
    parser = _parser(words)
    if not words:
        parser.print_help(sys.stderr)
        return 2
    options, unknown = parser.parse_known_args(words)
    if unknown:
        options.fail(f"unrecognized arguments: {' '.join(unknown)}")
    flags = options.flags
    with _notes(flags), _ended_like_ctrl_c():
        try:
            options.run(options)
            sys.stdout.flush()
        except BrokenPipeError:
            sys.stdout = None  # the reader has gone: nothing more to flush
            return 0
        except (ValueError, TypeError, OSError) as error:
            return _failed(translated(str(error), flags), 2)
        except MemoryError:
            return _failed("there is not enough memory for this: give shorter recordings", 2)
        except KeyboardInterrupt:
            return _failed("stopped", 130)
    return 0


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    description = "Teach a computer sounds from a few seconds of audio, then separate them."
    parser = argparse.ArgumentParser("rtnmf", **_texts(description, _EXAMPLES))
    parser.error = _usage_error(parser, words)  # type: ignore[assignment,method-assign]
    parser.add_argument("--version", action=_Version)
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        command = importlib.import_module(f"rtnmf.cli.{name}")
        sub = subparsers.add_parser(name, help=command.SUMMARY, **_texts(command.SUMMARY, command.EXAMPLES))
        sub.error = _usage_error(sub, words)  # type: ignore[assignment,method-assign]  # one line
        sub.set_defaults(run=command.run, fail=sub.error, flags={})
        command.add_arguments(sub)
    return parser


def _texts(description: str, examples: str) -> dict[str, Any]:
    return {
        "description": description,
        "epilog": examples,
        "formatter_class": argparse.RawDescriptionHelpFormatter,
        "allow_abbrev": False,  # an option that is misspelt must not become another one
    }


def _usage_error(parser: argparse.ArgumentParser, words: Sequence[str]) -> Callable[[str], NoReturn]:
    def fail(message: str) -> NoReturn:
        several = [flag for action in parser._actions if action.nargs == "+" for flag in action.option_strings]
        taken = " and ".join(flag for flag in several if flag in words)
        if "required" in message and taken:
            message = f"{message}: write them before {taken}, which takes all words that follow"
        print(f"rtnmf: {message}: see {parser.prog} --help", file=sys.stderr)
        raise SystemExit(2)

    return fail


class _Version(argparse.Action):
    """Look the version up only when it is asked for."""

    def __init__(self, **options: Any) -> None:
        super().__init__(nargs=0, help="print the version", **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from rtnmf.version import version

        print(f"rtnmf {version()}")
        parser.exit()


@contextlib.contextmanager
def _notes(flags: Mapping[str, str]) -> Iterator[None]:
    """Print the warnings of the library as notes of one line."""

    def note(message: Warning | str, *_: object, **__: object) -> None:
        print(f"note: {translated(str(message), flags)}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = note
        yield


@contextlib.contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """Let a closed terminal and `kill` end the command as Ctrl-C does, so that no half-written file stays."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _failed(text: str, code: int) -> int:
    """Print why a command failed, and return the exit code."""
    try:
        print(f"rtnmf: {text}", file=sys.stderr, flush=True)
    except OSError:  # the terminal has gone, and what is still buffered for it cannot be written
        sys.stdout = sys.stderr = None
    return code
