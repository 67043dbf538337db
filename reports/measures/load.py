"""Figures about the load: rates, latencies and errors per phase and engine, and the generator's own health."""

from collections.abc import Iterator
from typing import TypeVar

import numpy as np

from reports.bulk import Loads
from reports.figures import Evidence, Figure, in_history, known
from reports.history import History
from reports.latency import Distribution, Logs, merge
from reports.records import (
    NOT_SERVER_ERRORS,
    Calibration,
    Connections,
    Generator,
    LoadSummary,
    LoadTargets,
    OtherPrograms,
    Phase,
)

ALL = "all"
STRESSED = 0.5
"""Tape stress from which a second counts as the peak."""
MERGED = "merged HDR counts of every scheduled request, failed and unsent ones at their full time"

P = TypeVar("P", LoadSummary, Generator, Connections, OtherPrograms)


def loaded_phases(history: History) -> list[str]:
    """Measured phases that carried load, in order of their start."""
    loaded = {summary.phase for summary in history.of(LoadSummary)} | set(history.loads.phases.all())
    started = [phase.name for phase in history.of(Phase) if phase.measured and phase.event == "start"]
    return [name for name in dict.fromkeys(started) if name in loaded]


def measure(history: History, logs: Logs) -> Iterator[Figure]:
    """All load figures of the measured phases, and the calibration."""
    phases = loaded_phases(history)
    summaries = history.of(LoadSummary)
    for phase in phases:
        chosen = [summary for summary in summaries if summary.phase == phase]
        yield from _phase(phase, chosen, logs)
        yield _stressed_rate(phase, history.loads)
        yield from _generator(phase, in_phase(history.of(Generator), phase), logs)
        yield _connections(phase, in_phase(history.of(Connections), phase))
        yield from _others(phase, in_phase(history.of(OtherPrograms), phase))
    measured = [summary for summary in summaries if summary.phase in phases]
    yield Figure(
        "load.server_errors",
        sum(map(server_errors, measured)) if _every_engine(history, phases) else None,
        "errors",
        f"failures of the measured phases of any kind but {' and '.join(sorted(NOT_SERVER_ERRORS))}",
        (in_history("load_summary", summaries),),
    )
    yield from _calibration(history.of(Calibration))


def _others(phase: str, told: list[OtherPrograms]) -> Iterator[Figure]:
    if told:
        words = "mean number of cores that programs other than the mission's kept busy while its load was sent"
        source = (in_history("other_programs", told, phase=phase),)
        yield Figure(f"others.{phase}.cores", max(each.cores for each in told), "cores", words, source)


def in_phase(records: list[P], phase: str) -> list[P]:
    """The records of one phase."""
    return [record for record in records if record.phase == phase]


def server_errors(summary: LoadSummary) -> int:
    """Failures that are the server's: 5xx, resets, bad bodies and every kind not known to be otherwise."""
    return sum(count for kind, count in summary.failed.items() if kind not in NOT_SERVER_ERRORS)


def distribution(summaries: list[LoadSummary], logs: Logs) -> Distribution | None:
    """Merged latencies; None unless each summary's log is there and holds exactly its scheduled requests."""
    for summary in summaries:
        counted = sum(int(interval.counts.sum()) for interval in logs.get(summary.hlog, ()))
        if counted == 0 or counted != summary.scheduled:
            return None
    units = {summary.hlog_unit for summary in summaries}
    if len(units) != 1:
        return None
    return merge((interval for summary in summaries for interval in logs[summary.hlog]), units.pop())


def _every_engine(history: History, phases: list[str]) -> bool:
    run = history.run
    if run is None or not phases:
        return False
    found = {(summary.phase, summary.engine) for summary in history.of(LoadSummary)}
    asked = {record.phase: record.engines for record in history.of(LoadTargets)}
    return all((phase, engine) in found for phase in phases for engine in asked.get(phase, run.engines))


def _phase(phase: str, summaries: list[LoadSummary], logs: Logs) -> Iterator[Figure]:
    for engine in dict.fromkeys(summary.engine for summary in summaries):
        own = [summary for summary in summaries if summary.engine == engine]
        source = in_history("load_summary", own, phase=phase, engine=engine)
        yield from _scope(f"load.{phase}.{engine}", own, logs, source)
    yield from _scope(f"load.{phase}.{ALL}", summaries, logs, in_history("load_summary", summaries, phase=phase))


