"""A cluster of Dask for scripts and tests: a scheduler and workers as processes of their own, on this machine."""

import contextlib
import subprocess
import sys
import tempfile
from pathlib import Path

from distributed import Client

_WAIT_S = 60


class Processes:
    """A scheduler with a client, and workers of one thread that can be killed."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory()
        self._file = Path(self._folder.name, "scheduler.json")
        self.workers = []
        self.scheduler = self._started("scheduler", "--port", 0, "--no-show")
        self.client = Client(scheduler_file=self._file, timeout=_WAIT_S, set_as_default=False)
        self.address = self.client.scheduler.address

    def _started(self, kind, *options):
        module = f"distributed.cli.dask_{kind}"
        where = ("--scheduler-file", self._file, "--host", "127.0.0.1", "--no-dashboard")
        line = [sys.executable, "-m", module, *map(str, (*where, *options))]
        return subprocess.Popen(line, stderr=subprocess.DEVNULL, cwd=self._folder.name)  # noqa: S603  # Dask's own

    def add(self, n=1):
        """Start so many workers, and wait for all that are."""
        self.workers += [self._started("worker", "--nthreads", 1, "--no-nanny") for _ in range(n)]
        self.client.wait_for_workers(len(self.workers), timeout=_WAIT_S)

    def ensure(self, n):
        """Have so many workers or more."""
        self.add(max(0, n - len(self.workers)))

    def kill(self, worker):
        """Kill a worker as kill -9 does."""
        worker.kill()
        worker.wait()
        self.workers.remove(worker)

    def close(self):
        """End all processes."""
        with contextlib.suppress(Exception):  # the scheduler may have been killed
            self.client.close(timeout=2)
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()
        self._folder.cleanup()
