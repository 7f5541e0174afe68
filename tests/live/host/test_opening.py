"""Opening a stream: what is tried out leaves no trace, and what fails is closed."""

import types

import numpy as np
import pytest
from conftest import random_dictionary

from rtnmf import STFT, Separator
from rtnmf.live.host import opening
from rtnmf.live.link.device import Device
from rtnmf.live.link.protocol import Settings

CARD = Device(0, "card", "ALSA", 1, 2, 48000, (), True, True)


def test_stream_that_does_not_start_is_closed():
    """A stream that opens and does not start is closed, so that the device is free for the next try."""
    done = []

    class Stream:
        def __init__(self, **options):
            done.append(options["channels"])

        def start(self):
            raise OSError("Device unavailable")

        def close(self):
            done.append("closed")

    settings = Settings(*[None] * len(Settings._fields))._replace(n_channels=1)
    plan = opening.Plan(opening.Pair(CARD, CARD), 2, 48000, 48000)
    with pytest.raises(OSError, match="Device unavailable"):
        opening._started(types.SimpleNamespace(Stream=Stream), settings, plan)
    assert done == [(1, 2), "closed"]


@pytest.mark.parametrize("sources", [("a", "b"), ("voice", "fan")])
def test_rehearsal_leaves_no_trace(sources):
    """After a rehearsal of how much there is time for, experts too, the first block is like any first block."""
    dictionary = random_dictionary(STFT(1024, 256), sources, trained=True)
    rehearsed, fresh = Separator(dictionary), Separator(dictionary)
    assert 1 <= opening._rehearsed(rehearsed, 5).n_iter <= 5
    rehearsed.n_iter, rehearsed.asks = 5, True
    x = np.random.default_rng(0).uniform(-1, 1, 5000).astype(np.float32)
    assert np.array_equal(rehearsed.process(x), fresh.process(x))