def _scope(prefix: str, own: list[LoadSummary], logs: Logs, source: Evidence) -> Iterator[Figure]:
    files = tuple(Evidence(name) for name in dict.fromkeys(summary.hlog for summary in own) if name in logs)
    seconds = known((summary.seconds for summary in own), max)
    done = known((summary.done for summary in own), sum)
    yield Figure(f"{prefix}.scheduled", known((s.scheduled for s in own), sum), "requests", "requests due", (source,))
    yield Figure(f"{prefix}.done", done, "requests", "requests answered as they should be", (source,))
    yield Figure(
        f"{prefix}.errors",
        known((sum(summary.failed.values()) for summary in own), sum),
        "requests",
        "requests that failed in any way",
        (source,),
    )
    yield Figure(f"{prefix}.unsent", known((s.unsent for s in own), sum), "requests", "due but never sent", (source,))
    rate = done / seconds if done is not None and seconds else None
    yield Figure(f"{prefix}.rps", rate, "requests/s", "requests answered over the phase's seconds", (source,))
    found = distribution(own, logs)
    for field in ("mean_ms", "p50_ms", "p99_ms", "p999_ms", "max_ms"):
        value: float | None = getattr(found, field) if found is not None else None
        yield Figure(f"{prefix}.{field}", value, "ms", MERGED, (source, *files))


def _stressed_rate(phase: str, loads: Loads) -> Figure:
    own = loads.phase == loads.phases.of(phase)
    stressed = own & (loads.stress >= STRESSED)
    seconds = np.unique(loads.column("second")[stressed]).size
    return Figure(
        f"load.{phase}.{ALL}.rps_stressed",
        int(loads.column("done")[stressed].sum()) / seconds if seconds else None,
        "requests/s",
        "answers per second over the seconds in which the tape's stress is at least one half",
        (in_history("load", int(own.sum()), phase=phase),),
    )


def _generator(phase: str, records: list[Generator], logs: Logs) -> Iterator[Figure]:
    record = records[-1] if records else None
    own = [*{item.process: item for item in records}.values()]
    source = in_history("generator", records, phase=phase)
    parts = [merge(logs.get(item.lag_hlog, ()), item.hlog_unit) for item in own]
    lags = [lag for lag in parts if lag is not None]
    whole = record is not None and len(lags) == len(own) == record.processes
    evidence = (source, *(Evidence(item.lag_hlog) for item in own if item.lag_hlog in logs))
    how = "lag of the actual behind the intended send time, of the process that was latest, from its HDR log"
    for field in ("p50_ms", "p99_ms", "max_ms"):
        worst = max(getattr(lag, field) for lag in lags) if whole else None
        yield Figure(f"generator.{phase}.lag_{field}", worst, "ms", how, evidence)
    share = known((100.0 * item.cpu_share for item in own), sum)
    yield Figure(f"generator.{phase}.cpu_percent", share, "%", "processor time of the generator", (source,))
    stall = known((item.stall_max_ms for item in own), max)
    yield Figure(f"generator.{phase}.stall_max_ms", stall, "ms", "longest stall of its event loop", (source,))
    processes = record.processes if record is not None else None
    yield Figure(f"generator.{phase}.processes", processes, "processes", "that drove the load", (source,))
    told = record is not None and record.bodies_checked is not None
    words = "replies whose body was checked, or equal to one that was"
    for field, how in (
        ("bodies_checked", words),
        ("bodies_unchecked", "of those to be checked, replies that were not"),
    ):
        if told:
            yield Figure(f"generator.{phase}.{field}", getattr(record, field), "replies", how, (source,))


def _connections(phase: str, records: list[Connections]) -> Figure:
    return Figure(
        f"connections.{phase}.at_peak",
        min((record.at_peak for record in records), default=None),
        "connections",
        "connections held open at the peak",
        (in_history("connections", records, phase=phase),),
    )


def _calibration(records: list[Calibration]) -> Iterator[Figure]:
    for mix in dict.fromkeys(record.mix for record in records):
        own = [record for record in records if record.mix == mix]
        source = (in_history("calibration", own, mix=mix),)
        how = "closed-loop rate of the last calibration of this mix"
        yield Figure(f"calibration.{mix}.capacity_rps", own[-1].rate_rps, "requests/s", how, source)
        peak = "peak of the open model: the stated share of the capacity"
        yield Figure(f"calibration.{mix}.r_max_rps", own[-1].r_max_rps, "requests/s", peak, source)
        errors = sum(record.errors for record in own)
        yield Figure(f"calibration.{mix}.errors", errors, "requests", "requests that failed in calibration", source)
