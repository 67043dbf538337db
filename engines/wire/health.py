"""The health report that every engine of ours serves at `GET /health`, and how a foreign one is asked."""

from typing import Annotated, Literal

import msgspec

Status = Literal["starting", "healthy", "degraded", "halted", "down"]


class Check(msgspec.Struct, frozen=True):
    """One check that was really performed.  `age_s`: seconds since then."""

    name: str
    status: Literal["ok", "warn", "fail"]
    detail: str = ""
    age_s: float = 0.0


class Acceleration(msgspec.Struct, frozen=True):
    """The device that computes, its kernel, and the speed-up that was measured (None: not measured)."""

    device: str = "cpu"
    kernel: str = ""
    speedup_measured: float | None = None


class BusHealth(msgspec.Struct, frozen=True):
    """The engine's view of its buses.  `lag`: entries read but not yet committed; ages in seconds, None before any."""

    connected: bool = False
    lag: int = 0
    last_message_age_s: float | None = None


class HealthReport(msgspec.Struct, frozen=True, kw_only=True):
    """An engine's own account.  Times are seconds; `started_at` is UTC, ISO 8601."""

    name: str
    title: str
    port: int
    status: Status
    pid: int
    started_at: str
    uptime_s: float
    version: str
    checks: tuple[Check, ...] = ()
    features: tuple[str, ...] = ()
    counters: dict[str, int] = {}
    data_sources: tuple[str, ...] = ()
    acceleration: Acceleration = Acceleration()
    bus: BusHealth = BusHealth()


class HealthRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a foreign engine is asked: a 2xx reply to GET `path` is healthy, if `field` (dots descend) is `equals`.

    Asked every `every_s`; `failures` in a row, each within `timeout_s`, and it is restarted.
    """

    path: str = "/health"
    every_s: Annotated[float, msgspec.Meta(ge=0.1, le=3600)] = 1.0
    timeout_s: Annotated[float, msgspec.Meta(ge=0.05, le=600)] = 2.0
    failures: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 3
    field: str = ""
    equals: str | int | float | bool | None = None
