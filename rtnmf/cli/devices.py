"""`rtnmf devices`: the sound devices, with the numbers and names that `--input` and `--output` take."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from rtnmf import screen

if TYPE_CHECKING:
    from rtnmf.live.devices import Device

__all__ = ["EXAMPLES", "SUMMARY", "add_arguments", "run"]

SUMMARY = "list the sound devices"
EXAMPLES = """examples:
  rtnmf devices
  rtnmf live desk.safetensors --input USB --output 3            by a part of the name, or by number"""

_PIPE_WIDTH = 160


def add_arguments(_: argparse.ArgumentParser) -> None:
    """Declare no arguments."""


def run(_: argparse.Namespace) -> None:
    """Print a table of the devices."""
    from rich.table import Table

    from rtnmf.live.devices import listing
    from rtnmf.live.link.device import why_none

    found = listing(with_rates=True)
    if not found:
        raise ValueError(why_none())
    table = Table(box=None, pad_edge=False)
    for column in ("no.", "device", "through", "default", "in", "out", "prefers Hz"):
        table.add_column(column, justify="right" if column in ("no.", "in", "out", "prefers Hz") else "left")
    table.add_column("takes Hz", overflow="fold")
    for number, device in enumerate(found):
        table.add_row(str(number), *_cells(device))
    screen.console(_PIPE_WIDTH).print(table)


def _cells(device: Device) -> list[str]:
    defaults = {"in": device.is_default_input, "out": device.is_default_output}
    return [
        device.name,
        device.host,
        " ".join(direction for direction, is_default in defaults.items() if is_default),
        str(device.n_inputs),
        str(device.n_outputs),
        str(device.sample_rate),
        ", ".join(map(str, device.sample_rates)),
    ]
