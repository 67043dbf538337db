"""A bus whose append-only file cannot grow: the kernel refuses its server every byte of every file (RLIMIT_FSIZE 0).

To the server that is a full disk but for the error's name, EFBIG instead of ENOSPC: it says so, refuses every write
with MISCONF, PING among them, and tries again each second.  What it had taken and not written stays in its memory and
is written after healing; only its own end before that would lose it.  The limit needs no rights beyond those over
one's own processes, and ends with the process.

A process that does not ignore SIGXFSZ would be killed by its first refused write, so such a server is refused here.
"""

import resource
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from engines.fleet import process, resp
from engines.wire.errors import BusError, UsageError
from stress.faults import bus_server
from stress.faults.fault import BUSES, Done, Fault, Undo, Value, identify, identity_of, pid_of
from stress.faults.parameter import mistaken, unlike
from stress.faults.processes import until
from stress.faults.undo import UndoJournal

if TYPE_CHECKING:
    from stress.fleet import MissionFleet

_KEY = "nautilus:file-probe"
_SEEN_S = 3.0
_HEALED_S = 5.0  # the server tries its file again once a second


class BusFile:
    """The kind `bus-file`."""

    name = "bus-file"
    lasting = True

    def mistakes(self, target: str, parameters: Mapping[str, Value]) -> Iterator[str]:
        """Only a bus has such a file, and only Linux lets another process's limit be set."""
        yield from unlike(target, BUSES)
        yield from mistaken(parameters, ())
        if sys.platform != "linux":
            yield "it needs Linux, which alone sets the limits of a running process (prlimit)"

    def inject(self, fault: Fault, fleet: "MissionFleet", journal: UndoJournal) -> Done:
        """Set the limit.

        Raises:
            NautilusError: the bus cannot be asked, is external, or would be killed by it.
        """
        victim = identify(pid_of(fleet.refresh(), fault.target))
        _refuse_unless_ignored(fault.target, victim.pid)
        soft, hard = limits(victim.pid)
        facts: dict[str, str | int | float] = {"pid": victim.pid, "start": victim.start, "soft": soft}
        facts |= {"home": str(fleet.home), "fleet": fleet.name}
        undo = Undo(fault=fault.id, kind=fault.kind, target=fault.target, facts=facts)
        bus = bus_server.declared(fleet.home, fleet.name, bus_server.bus_of(fault.target, fault.parameters))
        with bus_server.connect(bus) as link:
            journal.begin(undo)
            at = time.monotonic_ns()
            limits(victim.pid, (0, hard))
            refused = until(lambda: _refusal(link).startswith("MISCONF"), _SEEN_S)
            status = bus_server.fact(link, "persistence", "aof_last_write_status")
            words = f"a write is {_refusal(link) or 'taken'}; aof_last_write_status is {status}"
        proven = refused and status == "err" and limits(victim.pid)[0] == 0
        return Done(at, proven, words, undo)

    def heal(self, undo: Undo, journal: UndoJournal) -> Done:
        """Set the limit that was there before, and see the file grow again."""
        victim = identity_of(undo)
        at = time.monotonic_ns()
        if not process.alive(victim):
            journal.done(undo)
            return Done(at, True, f"process {victim.pid} had ended, and its limit with it")
        bus = bus_server.left(undo)
        limits(victim.pid, (int(undo.facts["soft"]), limits(victim.pid)[1]))
        if bus is None:
            return Done(at, False, f"process {victim.pid} has its limit back, and does not listen")
        try:
            with bus_server.connect(bus) as link:
                taken = until(lambda: not _refusal(link), _HEALED_S)
                status = bus_server.fact(link, "persistence", "aof_last_write_status")
                if taken:
                    link.ask("DEL", _KEY)
        except BusError as error:
            return Done(at, False, str(error))
        proven = taken and status == "ok"
        if proven:
            journal.done(undo)
        return Done(at, proven, f"a write is {'taken' if taken else 'still refused'}; its file's status is {status}")


KIND = BusFile()


def limits(pid: int, new: tuple[int, int] | None = None) -> tuple[int, int]:
    """Soft and hard RLIMIT_FSIZE of a process, bytes (-1: none), before they become `new`.

    Raises:
        UsageError: it is not this user's, or is gone.
    """
    if sys.platform != "linux":
        raise UsageError("The limits of another process cannot be set here.", "Only Linux has prlimit.")
    try:
        if new is None:
            return resource.prlimit(pid, resource.RLIMIT_FSIZE)
        return resource.prlimit(pid, resource.RLIMIT_FSIZE, new)
    except (PermissionError, ProcessLookupError) as error:
        raise UsageError(f"The limits of process {pid} cannot be set.", str(error), "nautilus status") from error


def _refuse_unless_ignored(target: str, pid: int) -> None:
    """Raises UsageError where SIGXFSZ would kill the process."""
    status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    ignored = int(next(line for line in status.splitlines() if line.startswith("SigIgn:")).split()[1], 16)
    if not ignored >> (signal.SIGXFSZ - 1) & 1:
        raise UsageError(f"{target} would be killed by its first refused write.", "It does not ignore SIGXFSZ.")


def _refusal(link: resp.Connection) -> str:
    """What the server says to a write; empty when it took it."""
    try:
        link.ask("SET", _KEY, "1")
    except BusError as error:
        if not error.why:  # it did not refuse: it is gone
            raise
        return error.why
    return ""
