"""Faults of processes: kill, terminate, pause.  Each is proven by what the system says of the process afterwards."""

import signal
import time
from collections.abc import Callable
from typing import NamedTuple

import psutil

from engines.fleet import process
from engines.fleet.process import Identity
from stress.faults.fault import Fault, Undo, identify
from stress.faults.undo import UndoJournal

_SIGNALS = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "pause": signal.SIGSTOP}
_PROOF_S = 5.0
_LOOK_S = 0.001


class Done(NamedTuple):
    """What was done when (CLOCK_MONOTONIC), what was seen of it, and what takes it back."""

    at_ns: int
    proven: bool
    proof: str
    undo: Undo | None = None


def inject(fault: Fault, pid: int, journal: UndoJournal) -> Done:
    """Harm the process.  The undo of a pause is on disk before it begins.

    Raises:
        UsageError: the process is gone.
    """
    identity = identify(pid)
    undo = None
    if fault.kind == "pause":
        undo = Undo(fault=fault.id, target=fault.target, pid=identity.pid, start=identity.start)
        journal.begin(undo)
    at = time.monotonic_ns()
    sent = process.send(identity, _SIGNALS[fault.kind])
    proven, proof = _stopped(identity, at) if fault.kind == "pause" else _ended(identity, at)
    return Done(at, sent and proven, proof, undo)


def heal(undo: Undo, journal: UndoJournal) -> Done:
    """Continue a paused process; one that has ended meanwhile needs no healing."""
    at = time.monotonic_ns()
    if not process.send(undo.identity, signal.SIGCONT):
        journal.done(undo)
        return Done(at, True, f"process {undo.pid} had ended")
    proven = _until(lambda: _state(undo.pid) != psutil.STATUS_STOPPED)
    if proven:
        journal.done(undo)
    return Done(at, proven, f"process {undo.pid} {'runs again' if proven else 'is still stopped'}")


def _ended(identity: Identity, at_ns: int) -> tuple[bool, str]:
    gone = _until(lambda: not process.alive(identity))
    after = (time.monotonic_ns() - at_ns) / 1e6
    return gone, f"process {identity.pid} {'ended' if gone else 'still runs'} after {after:.1f} ms"


def _stopped(identity: Identity, at_ns: int) -> tuple[bool, str]:
    seen = _until(lambda: _state(identity.pid) == psutil.STATUS_STOPPED)
    after = (time.monotonic_ns() - at_ns) / 1e6
    return seen, f"process {identity.pid} {'is stopped' if seen else 'was not seen stopped'} after {after:.1f} ms"


def _state(pid: int) -> str:
    try:
        return str(psutil.Process(pid).status())
    except psutil.NoSuchProcess:
        return psutil.STATUS_DEAD


def _until(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + _PROOF_S
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(_LOOK_S)
    return holds()
