"""Tab completion: what a shell has to know of the commands, their options and which of them are files."""

from __future__ import annotations

import argparse
from typing import Any

from rtnmf import screen

__all__ = ["PrintCompletion"]

_FILES = ("FILE", "MIX", "CLIP", "DICT")


class PrintCompletion(argparse.Action):
    """Print the completion script of a shell, and exit."""

    def __init__(self, **options: Any) -> None:
        text = "print a script for tab completion"
        super().__init__(choices=["bash", "zsh", "tcsh"], metavar="SHELL", help=text, **options)

    def __call__(self, parser: argparse.ArgumentParser, _: object, shell: Any, flag: str | None = None) -> None:
        """Print the script of the shell."""
        try:
            import shtab
        except ImportError:
            parser.error(f'{flag} needs shtab: pip install "rtnmf[completion]"')
        for action in _all_actions(parser):
            if any(word in str(action.metavar) for word in _FILES):
                action.complete = shtab.FILE  # type: ignore[attr-defined]
            elif action.metavar in ("DIR", "FOLDER"):
                action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        screen.say(*shtab.complete(parser, shell).split("\n"))
        parser.exit()


def _all_actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the arguments of a parser and of its commands."""
    actions = list(parser._actions)
    commands = [action for action in actions if isinstance(action, argparse._SubParsersAction)]
    return actions + [found for action in commands for sub in action.choices.values() for found in _all_actions(sub)]
