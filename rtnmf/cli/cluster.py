"""Clusters of Dask on the command line: `--scheduler tcp://...`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
from collections.abc import Iterator
from typing import Any

from rtnmf.audio.names import printable

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
        asyncio.run(_check_answer(address))
        client = Client(address, timeout=_TIMEOUT_S, set_as_default=False)
    except Exception as error:  # each kind of connection has its own
        raise ValueError(
            f"--scheduler {printable(address)}: no scheduler of Dask answers there: start one with `dask scheduler`,"
            " and workers with `dask worker ADDRESS`"
        ) from error
    with client:
        yield client


async def _check_answer(address: str) -> None:
    """Connect once: a client that cannot writes about it while it is closed, half a minute later."""
    from distributed import Security
    from distributed.comm import connect

    arguments = Security().get_connection_args("client")
    comm = await asyncio.wait_for(connect(address, timeout=_TIMEOUT_S, **arguments), _TIMEOUT_S)
    await comm.close()
