"""Shared memory: no torn reads, no lost samples."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from rtnmf.live.link.memory import Mailbox, Ring, attach, share, take_room

STATE = np.dtype([("number", "u8"), ("values", "u8", 500)])


def state(number):
    """Return a state in which all values are the same."""
    filled = np.zeros((), STATE)
    filled["number"] = filled["values"] = number
    return filled


def test_mailbox_gives_the_last_state():
    """Reading a mailbox returns the state written last, and None before the first."""
    memory = bytearray(Mailbox.size(STATE))
    reader, writer = Mailbox(memoryview(memory), STATE), Mailbox(memoryview(memory), STATE)
    assert reader.read() is None
    for number in (0, 7, 8):
        writer.write(state(number))
        assert (reader.read()["values"] == number).all()


def test_writer_that_died_in_the_middle_leaves_the_state_before():
    """When a writer dies in the middle of a state, readers get the one before, and another writer can go on."""
    memory = bytearray(Mailbox.size(STATE))
    writer = Mailbox(memoryview(memory), STATE)
    writer.write(state(1))
    writer.write(state(2))
    half = memory.index(bytes(state(2))) + 100
    memory[half] ^= 0xFF
    assert Mailbox(memoryview(memory), STATE).read()["number"] == 1
    Mailbox(memoryview(memory), STATE).write(state(3))
    assert Mailbox(memoryview(memory), STATE).read()["number"] == 3


def test_no_torn_read_while_another_process_writes():
    """A reader never sees half a state while another process writes as fast as it can."""
    memory, handle, descriptors = share(Mailbox.size(STATE))
    code = (
        f"import numpy as np; from rtnmf.live.link.memory import *; d = np.dtype({STATE.descr!r})\n"
        f"m = Mailbox(memoryview(attach({handle!r})), d); s = np.zeros((), d)\n"
        "for i in range(10**9): s['number'] = s['values'] = i; m.write(s)"
    )
    writer = subprocess.Popen([sys.executable, "-c", code], pass_fds=descriptors)
    reader = Mailbox(memoryview(memory), STATE)
    seen = set()
    end = time.monotonic() + 20
    while len(seen) <= 50 and time.monotonic() < end:
        got = reader.read()
        if got is not None:
            assert (got["values"] == got["number"]).all()
            seen.add(int(got["number"]))
    writer.kill()
    writer.wait()
    assert len(seen) > 50


def test_attached_memory_is_the_same():
    """What is written to attached memory is read in the memory that was shared."""
    memory, handle, _ = share(4096)
    attach(handle)[:5] = b"hello"
    assert memory[:5] == b"hello"


def test_room_is_taken_when_it_is_needed():
    """Memory beyond what is taken at once costs nothing until room is taken for it, and is there then."""
    memory, handle, descriptors = share(1 << 36, 4096)
    before = os.fstat(descriptors[0]).st_blocks
    take_room(descriptors[0], 1 << 35, 1 << 20)
    assert before * 512 < 1 << 16
    assert os.fstat(descriptors[0]).st_blocks * 512 >= 1 << 20
    memory[1 << 35] = 7
    assert attach(handle)[1 << 35] == 7
    os.close(descriptors[0])


def test_too_little_room_is_said():
    """More memory than there is is refused when it is made, as touching it later would kill the process."""
    with pytest.raises(ValueError, match=r"no room for .* MiB of shared memory"):
        share(1 << 50)


@pytest.mark.parametrize("length", [1, 5, 16, 17, 40])
def test_ring_keeps_the_last_samples(length):
    """A ring keeps the last samples, whatever the blocks, also longer ones than itself."""
    stream = np.arange(3 * 400, dtype=np.float32).reshape(3, 400)
    ring = Ring(memoryview(bytearray(3 * 16 * 4)), 3)
    for start in range(0, 400, length):
        ring.write(start, stream[:, start : start + length])
        stop = min(400, start + length)
        first = max(0, stop - 16)
        assert np.array_equal(ring.read(first, stop), stream[:, first:stop])
    assert ring.read(400, 400).shape == (3, 0)
