"""BLAS on one thread, however its users overlap."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from rtnmf import learn, nmf
from rtnmf.nmf.blas import one_blas_thread


def n_threads():
    """Return the threads that BLAS has."""
    np.ones((2, 2)) @ np.ones((2, 2))
    return max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")


def test_overlapping_users_leave_the_threads_as_they_were():
    """Whichever of two overlapping users ends first, one thread is kept until the other is done, and no longer."""
    with threadpool_limits(2, user_api="blas"):
        before = n_threads()
        first, second = one_blas_thread(), one_blas_thread()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert n_threads() == 1
        second.__exit__(None, None, None)
        assert n_threads() == before == 2


def test_a_training_that_overlaps_a_fit_leaves_the_threads_as_they_were():
    """A fit that begins within a training and ends after it restores what was before both."""
    V = np.random.default_rng(0).random((64, 50))
    within, after = threading.Event(), threading.Event()

    def fit_progress(*_):
        within.set()
        after.wait(30)

    def train_progress(stage, *_):
        if stage == "training" and not within.is_set():
            fit.start()
            within.wait(30)

    fit = threading.Thread(target=lambda: nmf.fit(V, 2, n_iter=1, progress=fit_progress))
    with threadpool_limits(2, user_api="blas"):
        sounds = {name: np.random.default_rng(i).uniform(-1, 1, 4000) for i, name in enumerate("ab")}
        learn(sounds, 8000, n_components=2, n_steps=2, progress=train_progress)
        after.set()
        fit.join()
        assert n_threads() == 2


FORKING = """
import os, signal, threading
from numba.core.compiler_lock import global_compiler_lock
from rtnmf.nmf.blas import one_blas_thread

ready = threading.Semaphore(0)

def work():
    while True:
        with one_blas_thread(), global_compiler_lock:
            ready.release()

threading.Thread(target=work, daemon=True).start()
for _ in range(30):
    ready.acquire()
    child = os.fork()
    if not child:
        signal.alarm(10)
        with one_blas_thread(), global_compiler_lock:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_process_that_is_forked_while_another_thread_learns_does_not_wait_for_it():
    """Neither the lock of the matrix products nor that of the compiler stays locked in the child."""
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORKING], check=True)
