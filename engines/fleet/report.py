"""The status document, from the units and the last sample of what their processes use."""

import datetime
import os
import time
from collections.abc import Mapping

from engines.fleet import facts, process
from engines.fleet.boot import Step
from engines.fleet.control import PROTOCOL
from engines.fleet.facts import Facts
from engines.fleet.ground import Ground
from engines.fleet.process import Usage
from engines.fleet.spec import FleetSpec
from engines.fleet.status import BusStatus, EngineStatus, FleetStatus, Paths, SupervisorStatus
from engines.fleet.units import BusUnit, EngineUnit, Unit
from engines.wire.version import VERSION

_MB = 1024 * 1024


class Reporter:
    """Samples processes and writes status documents."""

    def __init__(self, spec: FleetSpec, ground: Ground, units: Mapping[str, Unit], born: float) -> None:
        self._spec = spec
        self._ground = ground
        self._units = units
        self._born = born
        self._started_at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._usage: dict[int, tuple[float, Usage]] = {}
        self._cpu: dict[int, float] = {}
        self.last_lines: dict[str, tuple[str, ...]] = {}
        self.facts: dict[int, Facts] = {}
        self.excess: dict[str, str] = {}  # engine -> which limit of its manifest it exceeds
        self.crashes: dict[str, str] = {}  # unit -> its last crash bundle
        self.boot: dict[str, Step] = {}  # unit -> its first boot

    def sample(self, now: float) -> None:
        """Take the CPU time and memory of every process; CPU shares are over the time since the last sample."""
        pids = {unit.record.pid for unit in self._units.values()} | {os.getpid()}
        samples = {pid: used for pid in pids if pid and (used := process.usage(pid)) is not None}
        for pid, used in samples.items():
            if pid in self._usage:
                then, before = self._usage[pid]
                if now > then:
                    self._cpu[pid] = 100 * (used.cpu_s - before.cpu_s) / (now - then)
        self._usage = {pid: (now, used) for pid, used in samples.items()}
        self._cpu = {pid: share for pid, share in self._cpu.items() if pid in samples}
        found = {pid: facts.facts(pid, used.cpu_s) for pid, used in samples.items()}
        self.facts = {pid: seen for pid, seen in found.items() if seen is not None}
        engines = [unit for unit in self._units.values() if isinstance(unit, EngineUnit)]
        over = {unit.record.name: self._over(unit, samples[unit.record.pid].rss) for unit in engines
                if unit.record.pid in samples}  # fmt: skip
        self.excess = {name: text for name, text in over.items() if text}

    def _over(self, unit: EngineUnit, rss: int) -> str:
        """The memory limit that it exceeds, in words.  Shared pages count by their share, where the system tells."""
        limit = unit.manifest.limits.memory_mb
        if rss <= limit * _MB:
            return ""
        own = facts.proportional_kb(unit.record.pid)
        used, kind = (rss / _MB, "resident") if own is None else (own / 1024, "proportional")
        return f"over its memory limit: {used:.0f} MB ({kind}) of {limit} MB" if used > limit else ""

    def status(self, gated: bool) -> FleetStatus:
        """The fleet now."""
        now = time.monotonic()
        folders = self._ground.folders
        me = os.getpid()
        return FleetStatus(
            at=datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
            fleet=self._spec.name,
            host=self._spec.host,
            port_offset=self._ground.offset,
            supervisor=SupervisorStatus(
                pid=me,
                started_at=self._started_at,
                uptime_s=round(now - self._born, 3),
                launch="zygote" if gated else "spawn",
                protocol=PROTOCOL,
                version=VERSION,
                rss_mb=self._rss(me),
                cpu_percent=self._share(me),
            ),
            buses=tuple(self._bus(name, now) for name in ("main", "market")),
            engines=tuple(self._engine(u, now) for u in self._units.values() if isinstance(u, EngineUnit)),
            paths=Paths(
                state=str(folders.state),
                logs=str(folders.logs),
                store=str(folders.store),
                journal=str(folders.journal),
                control=str(folders.control),
            ),
            boot=tuple(self.boot.values()),
        )

    def _bus(self, name: str, now: float) -> BusStatus:
        bus = next(bus for bus in self._ground.buses if bus.name == name)
        unit = self._units.get(bus.unit)
        running = unit is not None and unit.record.pid > 0
        return BusStatus(
            name=name,
            state=unit.record.state.name.lower() if unit is not None else "external",
            address=bus.address.public,
            external=bus.external,
            pid=unit.record.pid if unit is not None and running else None,
            uptime_s=round(now - unit.started_at, 3) if unit is not None and running else None,
            restarts=unit.record.restarts if unit is not None else 0,
            rss_mb=self._rss(unit.record.pid) if unit is not None else None,
            cause=unit.record.cause if isinstance(unit, BusUnit) else "",
        )

    def _engine(self, unit: EngineUnit, now: float) -> EngineStatus:
        record = unit.record
        waits = tuple(name for name in record.after if record.wanted and not self._units[name].record.up)
        pulse = unit.pulse()
        boot = None
        if record.ready_at is not None and record.released_at is not None:
            boot = round(record.ready_at - record.released_at, 4)
        return EngineStatus(
            name=record.name,
            title=unit.manifest.title,
            state=record.state.name.lower(),
            wanted=record.wanted,
            pid=record.pid or None,
            uptime_s=round(now - unit.started_at, 3) if record.pid else None,
            restarts=record.restarts,
            rss_mb=self._rss(record.pid),
            cpu_percent=self._share(record.pid),
            port=unit.port,
            critical=unit.manifest.critical,
            boot_s=boot,
            cause=record.cause,
            waits_for=() if record.up else waits,
            last_lines=self.last_lines.get(record.name, ()) if not record.up else (),
            after=unit.manifest.after,
            boot_budget_s=unit.manifest.boot_budget_s,
            memory_limit_mb=unit.manifest.limits.memory_mb,
            open_orders=pulse.orders if pulse is not None else 0,
            lag=pulse.lag if pulse is not None else 0,
            crash=self.crashes.get(record.name, ""),
            foreign=unit.manifest.health if unit.manifest.foreign else None,
            origin=unit.manifest.origin,
        )

    def _rss(self, pid: int) -> float | None:
        return round(self._usage[pid][1].rss / _MB, 1) if pid in self._usage else None

    def _share(self, pid: int) -> float | None:
        return round(self._cpu[pid], 1) if pid in self._cpu else None
