"""Charts of what each process used, from ``samples.parquet``, with the faults that explain the gaps."""

from pathlib import Path

import numpy as np

from reports.chart import RUN_SECONDS, Band, Chart, Line, seconds_of_run, table
from reports.history import History
from reports.records import Recovery
from reports.seal import SAMPLES

_USE = """SELECT mono_ns, name, {column} AS used FROM read_parquet(?)
WHERE scope = 'process' AND {column} IS NOT NULL AND isfinite({column}::DOUBLE) ORDER BY mono_ns, name"""


def cpu(history: History, folder: Path) -> Chart | None:
    """Processor time of each process, in per cent of one core."""
    return _use(history, folder, "cpu_percent", 1.0, ("Processor per process", "% of one core"))


def memory(history: History, folder: Path) -> Chart | None:
    """Proportional set size of each process."""
    return _use(history, folder, "pss_bytes", 1e6, ("Memory per process (proportional set size)", "MB"))


def _use(history: History, folder: Path, column: str, unit: float, words: tuple[str, str]) -> Chart | None:
    path = folder / SAMPLES
    if not path.is_file():
        return None
    import duckdb

    try:
        with duckdb.connect() as db:
            rows = db.execute(_USE.format(column=column), [str(path)]).fetchnumpy()
    except duckdb.Error:  # no samples, or not what they should be: their figures are UNKNOWN, too
        return None
    if not len(rows["used"]):
        return None
    names, numbers = np.unique(rows["name"].astype(str), return_inverse=True)
    values = np.ma.filled(rows["used"], 0).astype(np.float64) / unit
    at, wide = table(np.ma.filled(rows["mono_ns"], 0).astype(np.int64), numbers, values, len(names))
    lines = tuple(Line(str(name), wide[n]) for n, name in enumerate(names))
    return Chart(words[0], RUN_SECONDS, words[1], seconds_of_run(history, at), lines, faults(history))


def faults(history: History) -> tuple[Band, ...]:
    """Each fault from its injection until the objective was regained, a mark when it never was."""
    return tuple(
        Band(
            f"{each.kind} {each.target}",
            _s(history, each.injected_ns),
            _s(history, each.regained_ns or each.injected_ns),
        )
        for each in history.of(Recovery)
    )


def _s(history: History, mono_ns: int) -> float:
    return float(seconds_of_run(history, mono_ns))
