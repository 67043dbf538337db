"""Records of the fleet: boot, health, the supervisor's events, memory."""

from reports.records.base import Amount, Count, EngineStatus, Part, Record


class Boot(Record, frozen=True, kw_only=True):
    """One engine became ready."""

    engine: str
    port: int
    ready_s: Amount
    pid: int


class FleetBoot(Record, frozen=True, kw_only=True):
    """All engines became ready."""

    seconds: Amount
    engines: Count


class Check(Part, frozen=True, kw_only=True):
    """One check of an engine's health report."""

    name: str
    status: str
    detail: str = ""


class Health(Record, frozen=True, kw_only=True):
    """One probe of one engine; ``response_ms`` runs to the answer or to the giving up."""

    engine: str
    title: str
    port: int
    status: EngineStatus
    response_ms: Amount
    uptime_s: Amount | None = None
    pid: int | None = None
    restarts: Count | None = None
    features: list[str] = []
    checks: list[Check] = []
    error: str | None = None
    phase: str


class FleetEvent(Record, frozen=True, kw_only=True):
    """The supervisor changed an engine's state."""

    engine: str
    event: str
    state: str
    pid: int | None = None
    cause: str = ""


class Memory(Record, frozen=True, kw_only=True):
    """Proportional set size of the fleet's processes, by process name."""

    pss_bytes_total: Count
    per_process: dict[str, Count]
