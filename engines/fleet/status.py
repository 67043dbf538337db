"""What the fleet says of itself: the `nautilus.status/1` document, health, and the events of its life."""

from typing import Literal

import msgspec

from engines.wire.health import Check


class SupervisorStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The supervisor.  CPU is a share of one core since the last sample."""

    pid: int
    started_at: str  # UTC, ISO 8601
    uptime_s: float
    launch: Literal["zygote", "spawn"]
    protocol: int
    rss_mb: float | None
    cpu_percent: float | None


class BusStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One bus.  `address` holds no secret; `external`: not the fleet's own server."""

    name: str
    state: str
    address: str
    external: bool
    pid: int | None
    uptime_s: float | None
    restarts: int
    rss_mb: float | None
    cause: str


class EngineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One engine as the supervisor sees it.  None: there is no process, or it was not sampled yet."""

    name: str
    title: str
    state: str
    wanted: bool  # it was asked for
    pid: int | None
    uptime_s: float | None
    restarts: int
    rss_mb: float | None
    cpu_percent: float | None
    port: int
    critical: bool
    boot_s: float | None  # from its release to ready
    cause: str  # of its last end
    waits_for: tuple[str, ...]  # dependencies that are not ready
    last_lines: tuple[str, ...] = ()  # of its log, once it was given up


class Paths(msgspec.Struct, frozen=True, kw_only=True):
    """Where the fleet's files are."""

    state: str
    logs: str
    store: str
    journal: str
    control: str


class FleetStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The whole fleet at one moment."""

    schema: str = "nautilus.status/1"
    at: str
    fleet: str
    host: str
    port_offset: int
    supervisor: SupervisorStatus
    buses: tuple[BusStatus, ...]
    engines: tuple[EngineStatus, ...]
    paths: Paths
    already: bool = False  # `up` found it running

    @property
    def wanted(self) -> tuple[EngineStatus, ...]:
        """The engines that were asked for."""
        return tuple(engine for engine in self.engines if engine.wanted)

    @property
    def healthy(self) -> bool:
        """Every engine that was asked for is ready."""
        return all(engine.state == "ready" for engine in self.wanted)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened to the fleet.

    `phase`: a step of the start-up; `unit`: an engine or bus changed its state; `settled`: nothing more will change on
    its own; `fatal`: the start-up cannot succeed; `stopped`: the supervisor ends.
    """

    seq: int
    elapsed_s: float  # since the supervisor's start
    kind: Literal["phase", "unit", "settled", "fatal", "stopped"]
    name: str = ""
    state: str = ""
    detail: str = ""
    ready: int = 0
    total: int = 0


BootEvent = Event


class EngineHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One engine's own report, with how long it took to give it.  `down`: it gave none, `error` says why."""

    name: str
    title: str
    port: int
    status: Literal["starting", "healthy", "degraded", "halted", "down"]
    response_ms: float | None
    uptime_s: float | None
    pid: int | None
    restarts: int
    features: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    error: str = ""


class HealthSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Counts over engines.  The average is over those that answered; None when none did."""

    total: int
    healthy: int
    availability_percent: float | None
    average_response_ms: float | None


class FleetHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.health/1` document."""

    schema: str = "nautilus.health/1"
    at: str
    engines: tuple[EngineHealth, ...]
    summary: HealthSummary


def summarise(engines: tuple[EngineHealth, ...] | list[EngineHealth], at: str) -> FleetHealth:
    """The document of these reports."""
    answered = [engine.response_ms for engine in engines if engine.response_ms is not None]
    healthy = sum(engine.status == "healthy" for engine in engines)
    summary = HealthSummary(
        total=len(engines),
        healthy=healthy,
        availability_percent=round(100 * healthy / len(engines), 3) if engines else None,
        average_response_ms=round(sum(answered) / len(answered), 3) if answered else None,
    )
    return FleetHealth(at=at, engines=tuple(engines), summary=summary)
