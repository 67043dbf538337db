"""Faults of processes: kill, terminate, pause.  Each is proven by what the system says of the process afterwards."""

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from engines.fleet import process
from engines.fleet.process import Identity
from stress.faults.fault import HOST, SUPERVISOR, Done, Fault, Undo, Value, identify, identity_of, pid_of
from stress.faults.parameter import mistaken
from stress.faults.undo import UndoJournal

if TYPE_CHECKING:
    from stress.fleet import MissionFleet

_PROOF_S = 5.0
_LOOK_S = 0.001
_STOPPED = "stopped"  # psutil.STATUS_STOPPED


class Signal(NamedTuple):
    """A fault that is one signal; a lasting one is a stop that SIGCONT takes back."""

    name: str
    number: signal.Signals
    lasting: bool = False

    def mistakes(self, target: str, parameters: Mapping[str, Value]) -> Iterator[str]:
        """Every process of the fleet can be signalled; nobody would notice a paused supervisor."""
        yield from mistaken(parameters, ())
        if target == HOST:
            yield "the host is no process"
        elif self.lasting and target == SUPERVISOR:
            yield "a paused supervisor is not noticed by anyone; kill it instead"

    def inject(self, fault: Fault, fleet: "MissionFleet", journal: UndoJournal) -> Done:
        """Signal the target's process of this moment; the supervisor is told that its end is on purpose."""
        status = fleet.refresh()
        pid = pid_of(status, fault.target)
        if any(engine.name == fault.target for engine in status.wanted):
            fleet.announce(fault.target, f"mission: {fault.kind}")
        return inject(fault, pid, journal)

    def heal(self, undo: Undo, journal: UndoJournal) -> Done:
        """Continue it."""
        return heal(undo, journal)


KILL = Signal("kill", signal.SIGKILL)
TERM = Signal("term", signal.SIGTERM)
PAUSE = Signal("pause", signal.SIGSTOP, lasting=True)
_SIGNALS = {kind.name: kind for kind in (KILL, TERM, PAUSE)}


def inject(fault: Fault, pid: int, journal: UndoJournal) -> Done:
    """Harm the process.  The undo of a pause is on disk before it begins.

    Raises:
        UsageError: the process is gone.
    """
    identity = identify(pid)
    kind = _SIGNALS[fault.kind]
    undo = None
    if kind.lasting:
        facts: dict[str, str | int | float] = {"pid": identity.pid, "start": identity.start}
        undo = Undo(fault=fault.id, kind=fault.kind, target=fault.target, facts=facts)
        journal.begin(undo)
    at = time.monotonic_ns()
    sent = process.send(identity, kind.number)
    proven, proof = _stopped(identity, at) if kind.lasting else _ended(identity, at)
    return Done(at, sent and proven, proof, undo)


def heal(undo: Undo, journal: UndoJournal) -> Done:
    """Continue a paused process; one that has ended meanwhile needs no healing."""
    identity = identity_of(undo)
    at = time.monotonic_ns()
    if not process.send(identity, signal.SIGCONT):
        journal.done(undo)
        return Done(at, True, f"process {identity.pid} had ended")
    proven = until(lambda: _state(identity.pid) != _STOPPED)
    if proven:
        journal.done(undo)
    return Done(at, proven, f"process {identity.pid} {'runs again' if proven else 'is still stopped'}")


def _ended(identity: Identity, at_ns: int) -> tuple[bool, str]:
    gone = until(lambda: not process.alive(identity))
    after = (time.monotonic_ns() - at_ns) / 1e6
    return gone, f"process {identity.pid} {'ended' if gone else 'still runs'} after {after:.1f} ms"


def _stopped(identity: Identity, at_ns: int) -> tuple[bool, str]:
    seen = until(lambda: _state(identity.pid) == _STOPPED)
    after = (time.monotonic_ns() - at_ns) / 1e6
    return seen, f"process {identity.pid} {'is stopped' if seen else 'was not seen stopped'} after {after:.1f} ms"


def _state(pid: int) -> str:
    import psutil  # here: a mission's file is checked without it

    try:
        return str(psutil.Process(pid).status())
    except psutil.NoSuchProcess:
        return psutil.STATUS_DEAD


def until(holds: Callable[[], bool], limit_s: float | None = None) -> bool:
    """Whether something came to hold in time, looking every millisecond."""
    end = time.monotonic() + (_PROOF_S if limit_s is None else limit_s)
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(_LOOK_S)
    return holds()
