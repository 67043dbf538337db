"""What the fleet says of itself: the `nautilus.status/1` document, health, and the events of its life."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from engines.fleet.boot import Step
from engines.wire.health import Check, HealthRule


class SupervisorStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The supervisor.  CPU is a share of one core since the last sample."""

    pid: int
    started_at: str  # UTC, ISO 8601
    uptime_s: float
    launch: Literal["zygote", "spawn"]
    protocol: int
    version: str = ""  # of nautilus
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
    after: tuple[str, ...] = ()  # the engines that it starts after
    foreign: HealthRule | None = None  # how it is asked, when it is not ours
    boot_budget_s: float | None = None  # what its manifest allows for `boot_s`
    memory_limit_mb: int | None = None
    open_orders: int = 0  # that it knows of
    lag: int = 0  # batches read and not committed
    crash: str = ""  # folder of its last crash bundle
    origin: str = ""  # folder of the project's engine that has taken the place of ours


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
    boot: tuple[Step, ...] = ()  # the first boot of every unit, see `engines.fleet.boot.critical_chain`

    @property
    def wanted(self) -> tuple[EngineStatus, ...]:
        """The engines that were asked for."""
        return tuple(engine for engine in self.engines if engine.wanted)

    @property
    def healthy(self) -> bool:
        """Every engine that was asked for is ready."""
        return all(engine.state == "ready" for engine in self.wanted)


EventKind = Literal["phase", "unit", "settled", "warning", "refused", "fatal", "stopped"]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened to the fleet.

    `phase`: a step of the start-up, `done` of `of`; `unit`: an engine or bus changed its state; `settled`: nothing more
    will change on its own; `warning`: something that an operator should know; `refused`: a restart was not done;
    `fatal`: the start-up cannot succeed; `stopped`: the supervisor ends.
    """

    seq: int
    elapsed_s: float  # since the supervisor's start
    kind: EventKind
    name: str = ""
    state: str = ""
    detail: str = ""
    ready: int = 0
    total: int = 0
    done: int = 0
    of: int = 0


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
    critical: bool = False  # without it the fleet is down


class HealthSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Counts over engines, and the verdict on the fleet (`verdict`).  The average is over those that answered."""

    total: int
    healthy: int
    availability_percent: float | None
    average_response_ms: float | None
    status: Literal["healthy", "degraded", "down"] = "down"


class FleetHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The `nautilus.health/1` document."""

    schema: str = "nautilus.health/1"
    at: str
    engines: tuple[EngineHealth, ...]
    summary: HealthSummary


def verdict(engines: Sequence[EngineHealth]) -> Literal["healthy", "degraded", "down"]:
    """Healthy when every engine is; down when a critical one is down, or there is none; degraded in between."""
    if not engines or any(engine.critical and engine.status == "down" for engine in engines):
        return "down"
    return "healthy" if all(engine.status == "healthy" for engine in engines) else "degraded"


def summarise(engines: tuple[EngineHealth, ...] | list[EngineHealth], at: str) -> FleetHealth:
    """The document of these reports."""
    answered = [engine.response_ms for engine in engines if engine.response_ms is not None]
    healthy = sum(engine.status == "healthy" for engine in engines)
    summary = HealthSummary(
        total=len(engines),
        healthy=healthy,
        availability_percent=round(100 * healthy / len(engines), 3) if engines else None,
        average_response_ms=round(sum(answered) / len(answered), 3) if answered else None,
        status=verdict(engines),
    )
    return FleetHealth(at=at, engines=tuple(engines), summary=summary)
