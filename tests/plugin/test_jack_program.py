"""The program for the JACK audio server that is made of a dictionary."""

import os
import subprocess
import time

from bundled import plugins
from jack_server import ENVIRONMENT


def test_the_program_has_the_ports_of_the_plugin(audio_server):
    """It is a client of its own name, with the input, the mix and the stems."""
    audio_server.ensure()
    environment = os.environ | ENVIRONMENT
    program = plugins("Program", formats=("jack",))["jack"]
    with subprocess.Popen([program], env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            for _ in range(300):
                listed = subprocess.run(
                    ["jack_lsp", "Program:"], env=environment, capture_output=True, check=False
                ).stdout
                if b"Program:stem_8_2" in listed or process.poll() is not None:
                    break
                time.sleep(0.05)
        finally:
            process.kill()
    names = [f"Program:{name}_{channel}" for name in ("in", "mix", "stem_1", "stem_8") for channel in (1, 2)]
    assert set(names) <= set(listed.decode().split())
