"""A bus as the target of a fault: which one, where its server is, and a blocking connection to it."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from engines.fleet import buses, folders, resp
from engines.wire.errors import BusError, UsageError
from stress.faults import proxy_client
from stress.faults.fault import BUSES, HOST, SUPERVISOR, Undo, Value

_TIMEOUT_S = 2.0


def bus_of(target: str, parameters: Mapping[str, Value]) -> str:
    """The bus that a fault at a bus, or between an engine and the bus it names, is about."""
    return target.removeprefix("bus-") if target in BUSES else str(parameters["bus"])


def wrong_bus(target: str, parameters: Mapping[str, Value]) -> Iterator[str]:
    """What is wrong with the bus that a fault is about."""
    if target in (HOST, SUPERVISOR):
        yield f"it cannot be at {target!r}, only at a bus, or at an engine and its connections to one"
    elif target in BUSES:
        if "bus" in parameters:
            yield f"bus: {target} says it already"
    elif parameters.get("bus") not in buses.NAMES:
        yield f"bus = {parameters.get('bus')!r}: which of an engine's buses? {' or '.join(buses.NAMES)}"


def declared(home: Path, fleet: str, bus: str) -> buses.Bus:
    """A bus of a fleet, with its password.

    Raises:
        UsageError: the fleet has left nothing behind.
    """
    where = folders.of(fleet, home)
    if not where.secrets.is_file():
        raise UsageError(f"There is no fleet in {where.state}.", "", "nautilus status")
    known = buses.declare(where, buses.load_secrets(where.secrets), os.environ)
    return next(one for one in known if one.name == bus)


def left(undo: Undo) -> buses.Bus | None:
    """The bus that an undo is about (facts `home` and `fleet`); None: nobody listens there any more."""
    try:
        bus = declared(Path(str(undo.facts["home"])), str(undo.facts["fleet"]), undo.target.removeprefix("bus-"))
    except UsageError:
        return None
    try:
        proxy_client.connect(where(bus), _TIMEOUT_S).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return None
    except OSError:
        pass  # somebody listens, and does not take this one: that is for the caller to see
    return bus


def where(bus: buses.Bus) -> str:
    """Its socket's path, or `host:port`."""
    address = bus.address
    return address.path or f"{address.host}:{address.port}"


def connect(bus: buses.Bus, path: str = "") -> resp.Connection:
    """A connection of our own; `path`: at another name of its socket.  Raises BusError."""
    address = bus.address
    return resp.Connection(msgspec.structs.replace(address, path=path) if path else address, _TIMEOUT_S)


def setting(link: resp.Connection, name: str) -> str:
    """A setting, as the server says it (`CONFIG GET`).  Raises BusError."""
    reply = link.ask("CONFIG", "GET", name)
    if not isinstance(reply, list) or len(reply) != 2 or not isinstance(reply[1], bytes):
        raise BusError(f"The bus has no setting {name!r}.", repr(reply))
    return reply[1].decode()


def fact(link: resp.Connection, section: str, name: str) -> str:
    """One line of `INFO`.  Raises BusError."""
    reply = link.ask("INFO", section)
    if isinstance(reply, bytes):
        for line in reply.decode().splitlines():
            key, _, value = line.partition(":")
            if key == name:
                return value
    raise BusError(f"The bus does not say its {name}.", repr(reply)[:200])
