"""When a unit is started, released, stopped and given up: pure functions of (record, what is seen, now).

A unit is an engine or a bus.  `tick` is called for every unit on every turn of the supervisor's loop and returns the
new record with at most one action; `exited` is called when a process has ended.  Times are CLOCK_MONOTONIC seconds.
"""

import enum
from typing import Literal, NamedTuple

import msgspec

from engines.fleet.process import Exit
from engines.wire.state import EngineState as S

PERMANENT = 78  # EX_CONFIG of sysexits.h: the engine says that another start cannot succeed
_UP = frozenset({S.READY, S.DEGRADED, S.HALTED})


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of supervision, in seconds unless they count."""

    base_s: float = 0.1  # first back-off
    cap_s: float = 30.0  # longest back-off
    window_s: float = 60.0  # `crashes` within it are a crash loop
    crashes: int = 5
    healthy_s: float = 60.0  # ready for so long: the past is forgotten
    stall_s: float = 1.0  # silence that counts as a stall: the loop got nothing done, and was not waiting for a core
    dump_s: float = 0.25  # time to write the stack dump before the kill
    grace_s: float = 5.0  # between SIGTERM and SIGKILL
    drain_s: float = 1.0  # for open orders to end and messages to be consumed before the fleet stops


class Action(enum.Enum):
    """What the supervisor is to do for a unit."""

    LAUNCH = "launch"
    RELEASE = "release"  # open the gate of a forked engine that waits for its dependencies
    DUMP = "dump"  # ask for a stack dump
    TERM = "term"
    KILL = "kill"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What the supervisor knows of one unit."""

    name: str
    after: tuple[str, ...] = ()
    restart: Literal["always", "on-failure", "never"] = "always"
    crash_limit: int | None = None  # crashes within `window_s` that are a loop; None: the fleet's rules
    window_s: float | None = None
    boot_s: float = 20.0
    gated: bool = False  # the process may exist before its dependencies are ready: it waits at its gate
    grace_s: float | None = None  # between SIGTERM and SIGKILL, where it is not the fleet's
    silence: str = "its event loop was silent"  # what a stall of it is
    state: S = S.DECLARED
    wanted: bool = False
    again: bool = False  # an operator asked for a restart
    hasty: bool = False  # an operator asked to skip the grace
    pid: int = 0
    released_at: float | None = None
    ready_at: float | None = None
    stop_at: float | None = None
    dump_at: float | None = None
    killed: bool = False
    due_at: float | None = None
    announced_until: float = 0.0
    crashes: tuple[float, ...] = ()
    streak: int = 0  # crashes in a row, for the back-off
    restarts: int = 0
    cause: str = ""  # of the last end
    verdict: str = ""  # why the supervisor itself is ending it

    @property
    def up(self) -> bool:
        """It has become ready and still runs."""
        return self.state in _UP

    @property
    def over(self) -> bool:
        """No process exists and none is due."""
        return self.state in (S.STOPPED, S.FAILED) or (
            self.state in (S.DECLARED, S.CRASHED, S.BACKOFF) and not self.wanted
        )

    @property
    def settled(self) -> bool:
        """Nothing more will happen to it on its own."""
        return self.up or self.over or (self.state is S.CRASHED and self.due_at is None)


class Around(NamedTuple):
    """What is seen around a unit on one turn."""

    ready: bool  # every unit that it starts after is up
    free: bool  # no unit that starts after it lives
    pulse: S | None  # what its own process reports, if anything
    silent_s: float = 0.0  # since its last heartbeat; while it starts, and may compute at length, of a stopped one only
    excess: str = ""  # which limit of its manifest it exceeds


def backoff(streak: int, rules: Rules, jitter: float) -> float:
    """Seconds before restart number `streak` (from 0): doubling, capped, then scaled by 0.75..1.25 (jitter in 0..1)."""
    return min(rules.cap_s, rules.base_s * 2.0 ** min(streak, 40)) * (0.75 + 0.5 * jitter)


def start(record: Record) -> Record:
    """Want it.  A unit that was given up gets a clean slate."""
    if record.wanted and not record.over:
        return record
    slate = msgspec.structs.replace(record, wanted=True, crashes=(), streak=0, due_at=None, hasty=False)
    if record.state is S.STOPPING:
        return msgspec.structs.replace(slate, again=True)
    return slate if record.state.alive else msgspec.structs.replace(slate, state=S.DECLARED)


def stop(record: Record, *, hasty: bool = False) -> Record:
    """Do not want it."""
    changed = msgspec.structs.replace(record, wanted=False, again=False, due_at=None, hasty=record.hasty or hasty)
    if changed.state in (S.CRASHED, S.BACKOFF):
        return msgspec.structs.replace(changed, state=S.STOPPED)
    return changed


def restart(record: Record) -> Record:
    """End it once, and start it again with a clean slate."""
    if not record.state.alive:
        return start(msgspec.structs.replace(record, wanted=False, state=S.STOPPED))
    return msgspec.structs.replace(record, wanted=True, again=True, crashes=(), streak=0)


def announce(record: Record, until: float) -> Record:
    """The next end before `until` is expected: it restarts at the base delay and is not counted."""
    return msgspec.structs.replace(record, announced_until=until)


def launched(record: Record, pid: int) -> Record:
    """Its process exists."""
    return msgspec.structs.replace(record, pid=pid)


