"""Reading ``samples.parquet``: one row a second per process and one for the host."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reports.seal import SAMPLES

COLUMNS: Mapping[str, str] = {
    "mono_ns": "BIGINT",
    "at_utc": "VARCHAR",
    "scope": "VARCHAR",
    "name": "VARCHAR",
    "pid": "BIGINT",
    "cpu_percent": "DOUBLE",
    "rss_bytes": "BIGINT",
    "pss_bytes": "BIGINT",
    "fds": "BIGINT",
    "threads": "BIGINT",
    "memory_used_bytes": "BIGINT",
}
"""Column types of the file. ``scope`` is 'process' or 'host'; what a row did not measure is NULL. A process's
``cpu_percent`` is of one core, the host's of all."""


@dataclass(frozen=True)
class ProcessUse:
    """What one process (by name, all its pids) used; None where no sample has it."""

    name: str
    samples: int
    cpu_mean_percent: float | None
    rss_max_bytes: int | None
    fds_max: int | None
    threads_max: int | None


@dataclass(frozen=True)
class Samples:
    """Folded samples of a run."""

    host_cpu_mean_percent: float | None
    host_memory_max_bytes: int | None
    processes: tuple[ProcessUse, ...]


def read_samples(folder: Path) -> Samples | None:
    """Fold the run's samples; None when there are none or the file is not what it should be."""
    path = folder / SAMPLES
    if not path.is_file():
        return None
    import duckdb

    try:
        with duckdb.connect() as db:
            rows = db.read_parquet(str(path)).select(*COLUMNS).fetchall()
    except duckdb.Error:
        return None
    table = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    host = [row for row in table if row["scope"] == "host"]
    names = sorted({str(row["name"]) for row in table if row["scope"] == "process"})
    return Samples(
        _mean([row["cpu_percent"] for row in host]),
        _max([row["memory_used_bytes"] for row in host]),
        tuple(_process(name, [r for r in table if r["scope"] == "process" and r["name"] == name]) for name in names),
    )


def _process(name: str, rows: list[dict[str, object]]) -> ProcessUse:
    return ProcessUse(
        name,
        len(rows),
        _mean([row["cpu_percent"] for row in rows]),
        _max([row["rss_bytes"] for row in rows]),
        _max([row["fds"] for row in rows]),
        _max([row["threads"] for row in rows]),
    )


def _mean(values: list[object]) -> float | None:
    present = [value for value in values if isinstance(value, float)]
    return sum(present) / len(present) if present else None


def _max(values: list[object]) -> int | None:
    return max((value for value in values if isinstance(value, int)), default=None)
