"""What the supervisor remembers for people: crash bundles, the boot as a timeline, and what was not as planned."""

import datetime
import time

from engines.fleet import crash
from engines.fleet.boot import Step
from engines.fleet.ground import Ground
from engines.fleet.journal import Entry
from engines.fleet.policy import Record
from engines.fleet.process import Exit
from engines.fleet.report import Reporter
from engines.fleet.units import EngineUnit, Unit
from engines.wire import clock
from engines.wire.state import EngineState

ZYGOTE = "zygote"


class Chronicle:
    """Told of every change; `reporter` shows what it keeps.  Times are CLOCK_MONOTONIC seconds."""

    def __init__(self, ground: Ground, reporter: Reporter, born: float) -> None:
        self._ground = ground
        self._reporter = reporter
        self._born = born
        self._told = False
        self._clock = clock.read()

    def forked(self, now: float) -> None:
        """The zygote is ready to fork engines."""
        step = Step(name=ZYGOTE, launched_s=0.0, released_s=0.0, ready_s=round(now - self._born, 4))
        self._reporter.boot.setdefault(ZYGOTE, step)

    def ready(self, unit: Unit, now: float) -> str:
        """A unit became ready: keep its first boot; a warning whenever one took longer than its budget."""
        record = unit.record
        budget = unit.manifest.boot_budget_s if isinstance(unit, EngineUnit) else None
        released = unit.started_at if record.released_at is None else record.released_at
        step = Step(
            name=record.name,
            launched_s=round(unit.started_at - self._born, 4),
            released_s=round(released - self._born, 4),
            ready_s=round(now - self._born, 4),
            budget_s=budget,
            after=(*record.after, ZYGOTE) if record.gated else record.after,
        )
        self._reporter.boot.setdefault(record.name, step)
        return f"it took {step.own_s:.1f} s to boot, its budget is {budget:g} s" if step.late else ""

    def settled(self) -> None:
        """Journal the first boot's timeline."""
        if not self._told:
            self._told = True
            self._ground.journal.write(Entry(what="booted", steps=tuple(self._reporter.boot.values())))

    def crashed(self, unit: Unit, before: Record, after: Record, how: Exit) -> None:
        """Have a bundle written of an end that nobody wanted, and say in the journal where it is."""
        now = datetime.datetime.now(datetime.UTC)
        folders, keys = self._ground.folders, self._ground.keys
        target = crash.path_of(folders.state / "crashes", before.name, now)
        facts = self._reporter.facts.get(before.pid)
        found = crash.Crash(
            unit=before.name,
            at=now.isoformat(timespec="milliseconds"),
            cause=after.cause,
            exit=how,
            pid=before.pid,
            uptime_s=round(time.monotonic() - unit.started_at, 3) if before.pid else None,
            restarts=before.restarts,
            crashes=len(after.crashes),
            facts=facts,
            manifest=unit.manifest if isinstance(unit, EngineUnit) else None,
        )
        passwords = tuple(bus.address.password for bus in self._ground.buses)
        sources = crash.Sources(
            crashes=target.parent,
            log=folders.log(before.name),
            buses=self._ground.buses,
            secrets=(keys.main, keys.market, keys.token, *passwords),
        )
        crash.report(found, sources, target)
        self._reporter.crashes[before.name] = str(target)
        self._ground.journal.write(Entry(what="crash", unit=before.name, exit=how, path=str(target)))

    def clock_jumped(self) -> str:
        """Whether the wall clock was stepped since the last look, in words."""
        now = clock.read()
        step = clock.jump(self._clock, now)
        self._clock = now
        return "" if step is None else f"the wall clock was stepped by {step:+.2f} s"


def is_crash(before: Record, after: Record, now: float) -> bool:
    """Nobody wanted this end: no operator, and no mission that announced it."""
    return after.state in (EngineState.CRASHED, EngineState.FAILED) and now >= before.announced_until
