"""Connections without end: an engine's HTTP port is held by a process that opens connections until it is refused.

Beyond its limit an engine answers 503 and stays otherwise as it was; its heartbeat goes on.  What is seen: a fresh
request is refused, by a 503 or without an answer; after healing it is answered.  `python -m stress.faults.connections`
is the holder.
"""

import contextlib
import http.client
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

import msgspec

from engines.fleet import child, process
from engines.wire.errors import UsageError
from stress.faults import keeper
from stress.faults.fault import BUSES, HOST, SUPERVISOR, Done, Fault, Undo, Value, identity_of
from stress.faults.parameter import Parameter, mistaken
from stress.faults.processes import until
from stress.faults.proxy_client import connect
from stress.faults.undo import UndoJournal

if TYPE_CHECKING:
    from stress.fleet import MissionFleet

MOST = Parameter("most", 1, 10_000, 4500, "connections; an engine of ours refuses beyond 4032")
_BATCH = 32  # connections between two looks: fewer than an engine has files beyond its limit
_AGAIN_S = 0.5
_TIMEOUT_S = 2.0
_HEALED_S = 10.0
_SPARE_FILES = 64
Answer = Literal["answered", "refused", "nobody"]


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """Whose connections a keeper takes: of an HTTP port (`host:port`), or of a bus (`host:port` or a socket's path)."""

    address: str
    bus: bool = False
    most: int
    lifetime_s: float


class Connections:
    """The kind `connections`."""

    name = "connections"
    lasting = True

    def mistakes(self, target: str, parameters: Mapping[str, Value]) -> Iterator[str]:
        """Only an engine has a port; and every connection needs a file."""
        if target in (*BUSES, SUPERVISOR, HOST):
            yield f"{target} has no port"
        yield from mistaken(parameters, (MOST,))
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = parameters.get("most", MOST.default)
        if isinstance(wanted, (int, float)) and hard != resource.RLIM_INFINITY and wanted > hard - _SPARE_FILES:
            yield f"most = {wanted:g}: a process may have {hard} open files here (ulimit -Hn)"

    def inject(self, fault: Fault, fleet: "MissionFleet", journal: UndoJournal) -> Done:
        """Take the connections.  Raises NautilusError."""
        status = fleet.refresh()
        port = next((engine.port for engine in status.wanted if engine.name == fault.target), None)
        if port is None:
            raise UsageError(f"{fault.target} does not run.", "", "nautilus status")
        own = keeper.Keeper("stress.faults.connections")
        facts: dict[str, str | int | float] = {"pid": own.identity.pid, "start": own.identity.start}
        address = f"{status.host}:{port}"
        facts["address"] = address
        undo = Undo(fault=fault.id, kind=fault.kind, target=fault.target, facts=facts)
        journal.begin(undo)
        at = time.monotonic_ns()
        spec = Spec(
            address=address,
            most=int(MOST.of(fault.parameters)),
            lifetime_s=(fault.for_s or 0.0) + keeper.BEYOND_S,
        )
        held = own.begin(msgspec.json.encode(spec))
        answer, how = ask(address)
        state = next(engine.state for engine in fleet.refresh().wanted if engine.name == fault.target)
        proof = f"{held} connections are held; a fresh request is {how}; the supervisor says {state}"
        return Done(at, answer == "refused" and process.alive(own.identity), proof, undo)

    def heal(self, undo: Undo, journal: UndoJournal) -> Done:
        """End their holder: the kernel closes them."""
        address = str(undo.facts["address"])
        at = time.monotonic_ns()
        ended = keeper.end(identity_of(undo))
        until(lambda: ask(address)[0] != "refused", _HEALED_S)
        answer, how = ask(address)
        proven = ended and answer != "refused"
        if proven:
            journal.done(undo)
        return Done(at, proven, f"the holder has {'' if ended else 'not '}ended; a fresh request is {how}")


KIND = Connections()


def ask(address: str, *, bus: bool = False) -> tuple[Answer, str]:
    """What becomes of one request on a connection of its own, and in words.  nobody: no one listens."""
    try:
        return _ping(address) if bus else _get(address)
    except (ConnectionRefusedError, FileNotFoundError):
        return "nobody", "met by nobody: no one listens"
    except (OSError, http.client.HTTPException) as error:
        return "refused", f"not answered ({error or type(error).__name__})"


def take(spec: Spec, held: list[socket.socket]) -> None:
    """Open connections until a fresh request is refused, or there are `most`."""
    while len(held) < spec.most and ask(spec.address, bus=spec.bus)[0] == "answered":
        for _ in range(min(_BATCH, spec.most - len(held))):
            try:
                held.append(connect(spec.address, _TIMEOUT_S))
            except OSError:
                return


def _get(address: str) -> tuple[Answer, str]:
    link = http.client.HTTPConnection(address, timeout=_TIMEOUT_S)
    try:
        link.request("GET", "/health")
        status = link.getresponse().status
    finally:
        link.close()
    if status == http.client.SERVICE_UNAVAILABLE:
        return "refused", "refused with 503"
    return "answered", f"answered with {status}"


def _ping(address: str) -> tuple[Answer, str]:
    with connect(address, _TIMEOUT_S) as link:
        with contextlib.suppress(OSError):  # a full server says so and hangs up before it is asked
            link.sendall(b"PING\r\n")
        said = link.recv(256).decode("utf-8", "replace").strip()
    if not said or "max number of clients" in said:
        return "refused", f"refused: {said or 'no answer'}"
    return "answered", f"answered with {said}"


def main() -> int:
    """Hold connections as the spec on standard input says."""
    spec = msgspec.json.decode(sys.stdin.buffer.read(), type=Spec)
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    child.raise_file_limit()
    held: list[socket.socket] = []
    take(spec, held)
    sys.stdout.write(f"{len(held)}\n")
    sys.stdout.flush()
    until_s = time.monotonic() + spec.lifetime_s
    while time.monotonic() < until_s and not over.wait(_AGAIN_S):
        take(spec, held)  # whoever left has made room
    return 0


if __name__ == "__main__":
    sys.exit(main())
