"""Our ports on a JACK server: named after what they carry, watched, and connected again when the other end is back.

PortAudio does none of this. Everything here asks the server from the main loop of the sounding process, without
callbacks, through a second client that carries no sound; without the JACK library nothing is done.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from rtnmf.live.host.portaudio import CLIENT_NAME, client_name

__all__ = ["Ports", "input_names", "opened", "output_names"]

_log = logging.getLogger(__name__)

_Link = tuple[int, str]  # our port's number, the other's name


class _Identity(NamedTuple):
    """What distinguishes a port from an earlier one of the same name: JACK 2 reuses the numbers of ports."""

    client: str
    port: int


class Ports:
    """The ports of our stream, and what each is connected to.

    A connection that is lost because the other end went away is made again when a port of that name reappears;
    one that was removed while both ends were there stays removed.

    Parameters
    ----------
    client : jack.Client
        To ask with.
    name : str
        Of the client whose ports these are.
    refusal : type of exception
        What the client raises when the server refuses.
    """

    def __init__(self, client: Any, name: str, refusal: type[Exception]) -> None:
        self._client, self._name, self._refusal = client, name, refusal
        found = [port for port in client.get_ports(is_audio=True) if port.name.startswith(f"{name}:")]
        ordered = sorted(found, key=lambda port: int((re.findall(r"\d+", port.shortname) or ["0"])[-1]))
        self._ports = {
            "input": [port for port in ordered if port.is_input],
            "outputs": [port for port in ordered if port.is_output],
        }
        self._links: dict[int, dict[str, _Identity]] = {port.uuid: {} for port in ordered}
        self._doubted: set[_Link] = set()  # lost at the last look, both ends being there
        self._in_doubt: set[_Link] = set()  # the same now
        self._absent: set[_Link] = set()  # waiting for their other end
        self._said = ""

    def rename(self, inputs: Iterable[str], outputs: Iterable[str]) -> None:
        """Rename the ports, in their order; where the server refuses, they keep their names."""
        for kind, names in (("input", inputs), ("outputs", outputs)):
            for port, name in zip(self._ports[kind], names, strict=False):
                with contextlib.suppress(self._refusal):
                    port.shortname = name

    def look(self) -> str:
        """Mend connections, and return what keeps the sound from passing through, in one sentence; empty if nothing."""
        with contextlib.suppress(self._refusal):  # a port has just gone, or the server has, which is told otherwise
            self._doubted, self._in_doubt, self._absent = self._in_doubt, set(), set()
            for port in (*self._ports["input"], *self._ports["outputs"]):
                self._mend(port)
            self._said = self._sentence()
        return self._said

    def close(self) -> None:
        """Close the client that asks."""
        self._client.close()

    def _mend(self, port: Any) -> None:
        found = {other.name: self._identity(other) for other in self._client.get_all_connections(port)}
        for name, identity in self._links[port.uuid].items():
            if name not in found and (kept := self._kept(port, name, identity)):
                found[name] = kept
        self._links[port.uuid] = found

    def _kept(self, port: Any, name: str, identity: _Identity) -> _Identity | None:
        """Return the identity of the other end of a lost connection, None when it is to be forgotten."""
        link = port.uuid, name
        try:
            other = self._client.get_port_by_name(name)
            now = self._identity(other)
            if now != identity:
                self._client.connect(*((other, port) if port.is_input else (port, other)))
                _log.info("connected %s and %s again", port.name, name)
                return now
        except self._refusal:  # it is gone, or not active yet: a later look tries again
            self._absent.add(link)
            return identity
        if link in self._doubted:
            return None  # the user has removed it
        self._in_doubt.add(link)  # or it is about to go away: the next look will tell
        return identity

    def _identity(self, port: Any) -> _Identity:
        return _Identity(self._client.get_uuid_for_client_name(port.name.rpartition(":")[0]), port.uuid)

    def _sentence(self) -> str:
        cut_off = [kind for kind, ports in self._ports.items() if ports and all(map(self._is_cut_off, ports))]
        if not cut_off:
            return ""
        what = f"nothing is connected to the {' and the '.join(cut_off)} of {self._name!r} in JACK"
        ours = {port.uuid for kind in cut_off for port in self._ports[kind]}
        gone = sorted({name.rpartition(":")[0] for uuid, name in self._absent if uuid in ours})
        if gone:
            return f"{what}: {', '.join(map(repr, gone))} is gone, and is connected again when it is back"
        return f"{what}: connect a program or a device in a patchbay, such as qjackctl or qpwgraph"

    def _is_cut_off(self, port: Any) -> bool:
        """Return whether a port has no connection but such as wait for their other end."""
        return all((port.uuid, name) in self._absent for name in self._links[port.uuid])


def opened() -> Ports | None:
    """Return the ports of our stream; None where there is no JACK library, or no server that answers."""
    try:
        import jack
    except (ImportError, OSError) as error:
        _log.info("the ports in JACK cannot be watched: %s", error)
        return None
    try:
        return Ports(jack.Client(f"{CLIENT_NAME}-ports", no_start_server=True), client_name(), jack.JackError)
    except jack.JackError as error:
        _log.info("the ports in JACK cannot be watched: %s", error)
        return None


def input_names(n_channels: int) -> list[str]:
    """Return the names of the input ports: `in`, or `in_1`, `in_2`, ... when there are several channels."""
    return _numbered("in", n_channels)


def output_names(routes: Mapping[str, tuple[int, ...]], taken: Iterable[str] = ()) -> list[str]:
    """Return the names of the output ports: those of the sources, numbered when each has several channels.

    JACK wants them unique within a client, inputs included (`taken`), and without a colon.
    """
    names: list[str] = []
    for source, channels in routes.items():
        plain, i = source.replace(":", "-"), 1
        while {*(wishes := _numbered(plain if i == 1 else f"{plain}-{i}", len(channels)))} & {*names, *taken}:
            i += 1
        names += wishes
    return names


def _numbered(name: str, n_channels: int) -> list[str]:
    return [name] if n_channels == 1 else [f"{name}_{i + 1}" for i in range(n_channels)]
