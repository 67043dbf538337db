"""Figures about the engines: start, survival, availability, idle response, memory."""

from collections.abc import Iterator

from reports.figures import Figure, in_history, known, mean
from reports.history import History
from reports.records import Boot, End, FleetBoot, FleetEvent, Health, Memory, Phase, Run

IDLE = "idle"
LOST_STATES = frozenset({"crashed", "failed", "backoff"})
"""Supervisor states that an engine enters only by dying."""


def measure(history: History) -> Iterator[Figure]:
    """All fleet figures; engines in the order in which the run declares them."""
    run = history.run
    health = history.of(Health)
    yield from _boot(history)
    yield from _availability(health)
    yield _memory(history.of(Memory))
    if run is None:
        return
    final = final_health(history)
    yield Figure(
        "fleet.alive_at_end",
        _alive(run, history, final),
        "engines",
        "engines whose last probe, after the last measured phase, is healthy with the pid they started with, no "
        "restart counted and no death reported by the supervisor",
        (
            in_history("health", health),
            in_history("boot", history.of(Boot)),
            in_history("fleet_event", history.of(FleetEvent)),
        ),
    )
    for engine in run.engines:
        yield from _engine(engine, history, [probe for probe in health if probe.engine == engine], final.get(engine))


def final_health(history: History) -> dict[str, Health]:
    """The last probe of each engine after the end of the last measured phase; empty when no such phase ended."""
    ends = [phase.mono_ns for phase in history.of(Phase) if phase.measured and phase.event == "end"]
    if not ends:
        return {}
    return {probe.engine: probe for probe in history.of(Health) if probe.mono_ns >= max(ends)}


def _alive(run: Run, history: History, final: dict[str, Health]) -> int | None:
    boots = {boot.engine: boot for boot in history.of(Boot)}
    if not run.engines or any(engine not in final or engine not in boots for engine in run.engines):
        return None
    died = {event.engine for event in history.of(FleetEvent) if event.state.lower() in LOST_STATES}
    return sum(
        final[engine].status == "healthy"
        and final[engine].error is None
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


def _availability(health: list[Health]) -> Iterator[Figure]:
    yield Figure(
        "availability.percent",
        availability(health),
        "%",
        "healthy answers of all health probes in all phases; a failed probe or another status counts against",
        (in_history("health", health),),
    )
    idle = [probe for probe in health if probe.phase == IDLE]
    yield Figure(
        "idle.response_ms",
        known((probe.response_ms for probe in idle), mean),
        "ms",
        "mean response time of all health probes of the idle phase, failed probes at their full time",
        (in_history("health", idle, phase=IDLE),),
    )


def availability(health: list[Health]) -> float | None:
    """Share of probes that were answered ``healthy``, in per cent; None without a probe."""
    if not health:
        return None
    return 100.0 * sum(probe.error is None and probe.status == "healthy" for probe in health) / len(health)


def _memory(memory: list[Memory]) -> Figure:
    return Figure(
        "fleet.pss_peak_bytes",
        max((sum(record.per_process.values()) for record in memory if record.per_process), default=None),
        "bytes",
        "largest sum over the processes of one reading of the proportional set size",
        (in_history("memory", memory),),
    )


def _engine(name: str, history: History, probes: list[Health], final: Health | None) -> Iterator[Figure]:
    source = (in_history("health", probes, engine=name),)
    boots = [boot for boot in history.of(Boot) if boot.engine == name]
    idle = [probe for probe in probes if probe.phase == IDLE]
    idle_source = (in_history("health", idle, engine=name, phase=IDLE),)
    yield Figure(
        f"engine.{name}.ready_s",
        boots[-1].ready_s if boots else None,
        "s",
        "time from launch to ready",
        (in_history("boot", boots, engine=name),),
    )
    yield Figure(
        f"engine.{name}.idle_response_ms",
        known((probe.response_ms for probe in idle), mean),
        "ms",
        "mean response time of its health probes in the idle phase",
        idle_source,
    )
    yield Figure(
        f"engine.{name}.availability_percent", availability(probes), "%", "healthy answers of all its probes", source
    )
    last = "its last probe after the last measured phase"
    yield Figure(f"engine.{name}.status_at_end", final.status if final else None, "text", last, source)
    yield Figure(f"engine.{name}.uptime_s", final.uptime_s if final else None, "s", last, source)
