"""Reading ``samples.parquet``: some rows a second for the host, its cores and devices, and each process."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

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
"""Columns that the figures need, and their types; a file may hold more. What a row did not measure is NULL.

``scope`` is 'host', 'process', 'core', 'disk', 'link' or 'gpu'. A process's ``cpu_percent`` is of one core, the host's
of all; the process named 'sampler' is the thread that took the samples.
"""

MORE: Mapping[str, str] = {
    "cpu_s": "DOUBLE",
    "frequency_mhz": "DOUBLE",
    "voluntary_switches": "BIGINT",
    "involuntary_switches": "BIGINT",
    "in_bytes": "BIGINT",
    "out_bytes": "BIGINT",
    "gpu_percent": "DOUBLE",
}
"""Columns that newer files hold as well. All but the two of the moment (``frequency_mhz`` of a core, ``gpu_percent``)
count up, from the process's begin or the host's. Context switches are the main thread's, which runs an engine's event
loop. Bytes are read and written (disk), received and sent (link).
"""


@dataclass(frozen=True)
class ProcessUse:
    """What one process (by name, all its pids) used; None where no sample has it."""

    name: str
    samples: int
    cpu_mean_percent: float | None
    cpu_median_percent: float | None
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
            table = db.read_parquet(str(path)).select(*COLUMNS).fetchnumpy()
    except duckdb.Error:
        return None
    host = table["scope"] == "host"
    process = table["scope"] == "process"
    names = sorted({str(name) for name in table["name"][process]})
    return Samples(
        _mean(table["cpu_percent"][host]),
        _max(table["memory_used_bytes"][host]),
        tuple(
            _process(name, {key: table[key][process & (table["name"] == name)] for key in COLUMNS}) for name in names
        ),
    )


Values = npt.NDArray[np.generic]  # masked where the file has NULL


def _process(name: str, rows: Mapping[str, Values]) -> ProcessUse:
    return ProcessUse(
        name,
        len(rows["name"]),
        _mean(rows["cpu_percent"]),
        _median(rows["cpu_percent"]),
        _max(rows["rss_bytes"]),
        _max(rows["fds"]),
        _max(rows["threads"]),
    )


def _mean(values: Values) -> float | None:
    present = np.ma.compressed(values)
    return float(present.mean()) if present.size else None


def _median(values: Values) -> float | None:
    present = np.ma.compressed(values)
    return float(np.median(present.astype(np.float64))) if present.size else None


def _max(values: Values) -> int | None:
    present = np.ma.compressed(values)
    return int(present.max()) if present.size else None
