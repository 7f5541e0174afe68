"""The options of `rtnmf learn` for recordings that do not fit in memory, and for who computes."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path

from rtnmf import screen
from rtnmf.cli import arguments, cluster

__all__ = ["add_arguments", "check_device", "checkpoint", "resumable"]

_RESUME = "go on with --resume"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of learning in passes."""
    text = "learn from all frames of recordings of any length, which are read N times: 2 is enough"
    arguments.option(parser, "--passes", "n_passes", arguments.whole(1), "N", text)
    text = "upper limit on the memory, such as 2GB, with --passes: with less, fewer threads read"
    arguments.option(parser, "--memory", "memory", arguments.size_bytes, "SIZE", text)
    text = "go on from the last whole pass of a command that was interrupted, with --passes"
    parser.add_argument("--resume", action="store_const", const=True, help=text)
    cluster.add_scheduler(parser, "read the recordings on a cluster of Dask, with --passes")
    text = (
        "let torch compute the passes and the training on this device, such as cuda (default: the processors); with"
        " --scheduler, the passes on that of each worker"
    )
    parser.add_argument("--device", metavar="NAME", help=text)


def check_device(options: argparse.Namespace) -> None:
    """Raise ValueError if passes and training cannot be computed here on the device that is asked for."""
    if options.device is None or options.scheduler is not None:  # whose workers are asked
        return
    from rtnmf.nmf.torch_sums import check_device

    check_device("--device", options.device)


def checkpoint(options: argparse.Namespace) -> Path | None:
    """Return where passes are kept until the dictionary is written; None where all is learned at once.

    Raises
    ------
    ValueError
        If options would be ignored, or there is something that is neither to be gone on from nor to be lost.
    """
    if options.n_passes is None:
        arguments.refuse(options, "has no use without --passes N", "memory", "resume", "scheduler")
        return None
    output = Path(options.output)
    if options.device is not None:
        arguments.refuse(options, "the limit would not hold for torch, which --device needs", "memory")
    path = output.with_name(f"{output.stem}.unfinished.safetensors")
    if path.exists() and not options.resume:
        raise ValueError(f"{path}: an interrupted command has left it: go on from it with --resume, or remove it")
    if options.resume and not path.exists():
        screen.note(f"there is no {path} to go on from: learning begins anew")
    return path


@contextlib.contextmanager
def resumable(path: Path | None) -> Iterator[None]:
    """Say how to go on when Ctrl-C, or a cluster or recordings that are gone, end a command whose passes are kept."""
    from rtnmf.learning.sources import LostRecordingsError

    def is_kept() -> bool:
        return path is not None and path.exists()

    try:
        yield
    except (ConnectionError, LostRecordingsError) as error:
        raise ValueError(f"{error}, and {_RESUME if is_kept() else 'begin again'}") from error
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(*([_RESUME] if is_kept() else [])) from stop
