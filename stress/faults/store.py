"""The recorder's store is damaged: its file's headers are overwritten under a stopped recorder, which is then ended.

It is stopped first, so that it neither notices nor writes over the damage.  There is nothing to undo: the recorder sets
the file aside when it starts again.
"""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from engines.fleet import process
from engines.fleet.process import Identity
from stress.faults.fault import RECORDER, Done, Fault, Undo, Value, identify, pid_of
from stress.faults.parameter import Parameter, mistaken, unlike
from stress.faults.processes import until
from stress.faults.undo import UndoJournal

if TYPE_CHECKING:
    from stress.fleet import MissionFleet

STORE = "nautilus.duckdb"
HEADERS = 12_288  # DuckDB's three header blocks
_BYTES = Parameter("bytes", HEADERS, 1 << 20, HEADERS, "bytes of the file's head")
_ASIDE_S = 15.0  # the longest wait for the recorder to say what it found


class CorruptStore:
    """The kind."""

    name = "corrupt-store"
    lasting = False

    def mistakes(self, target: str, parameters: Mapping[str, Value]) -> Iterator[str]:
        """The recorder's file, and no other."""
        yield from unlike(target, (RECORDER,))
        yield from mistaken(parameters, (_BYTES,))

    def inject(self, fault: Fault, fleet: "MissionFleet", journal: UndoJournal) -> Done:
        """Overwrite the head of the file under a stopped recorder, kill it, and see the file set aside."""
        status = fleet.refresh()
        identity = identify(pid_of(status, fault.target))
        file = Path(status.paths.store) / STORE
        stopped = Undo(
            fault=fault.id,
            kind=self.name,
            target=fault.target,
            facts={"pid": identity.pid, "start": identity.start},
        )
        journal.begin(stopped)
        fleet.announce(fault.target, f"mission: {fault.kind}")
        process.send(identity, signal.SIGSTOP)
        until(lambda: process.stopped(identity.pid))
        known = {path.name for path in file.parent.iterdir()}
        damage(file, round(_BYTES.of(fault.parameters)))
        at = time.monotonic_ns()
        ended = _end(identity)
        journal.done(stopped)
        seen = until(lambda: bool(_aside(file, known)), _ASIDE_S)
        words = f"set aside as {_aside(file, known)[0]}" if seen else "not set aside"
        return Done(at, ended and seen, f"{file.name} overwritten under process {identity.pid}, and {words}")

    def heal(self, undo: Undo, journal: UndoJournal) -> Done:
        """An operator who died in between left a stopped recorder: its end lets the supervisor start another."""
        identity = Identity(int(undo.facts["pid"]), int(undo.facts["start"]))
        at = time.monotonic_ns()
        ended = _end(identity)
        if ended:
            journal.done(undo)
        return Done(at, ended, f"process {identity.pid} {'ended' if ended else 'still runs'}")


def damage(file: Path, count: int) -> None:
    """Overwrite the first `count` bytes of a file with their complement, durably."""
    with file.open("r+b") as opened:
        head = opened.read(count)
        opened.seek(0)
        opened.write(bytes(255 - byte for byte in head))
        opened.flush()
        os.fsync(opened.fileno())


def _end(identity: Identity) -> bool:
    process.send(identity, signal.SIGKILL)
    return until(lambda: not process.alive(identity))


def _aside(file: Path, known: set[str]) -> list[str]:
    return sorted(path.name for path in file.parent.iterdir() if ".damaged-" in path.name and path.name not in known)


CORRUPT_STORE = CorruptStore()
