"""A pass over an archive on a cluster of Dask, event by event, without the cluster: how long it takes, what travels.

The tree of additions is built by what builds the real one. The rest is what Dask does, in few words: leaves wait at the
scheduler, which gives each worker few at a time, in their order; a sum is made by the worker that has more of the two
halves and less to do, before further leaves; it fetches the half that it lacks. The scheduler is one server, and takes
as long for each task that ends; so is the link of each worker to the network.
"""

import heapq
import itertools
import math
from typing import NamedTuple

from rtnmf.nmf.passes import added


class Costs(NamedTuple):
    """What was measured, in seconds and bytes."""

    client_s: float
    """Of this process, per task: to build the graph, and to follow it."""
    scheduler_s: float
    """Of the scheduler, per task."""
    worker_s: float
    """Of a worker, per task, beside the task itself."""
    message_s: float
    """To fetch something small from another worker."""
    bandwidth: float
    """Of a worker, in bytes per second."""
    sum_bytes: int
    """Of the sums over some frames, with all that is around them in a message."""


class Predicted(NamedTuple):
    """What a pass takes."""

    seconds: float
    traffic: int
    """Bytes that workers send to one another and, the sum over all, to the client."""
    n_tasks: int
    shares: dict[str, float]
    """How busy each part was, as a fraction of the time; of `one leaf`, what the longest one takes of it."""

    @property
    def bound(self):
        """What the time is mostly spent on."""
        return max(self.shares, key=self.shares.__getitem__)


class _Task:
    """A leaf, or the addition of two others."""

    def __init__(self, seconds=0.0, inputs=()):
        self.seconds, self.inputs = seconds, inputs
        self.parent = self.worker = None
        self.n_missing = len(inputs)
        for one in inputs:
            one.parent = self

    def __add__(self, other):
        return _Task(0.0, (self, other))


class _Worker:
    """Its threads, and what it was given."""

    def __init__(self, number, n_threads):
        self.number, self.n_idle = number, n_threads
        self.n_given = 0  # tasks, until the scheduler knows that they have ended
        self.waiting = []  # tasks whose inputs are here
        self.link_free = self.link_busy = 0.0


class _Pass:
    """The events of a pass: `given`, `here` and `ended` at a worker, then `told` to the scheduler."""

    def __init__(self, leaves, costs, n_workers, n_threads, slots):
        self.costs, self.leaves, self.slots = costs, iter(leaves), slots
        self.workers = [_Worker(i, n_threads) for i in range(n_workers)]
        self.scheduler_free = self.now = 0.0
        self.n_sent = 0
        self.events, self.order = [], itertools.count()

    def run(self, begins):
        """Let all happen, with workers that begin at some time each; return when the last task has ended."""
        for _ in range(self.slots):
            for worker, begin in zip(self.workers, begins, strict=True):
                self.give_leaf(worker, begin)
        while self.events:
            self.now, _, happen, *what = heapq.heappop(self.events)
            happen(*what)
        return self.now

    def at(self, time, happen, *what):
        """Let something happen at a time."""
        heapq.heappush(self.events, (time, next(self.order), happen, *what))

    def give_leaf(self, worker, time):
        """Give a worker the next leaf, if one is left."""
        leaf = next(self.leaves, None)
        if leaf is not None:
            self.give(leaf, worker, time)

    def give(self, task, worker, time):
        """Send a task to a worker, which first fetches what it lacks."""
        task.worker = worker
        worker.n_given += 1
        for one in task.inputs:
            if one.worker is not worker:
                took = self.costs.message_s + self.costs.sum_bytes / self.costs.bandwidth
                time = worker.link_free = max(time, worker.link_free) + took
                worker.link_busy += took
                self.n_sent += 1
        self.at(time, self.here, task, worker)

    def here(self, task, worker):
        """Let a task wait for a thread; additions come before leaves."""
        heapq.heappush(worker.waiting, (not task.inputs, next(self.order), task))
        self.start(worker)

    def start(self, worker):
        """Let an idle thread work."""
        if worker.n_idle and worker.waiting:
            worker.n_idle -= 1
            *_, task = heapq.heappop(worker.waiting)
            self.at(self.now + self.costs.worker_s + task.seconds, self.ended, task, worker)

    def ended(self, task, worker):
        """Tell the scheduler, which comes to it after what it was told before, and go on."""
        worker.n_idle += 1
        self.start(worker)
        self.scheduler_free = max(self.now, self.scheduler_free) + self.costs.scheduler_s
        self.at(self.scheduler_free, self.told, task, worker)

    def told(self, task, worker):
        """Give out the addition that has both of its halves now, and a leaf."""
        worker.n_given -= 1
        if task.parent:
            task.parent.n_missing -= 1
            if not task.parent.n_missing:
                holders = (worker, *(one.worker for one in task.parent.inputs))
                self.give(task.parent, min(holders, key=lambda one: one.n_given), self.now)
        if worker.n_given < self.slots:
            self.give_leaf(worker, self.now)


def simulated(leaf_s, costs, n_workers, shared_bytes, *, n_threads=1, saturation=1.1):
    """Return what a pass takes.

    Parameters
    ----------
    leaf_s : sequence of float
        How long a worker takes for each leaf, in their order.
    costs : Costs
    n_workers : int
    shared_bytes : int
        What each worker gets once: W and the archive. All but one get it from one that has it, two at a time, then
        four, and so on.
    n_threads : int
        Of a worker.
    saturation : float
        Leaves that a worker is given at a time, per thread: a setting of Dask.
    """
    leaves = [_Task(seconds) for seconds in leaf_s]
    added(leaves)
    n_tasks = 2 * len(leaves) - 1
    client_s = n_tasks * costs.client_s
    shared_s = costs.message_s + shared_bytes / costs.bandwidth
    begins = [client_s + shared_s * (1 + i.bit_length()) for i in range(n_workers)]
    one = _Pass(leaves, costs, n_workers, n_threads, math.ceil(saturation * n_threads))
    root_s = costs.message_s + costs.sum_bytes / costs.bandwidth
    seconds = one.run(begins) + root_s
    n_used = min(n_workers, len(leaves))
    shares = {
        "reading": sum(leaf_s) / (n_workers * n_threads),
        "one leaf": max(leaf_s) * (len(leaves) < n_workers * n_threads),
        "scheduler": n_tasks * costs.scheduler_s,
        "client": client_s,
        "network": max(worker.link_busy for worker in one.workers) + max(begins) - client_s,
    }
    traffic = (one.n_sent + 1) * costs.sum_bytes + (n_used - 1) * shared_bytes
    return Predicted(seconds, traffic, n_tasks, {name: share / seconds for name, share in shares.items()})
