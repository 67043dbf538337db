"""Figures about the engines: start, survival, availability, idle response, memory."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reports.bulk import HEALTHY, Mask, Probes
from reports.figures import Figure, in_history
from reports.history import History
from reports.records import Boot, End, Fault, FleetBoot, FleetEvent, Memory, Phase, Recovery, Run

IDLE = "idle"
FOREVER = int(np.iinfo(np.int64).max)
LOST_STATES = frozenset({"crashed", "failed", "backoff"})
"""Supervisor states that an engine enters only by dying."""


def measure(history: History) -> Iterator[Figure]:
    """All fleet figures; engines in the order in which the run declares them."""
    run = history.run
    probes = history.probes
    yield from _boot(history)
    yield from _availability(history)
    yield _memory(history.of(Memory))
    if run is None:
        return
    final = final_probes(history)
    injected = first_fault(history)
    if injected is not None:
        yield Figure(
            "fleet.alive_before_faults",
            _alive(run, history, final_probes(history, injected), injected),
            "engines",
            "the same of each engine's last probe before the first injected fault",
            (in_history("health", probes), in_history("fault", history.of(Fault))),
        )
    yield Figure(
        "fleet.alive_at_end",
        _alive(run, history, final),
        "engines",
        "engines whose last probe, after the last measured phase, is healthy with the pid they started with, no "
        "restart counted and no death reported by the supervisor",
        (
            in_history("health", probes),
            in_history("boot", history.of(Boot)),
            in_history("fleet_event", history.of(FleetEvent)),
        ),
    )
    for engine in run.engines:
        yield from _engine(engine, history, final.get(engine))


@dataclass(frozen=True, slots=True)
class Final:
    """What the last probe of an engine said."""

    status: str
    failed: bool
    pid: int
    restarts: int
    uptime_s: float | None


def first_fault(history: History) -> int | None:
    """When the first fault was injected; None in a run without faults."""
    recorded = [fault.mono_ns for fault in history.of(Fault) if fault.event == "inject"]
    return min([*recorded, *(recovery.injected_ns for recovery in history.of(Recovery))], default=None)


def final_probes(history: History, until: int = FOREVER) -> dict[str, Final]:
    """The last probe of each engine after the end of the last measured phase; empty when no such phase ended.

    Nothing of what came at ``until`` or later counts.
    """
    marks = (phase.mono_ns for phase in history.of(Phase) if phase.measured and phase.event == "end")
    ends = [mark for mark in marks if mark < until]
    probes = history.probes
    if not ends or not len(probes):
        return {}
    statuses = probes.statuses.all()
    late = (probes.column("mono_ns") >= max(ends)) & (probes.column("mono_ns") < until)
    found: dict[str, Final] = {}
    for engine in probes.engines.all():
        places = np.flatnonzero(late & probes.of(engine))
        if not places.size:
            continue
        at = int(places[-1])
        uptime = float(probes.uptime_s[at])
        found[engine] = Final(
            statuses[int(probes.column("status")[at])],
            bool(probes.column("failed")[at]),
            int(probes.column("pid")[at]),
            int(probes.column("restarts")[at]),
            None if math.isnan(uptime) else uptime,
        )
    return found


def _alive(run: Run, history: History, final: dict[str, Final], until: int = FOREVER) -> int | None:
    boots = {boot.engine: boot for boot in history.of(Boot)}
    if not run.engines or any(engine not in final or engine not in boots for engine in run.engines):
        return None
    events = [event for event in history.of(FleetEvent) if event.mono_ns < until]
    died = {event.engine for event in events if event.state.lower() in LOST_STATES}
    return sum(
        final[engine].status == HEALTHY
        and not final[engine].failed
        and final[engine].pid == boots[engine].pid
        and final[engine].restarts == 0
        and engine not in died
        for engine in run.engines
    )


def _boot(history: History) -> Iterator[Figure]:
    boots, fleet = history.of(Boot), history.of(FleetBoot)
    run, end = history.run, history.end
    seconds = (end.mono_ns - run.mono_ns) / 1e9 if run is not None and end is not None else None
    parts = (in_history("run", history.of(Run)), in_history("end", history.of(End)))
    yield Figure("run.duration_s", seconds, "s", "monotonic time from the first record to the last", parts)
    started = len({boot.engine for boot in boots}) or None
    yield Figure(
        "fleet.started", started, "engines", "distinct engines that became ready", (in_history("boot", boots),)
    )
    total = fleet[-1].seconds if fleet else None
    yield Figure("fleet.boot_s", total, "s", "time until all engines were ready", (in_history("fleet_boot", fleet),))


def _availability(history: History) -> Iterator[Figure]:
    probes = history.probes
    yield Figure(
        "availability.percent",
        availability(probes, ~excused(history)),
        "%",
        "healthy answers of all health probes in all phases, but for those of an engine that a fault of the mission "
        "touched, until it took messages again; a failed probe or another status counts against",
        (in_history("health", probes), in_history("recovery", history.of(Recovery))),
    )
    idle = probes.during(IDLE)
    yield Figure(
        "idle.response_ms",
        _mean_response(probes, idle),
        "ms",
        "mean response time of all health probes of the idle phase, failed probes at their full time",
        (in_history("health", int(idle.sum()), phase=IDLE),),
    )


def excused(history: History) -> Mask:
    """Probes of an engine within the window of a fault that touched it: recovery judges those."""
    probes = history.probes
    found = np.zeros(len(probes), np.bool_)
    at = probes.column("mono_ns")
    for recovery in history.of(Recovery):
        until = recovery.regained_ns if recovery.regained_ns is not None else np.iinfo(np.int64).max
        inside = (at >= recovery.injected_ns) & (at <= until)
        for engine in recovery.engines:
            found |= inside & probes.of(engine)
    return found


def availability(probes: Probes, chosen: Mask) -> float | None:
    """Share of the chosen probes that were answered ``healthy``, in per cent; None without a probe."""
    count = int(chosen.sum())
    return 100.0 * int((probes.ok & chosen).sum()) / count if count else None


def _mean_response(probes: Probes, chosen: Mask) -> float | None:
    return float(probes.response_ms[chosen].mean()) if chosen.any() else None


def _memory(memory: list[Memory]) -> Figure:
    return Figure(
        "fleet.pss_peak_bytes",
        max((sum(record.per_process.values()) for record in memory if record.per_process), default=None),
        "bytes",
        "largest sum over the processes of one reading of the proportional set size",
        (in_history("memory", memory),),
    )


def _engine(name: str, history: History, final: Final | None) -> Iterator[Figure]:
    probes = history.probes
    own = probes.of(name)
    idle = own & probes.during(IDLE)
    source = (in_history("health", int(own.sum()), engine=name),)
    idle_source = (in_history("health", int(idle.sum()), engine=name, phase=IDLE),)
    boots = [boot for boot in history.of(Boot) if boot.engine == name]
    yield Figure(
        f"engine.{name}.ready_s",
        boots[-1].ready_s if boots else None,
        "s",
        "time from launch to ready",
        (in_history("boot", boots, engine=name),),
    )
    yield Figure(
        f"engine.{name}.idle_response_ms",
        _mean_response(probes, idle),
        "ms",
        "mean response time of its health probes in the idle phase",
        idle_source,
    )
    percent = availability(probes, own & ~excused(history))
    yield Figure(
        f"engine.{name}.availability_percent", percent, "%", "healthy answers of its probes outside faults", source
    )
    last = "its last probe after the last measured phase"
    yield Figure(f"engine.{name}.status_at_end", final.status if final else None, "text", last, source)
    yield Figure(f"engine.{name}.uptime_s", final.uptime_s if final else None, "s", last, source)
