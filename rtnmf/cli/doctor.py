"""`rtnmf doctor`: what live sound needs on this machine, what is missing, and what to type."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from rtnmf import screen

if TYPE_CHECKING:
    from rtnmf.live.doctor import Finding

__all__ = ["EXAMPLES", "SUMMARY", "add_arguments", "run"]

SUMMARY = "check what live sound needs, and say how to get what is missing"
EXAMPLES = """examples:
  rtnmf doctor"""


def add_arguments(_: argparse.ArgumentParser) -> None:
    """Declare no arguments."""


def run(_: argparse.Namespace) -> None:
    """Print each finding, and the remedy where something is missing."""
    from rtnmf.live.doctor import examined

    findings = examined()
    for finding in findings:
        screen.say(f"{_verdict(finding)} {finding.what}: {finding.text}")
        if finding.remedy:
            screen.say(f"     -> {finding.remedy}")
    missing = [finding.what for finding in findings if finding.is_needed and not finding.is_well]
    if missing:
        raise ValueError(f"live sound does not work here yet; what is missing: {', '.join(missing)}")
    screen.say("live sound should work here; try: rtnmf live speech+keyboard")


def _verdict(finding: Finding) -> str:
    if finding.is_well:
        return "ok  "
    return "MISS" if finding.is_needed else "note"
