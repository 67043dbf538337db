"""A bus without memory: its limit is set to what it uses, so that it refuses every write that needs more.

Nothing is evicted (the policy stays, or becomes, noeviction).  Trimming still gives memory back, and the engines may
use what it gives.  What is seen: the server refuses a probe's writes with OOM; after healing it takes them again.
"""

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from engines.fleet import resp
from engines.wire.errors import BusError
from stress.faults import bus_server
from stress.faults.fault import BUSES, Done, Fault, Undo, Value
from stress.faults.parameter import Parameter, mistaken, unlike
from stress.faults.undo import UndoJournal

if TYPE_CHECKING:
    from stress.fleet import MissionFleet

HEADROOM = Parameter("headroom_mb", -1024, 1024, 0, "MiB that it may use beyond what it uses now; less: negative")
_KEY = "nautilus:memory-probe"
_PIECE = b"\0" * (256 << 10)
_BEYOND = 8 << 20  # bytes: what a probe writes beyond the headroom, at most
_MIB = 1 << 20


class BusMemory:
    """The kind `bus-memory`."""

    name = "bus-memory"
    lasting = True

    def mistakes(self, target: str, parameters: Mapping[str, Value]) -> Iterator[str]:
        """Only a bus has this limit."""
        yield from unlike(target, BUSES)
        yield from mistaken(parameters, (HEADROOM,))

    def inject(self, fault: Fault, fleet: "MissionFleet", journal: UndoJournal) -> Done:
        """Set the limit.  Raises BusError: the bus cannot be asked."""
        headroom = int(HEADROOM.of(fault.parameters) * _MIB)
        name = bus_server.bus_of(fault.target, fault.parameters)
        with bus_server.connect(bus_server.declared(fleet.home, fleet.name, name)) as link:
            facts: dict[str, str | int | float] = {"home": str(fleet.home), "fleet": fleet.name}
            facts |= {key: bus_server.setting(link, key) for key in ("maxmemory", "maxmemory-policy")}
            undo = Undo(fault=fault.id, kind=fault.kind, target=fault.target, facts=facts)
            journal.begin(undo)
            at = time.monotonic_ns()
            limit = max(1, used(link) + headroom)  # 0 would be no limit
            _limit(link, str(limit), "noeviction")
            refusal = _refusal(link, max(0, headroom) + _BEYOND)
            proven = refusal.startswith("OOM")
            return Done(at, proven, f"of {limit} bytes: {refusal or 'every write of the probe was taken'}", undo)

    def heal(self, undo: Undo, journal: UndoJournal) -> Done:
        """Set the limit that was there before."""
        at = time.monotonic_ns()
        bus = bus_server.left(undo)
        if bus is None:
            journal.done(undo)
            return Done(at, True, "nobody listens: the bus had ended")
        try:
            with bus_server.connect(bus) as link:
                _limit(link, str(undo.facts["maxmemory"]), str(undo.facts["maxmemory-policy"]))
                limit, refusal = bus_server.setting(link, "maxmemory"), _refusal(link, len(_PIECE))
        except BusError as error:
            return Done(at, False, str(error))
        proven = limit == undo.facts["maxmemory"] and not refusal
        if proven:
            journal.done(undo)
        return Done(at, proven, f"maxmemory is {limit}, and a write is {refusal or 'taken'}")


KIND = BusMemory()


def used(link: resp.Connection) -> int:
    """Bytes that the server counts against its limit (`INFO memory`).  Raises BusError."""
    return int(bus_server.fact(link, "memory", "used_memory"))


def _limit(link: resp.Connection, limit: str, policy: str) -> None:
    link.ask("CONFIG", "SET", "maxmemory", limit, "maxmemory-policy", policy)


def _refusal(link: resp.Connection, most: int) -> str:
    """What the server says to the first write that it does not take; empty when it took `most` bytes."""
    try:
        for _ in range(most // len(_PIECE)):
            link.ask("XADD", _KEY, "*", "piece", _PIECE)
    except BusError as error:
        if not error.why:  # it did not refuse: it is gone
            raise
        return error.why
    finally:
        link.ask("DEL", _KEY)
    return ""
