"""A fault as data, and where its target's process is."""

from typing import Literal

import msgspec

from engines.fleet import process
from engines.fleet.process import Identity
from engines.fleet.status import FleetStatus
from engines.wire.errors import UnknownName, UsageError

Kind = Literal["kill", "term", "pause"]
SUPERVISOR, RECORDER = "supervisor", "backend"
BUSES = ("bus-main", "bus-market")


class Fault(msgspec.Struct, frozen=True):
    """`kind`: kill is SIGKILL, term SIGTERM, pause SIGSTOP until it is healed.  `target`: an engine, a bus or the
    supervisor.
    """

    id: str
    kind: Kind
    target: str


class Undo(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be done to take a fault back: continue a stopped process.  `pid` and `start` identify it."""

    fault: str
    target: str
    pid: int
    start: int

    @property
    def identity(self) -> Identity:
        """Of the process that was stopped."""
        return Identity(self.pid, self.start)


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
    return list(engines) if target in (*BUSES, SUPERVISOR) else [target]


def identify(pid: int) -> Identity:
    """Pid and start time, so that a signal never meets another process.

    Raises:
        UsageError: there is no such process.
    """
    found = process.identify(pid)
    if found is None:
        raise UsageError(f"Process {pid} is gone.", "", "nautilus status")
    return found
