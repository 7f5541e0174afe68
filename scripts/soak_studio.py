#!/usr/bin/env python3
"""Let pages look on while it sounds, and count the blocks that are lost and the time that the parent process takes.

    .venv/bin/python scripts/soak_studio.py [DICT] [--minutes M] [--clients N] [--json FILE] [--input DEVICE] ...

The studio sounds on the devices that are given as to rtnmf live, with nobody looking on and with so many clients in
turn, in stretches of a minute, so that whatever else the machine does meets both. Each client takes state, meters and
both spectrograms, thirty times a second, and runs in a process beside the studio. For a server without a sound card see
`tests/jack_server.py`.
"""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import websockets

import rtnmf
from rtnmf.cli import arguments
from rtnmf.control.studio import Studio
from rtnmf.control.web.server import Server
from rtnmf.live import Live

STRETCH_S = 60.0


def processor_s():
    """Return the processor time that this process has taken, without that of the processes it started."""
    times = os.times()
    return times.user + times.system


async def look(url, seconds):
    """Be a page for some seconds, and return how many messages came."""
    n_messages, origin = 0, url.rstrip("/")
    async with websockets.connect(f"ws{origin.removeprefix('http')}/ws", origin=origin, compression=None) as page:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for _ in page:
                    n_messages += 1
    return n_messages


async def look_all(url, n_clients, seconds):
    """Be several pages, and print how many messages the one that got the fewest had."""
    print(min(await asyncio.gather(*(look(url, seconds) for _ in range(n_clients)))))


def stretch(studio, server, n_clients, seconds):
    """Return what was seen in a stretch of some seconds with so many clients."""
    line = [sys.executable, __file__, "--look", server.url, "--clients", str(n_clients), "--seconds", str(seconds + 4)]
    looking = partial(subprocess.Popen, line, stdout=subprocess.PIPE, text=True)
    with looking() if n_clients else contextlib.nullcontext() as pages:
        time.sleep(2)  # until all have come
        before, began_s, began = studio.live.stats, processor_s(), time.monotonic()
        time.sleep(seconds)
        after, took_s, lasted = studio.live.stats, processor_s() - began_s, time.monotonic() - began
        n_messages = int(pages.communicate()[0]) if n_clients else 0
    return {
        "clients": n_clients,
        "seconds": lasted,
        "blocks": after.n_blocks - before.n_blocks,
        "lost": after.n_lost - before.n_lost,
        "late": after.n_late - before.n_late,
        "errors": after.n_errors - before.n_errors,
        "parent_percent": 100 * took_s / lasted,
        "messages_per_s": n_messages / (seconds + 4),
    }


def total(rows, n_clients):
    """Return the sums over the stretches with so many clients."""
    rows = [row for row in rows if row["clients"] == n_clients]
    sums = {name: sum(row[name] for row in rows) for name in ("blocks", "lost", "late", "errors")}
    return sums | {"parent_percent": sum(row["parent_percent"] for row in rows) / len(rows)}


def soak(options):
    """Print a line for each stretch, and what it comes to."""
    settings = arguments.given(options, *arguments.DEVICE)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        dictionary = rtnmf.load(options.dictionary)
        studio = Studio(partial(Live, **settings, tap=True), dictionary, options.dictionary, Path(folder))
        with contextlib.closing(studio), Server(studio) as server:
            studio.open()
            print(f"{'clients':>7}{'seconds':>9}{'lost':>6}{'late':>6}{'parent %':>10}{'messages/s':>12}")
            seconds = min(STRETCH_S, 60 * options.minutes)
            for _ in range(max(1, round(60 * options.minutes / seconds))):
                for n_clients in (0, options.clients):
                    row = stretch(studio, server, n_clients, seconds)
                    rows.append(row)
                    shown = f"{row['lost']:6}{row['late']:6}{row['parent_percent']:10.1f}{row['messages_per_s']:12.1f}"
                    print(f"{n_clients:7}{row['seconds']:9.1f}{shown}", flush=True)
    alone, watched = (total(rows, n_clients) for n_clients in (0, options.clients))
    per_client = (watched["parent_percent"] - alone["parent_percent"]) / options.clients
    print(f"lost of {alone['blocks']} blocks alone: {alone['lost']}; of {watched['blocks']} watched: {watched['lost']}")
    print(f"the parent takes {per_client:.1f} % of a core per client")
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=1))


def main():
    """Soak, or be the pages of a soak."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dictionary", nargs="?", default="speech+keyboard")
    parser.add_argument("--minutes", type=float, default=10, help="with clients, and as many without (default: 10)")
    parser.add_argument("--clients", type=int, default=5)
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    parser.add_argument("--look", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    arguments.add_devices(parser)
    options = parser.parse_args()
    if options.look:
        asyncio.run(look_all(options.look, options.clients, options.seconds))
    else:
        soak(options)


if __name__ == "__main__":
    main()
