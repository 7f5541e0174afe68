"""A microphone and loudspeakers for tests: a JACK client in a process of its own.

It listens to lines on standard input and answers each with one: `play PATH` plays a .npy file of shape
(n_channels, n_samples) from the next block on, `wait` waits until it was played and `TAIL` more samples have come,
`save PATH` writes what was heard since `play`, `gaps PATH` when how many cycles were left out, `freewheel on` and
`freewheel off` let time run free.
"""

import os
import sys
import threading
import time

import jack
import numpy as np

TAIL = 16384


class Peer:
    """Play an array and keep what comes back."""

    def __init__(self, name, n_microphones, n_loudspeakers):
        self.client = jack.Client(name, no_start_server=True)
        self.client.set_shutdown_callback(lambda *_: os._exit(0))
        self.microphones = [self.client.outports.register(f"mic_{i + 1}") for i in range(n_microphones)]
        self.loudspeakers = [self.client.inports.register(f"spk_{i + 1}") for i in range(n_loudspeakers)]
        self.played = np.zeros((n_microphones, 0), np.float32)
        self.heard = np.zeros((n_loudspeakers, 0), np.float32)
        self.position = 0
        self.gaps, self.expected = [], None
        self.next = None
        self.done = threading.Event()
        self.client.set_process_callback(self.process)
        self.client.activate()

    def process(self, n_samples):
        """Run one JACK cycle."""
        self.look_for_gap(n_samples)
        if self.next is not None:
            (self.played, self.heard), self.next, self.position = self.next, None, 0
        block = self.played[:, self.position : self.position + n_samples]
        for port, samples in zip(self.microphones, block, strict=True):
            out = port.get_array()
            out[:] = 0
            out[: len(samples)] = samples
        room = self.heard[:, self.position : self.position + n_samples]
        for port, kept in zip(self.loudspeakers, room, strict=True):
            kept[:] = port.get_array()[: len(kept)]
        self.position += n_samples
        if self.position >= self.heard.shape[1]:
            self.done.set()

    def look_for_gap(self, n_samples):
        """Keep when the server left out cycles, or this client missed them, by the server's count of samples."""
        now = self.client.last_frame_time
        n_missed = 0 if self.expected is None else ((now - self.expected) & 0xFFFFFFFF) / n_samples
        if 0.5 < n_missed < 1e4:  # beyond, time ran free, or back
            self.gaps.append((time.monotonic(), round(n_missed)))
        self.expected = now + n_samples

    def play(self, path):
        """Play a file from the next block on."""
        played = np.load(path)
        heard = np.zeros((len(self.loudspeakers), played.shape[1] + TAIL), np.float32)
        self.done.clear()
        self.next = played, heard
        while self.next is not None:
            time.sleep(0.001)
        self.done.clear()


def main():
    """Do what is asked on standard input until it ends."""
    name, n_microphones, n_loudspeakers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    peer = Peer(name, n_microphones, n_loudspeakers)
    print("ready", flush=True)
    for line in sys.stdin:
        verb, _, argument = line.strip().partition(" ")
        if verb == "play":
            peer.play(argument)
        elif verb == "wait":
            peer.done.wait()
        elif verb == "save":
            np.save(argument, peer.heard)
        elif verb == "gaps":
            np.save(argument, np.array(peer.gaps).reshape(-1, 2))
        elif verb == "freewheel":
            peer.client.set_freewheel(argument == "on")
            time.sleep(0.1)
        print("done", flush=True)
    os._exit(0)  # to deactivate the client can wait for ever


main()
