"""Clusters of Dask on the command line: `--scheduler tcp://...`."""

from __future__ import annotations

import argparse
import contextlib
import logging
from collections.abc import Iterator
from typing import Any

__all__ = ["add_scheduler", "connected"]

_TIMEOUT_S = 10  # to connect, and to connect again


def add_scheduler(parser: argparse.ArgumentParser, help: str) -> None:
    """Add the option of the scheduler of a cluster."""
    text = f"{help}; all machines need the files at the same paths"
    parser.add_argument("--scheduler", metavar="ADDRESS", help=text)


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """Give a client of the scheduler at an address such as tcp://10.0.0.1:8786; None without an address.

    Raises
    ------
    ValueError
        If Dask is not installed, or there is no scheduler.
    """
    if address is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise ValueError("--scheduler needs Dask: pip install 'rtnmf[cluster]'") from error
    logging.getLogger("distributed.client").setLevel(
        logging.CRITICAL
    )  # what it reports is raised, too, and said in words
    try:
        client = Client(address, timeout=_TIMEOUT_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(
            f"--scheduler {address}: no scheduler of Dask answers there: start one with `dask scheduler`, and workers"
            " with `dask worker ADDRESS`"
        ) from error
    with client:
        yield client
