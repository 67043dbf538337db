"""The second path to every figure: raw JSON of the history, SQL over the samples, an own decoder of HDR logs.

It shares no code with ``summary``: neither the record schemas nor the measures.
"""

from collections import Counter
from pathlib import Path

from reports import (
    recount_devices,
    recount_drills,
    recount_figures,
    recount_hdr,
    recount_invariants,
    recount_operations,
    recount_recovery,
    recount_requests,
    recount_roles,
    recount_shedding,
    recount_testimony,
    recount_thresholds,
)
from reports.recount_figures import Number
from reports.recount_hdr import HdrLogs
from reports.recount_rows import Rows

PER_MS = {"ns": 1e6, "us": 1e3, "ms": 1.0}
_RANKS = {"p50_ms": 50.0, "p99_ms": 99.0, "p999_ms": 99.9, "max_ms": 100.0}
_SAMPLES = """
    SELECT CASE scope WHEN 'process' THEN name END AS process, avg(cpu_percent), max(memory_used_bytes), max(rss_bytes),
           max(fds), max(threads)
    FROM read_parquet(?) WHERE scope IN ('host', 'process') GROUP BY scope, process"""
"""Of the host (no process's name) and of each process."""


def recount(folder: Path, rows: Rows, logs: HdrLogs) -> dict[str, Number]:
    """Every figure of the run by its id.  Raises duckdb.Error on samples that are none."""
    latency = _load_latency(logs, rows)
    return {
        **recount_figures.figures(rows),
        **latency,
        **recount_testimony.figures(rows, latency, recount_figures.loaded_phases(rows)),
        **_generator(logs, rows),
        **recount_requests.figures(rows, logs),
        **recount_shedding.figures(rows),
        **recount_recovery.figures(rows),
        **_hops(logs, rows),
        **recount_roles.figures(rows, logs),
        **recount_invariants.figures(rows, logs),
        **recount_thresholds.figures(rows),
        **recount_drills.figures(rows),
        **recount_operations.figures(rows),
        **recount_devices.figures(rows, logs, latency),
        **_samples(folder),
        **recount_devices.sampler(folder),
    }


def _statistics(total: Counter[int] | None, unit: str, fields: tuple[str, ...]) -> dict[str, Number]:
    if not total:
        return dict.fromkeys(fields)
    ranks = [_RANKS[field] for field in fields if field in _RANKS]
    found = dict(zip(ranks, recount_hdr.percentiles(total, ranks), strict=True))
    raw = {field: recount_hdr.mean(total) if field == "mean_ms" else found[_RANKS[field]] for field in fields}
    return {field: value / PER_MS[unit] for field, value in raw.items()}


def _load_latency(logs: HdrLogs, rows: Rows) -> dict[str, Number]:
    found: dict[str, Number] = {}
    for phase in recount_figures.loaded_phases(rows):
        scopes: dict[str, list[tuple[Counter[int] | None, str]]] = {"all": []}
        for record in rows.of("load_summary"):
            if record["phase"] != phase:
                continue
            total = logs.counts(record["hlog"])
            whole = total if total and total.total() == record["scheduled"] else None
            for scope in (record["engine"], "all"):
                scopes.setdefault(scope, []).append((whole, record.get("hlog_unit", "us")))
        for scope, parts in scopes.items():
            values = _statistics(*_merged(parts), ("mean_ms", "p50_ms", "p99_ms", "p999_ms", "max_ms"))
            found.update({f"load.{phase}.{scope}.{field}": value for field, value in values.items()})
    return found


def _merged(parts: list[tuple[Counter[int] | None, str]]) -> tuple[Counter[int] | None, str]:
    """The sum of all logs; None when one is missing or their units differ."""
    units = {unit for _, unit in parts}
    known = [total for total, _ in parts if total is not None]
    if len(known) != len(parts) or len(units) != 1:
        return None, "us"
    if len(known) == 1:
        return known[0], units.pop()
    merged = Counter[int]()
    for total in known:
        recount_hdr.add(merged, total)
    return merged, units.pop()


def _generator(logs: HdrLogs, rows: Rows) -> dict[str, Number]:
    found: dict[str, Number] = {}
    fields = ("p50_ms", "p99_ms", "max_ms")
    for phase in recount_figures.loaded_phases(rows):
        own = recount_figures.processes(rows, phase)
        parts = [(logs.counts(record["lag_hlog"]), record.get("hlog_unit", "us")) for record in own]
        whole = own and len(parts) == own[-1].get("processes", 1) and all(total for total, _ in parts)
        told = [_statistics(total, unit, fields) for total, unit in parts] if whole else []
        for field in fields:
            values = [value for each in told if isinstance(value := each[field], float)]
            found[f"generator.{phase}.lag_{field}"] = max(values, default=None)
    return found


def _hops(logs: HdrLogs, rows: Rows) -> dict[str, Number]:
    found: dict[str, Number] = {}
    for (phase, name), record in recount_figures.latest(rows.of("hop"), "phase", "name").items():
        total = logs.counts(record["hlog"])
        whole = total if total is not None and total.total() == record["count"] else None
        found[f"hop.{phase}.{name}.count"] = float(record["count"])
        values = _statistics(whole, record.get("hlog_unit", "us"), ("p50_ms", "p99_ms", "p999_ms", "max_ms"))
        found.update({f"hop.{phase}.{name}.{field}": value for field, value in values.items()})
    return found


def _samples(folder: Path) -> dict[str, Number]:
    path = folder / "samples.parquet"
    if not path.is_file():
        return {"host.cpu_mean_percent": None, "host.memory_max_bytes": None}
    import duckdb

    found: dict[str, Number] = {"host.cpu_mean_percent": None, "host.memory_max_bytes": None}
    with duckdb.connect(config={"threads": 1}) as db:
        rows = db.execute(_SAMPLES, [str(path)]).fetchall()
    for process, cpu, memory, *most in rows:
        if process is None:
            found.update({"host.cpu_mean_percent": cpu, "host.memory_max_bytes": _float(memory)})
        else:
            names = ("rss_max_bytes", "fds_max", "threads_max")
            found[f"process.{process}.cpu_mean_percent"] = cpu
            found.update({f"process.{process}.{name}": _float(top) for name, top in zip(names, most, strict=True)})
    return found


def _float(value: int | None) -> float | None:
    return None if value is None else float(value)
