"""What is known of a fleet when somebody asks why: from its supervisor, its engines, its journal, its logs, its ports.

With the supervisor gone the journal and the logs still tell.
"""

import datetime
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from engines.fleet import control, folders, journal, logs, ports, why
from engines.fleet.control import Request
from engines.fleet.folders import Folders
from engines.fleet.journal import Entry
from engines.fleet.probe import probe
from engines.fleet.status import BusStatus, EngineHealth, EngineStatus, FleetStatus
from engines.fleet.why import Diagnosis, Facts, Unit
from engines.wire import manifest
from engines.wire.errors import NotRunning, UnknownName
from engines.wire.manifest import Manifest

BUSES = ("bus-main", "bus-market")
_LINES = 8


def diagnose(
    name: str, engine: str, *, home: Path | None = None, manifests: Sequence[Manifest] | None = None
) -> Diagnosis:
    """Why an engine or a bus is as it is; the fleet need not run.  `manifests` None: those that `discover` finds.

    Raises:
        NotRunning: the fleet was never up.
        UnknownName: there is no such engine.
    """
    known = manifest.discover() if manifests is None else manifests
    facts = gather(name, known, home=home)
    if engine not in facts.units:
        raise UnknownName("engine", engine, facts.units)
    return why.diagnose(facts, engine)


def gather(name: str, manifests: Sequence[Manifest], *, home: Path | None = None) -> Facts:
    """All that is known now.

    Raises:
        NotRunning: the fleet was never up.
    """
    where = folders.of(name, home)
    entries = journal.read(where.journal)
    if not entries:
        raise NotRunning(f"Fleet {name!r} has never been up.", "It has no journal.", "Start it: nautilus up")
    try:
        now = control.call(where.control, Request(op="status"), FleetStatus)
    except NotRunning:
        units = {unit.name: _traced(unit, where) for unit in _of_journal(entries, manifests)}
        return Facts(name, units, ended=_ended(entries), asked=_asked(entries))
    return Facts(name, {unit.name: _traced(unit, where) for unit in _of_status(now, manifests)}, asked=_asked(entries))


def _of_status(now: FleetStatus, manifests: Sequence[Manifest]) -> list[Unit]:
    declared = {each.name: each for each in manifests}
    running = [engine for engine in now.wanted if engine.pid]
    health = {report.name: report for report in probe(running, now.host)}
    buses = tuple(f"bus-{bus.name}" for bus in now.buses)
    return [
        *(_bus(bus) for bus in now.buses),
        *(_engine(each, declared.get(each.name), health.get(each.name), now.host, buses) for each in now.engines),
    ]


def _bus(bus: BusStatus) -> Unit:
    return Unit(
        name=f"bus-{bus.name}", state=bus.state, bus=True, cause=bus.cause, uptime_s=bus.uptime_s, restarts=bus.restarts
    )


def _engine(
    engine: EngineStatus, declared: Manifest | None, report: EngineHealth | None, host: str, buses: tuple[str, ...]
) -> Unit:
    taken = not engine.pid and not ports.free(host, engine.port)
    answered = report is not None and report.status != "down"
    return Unit(
        name=engine.name,
        state=engine.state,
        wanted=engine.wanted,
        after=(*buses, *engine.after),
        waits_for=engine.waits_for if engine.state == "starting" else (),
        cause=engine.cause,
        uptime_s=engine.uptime_s,
        boot_s=declared.boot_s if declared else None,
        restarts=engine.restarts,
        port=engine.port,
        holder=ports.holder(engine.port) if taken else "",
        health=report.status if report is not None and answered else "",
        checks=tuple(check for check in report.checks if check.status != "ok") if report is not None else (),
        silence=report.error if report is not None and not answered and engine.state != "starting" else "",
    )


def _of_journal(entries: Iterable[Entry], manifests: Sequence[Manifest]) -> list[Unit]:
    """The last that the journal says of every unit, since its last boot entry."""
    units = {name: Unit(name=name, bus=True) for name in BUSES}
    units |= {each.name: Unit(name=each.name, after=(*BUSES, *each.after), port=each.port) for each in manifests}
    for entry in entries:
        if entry.what == "boot":
            units = {key: msgspec.structs.replace(unit, state="", cause="") for key, unit in units.items()}
        unit = units.get(entry.unit)
        if unit is None:
            continue
        if entry.what == "state":
            units[entry.unit] = msgspec.structs.replace(unit, state=entry.state, cause=entry.detail or unit.cause)
        elif entry.what == "ended" and entry.exit is not None:
            units[entry.unit] = msgspec.structs.replace(unit, cause=entry.exit.text)
    return list(units.values())


def _traced(unit: Unit, where: Folders) -> Unit:
    """With the last lines of its log and its newest crash bundle."""
    lines = tuple(logs.tail(where.log(unit.name), _LINES))
    bundles = (where.state / "crashes").glob(f"[0-9]*_{unit.name}")  # their names sort by time
    return msgspec.structs.replace(unit, lines=lines, bundle=max(map(str, bundles), default=""))


def _ended(entries: Sequence[Entry]) -> str:
    """How the last supervisor ended."""
    return "closed" if entries[-1].what == "closed" else "killed"


def _asked(entries: Sequence[Entry]) -> str:
    """Who asked last for a stop, since the last start; empty when nobody did."""
    for entry in reversed(entries):
        if entry.what == "boot":
            return ""
        if entry.what == "asked" and entry.detail.startswith("stop"):
            at = datetime.datetime.fromtimestamp(entry.at).astimezone().isoformat(" ", "seconds")
            return f"Asked for by {entry.who} at {at}: {entry.detail}."
    return ""
