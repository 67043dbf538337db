"""The supervisor: one detached process, one loop, all decisions (`engines.fleet.policy` makes them).

Children only report: by ending, and through their heartbeat slots.
"""

import contextlib
import os
import random
import selectors
import signal
import time

import msgspec

from engines.fleet import chronicle, logs, policy, ports, process, reload, tcp
from engines.fleet.announcer import Announcer
from engines.fleet.audit import Audited
from engines.fleet.changes import Diff
from engines.fleet.chronicle import Chronicle
from engines.fleet.control import Request, Server
from engines.fleet.drain import Look
from engines.fleet.ground import Ground, closure, journal_boot
from engines.fleet.halting import Halting
from engines.fleet.journal import Entry
from engines.fleet.launch import Launcher, SpawnLauncher, ZygoteLauncher
from engines.fleet.notify import Notifier
from engines.fleet.policy import Action, Around, Record
from engines.fleet.process import Exit
from engines.fleet.report import Reporter
from engines.fleet.spec import FleetSpec
from engines.fleet.status import Event, EventKind, FleetStatus
from engines.fleet.units import BusUnit, EngineUnit, declare
from engines.wire.errors import NautilusError
from engines.wire.manifest import pick
from engines.wire.messages import FleetEngine
from engines.wire.state import EngineState as S

_BUSY_S = 0.005  # a turn of the loop while something is about to change
_IDLE_S = 0.2
_LATE_S = 0.5  # a turn so late says that the supervisor itself was starved or suspended
_HOUSEKEEPING_S = 2.0
_LAST_LINES = 8


