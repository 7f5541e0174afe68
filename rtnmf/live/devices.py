"""What sound devices there are, asked of a process that can be given up when the sound system hangs."""

from __future__ import annotations

import json
import subprocess

from rtnmf.live.link.child import environment, last_line, python
from rtnmf.live.link.device import Device

__all__ = ["Device", "listing"]

_LISTING_S = 20.0


def listing(*, with_rates: bool = False) -> list[Device]:
    """Return the devices as they are now.

    Raises
    ------
    ValueError
        If PortAudio is missing, or does not answer.
    """
    try:
        ended = subprocess.run(
            python(f"from rtnmf.live.host import portaudio; portaudio.answer({_LISTING_S}, with_rates={with_rates})"),
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LISTING_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(
            f"the sound system did not list its devices within {_LISTING_S:.0f} s: restart the sound server"
        ) from error
    try:
        said = json.loads(ended.stdout.decode(errors="replace").splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise ValueError(f"the list of devices could not be made: {last_line(ended.stderr)}") from error
    if "error" in said:
        raise ValueError(said["error"])
    return [Device(**device) for device in said["devices"]]
