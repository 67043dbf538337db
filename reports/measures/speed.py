"""Figures about speed: operations in flight, and the highest rate that is answered in time."""

from collections.abc import Iterator

import numpy as np

from reports.figures import Figure, in_history, known
from reports.history import History
from reports.latency import Distribution, Logs, merge
from reports.measures.load import server_errors
from reports.records import InFlight, LoadSummary, SearchStep

LAG_MS, LAG_SHARE = 5.0, 0.1
FOREIGN_CORES = 0.25
"""A generator's lag p99 may be this, or so much of the measured p99, whichever is more."""


def measure(history: History, logs: Logs) -> Iterator[Figure]:
    """All figures about speed; none for a run that did not measure it."""
    for record in history.of(InFlight):
        yield from _in_flight(record, history)
    steps = history.of(SearchStep)
    for phase in dict.fromkeys(step.phase for step in steps):
        yield from _search(phase, [step for step in steps if step.phase == phase], logs)


def _in_flight(record: InFlight, history: History) -> Iterator[Figure]:
    phase, loads = record.phase, history.loads
    own = (loads.phase == loads.phases.of(phase)) & (loads.column("second") < record.seconds)
    own &= np.isnan(loads.stress)  # load that follows a tape is none that is kept in flight
    seconds = loads.column("second")[own]
    gained = np.zeros(record.seconds, np.int64)
    for field, sign in (("sent", 1), ("done", -1), ("failed", -1)):
        np.add.at(gained, seconds, sign * loads.column(field)[own])
    whole = np.unique(seconds).size == record.seconds > 0
    parts = (in_history("in_flight", 1, phase=phase), in_history("load", int(own_count(history, phase)), phase=phase))
    prefix = f"inflight.{phase}"
    yield Figure(f"{prefix}.operations", record.operations, "operations", "to be kept in flight", parts[:1])
    mean = float(np.cumsum(gained).mean()) if whole else None
    words = "sent and neither answered nor failed, mean over the ends of the phase's seconds"
    yield Figure(f"{prefix}.mean", mean, "operations", words, parts)
    done = int(loads.column("done")[own].sum())
    words = "operations answered per second while they were kept in flight"
    yield Figure(f"{prefix}.rps", done / record.seconds if whole else None, "requests/s", words, parts)
    summaries = [item for item in history.of(LoadSummary) if item.phase == phase]
    engines = {item.engine for item in summaries}
    told = history.run is not None and engines >= set(history.run.engines)
    errors = known(map(server_errors, summaries), sum) if told else None
    source = (in_history("load_summary", summaries, phase=phase),)
    yield Figure(f"{prefix}.server_errors", errors, "errors", "failures of the phase that are the server's", source)


def own_count(history: History, phase: str) -> int:
    """Seconds of load that are recorded of a phase, over all engines."""
    return int((history.loads.phase == history.loads.phases.of(phase)).sum())


def latency(step: SearchStep, logs: Logs) -> tuple[Distribution | None, Distribution | None]:
    """Of its requests and of the generator's lag, from the logs; None unless they hold each request once."""
    parts = [logs.get(name, ()) for name in step.hlogs]
    counted = sum(int(interval.counts.sum()) for part in parts for interval in part)
    whole = counted == step.scheduled > 0
    found = merge((interval for part in parts for interval in part), step.hlog_unit) if whole else None
    return found, merge(logs.get(step.lag_hlog, ()), step.hlog_unit)


def void(p99_ms: float, lag_ms: float, foreign_cores: float | None) -> bool:
    """Whether the generator's lag, or others on the machine's cores, make a step prove nothing."""
    return lag_ms > max(LAG_MS, LAG_SHARE * p99_ms) or (foreign_cores or 0.0) > FOREIGN_CORES


def _search(phase: str, steps: list[SearchStep], logs: Logs) -> Iterator[Figure]:
    prefix, best = f"search.{phase}", 0.0
    source = (in_history("search_step", steps, phase=phase),)
    missed: list[float] = []
    voids, unknown, ended_void = 0, False, False
    for step in steps:
        found, lag = latency(step, logs)
        where = (in_history("search_step", 1, phase=phase, number=str(step.number)),)
        p99 = found.p99_ms if found is not None else None
        yield Figure(f"{prefix}.{step.number}.p99_ms", p99, "ms", "merged HDR counts of the step's requests", where)
        ended_void = False
        if p99 is None or lag is None:
            unknown = True
        elif void(p99, lag.p99_ms, step.foreign_cores):
            voids += 1
            ended_void = True
        elif p99 < step.limit_ms and step.errors == 0:
            best = max(best, step.done / step.seconds if step.seconds else 0.0)
        else:
            missed.append(step.rate_rps)
    yield Figure(f"{prefix}.steps", len(steps), "rates", "rates that were tried", source)
    words = "of these, rates at which the generator was late or others were busy"
    yield Figure(f"{prefix}.void", voids, "rates", words, source)
    words = "whether the last of them proved nothing"
    yield Figure(f"{prefix}.ended_void", int(ended_void), "0 or 1", words, source)
    words = "answers per second of the fastest step whose p99 was below the limit, without errors or a late generator"
    yield Figure(f"{prefix}.best_rps", None if unknown else best, "requests/s", words, source)
    words = "lowest rate at which the limit was missed"
    yield Figure(f"{prefix}.missed_rps", min(missed, default=None), "requests/s", words, source)
