"""From manifests and tape to a load plan, and from its results to records."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from engines.fleet.status import FleetStatus
from engines.wire.manifest import LoadRequest, Manifest
from engines.wire.scenario import Scenario
from reports import records
from stress.history.stamp import stamp
from stress.load import shapes
from stress.load.plan import LAG_LOG, SERVICE_LOG, Check, Request, Target
from stress.load.result import LoadSecond, PhaseResult, Sighting

STEP_S = 0.1


def targets(manifests: Sequence[Manifest], fleet: FleetStatus, mix: str, connections: int) -> tuple[Target, ...]:
    """One target an engine, its requests of that mix; connections are shared as evenly as they go."""
    ports = {engine.name: engine.port for engine in fleet.wanted}
    chosen = [manifest for manifest in manifests if manifest.name in ports]
    each, extra = divmod(connections, len(chosen))
    return tuple(
        Target(
            name=manifest.name,
            port=ports[manifest.name],
            host=fleet.host,
            requests=tuple(_request(request) for request in manifest.load if request.mix == mix),
            connections=each + (n < extra),
        )
        for n, manifest in enumerate(chosen)
    )


def _request(request: LoadRequest) -> Request:
    check = request.check
    return Request(
        path=request.path,
        method=request.method,
        weight=float(request.weight),
        status=request.status,
        fields=request.fields,
        check=None
        if check is None
        else Check(check.field, equals=(check.low + check.high) / 2, tolerance=(check.high - check.low) / 2),
    )


def stress_curve(scenario: Scenario, step_s: float) -> list[float]:
    """The tape's stress y in each `step_s` of wall time of the measured window."""
    return list(shapes.stress_of(scenario, round(scenario.window.wall_s / step_s)))


def rate_curve(stress: Sequence[float], r_max: float, floor: float) -> tuple[float, ...]:
    """Requests per second: `R_max (floor + (1 - floor) y)`."""
    return tuple((r_max * (floor + (1 - floor) * np.asarray(stress))).tolist())


def second_records(line: LoadSecond, stress: Sequence[float] | None) -> list[records.Load]:
    """The records of one second of load; `stress` per second, None where the phase is not shaped by the tape."""
    head = stamp()
    y = stress[line.second] if stress is not None and line.second < len(stress) else None
    return [
        records.Load(
            **head,
            phase=line.phase,
            second=line.second,
            engine=name,
            y=y,
            scheduled=counts.scheduled,
            sent=counts.sent,
            done=counts.done,
            failed=counts.failed,
            unsent=counts.unsent,
            open_connections=counts.open,
        )
        for name, counts in line.targets.items()
    ]


def phase_records(result: PhaseResult, mix: str, connections: int) -> list[records.AnyRecord]:
    """The records of a finished phase: totals per engine, the generator's own health, what to look for, connections."""
    made: list[records.AnyRecord] = [
        records.LoadSummary(
            **stamp(),
            phase=result.name,
            engine=name,
            mix=mix,
            scheduled=target.counts.scheduled,
            sent=target.counts.sent,
            done=target.counts.done,
            failed=target.counts.failed,
            unsent=target.counts.unsent,
            seconds=result.seconds,
            hlog=f"latency/{result.name}.{name}.hlog",
            service_hlog=f"latency/{result.name}.{name}.{SERVICE_LOG}.hlog",
        )
        for name, target in result.targets.items()
    ]
    made += _generators(result)
    made += [_exemplar(result.name, "slowest", one) for one in result.slowest[:1]]
    made += [_exemplar(result.name, "first-failed", one) for one in result.first_failed[:1]]
    made.append(records.Connections(**stamp(), phase=result.name, at_peak=result.open_min, target=connections))
    return made


def lag_log(result: PhaseResult, part: int) -> str:
    """Where in the run folder the lag of one of a phase's processes is."""
    own = f"-{part}" if len(result.processes) > 1 else ""
    return f"latency/{result.name}.{LAG_LOG}{own}.hlog"


def _generators(result: PhaseResult) -> list[records.Generator]:
    """How each process fared; nothing of one that sent nothing."""
    sent = [one for one in result.processes if one.lag is not None]
    return [
        records.Generator(
            **stamp(),
            phase=result.name,
            lag_hlog=lag_log(result, one.part),
            lag_p50_ms=one.lag.p50_us / 1e3,
            lag_p99_ms=one.lag.p99_us / 1e3,
            lag_max_ms=one.lag.max_us / 1e3,
            cpu_share=one.cpu_share,
            stall_max_ms=one.stall_max_us / 1e3,
            process=one.part,
            processes=len(sent),
            bodies_checked=result.bodies_checked,
            bodies_unchecked=result.bodies_unchecked,
        )
        for one in result.processes
        if one.lag is not None
    ]


def _exemplar(phase: str, which: Literal["slowest", "first-failed"], one: Sighting) -> records.Exemplar:
    return records.Exemplar(
        **stamp(),
        phase=phase,
        which=which,
        request=one.id,
        engine=one.target,
        path=one.path,
        outcome=one.outcome,
        reason=one.reason,
        latency_ms=one.latency_us / 1e3,
        due_ns=one.intended_ns,
    )
