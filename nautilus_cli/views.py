"""The fleet and a run's criteria as tables: shown by more than one command."""

from collections.abc import Iterable, Sequence

from engines.fleet.status import EngineHealth, EngineStatus, FleetStatus
from nautilus_cli.table import Cell, Column, Table, Tone
from nautilus_cli.words import count, duration, number

_TONES = {
    "ready": Tone.GOOD, "healthy": Tone.GOOD, "ok": Tone.GOOD,
    "starting": Tone.WARN, "degraded": Tone.WARN, "halted": Tone.WARN, "stopping": Tone.WARN, "warn": Tone.WARN,
    "crashed": Tone.BAD, "backoff": Tone.BAD, "failed": Tone.BAD, "down": Tone.BAD, "fail": Tone.BAD,
    "declared": Tone.FAINT, "stopped": Tone.FAINT,
}  # fmt: skip
UP = frozenset({"ready", "degraded", "halted"})
UNWELL = frozenset({"degraded", "halted", "crashed", "backoff", "failed"})


def state(name: str) -> Cell:
    """A state or status in its tone."""
    return Cell(name, _TONES.get(name, Tone.PLAIN))


def headline(now: FleetStatus) -> str:
    """The fleet in one line."""
    ready = sum(engine.state == "ready" for engine in now.wanted)
    supervisor = now.supervisor
    return (
        f"Fleet {now.fleet!r}: {ready} of {count(len(now.wanted), 'engine')} ready, "
        f"supervisor {supervisor.pid} up {duration(supervisor.uptime_s)}, port offset {now.port_offset}"
    )


def boot_table(engines: Iterable[EngineStatus]) -> Table:
    """When each engine became ready."""
    columns = (
        Column("engine"),
        Column("port", True),
        Column("state"),
        Column("ready after", True),
        Column("pid", True),
    )
    rows = [(e.name, str(e.port), state(e.state), duration(e.boot_s), str(e.pid or "-")) for e in engines]
    return _with_notes(columns, rows, [_note(e) for e in engines])


def status_tables(now: FleetStatus) -> tuple[Table, Table]:
    """Engines, then buses."""
    columns = (
        Column("engine"), Column("state"), Column("pid", True), Column("uptime", True), Column("restarts", True),
        Column("cpu %", True), Column("memory MB", True), Column("port", True),
    )  # fmt: skip
    rows = [
        (
            e.name, state(e.state), str(e.pid or "-"), duration(e.uptime_s), str(e.restarts), number(e.cpu_percent),
            number(e.rss_mb), str(e.port),
        )
        for e in now.engines
    ]  # fmt: skip
    bus_columns = (*columns[:5], Column("memory MB", True), Column("address"))
    buses = [
        (
            f"bus-{b.name}", state(b.state), str(b.pid or "-"), duration(b.uptime_s), str(b.restarts),
            number(b.rss_mb), b.address,
        )
        for b in now.buses
    ]  # fmt: skip
    engines = _with_notes(columns, rows, [_note(e) for e in now.engines])
    return engines, Table((Column("bus"), *bus_columns[1:]), buses)


def trouble(engine: EngineStatus) -> str:
    """What keeps an engine from being ready, empty when nothing does."""
    if engine.state in ("ready", "declared", "stopped"):
        return ""
    if engine.waits_for:
        return f"waits for {', '.join(engine.waits_for)}"
    return engine.cause or (engine.last_lines[-1] if engine.last_lines else "")


def _note(engine: EngineStatus) -> str:
    """What a reader of its line must know: whose code it is, and what is wrong."""
    origin = f"replaced by {engine.origin}" if engine.origin else ""
    return "; ".join(words for words in (origin, trouble(engine)) if words)


def health_table(engines: Iterable[EngineHealth]) -> Table:
    """Each engine's own account; what fails stands before the features."""
    columns = (
        Column("engine"), Column("port", True), Column("status"), Column("response ms", True), Column("uptime", True),
        Column("special features"),
    )  # fmt: skip
    rows = [
        (e.name, str(e.port), state(e.status), number(e.response_ms, 2), duration(e.uptime_s), _account(e))
        for e in engines
    ]
    return Table(columns, rows)


def _account(engine: EngineHealth) -> Cell:
    if engine.error:
        return Cell(engine.error, Tone.BAD)
    wrong = [f"{check.name}: {check.detail or check.status}" for check in engine.checks if check.status != "ok"]
    return Cell("; ".join((*wrong, *engine.features)), Tone.WARN if wrong else Tone.PLAIN)


def _with_notes(columns: tuple[Column, ...], rows: Sequence[tuple[Cell | str, ...]], notes: Sequence[str]) -> Table:
    if not any(notes):
        return Table(columns, rows)
    return Table((*columns, Column("note")), [(*row, note) for row, note in zip(rows, notes, strict=True)])
