"""The second path to every figure: SQL over the raw JSON of the history and the samples, and an own HDR decoder.

It shares no code with ``summary``: neither the record schemas nor the measures. Its tables read the fields by name.
"""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from reports import recount_hdr
from reports.recount_hdr import HdrLogs
from reports.recount_sql import BULK, FIGURES, READ, SAMPLE_FIGURES, VIEWS

Number = float | str | None
PER_MS = {"ns": 1e6, "us": 1e3, "ms": 1.0}
_RANKS = {"p50_ms": 50.0, "p99_ms": 99.0, "p999_ms": 99.9, "max_ms": 100.0}


class Database(Protocol):
    """What is used of a DuckDB connection."""

    def execute(self, query: str, parameters: object = ...) -> "Database":
        """Run a query."""
        ...

    def fetchall(self) -> list[tuple[object, ...]]:
        """All rows of the last one."""
        ...


def open_history(path: Path, db: Database) -> None:
    """Load the JSON part of each line into tables by record kind; lines that hold no JSON are left out."""
    db.execute(READ, [str(path)])
    for view in VIEWS:
        db.execute(view)


class Counts:
    """How many records have which fields."""

    def __init__(self, db: Database) -> None:
        query = "SELECT type, phase, engine, count(*) FROM h WHERE j IS NULL GROUP BY ALL"
        self._bulk = [
            ({"type": str(kind), "phase": str(phase), "engine": str(engine)}, int(str(count)))
            for kind, phase, engine, count in db.execute(query).fetchall()
        ]
        rows = db.execute("SELECT j FROM h WHERE j IS NOT NULL").fetchall()
        self._others: dict[str, list[dict[str, object]]] = {}
        for (text,) in rows:
            record = json.loads(str(text))
            self._others.setdefault(str(record.get("type")), []).append(record)

    def where(self, fields: Mapping[str, str]) -> int:
        """Records whose fields, as text, are these."""
        kind = fields.get("type", "")
        if kind in BULK:
            return sum(count for own, count in self._bulk if all(own.get(key) == fields[key] for key in fields))
        wanted = {key: value for key, value in fields.items() if key != "type"}
        return sum(
            all(str(record.get(key)) == value for key, value in wanted.items()) for record in self._others.get(kind, ())
        )


def recount(folder: Path, db: Database, logs: HdrLogs) -> dict[str, Number]:
    """Every figure of the run by its id, from an opened history."""
    found: dict[str, Number] = {}
    for query in FIGURES:
        found.update(_rows(db, query))
    found.update(_load_latency(logs, db))
    found.update(_generator(logs, db))
    found.update(_hops(logs, db))
    found.update(_samples(folder, db))
    return found


def _rows(db: Database, query: str, parameters: object = None) -> dict[str, Number]:
    rows = db.execute(query, parameters).fetchall() if parameters is not None else db.execute(query).fetchall()
    return {str(name): _number(value) for name, value in rows}


def _number(value: object) -> Number:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return float(value)
    return float(str(value))  # decimals and huge integers


def _statistics(total: Counter[int] | None, unit: str, fields: tuple[str, ...]) -> dict[str, Number]:
    if not total:
        return dict.fromkeys(fields)
    values = {field: recount_hdr.percentile(total, rank) / PER_MS[unit] for field, rank in _RANKS.items()}
    values["mean_ms"] = recount_hdr.mean(total) / PER_MS[unit]
    return {field: values[field] for field in fields}


def _load_latency(logs: HdrLogs, db: Database) -> dict[str, Number]:
    found: dict[str, Number] = {}
    rows = db.execute("SELECT phase, engine, hlog, hlog_unit, scheduled FROM measured_load ORDER BY n").fetchall()
    scopes: dict[str, list[tuple[Counter[int] | None, str]]] = {}
    for phase, engine, hlog, unit, scheduled in rows:
        total = logs.counts(str(hlog))
        whole = total if total and total.total() == scheduled else None
        for scope in (f"load.{phase}.{engine}", f"load.{phase}.all"):
            scopes.setdefault(scope, []).append((whole, str(unit)))
    for phase in (str(row[0]) for row in db.execute("SELECT name FROM loaded_phases").fetchall()):
        scopes.setdefault(f"load.{phase}.all", [])
    fields = ("mean_ms", "p50_ms", "p99_ms", "p999_ms", "max_ms")
    for scope, parts in scopes.items():
        units = {unit for _, unit in parts}
        known = [total for total, _ in parts if total is not None]
        whole = sum(known, Counter()) if len(known) == len(parts) and len(units) == 1 else None
        values = _statistics(whole, units.pop() if units else "us", fields)
        found.update({f"{scope}.{field}": value for field, value in values.items()})
    return found


def _generator(logs: HdrLogs, db: Database) -> dict[str, Number]:
    query = "SELECT p.name, lag_hlog, hlog_unit FROM loaded_phases p LEFT JOIN last_generator g ON g.phase = p.name"
    found: dict[str, Number] = {}
    for phase, hlog, unit in db.execute(query).fetchall():
        total = logs.counts(str(hlog)) if hlog is not None else None
        values = _statistics(total, str(unit), ("p50_ms", "p99_ms", "max_ms"))
        found.update({f"generator.{phase}.lag_{field}": value for field, value in values.items()})
    return found


def _hops(logs: HdrLogs, db: Database) -> dict[str, Number]:
    found: dict[str, Number] = {}
    for phase, name, hlog, unit, count in db.execute("SELECT * FROM last_hop").fetchall():
        total = logs.counts(str(hlog))
        whole = total if total is not None and total.total() == count else None
        found[f"hop.{phase}.{name}.count"] = _number(count)
        values = _statistics(whole, str(unit), ("p50_ms", "p99_ms", "p999_ms", "max_ms"))
        found.update({f"hop.{phase}.{name}.{field}": value for field, value in values.items()})
    return found


def _samples(folder: Path, db: Database) -> dict[str, Number]:
    path = folder / "samples.parquet"
    if not path.is_file():
        return {"host.cpu_mean_percent": None, "host.memory_max_bytes": None}
    db.execute("CREATE TABLE samples AS SELECT * FROM read_parquet(?)", [str(path)])
    found: dict[str, Number] = {}
    for query in SAMPLE_FIGURES:
        found.update(_rows(db, query))
    return found