class Supervisor:
    """All units of one fleet."""

    def __init__(self, spec: FleetSpec, ground: Ground, launcher: Launcher, born: float) -> None:
        self.spec = spec
        self.ground = ground
        self.launcher = launcher
        self.born = born
        self.selector = selectors.DefaultSelector()
        self.units = declare(spec, ground, launcher)
        self.dependents = {n: [m for m, u in self.units.items() if n in u.record.after] for n in self.units}
        self.reporter = Reporter(spec, ground, self.units, born)
        self.chronicle = Chronicle(ground, self.reporter, born)
        self.halting = Halting(self.units)
        self._logs = logs.Keeper(ground.folders.logs)
        asked = Audited(self.answer, ground.folders.audit)
        door = tcp.door(spec.listen, ground.keys.token, os.environ)
        notifier = Notifier(spec.notify, spec.name, ground.folders.log("notify"), os.environ)
        self.server = Server(ground.folders.control, self.selector, asked, door, hear=notifier.hear)
        main = next(bus for bus in ground.buses if bus.name == "main")
        self._announcer = Announcer(main.address)
        self._main = main.unit
        self._seq = self._told = 0
        self._settled = False
        self._stopping = False
        self._since = born  # silence is counted from here at the earliest
        self._turned = born
        self._next_housekeeping = self._next_look = born
        self._watch_launcher()

    # ------------------------------------------------------------------------------------------ the loop
    def run(self) -> None:
        """Until everything was stopped."""
        journal_boot(self.ground, "zygote" if self.launcher.gated else "spawn")
        self._adopt()
        for name in (*(n for n, u in self.units.items() if isinstance(u, BusUnit)), *self.ground.wanted):
            self._set(name, policy.start(self.units[name].record))
        while not (self._stopping and all(u.record.over for u in self.units.values())):
            pause = self._pause()
            for key, mask in self.selector.select(pause):
                key.data(mask)
            self._reap()
            now = time.monotonic()
            if now - self._turned > pause + _LATE_S:
                self._since = now
            self._turned = now
            self._turn(now)
            self.ground.journal.commit()
        self._close()

    def stop(self, *, now: bool = False) -> None:
        """Stop everything in reverse order, first halting and draining; a second time, or with `now`, without that.

        `now` skips the grace of the engines as well.
        """
        drained = now or self._stopping or self.halting.stopping
        if not drained and self.halting.begin(time.monotonic() + self.spec.rules.drain_s):
            self._event("phase", "drain", detail="orders are withdrawn and messages consumed")
            return
        self._stop_units(now=now)

    def restart(self, name: str, *, now: bool = False) -> None:
        """End one engine and start it again; one with open orders once they have ended, with `now` at once."""
        deadline = time.monotonic() + self.spec.rules.drain_s
        if not now and self.halting.needs(name) and self.halting.begin(deadline, name):
            return
        self._settled = False
        self._set(name, policy.restart(self.units[name].record))

    def _drained(self, look: Look) -> None:
        name = look.drain.restart
        if not name:
            if look.left:
                self._warn("drain", f"the fleet is stopped although {look.left}")
            self._stop_units(now=False)
        elif look.left:
            self.ground.journal.write(Entry(what="refused", unit=name, detail=look.left))
            self._event("refused", name, detail=look.left)
        else:
            self.restart(name, now=True)

    def _stop_units(self, *, now: bool) -> None:
        self._stopping = True
        for name, unit in self.units.items():
            hasty = now and not isinstance(unit, BusUnit)  # a bus writes its streams down in its own time
            self._set(name, policy.stop(unit.record, hasty=hasty))

    def _turn(self, now: float) -> None:
        for name, unit in self.units.items():
            record, action = policy.tick(unit.record, self._around(name, now), now, self.spec.rules)
            self._set(name, record)
            if action is not None:
                self._act(name, action)
        for look in self.halting.turn(now):
            self._drained(look)
        self._judge()
        if self.units.get(self._main) is None or self.units[self._main].record.up:
            self._announcer.say(self._voice(), now)
        if now >= self._next_housekeeping:
            self._next_housekeeping = now + _HOUSEKEEPING_S
            self.reporter.sample(now)
            reload.bury(self)
            if stepped := self.chronicle.clock_jumped():
                self._warn("clock", stepped)
        if now >= self._next_look:
            self._next_look = now + logs.LOOK_S
            self._logs.look()

    def _around(self, name: str, now: float) -> Around:
        unit = self.units[name]
        ready = all(self.units[other].record.up for other in unit.record.after)
        free = not any(self.units[other].record.state.alive for other in self.dependents[name])
        if not unit.record.pid or unit.record.state is S.STOPPING:
            return Around(ready, free, None)
        return Around(ready, free, *unit.observe(now, self._since), self.reporter.excess.get(name, ""))

    def _act(self, name: str, action: Action) -> None:
        unit = self.units[name]
        if action is Action.LAUNCH:
            try:
                pid = unit.launch()
            except (NautilusError, OSError) as error:
                self._ended(name, Exit(None), str(error))
                return
            if pid:
                self._launched(name, pid)
        elif action is Action.RELEASE:
            unit.release()
        else:
            numbers = {Action.DUMP: signal.SIGUSR1, Action.TERM: signal.SIGTERM, Action.KILL: signal.SIGKILL}
            unit.signal(numbers[action])

    # ---------------------------------------------------------------------------------- births and deaths
    def _launched(self, name: str, pid: int) -> None:
        unit = self.units[name]
        unit.identity = process.identify(pid)
        if unit.identity is not None:
            self.ground.journal.write(Entry(what="started", unit=name, identity=unit.identity))
        self._set(name, policy.launched(unit.record, pid))

    def _ended(self, name: str, how: Exit, why: str = "") -> None:
        unit = self.units[name]
        if unit.identity is not None:
            self.ground.journal.write(Entry(what="ended", unit=name, identity=unit.identity, exit=how))
        now = time.monotonic()
        before = msgspec.structs.replace(unit.record, verdict=why) if why else unit.record
        after = policy.exited(before, how, now, self.spec.rules, random.random())
        if chronicle.is_crash(before, after, now):
            self.chronicle.crashed(unit, before, after, how)
        unit.ended()
        self.reporter.excess.pop(name, None)
        self._set(name, after)

    def _reap(self) -> None:
        for pid, how in process.reap():
            name = next((n for n, u in self.units.items() if u.record.pid == pid), None)
            if name is not None:
                self._ended(name, how)
            elif isinstance(self.launcher, ZygoteLauncher) and pid == self.launcher.pid:
                self._zygote_ended(how)
        for name, identity in self.ground.adopted.items():  # not our children: nobody tells us
            if self.units[name].identity == identity and not process.alive(identity):
                self._ended(name, Exit(None))

    def _zygote_ended(self, how: Exit) -> None:
        """Engines outlive it.  One that died before it was ready would die again: spawn from now on."""
        if not isinstance(self.launcher, ZygoteLauncher):
            return
        self.ground.journal.write(Entry(what="ended", unit="zygote", exit=how))
        self.selector.unregister(self.launcher.fileno())
        if self._stopping:
            for name in self.launcher.abandon():
                self._ended(name, Exit(None), "its zygote ended before it was forked")
            self.launcher = SpawnLauncher()
            return
        if self.launcher.ready:
            self.launcher.revive()
            self._watch_launcher()
            return
        self._event("phase", "zygote", detail=f"{how.text}; engines are spawned instead")
        left = self.launcher.abandon()
        self.launcher = SpawnLauncher()
        for name, unit in self.units.items():
            if isinstance(unit, EngineUnit):
                unit.launcher = self.launcher
                unit.record = msgspec.structs.replace(unit.record, gated=False)
                if name in left:
                    unit.record = msgspec.structs.replace(unit.record, state=S.DECLARED)

    def _watch_launcher(self) -> None:
        if self.launcher.fileno() >= 0:
            self.selector.register(self.launcher.fileno(), selectors.EVENT_READ, self._hear_launcher)

    def _hear_launcher(self, _mask: int) -> None:
        for answer in self.launcher.answers():
            if answer.error:
                self._ended(answer.engine, Exit(None), answer.error)
            elif answer.engine:
                self.units[answer.engine].started_at = time.monotonic()
                self._launched(answer.engine, answer.pid)
            elif answer.phase:
                self._event("phase", "zygote", detail=answer.phase, progress=(answer.done, answer.of))
            else:
                self.chronicle.forked(time.monotonic())

    def _adopt(self) -> None:
        for name, identity in self.ground.adopted.items():
            unit = self.units[name]
            unit.identity, unit.started_at = identity, time.monotonic()
            record = msgspec.structs.replace(unit.record, wanted=True, state=S.STARTING, pid=identity.pid)
            unit.record = msgspec.structs.replace(record, released_at=time.monotonic())

    # --------------------------------------------------------------------------------- words to the outside
    def answer(self, request: Request, who: str) -> FleetStatus | Diff | int:
        """The status, or for a change the last event before it; who asks for one is journalled.

        Raises:
            UnknownName: no such engine.
        """
        if request.op == "status":
            return self.reporter.status(self.launcher.gated)
        for name in request.engines:
            pick(self.ground.manifests, name)
        detail = " ".join((request.op, *request.engines, request.reason, "now" * request.now)).strip()
        self.ground.journal.write(Entry(what="asked", who=who, detail=detail))
        if request.op == "reload":
            self._settled = self._settled and request.dry
            return reload.answer(self, request, self._seq)
        before = self._seq
        if request.op == "stop":
            self.stop(now=request.now)
        elif request.op == "start":
            self._settled = False
            names = closure(self.ground.manifests, request.engines or None)
            self._check_ports(names)
            for name in names:
                self._set(name, policy.start(self.units[name].record))
        for name in request.engines:
            record = self.units[name].record
            if request.op == "restart":
                self.restart(name, now=request.now)
            elif request.op == "announce":
                self.units[name].record = policy.announce(record, time.monotonic() + request.seconds)
        return before

    def _check_ports(self, names: tuple[str, ...]) -> None:
        idle = {name: unit for name, unit in self.units.items() if name in names and not unit.record.state.alive}
        ports.check(self.spec.host, {name: unit.port for name, unit in idle.items() if isinstance(unit, EngineUnit)})

    def _set(self, name: str, record: Record) -> None:
        """Keep a record; a changed state is journalled and told to subscribers."""
        unit = self.units[name]
        before, unit.record = unit.record, record
        if record.state is not before.state:
            detail = record.cause if record.state in (S.CRASHED, S.FAILED) else ""
            if detail:
                tail = logs.tail(self.ground.folders.log(name), _LAST_LINES)
                self.reporter.last_lines[name] = tuple(tail)
            self.ground.journal.write(Entry(what="state", unit=name, state=record.state.name.lower(), detail=detail))
            self._event("unit", name, record.state.name.lower(), detail)
            if before.state is S.STARTING and record.up and (late := self.chronicle.ready(unit, time.monotonic())):
                self._warn(name, late)

    def _warn(self, name: str, detail: str) -> None:
        """Something that an operator should know, in the journal and among the events."""
        self.ground.journal.write(Entry(what="warning", unit=name, detail=detail))
        self._event("warning", name, detail=detail)

    def _event(self, kind: EventKind, name: str = "", state: str = "", detail: str = "",
               progress: tuple[int, int] = (0, 0)) -> None:  # fmt: skip
        self._seq += 1
        engines = [unit.record for unit in self.units.values() if isinstance(unit, EngineUnit)]
        self.server.publish(
            Event(
                seq=self._seq,
                elapsed_s=round(time.monotonic() - self.born, 4),
                kind=kind,
                name=name,
                state=state,
                detail=detail,
                ready=sum(record.up for record in engines),
                total=sum(record.wanted for record in engines),
                done=progress[0],
                of=progress[1],
            )
        )

    def _judge(self) -> None:
        """Say once when nothing more will change on its own, and when the start-up cannot succeed."""
        if self._stopping:
            return
        for name, unit in self.units.items():
            if isinstance(unit, BusUnit) and unit.record.state is S.FAILED:
                self._event("fatal", name, "failed", f"{name} cannot be started: {unit.record.cause}")
                self.stop(now=True)
                return
        settled = all(unit.record.settled or self._blocked(name) for name, unit in self.units.items())
        if settled and not self._settled:
            self.reporter.sample(time.monotonic())
            self.chronicle.settled()
            self._event("settled")
        self._settled = settled

    def _blocked(self, name: str) -> bool:
        """It waits for something that will not become ready."""
        record = self.units[name].record
        if record.released_at is not None or record.state not in (S.DECLARED, S.STARTING):
            return False
        others = [(other, self.units[other].record) for other in record.after]
        return any(other.over or self._blocked(key) for key, other in others)

    def _voice(self) -> tuple[FleetEngine, ...]:
        return tuple(
            FleetEngine(name, unit.record.state.name.lower(), unit.record.pid, unit.record.restarts)
            for name, unit in self.units.items()
            if isinstance(unit, EngineUnit)
        )

    # ------------------------------------------------------------------------------------------- set-up, end
    def _pause(self) -> float:
        told, self._told = self._told, self._seq
        if told != self._seq or self.halting.busy or any(_moving(unit.record) for unit in self.units.values()):
            return _BUSY_S
        now = time.monotonic()
        due = [unit.record.due_at - now for unit in self.units.values() if unit.record.due_at is not None]
        return min([_IDLE_S, *(max(0.0, wait) for wait in due)])

    def _close(self) -> None:
        """Everything was stopped: let the zygote go, and end what engines left in groups of their own."""
        self._event("stopped")
        self._announcer.close()
        if self.launcher.fileno() >= 0:
            self.selector.unregister(self.launcher.fileno())
        self.launcher.close()
        me = process.identify(os.getpid())
        strays = [identity for identity in process.members(self.ground.folders.state) if identity != me]
        process.end(strays, 0.2)
        for _ in process.reap():
            pass
        self.ground.journal.write(Entry(what="closed"))
        self.ground.journal.close()
        self.server.close()
        with contextlib.suppress(OSError):  # not empty: an external program's business
            self.ground.folders.runtime.rmdir()


def _moving(record: Record) -> bool:
    """It is about to change by itself.  What waits at its gate changes only when another one does."""
    return record.state in (S.STOPPING, S.CRASHED) or (record.state is S.STARTING and record.released_at is not None)
