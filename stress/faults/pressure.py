"""Pressure on the host: processes that burn its cores, or hold a part of its memory.

They bear a mark in their environment, which is on disk before they start, so that whoever comes later finds them; and
they end by themselves.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engines.fleet import process
from engines.wire.errors import UsageError
from stress.faults import burden
from stress.faults.fault import HOST, Done, Fault, Undo, Value
from stress.faults.parameter import Parameter, mistaken, unlike
from stress.faults.processes import until
from stress.faults.undo import UndoJournal

if TYPE_CHECKING:
    from stress.fleet import MissionFleet

MARK = "NAUTILUS_PRESSURE"
GRACE_S = 5.0  # by which they outlive their time when nobody ends them
_BURNT_S = 0.05  # processor time of each that proves that it burns
_HELD = 0.95  # of the memory asked for that proves that it is held
_PROOF_S = 20.0
_MOST_SHARE = 0.5


class Pressure(NamedTuple):
    """One kind.  `what` is that of `burden`."""

    name: str
    what: str
    parameter: Parameter
    lasting: bool = True

    def mistakes(self, target: str, parameters: Mapping[str, Value]) -> Iterator[str]:
        """The host, on a system where the processes can be found again."""
        yield from unlike(target, (HOST,))
        yield from mistaken(parameters, (self.parameter,))
        if not process.LINUX:
            yield "it needs Linux, where a process's environment tells whose it is"

    def inject(self, fault: Fault, fleet: "MissionFleet", journal: UndoJournal) -> Done:
        """Start them, and look at what they take."""
        amount = self.parameter.of(fault.parameters)
        lasts = (fault.for_s or 0.0) + GRACE_S
        wanted = _memory(amount) if self.what == "memory" else 0
        mark = f"{fleet.home}:{fault.id}:{os.getpid()}:{time.monotonic_ns()}"
        undo = Undo(fault=fault.id, kind=self.name, target=fault.target, facts={"mark": mark})
        journal.begin(undo)
        at = time.monotonic_ns()
        count = 1 if self.what == "memory" else round(amount)
        words = [sys.executable, str(Path(burden.__file__)), self.what, str(lasts), str(wanted)]
        around = {**os.environ, MARK: mark}
        quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
        pids = [os.posix_spawn(sys.executable, words, around, file_actions=quiet, setsid=True) for _ in range(count)]
        proven, proof = _held(pids[0], wanted) if self.what == "memory" else _burnt(pids)
        return Done(at, proven, proof, undo)

    def heal(self, undo: Undo, journal: UndoJournal) -> Done:
        """End whoever bears the mark."""
        marks = {MARK: str(undo.facts["mark"])}
        at = time.monotonic_ns()
        found = process.marked(marks)
        for identity in found:
            process.send(identity, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):  # started by an operator who is dead
                os.waitpid(identity.pid, 0)
        over = until(lambda: not process.marked(marks))
        if over:
            journal.done(undo)
        left = "none is left" if over else "some are left"
        return Done(at, over, f"{len(found)} processes ended, {left}")


def _memory(share: float) -> int:
    import psutil  # here: a mission's file is checked without it

    available = psutil.virtual_memory().available
    size = int(available * share)
    if size < 1 << 20:
        raise UsageError("There is no memory to hold.", f"{available >> 20} MB are available.")
    return size


def _burnt(pids: Sequence[int]) -> tuple[bool, str]:
    proven = until(lambda: all(_cpu_s(pid) >= _BURNT_S for pid in pids), _PROOF_S)
    return proven, f"{len(pids)} processes burnt {sum(_cpu_s(pid) for pid in pids):.2f} s of processor time"


def _held(pid: int, wanted: int) -> tuple[bool, str]:
    proven = until(lambda: _resident(pid) >= wanted * _HELD, _PROOF_S)
    return proven, f"process {pid} holds {_resident(pid) >> 20} of {wanted >> 20} MB"


def _cpu_s(pid: int) -> float:
    used = process.usage(pid)
    return 0.0 if used is None else used.cpu_s


def _resident(pid: int) -> int:
    used = process.usage(pid)
    return 0 if used is None else used.rss


CPU_PRESSURE = Pressure("cpu-pressure", "cpu", Parameter("processes", 1, 64, 1, "processes"))
MEMORY_PRESSURE = Pressure(
    "memory-pressure", "memory", Parameter("share", 0.001, _MOST_SHARE, 0.1, "of the memory available")
)
