"""A sound card without hardware, for tests: a JACK server with its dummy driver, and a peer that plays and listens."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

# Not "rtnmf": the sockets of a server and of a client of its name are the same file. Several runs need a name each, and
# so does each process of a run.
NAME = os.environ.get("RTNMF_TEST_SERVER", "rtnmftests") + os.environ.get("PYTEST_XDIST_WORKER", "")
ENVIRONMENT = {"JACK_DEFAULT_SERVER": NAME, "JACK_NO_START_SERVER": "1"}
PERIOD = 512


class Server:
    """A JACK server that can be killed and started again; there is one at a time, starting another stops it.

    Synchronous for freewheeling, which can stand still otherwise; not so in real time, where that has less room.
    """

    running = None

    def __init__(self, sample_rate=48000, period=PERIOD, mode=""):
        self.sample_rate, self.period, self.mode = sample_rate, period, mode
        if "PYTEST_XDIST_WORKER" not in os.environ:  # then others may have a server of theirs
            sweep(thoroughly=True)
        self.start()

    def start(self):
        """Start it, and wait until it is there; now and then one of many does not come up."""
        line = f"jackd -R -P70 {self.mode} -n {NAME} -d dummy -r {self.sample_rate} -p {self.period}".split()
        if Server.running is not None:
            Server.running.stop()  # and wait for it: a dead one that nobody has waited for keeps its name
        Server.running = self
        for _ in range(4):
            sweep()
            self.process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait = ["jack_wait", "-s", NAME, "-w", "-t", "5"]
            if subprocess.run(wait, env=os.environ | ENVIRONMENT, check=False, capture_output=True).returncode == 0:
                return
            self.stop()
        raise RuntimeError(f"no JACK server came up: {' '.join(line)}")

    @contextlib.contextmanager
    def changed(self, **settings):
        """Run it with other settings for a while."""
        before = {name: getattr(self, name) for name in settings}
        self.restart(settings)
        try:
            yield
        finally:
            self.restart(before)

    def ensure(self):
        """Start it when another test has left it dead."""
        if self.process.poll() is not None:
            self.start()

    def restart(self, settings):
        """Start it anew with other settings."""
        self.stop()
        vars(self).update(settings)
        self.start()

    def stop(self):
        """Kill it, as a crash would."""
        Peer.dismiss()
        self.process.kill()
        self.process.wait(10)

    def close(self):
        """End it in good order: one that was killed keeps its place among the eight that a machine can have."""
        Peer.dismiss()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.stop()


def sweep(*, thoroughly=False):
    """Remove what killed runs have left: a server of this name, and, thoroughly, what no server that runs can need.

    The registry has room for eight servers, and the database of their ports for some hundred clients.
    """
    subprocess.run(["pkill", "-9", "-f", f"jackd .*-n {NAME} "], check=False)
    is_alone = subprocess.run(["pgrep", "-x", "jackd"], check=False, capture_output=True).returncode != 0
    for path in Path("/dev", "shm").glob("jack*" if thoroughly and is_alone else f"jack_*_{NAME}_*"):
        with contextlib.suppress(OSError):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


class Peer:
    """The other end of the wire: what it plays is the microphone, what it hears comes from the loudspeakers."""

    idle = None

    def __init__(self, folder, name="peer", n_microphones=1, n_loudspeakers=2):
        Peer.dismiss()  # whose name this one may have
        self.folder, self.n_microphones = folder, n_microphones
        counts = [str(n_microphones), str(n_loudspeakers)]
        line = [sys.executable, str(Path(__file__).with_name("peer.py")), name, *counts]
        environment = os.environ | ENVIRONMENT
        self.process = subprocess.Popen(
            line, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        if self.process.stdout.readline() != "ready\n":
            self.stop()
            raise RuntimeError(f"{name} could not connect to the audio server")

    @classmethod
    @contextlib.contextmanager
    def lent(cls, folder):
        """Lend one that plays nothing, for a while: the next is lent the same one, if it is still there then."""
        peer, cls.idle = cls.idle, None
        if peer is None or peer.process.poll() is not None:
            peer = cls(folder)
        peer.folder = folder
        peer.play([0])
        yield peer
        cls.dismiss()
        cls.idle = peer

    @classmethod
    def dismiss(cls):
        """Kill the one that waits to be lent, if there is one."""
        if cls.idle is not None:
            cls.idle.stop()
        cls.idle = None

    def ask(self, line):
        """Let it do something, and wait until it is done."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def play(self, x):
        """Play a signal, shape (n_samples,), on all microphones."""
        np.save(self.folder / "played.npy", np.tile(np.asarray(x, np.float32), (self.n_microphones, 1)))
        self.ask(f"play {self.folder / 'played.npy'}")

    def heard(self):
        """Wait until all was played, and return what was heard meanwhile, shape (n_channels, n_samples)."""
        self.ask("wait")
        return self.so_far()

    def so_far(self):
        """Return what was heard since `play`, zeros where nothing has come yet, shape (n_channels, n_samples)."""
        self.ask(f"save {self.folder / 'heard.npy'}")
        return np.load(self.folder / "heard.npy")

    def gaps(self):
        """Return when, in seconds of `time.monotonic`, how many cycles were left out, shape (n_gaps, 2)."""
        self.ask(f"gaps {self.folder / 'gaps.npy'}")
        return np.load(self.folder / "gaps.npy")

    @contextlib.contextmanager
    def freewheeling(self):
        """Let time run as fast as the machine can."""
        self.ask("freewheel on")
        try:
            yield
        finally:
            self.ask("freewheel off")

    def stop(self):
        """Kill it."""
        self.process.kill()
        self.process.communicate()

    close = stop