def tick(record: Record, around: Around, now: float, rules: Rules) -> tuple[Record, Action | None]:
    """The next step for a unit, given what is seen around it."""
    if not record.wanted or record.again:
        return _tick_unwanted(record, around, now, rules)
    if record.state is S.DECLARED and (record.gated or around.ready):
        return _launch(record, now), Action.LAUNCH
    if record.state is S.CRASHED and record.due_at is not None:
        return msgspec.structs.replace(record, state=S.BACKOFF), None
    if record.state is S.BACKOFF and record.due_at is not None and now >= record.due_at:
        return _launch(msgspec.structs.replace(record, restarts=record.restarts + 1), now), Action.LAUNCH
    if record.state is S.STARTING:
        return _tick_starting(record, around, now, rules)
    if record.up:
        return _tick_up(record, around, now, rules)
    return record, None


def _launch(record: Record, now: float) -> Record:
    released = None if record.gated else now
    return msgspec.structs.replace(record, state=S.STARTING, due_at=None, released_at=released)


def _tick_starting(record: Record, around: Around, now: float, rules: Rules) -> tuple[Record, Action | None]:
    if not record.pid:
        return record, None
    if record.released_at is None:
        if around.ready or record.restarts:  # a restart does not wait: its peers may need it
            return msgspec.structs.replace(record, released_at=now), Action.RELEASE
        return record, None
    if around.pulse in _UP:
        return msgspec.structs.replace(record, state=around.pulse, ready_at=now), None
    if around.silent_s > rules.stall_s and not record.killed:
        verdict = f"stalled while it started: it was stopped for {around.silent_s:.1f} s"
        return msgspec.structs.replace(record, verdict=verdict, killed=True), Action.KILL
    if now - record.released_at > record.boot_s and not record.killed:
        verdict = f"not ready within {record.boot_s:g} s"
        return msgspec.structs.replace(record, verdict=verdict, killed=True), Action.KILL
    return record, None


def _tick_up(record: Record, around: Around, now: float, rules: Rules) -> tuple[Record, Action | None]:
    if record.dump_at is not None:
        if now - record.dump_at >= rules.dump_s and not record.killed:
            return msgspec.structs.replace(record, killed=True), Action.KILL
        return record, None
    if around.silent_s > rules.stall_s:
        verdict = f"stalled: {record.silence} for {around.silent_s:.1f} s"
        return msgspec.structs.replace(record, verdict=verdict, dump_at=now), Action.DUMP
    if record.stop_at is not None:
        return _escalate(record, now, rules)
    if around.excess:
        return msgspec.structs.replace(record, verdict=around.excess, stop_at=now), Action.TERM
    if record.crashes and record.ready_at is not None and now - record.ready_at >= rules.healthy_s:
        record = msgspec.structs.replace(record, crashes=(), streak=0)
    pulse = S.DEGRADED if around.pulse is S.STARTING else around.pulse
    if pulse in _UP and pulse is not record.state:
        record = msgspec.structs.replace(record, state=pulse)
    return record, None


def _tick_unwanted(record: Record, around: Around, now: float, rules: Rules) -> tuple[Record, Action | None]:
    if not record.state.alive or not record.pid:
        return record, None
    if record.state is not S.STOPPING:
        if around.free or record.again or record.hasty:
            return msgspec.structs.replace(record, state=S.STOPPING, stop_at=now), Action.TERM
        return record, None
    return _escalate(record, now, rules)


def _escalate(record: Record, now: float, rules: Rules) -> tuple[Record, Action | None]:
    """SIGKILL to one that was sent SIGTERM and is still there after its grace."""
    grace = rules.grace_s if record.grace_s is None else record.grace_s
    grace = min(0.2, grace) if record.hasty else grace
    if record.stop_at is not None and now - record.stop_at > grace and not record.killed:
        verdict = "; ".join(filter(None, (record.verdict, f"did not stop within {grace:g} s of SIGTERM")))
        return msgspec.structs.replace(record, verdict=verdict, killed=True), Action.KILL
    return record, None


def exited(record: Record, how: Exit, now: float, rules: Rules, jitter: float) -> Record:
    """The record after its process ended: what comes next depends on who wanted the end."""
    cause = f"{record.verdict} ({how.text})" if record.verdict else how.text
    clean = how.code == 0 and not record.verdict
    gone = msgspec.structs.replace(
        record, pid=0, released_at=None, ready_at=None, stop_at=None, dump_at=None, due_at=None, killed=False,
        verdict="", cause=cause,
    )  # fmt: skip
    if not record.wanted:
        return msgspec.structs.replace(gone, state=S.STOPPED)
    if record.again:
        return msgspec.structs.replace(gone, state=S.BACKOFF, again=False, due_at=now)
    if now < record.announced_until:
        due = now + backoff(0, rules, jitter)
        return msgspec.structs.replace(gone, state=S.CRASHED, announced_until=0.0, due_at=due)
    if how.code == PERMANENT:
        return msgspec.structs.replace(gone, state=S.FAILED, cause=f"{cause}: it says that it cannot succeed")
    if record.restart == "never" or (record.restart == "on-failure" and clean):
        return msgspec.structs.replace(gone, state=S.STOPPED if clean else S.FAILED)
    window_s = rules.window_s if record.window_s is None else record.window_s
    crashes = (*(at for at in record.crashes if now - at < window_s), now)
    gone = msgspec.structs.replace(gone, crashes=crashes, streak=record.streak + 1)
    if len(crashes) >= (rules.crashes if record.crash_limit is None else record.crash_limit):
        loop = f"{len(crashes)} crashes in {window_s:g} s, the last: {cause}"
        return msgspec.structs.replace(gone, state=S.FAILED, cause=loop)
    return msgspec.structs.replace(gone, state=S.CRASHED, due_at=now + backoff(record.streak, rules, jitter))
