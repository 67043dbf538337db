"""Charts of the load: its rate against the schedule, latency over time, and each engine's latency spectrum."""

from collections import defaultdict

import numpy as np

from reports.chart import RUN_SECONDS, Chart, Floats, Line, load_begin_s
from reports.history import History
from reports.latency import PER_MS, Interval, Logs, highest, merge
from reports.measures.load import in_phase, loaded_phases
from reports.records import LoadSummary

_STEPS_PER_DECADE = 12
"""Points of the spectrum for each further nine of its percentile."""


def request_rate(history: History) -> Chart | None:
    """Requests due and answered per second over the loaded phases."""
    loads = history.loads
    xs: list[Floats] = []
    due: list[Floats] = []
    answered: list[Floats] = []
    for phase in loaded_phases(history):
        own = loads.phase == loads.phases.of(phase)
        seconds, places = np.unique(loads.column("second")[own], return_inverse=True)
        xs.append(load_begin_s(history, phase) + seconds)
        due.append(np.bincount(places, loads.column("scheduled")[own], seconds.size).astype(np.float64))
        answered.append(np.bincount(places, loads.column("done")[own], seconds.size).astype(np.float64))
    if not sum(map(len, xs)):
        return None
    lines = (Line("due", np.concatenate(due)), Line("answered", np.concatenate(answered)))
    return Chart("Request rate against schedule", RUN_SECONDS, "requests/s", np.concatenate(xs), lines)


def latency(history: History, logs: Logs) -> Chart | None:
    """p50, p99 and p99.9 of all engines per logged second, on a logarithmic axis."""
    rows = [row for phase in loaded_phases(history) for row in _over_time(history, logs, phase)]
    if not rows:
        return None
    wide = np.array(rows).T
    lines = tuple(Line(label, wide[n + 1]) for n, label in enumerate(("p50", "p99", "p99.9")))
    return Chart("Latency over time, all engines", RUN_SECONDS, "ms", wide[0], lines, log_y=True)


def _over_time(history: History, logs: Logs, phase: str) -> list[tuple[float, float, float, float]]:
    by_start: dict[int, list[Interval]] = defaultdict(list)
    summaries = in_phase(history.of(LoadSummary), phase)
    units = {summary.hlog_unit for summary in summaries}
    if len(units) != 1:
        return []
    for summary in summaries:
        for interval in logs.get(summary.hlog, ()):
            by_start[round(interval.start_s)].append(interval)
    first, begin = min(by_start, default=0), load_begin_s(history, phase)
    merged = ((begin + start - first, merge(by_start[start], next(iter(units)))) for start in sorted(by_start))
    return [(at, found.p50_ms, found.p99_ms, found.p999_ms) for at, found in merged if found is not None]


def spectrum(history: History, logs: Logs) -> Chart | None:
    """Each engine's latency at every percentile, over all loaded phases; the x axis counts in nines."""
    phases = set(loaded_phases(history))
    counts: dict[str, Floats] = {}
    for summary in history.of(LoadSummary):
        if summary.phase in phases:
            for interval in logs.get(summary.hlog, ()):
                scaled = _in_ms(interval, summary.hlog_unit)
                counts[summary.engine] = np.concatenate((counts.get(summary.engine, np.empty((0, 2))), scaled))
    most = max((own[:, 1].sum() for own in counts.values()), default=0)
    if most < 1:
        return None
    x = 10.0 ** (np.arange(np.ceil(np.log10(most) * _STEPS_PER_DECADE) + 1) / _STEPS_PER_DECADE)
    lines = tuple(Line(engine, _at(own, x)) for engine, own in counts.items())
    return Chart(
        "Latency spectrum of each engine", "one request in so many took longer", "ms", x, lines, log_x=True, log_y=True
    )


def _in_ms(interval: Interval, unit: str) -> Floats:
    """Rows of (value in ms, count)."""
    indices = np.flatnonzero(interval.counts)
    return np.stack([highest(indices) / PER_MS[unit], interval.counts[indices].astype(np.float64)], axis=1)


def _at(rows: Floats, one_in: Floats) -> Floats:
    """The value at each percentile 1 - 1/one_in; NaN beyond what the count can tell."""
    values, places = np.unique(rows[:, 0], return_inverse=True)
    cumulative = np.cumsum(np.bincount(places, rows[:, 1], values.size))
    total = cumulative[-1]
    ranks = np.maximum(1.0, np.floor((1.0 - 1.0 / one_in) * total + 0.5))
    found = values[np.minimum(np.searchsorted(cumulative, ranks), values.size - 1)]
    return np.where(one_in <= total, found, np.nan)
