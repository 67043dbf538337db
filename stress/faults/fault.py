"""A fault as data, what takes it back, what was seen of it, and what a kind of fault can do."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from engines.fleet import process
from engines.fleet.process import Identity
from engines.fleet.status import FleetStatus
from engines.wire.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from stress.faults.undo import UndoJournal
    from stress.fleet import MissionFleet

SUPERVISOR, RECORDER, HOST = "supervisor", "backend", "host"
BUSES = ("bus-main", "bus-market")

Value = float | int | str


class Fault(msgspec.Struct, frozen=True):
    """`kind`: a name in `stress.faults.kinds.KINDS`.  `target`: an engine, a bus, the supervisor, or the host.

    `for_s`: how long a lasting fault stays in force; None for one that is over at once.  `parameters`: of its kind.
    """

    id: str
    kind: str
    target: str
    for_s: float | None = None
    parameters: dict[str, Value] = {}


class Undo(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be done to take a fault back.

    `facts`: all that its kind needs for it when the operator is dead and nothing else is known: pid and start time of a
    stopped process, say.
    """

    fault: str
    kind: str
    target: str
    facts: dict[str, str | int | float] = {}


class Done(NamedTuple):
    """What was done when (CLOCK_MONOTONIC), whether and how it was seen, and what takes it back."""

    at_ns: int
    proven: bool
    proof: str
    undo: Undo | None = None


class Kind(Protocol):
    """One kind of fault.  `lasting`: it stays in force until it is healed."""

    @property
    def name(self) -> str:
        """As a mission's file says it."""

    @property
    def lasting(self) -> bool:
        """Whether it stays in force until it is healed."""

    def mistakes(self, target: str, parameters: Mapping[str, Value], /) -> Iterator[str]:
        """Why it cannot be at this target, with these parameters, or with this user's rights on this host."""

    def inject(self, fault: Fault, fleet: "MissionFleet", journal: "UndoJournal", /) -> Done:
        """Do it.  What takes it back is in the journal (`begin`) before it begins.

        Raises:
            NautilusError: it cannot be done now.
        """

    def heal(self, undo: Undo, journal: "UndoJournal", /) -> Done:
        """Take it back, by `undo` alone; `journal.done` once that is seen.  Harmless when it is over already."""


def identity_of(undo: Undo) -> Identity:
    """The process that an undo is about, from its facts `pid` and `start`."""
    return Identity(int(undo.facts["pid"]), int(undo.facts["start"]))


def pid_of(status: FleetStatus, target: str) -> int:
    """The process that a fault is aimed at.

    Raises:
        UnknownName: the fleet has no such part.
        UsageError: it runs no process of its own now, or is not this user's to harm.
    """
    known: dict[str, int | None] = {engine.name: engine.pid for engine in status.wanted}
    known |= {f"bus-{bus.name}": bus.pid for bus in status.buses}
    known[SUPERVISOR] = status.supervisor.pid
    if target not in known:
        raise UnknownName("target", target, known)
    pid = known[target]
    if pid is None:
        raise UsageError(f"{target} has no process to harm.", "It is external, or is down already.", "nautilus status")
    return pid


def touched(target: str, engines: list[str]) -> list[str]:
    """The engines whose work a fault at `target` interrupts."""
    return [target] if target in engines else list(engines)


def identify(pid: int) -> Identity:
    """Pid and start time, so that a signal never meets another process.

    Raises:
        UsageError: there is no such process.
    """
    found = process.identify(pid)
    if found is None:
        raise UsageError(f"Process {pid} is gone.", "", "nautilus status")
    return found
