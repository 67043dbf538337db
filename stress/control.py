"""What can be done to a mission from outside: ask it to end, bury what is left of a killed one, heal its faults."""

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engines.fleet import process
from engines.fleet.errors import TimedOut
from engines.fleet.process import Identity
from stress import orphans
from stress.faults.fault import Undo
from stress.faults.undo import UndoJournal
from stress.place import FLEET
from stress.running import STATE, STOP_S, Running

if TYPE_CHECKING:
    from reports.verify import Verification
    from stress.faults.heal import Healed

_LOOK_S = 0.1
_WRITER_S = 30.0


class Left(NamedTuple):
    """What a killed mission left: faults that are not taken back, and processes of its own fleet."""

    undos: tuple[Undo, ...]
    processes: tuple[Identity, ...]


def left(folder: Path, state: Running) -> Left:
    """Look."""
    found = () if state.attached else tuple(orphans.left(Path(state.home)))
    return Left(UndoJournal(folder).pending(), found)


def stop(folder: Path, state: Running, timeout_s: float = STOP_S) -> None:
    """Ask a running mission to end and wait until its run is sealed.  SIGTERM: a script's `&` makes it deaf to Ctrl-C.

    Raises:
        TimedOut: not in time; it goes on ending.
    """
    process.send(state.process, signal.SIGTERM)
    until = time.monotonic() + timeout_s
    while process.alive(state.process):
        if time.monotonic() > until:
            raise TimedOut(
                f"The mission in {folder.name} did not end within {timeout_s:g} s.",
                f"Process {state.process.pid} is still at it.",
                "Look again: nautilus stress status",
            )
        time.sleep(_LOOK_S)


def bury(folder: Path, state: Running) -> "Verification":
    """End the fleet of a killed mission by its own `down`, then render and seal what was recorded, as interrupted.

    The fleet's files stay while a fault is not taken back: its undo may need them.

    Raises:
        TimedOut: something of it does not end.
        ReportError: nothing was recorded that could be reported; it is no run then.
    """
    from reports import signature  # here, and so on: `status` needs none of it
    from stress.finish import finish
    from stress.fleet import MissionFleet
    from stress.history.samples import SPILL, store

    home = Path(state.home)
    if not state.attached:
        orphans.end(home)
    until = time.monotonic() + _WRITER_S
    while not state.written:
        if time.monotonic() > until:
            raise TimedOut(f"The history of {folder.name} is still being written.", "", "nautilus stress status")
        time.sleep(_LOOK_S)
    if not state.attached and not UndoJournal(folder).pending():
        MissionFleet(home).keep_logs(folder / "logs")
    if (folder / SPILL).is_file():
        store(folder)
    try:
        return finish(folder, signature.key_of(), plots=False)
    finally:
        (folder / STATE).unlink(missing_ok=True)


def heal(folder: Path) -> "tuple[Healed, ...]":
    """Take back what is pending in a run folder, each with its proof; then a buried fleet's files can go as well."""
    from stress.faults.heal import heal_pending
    from stress.fleet import MissionFleet

    found = heal_pending(folder)
    buried = (folder / FLEET).is_dir() and not (folder / STATE).is_file() and not orphans.left(folder / FLEET)
    if buried and not UndoJournal(folder).pending():
        MissionFleet(folder / FLEET).keep_logs(folder / "logs")
    return found
