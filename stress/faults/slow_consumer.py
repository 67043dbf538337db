"""A slow consumer: an engine that is stopped for most of every few milliseconds, so that it gets a share of its time.

A keeper process sends SIGSTOP and SIGCONT in turn.  A pause stays far below the second after which the supervisor
speaks of a stall: the engine is slow, not dead.  The end of the engine, and the keeper's own, leave it running.

What is seen: the kernel's word for the process at moments spread over a second (`T` in /proc/<pid>/stat, or a SIGSTOP
pending in /proc/<pid>/status: on a full machine a process waits for a core even to be stopped), which has to be the
share that was asked for within 0.15, and the processor time that it took meanwhile.  Elsewhere than on Linux nothing
is seen, and nothing proven.
"""

import random
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engines.fleet import process
from engines.fleet.process import Identity
from stress.faults import keeper
from stress.faults.fault import BUSES, HOST, SUPERVISOR, Done, Fault, Undo, Value, identify, identity_of, pid_of
from stress.faults.parameter import Parameter, mistaken
from stress.faults.undo import UndoJournal
from stress.load.priority import ask_for_short_slices

if TYPE_CHECKING:
    from stress.fleet import MissionFleet

SHARE = Parameter("share", 0.05, 0.95, 0.2, "of its time that it may run")
PERIOD = Parameter("period_ms", 10, 400, 50, "milliseconds of a stop and a run together")
_LOOKS = 200
_LOOK_S = 0.005  # on average
_WITHIN = 0.15
_CALM_S = 0.3
_MEMORY = 0.9  # of a period's lateness in the next one
_LONGEST_S = 0.4  # of a stop: far from a stall


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a keeper throttles, and how."""

    pid: int
    start: int
    share: float
    period_s: float
    lifetime_s: float


class SlowConsumer:
    """The kind `slow-consumer`."""

    name = "slow-consumer"
    lasting = True

    def mistakes(self, target: str, parameters: Mapping[str, Value]) -> Iterator[str]:
        """Only an engine consumes."""
        if target in (*BUSES, SUPERVISOR, HOST):
            yield f"{target} consumes nothing"
        yield from mistaken(parameters, (SHARE, PERIOD))

    def inject(self, fault: Fault, fleet: "MissionFleet", journal: UndoJournal) -> Done:
        """Throttle the engine's process of this moment.  Raises NautilusError."""
        share, period_s = SHARE.of(fault.parameters), PERIOD.of(fault.parameters) / 1000
        victim = identify(pid_of(fleet.refresh(), fault.target))
        own = keeper.Keeper("stress.faults.slow_consumer")
        facts: dict[str, str | int | float] = {"pid": victim.pid, "start": victim.start}
        facts |= {"keeper_pid": own.identity.pid, "keeper_start": own.identity.start}
        undo = Undo(fault=fault.id, kind=fault.kind, target=fault.target, facts=facts)
        journal.begin(undo)
        at = time.monotonic_ns()
        spec = Spec(
            pid=victim.pid,
            start=victim.start,
            share=share,
            period_s=period_s,
            lifetime_s=(fault.for_s or 0.0) + keeper.BEYOND_S,
        )
        own.begin(msgspec.json.encode(spec))
        return Done(at, *_seen(victim, share), undo)

    def heal(self, undo: Undo, journal: UndoJournal) -> Done:
        """End the keeper, then continue the engine."""
        victim = identity_of(undo)
        at = time.monotonic_ns()
        keeper.end(Identity(int(undo.facts["keeper_pid"]), int(undo.facts["keeper_start"])))
        if not process.send(victim, signal.SIGCONT):
            journal.done(undo)
            return Done(at, True, f"process {victim.pid} had ended")
        stopped, _ = watched(victim, _CALM_S)
        if stopped == 0.0:
            journal.done(undo)
        return Done(at, stopped == 0.0, f"process {victim.pid} was stopped {stopped:.0%} of {_CALM_S:g} s")


KIND = SlowConsumer()


def watched(victim: Identity, for_s: float) -> tuple[float, float]:
    """Shares of a time: in which a process was stopped (looked at irregularly), and of a core that it used."""
    looks = max(1, round(for_s / _LOOK_S))
    before, began = process.usage(victim.pid), time.monotonic()
    stopped = 0
    for _ in range(looks):
        time.sleep(random.random() * 2 * _LOOK_S)  # irregular: never in step with the stops
        stopped += held(victim.pid)
    after, took = process.usage(victim.pid), time.monotonic() - began
    used = after.cpu_s - before.cpu_s if before is not None and after is not None else 0.0
    return stopped / looks, used / took


def held(pid: int) -> bool:
    """Whether a process is stopped, or will be before it does anything else (Linux)."""
    if process.stopped(pid):
        return True
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return False
    pending = next((line.split()[1] for line in lines if line.startswith("ShdPnd:")), "0")
    return bool(int(pending, 16) >> (signal.SIGSTOP - 1) & 1)


def throttle(spec: Spec, over: threading.Event) -> None:
    """Stop and continue in turn until it is over, the time is up or the process has ended; it runs afterwards.

    A keeper that was woken late has let its victim run too long: the next stops make up for that.
    """
    victim = Identity(spec.pid, spec.start)
    until = time.monotonic() + spec.lifetime_s
    ran = stopped = 0.0
    try:
        while not over.is_set() and (began := time.monotonic()) < until:
            if not process.send(victim, signal.SIGSTOP):
                return
            over.wait(next_stop(spec, ran, stopped))
            if not process.send(victim, signal.SIGCONT):
                return
            continued = time.monotonic()
            over.wait(spec.period_s * spec.share)
            stopped = stopped * _MEMORY + continued - began
            ran = ran * _MEMORY + time.monotonic() - continued
    finally:
        process.send(victim, signal.SIGCONT)


def next_stop(spec: Spec, ran: float, stopped: float) -> float:
    """Seconds of the next stop after so many of running and of being stopped: the share is met after its run."""
    due = (ran + spec.period_s * spec.share) * (1 - spec.share) / spec.share - stopped
    return min(max(due, 0.0), _LONGEST_S)


def _seen(victim: Identity, share: float) -> tuple[bool, str]:
    stopped, used = watched(victim, _LOOKS * _LOOK_S)
    proven = abs(stopped - (1 - share)) <= _WITHIN and used <= share + _WITHIN
    return proven, f"process {victim.pid} was stopped {stopped:.0%} of a second and used {used:.0%} of a core"


def main() -> int:
    """Throttle as the spec on standard input says."""
    spec = msgspec.json.decode(sys.stdin.buffer.read(), type=Spec)
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    ask_for_short_slices()
    sys.stdout.write("throttling\n")
    sys.stdout.flush()
    throttle(spec, over)
    return 0


if __name__ == "__main__":
    sys.exit(main())
