"""A bus without room for another client: its limit is set just above its clients, and the rest is taken.

Connections that are there go on; whoever connects anew is refused, an engine that starts among them.  What is seen: the
server says so to a fresh connection; after healing it answers one.
"""

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from engines.fleet import process, resp
from engines.wire.errors import BusError
from stress.faults import bus_server, keeper
from stress.faults.connections import Spec, ask
from stress.faults.fault import BUSES, Done, Fault, Undo, Value, identity_of
from stress.faults.parameter import Parameter, mistaken, unlike
from stress.faults.processes import until
from stress.faults.undo import UndoJournal

if TYPE_CHECKING:
    from stress.fleet import MissionFleet

SPARE = Parameter("spare", 1, 4000, 64, "connections beyond those that are there, which are then taken")
_BEYOND = 1000  # connections that the holder tries beyond these: clients may leave in the meantime
_HEALED_S = 10.0


class BusClients:
    """The kind `bus-clients`."""

    name = "bus-clients"
    lasting = True

    def mistakes(self, target: str, parameters: Mapping[str, Value]) -> Iterator[str]:
        """Only a bus has this limit."""
        yield from unlike(target, BUSES)
        yield from mistaken(parameters, (SPARE,))

    def inject(self, fault: Fault, fleet: "MissionFleet", journal: UndoJournal) -> Done:
        """Lower the limit and take what is left.  Raises NautilusError."""
        spare = int(SPARE.of(fault.parameters))
        bus = bus_server.declared(fleet.home, fleet.name, bus_server.bus_of(fault.target, fault.parameters))
        with bus_server.connect(bus) as link:
            own = keeper.Keeper("stress.faults.connections")
            facts: dict[str, str | int | float] = {"pid": own.identity.pid, "start": own.identity.start}
            facts |= {
                "home": str(fleet.home),
                "fleet": fleet.name,
                "maxclients": bus_server.setting(link, "maxclients"),
            }
            undo = Undo(fault=fault.id, kind=fault.kind, target=fault.target, facts=facts)
            journal.begin(undo)
            at = time.monotonic_ns()
            link.ask("CONFIG", "SET", "maxclients", clients(link) - 1 + spare)  # this one of ours goes
            limit = bus_server.setting(link, "maxclients")
        lifetime_s = (fault.for_s or 0.0) + keeper.BEYOND_S
        spec = Spec(address=bus_server.where(bus), bus=True, most=spare + _BEYOND, lifetime_s=lifetime_s)
        held = own.begin(msgspec.json.encode(spec))
        answer, how = ask(bus_server.where(bus), bus=True)
        proof = f"maxclients is {limit}, {held} connections are held; a fresh one is {how}"
        return Done(at, answer == "refused" and process.alive(own.identity), proof, undo)

    def heal(self, undo: Undo, journal: UndoJournal) -> Done:
        """End the holder, then set the limit that was there before."""
        at = time.monotonic_ns()
        ended = keeper.end(identity_of(undo))
        former = str(undo.facts["maxclients"])
        bus = bus_server.left(undo)
        if bus is None:
            if ended:
                journal.done(undo)
            return Done(at, ended, "nobody listens: the bus had ended")
        until(lambda: ask(bus_server.where(bus), bus=True)[0] == "answered", _HEALED_S)
        try:
            with bus_server.connect(bus) as link:
                link.ask("CONFIG", "SET", "maxclients", former)
                limit = bus_server.setting(link, "maxclients")
        except BusError as error:
            return Done(at, False, str(error))
        proven = ended and limit == former
        if proven:
            journal.done(undo)
        return Done(at, proven, f"maxclients is {limit}, and the bus answers a fresh connection")


KIND = BusClients()


def clients(link: resp.Connection) -> int:
    """Connections that a server has (`INFO clients`).  Raises BusError."""
    return int(bus_server.fact(link, "clients", "connected_clients"))
