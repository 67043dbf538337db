"""Heartbeat, checks and health report of one engine's process."""

import asyncio
import datetime
import os
from typing import Generic, Protocol, TypeVar

import msgspec
from prometheus_client import CollectorRegistry

from engines.kit.clockcheck import ClockCheck
from engines.kit.consumer import Consumer
from engines.kit.engine import Engine, LiveUnit
from engines.kit.runtime import Runtime
from engines.kit.service import Front, Metrics
from engines.wire.beat import Beats, Pulse
from engines.wire.bus import Bus
from engines.wire.errors import BusError
from engines.wire.health import BusHealth, Check, HealthReport, Status
from engines.wire.state import EngineState

S = TypeVar("S")
BEAT_S = 0.1
CHECK_S = 1.0
_STALL_S = 0.5  # a loop stall that degrades


class Started(Protocol):
    """The HTTP server: whether it listens."""

    started: bool


class Vitals(Generic[S]):
    """What a process says of itself: to its supervisor by heartbeat, to people over HTTP."""

    def __init__(self, engine: Engine[S], unit: LiveUnit[S], runtime: Runtime[S], version: str) -> None:
        self._engine = engine
        self._unit = unit
        self._runtime = runtime
        self._version = version
        self._started_at = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        settings = runtime.settings
        self._beats = Beats(settings.beat_file, settings.beat_slot + 1) if settings.beat_file else None
        self._pulse = Pulse(os.getpid(), EngineState.STARTING, 0, 0, 0)
        self._report = b""
        self._failing = False
        self._checks: tuple[Check, ...] = ()
        self._joined = False  # both buses answered once
        self._clock = ClockCheck(settings.state, runtime.wall.read)
        self.warm_s: float | None = None  # what the engine's own warming took
        self.lost = False  # the supervisor is gone
        self._metrics: Metrics | None = None
        self.consumer: Consumer | None = None
        self.front: Front | None = None

    # ------------------------------------------------------------------------------------------ heartbeat
    def beat(self, state: EngineState) -> None:
        """Write the slot."""
        now = self._runtime.mono_ns()
        stall = now - self._pulse.beat_ns - int(BEAT_S * 1e9) if self._pulse.beat_ns else 0
        ready_ns = self._pulse.ready_ns or (now if state == EngineState.READY else 0)
        orders = self._engine.open_orders(self._unit.state)
        lag = self.consumer.lag if self.consumer is not None else 0
        state = EngineState.HALTED if self.lost else state
        self._write(Pulse(os.getpid(), state, now, ready_ns, max(self._pulse.stall_ns, stall), orders, lag))

    def alive(self) -> None:
        """The event loop has just got something done: that is as good as a beat, and says so at most every 50 ms."""
        if self._runtime.mono_ns() - self._pulse.beat_ns > BEAT_S * 5e8:
            self.beat(self._pulse.state)

    def cut(self) -> None:
        """From any thread, the supervisor being gone: halted as of now, whatever the event loop does."""
        self.lost = True
        self._write(self._pulse._replace(state=EngineState.HALTED))

    def _write(self, pulse: Pulse) -> None:
        self._pulse = pulse
        if self._beats is not None:
            self._beats.write(self._runtime.settings.beat_slot, pulse)

    async def beats(self, server: Started) -> None:
        """Beat until the engine stops; quicker before it is ready."""
        while not self._runtime.stop.is_set():
            taking_part = server.started and self.consumer is not None and self.consumer.claimed.is_set()
            if taking_part and not self._joined:
                await self._check_once(EngineState.READY)
                taking_part = self._joined
            self.beat(self._live_state() if taking_part else EngineState.STARTING)
            await asyncio.sleep(BEAT_S if taking_part else BEAT_S / 20)

    def _live_state(self) -> EngineState:
        if self._runtime.halted.is_set():
            return EngineState.HALTED
        return EngineState.DEGRADED if self._failing else EngineState.READY

    # --------------------------------------------------------------------------------------------- checks
    async def checks(self) -> None:
        """Perform all checks once a second, and renew the report that `GET /health` serves."""
        while not self._runtime.stop.is_set():
            await asyncio.sleep(CHECK_S)
            await self._check_once(self._pulse.state)

    async def _check_once(self, state: EngineState) -> None:
        began = self._runtime.mono_ns()
        main = await _round_trip("bus-main", self._runtime.main)
        market = await _round_trip("bus-market", self._runtime.market)
        self._joined = self._joined or main.status == market.status == "ok"
        feed = self.consumer.feed.check(self._runtime.mono_ns()) if self.consumer is not None else None
        checks = [main, market, self._loop_check(), self._clock.check(), *([feed] if feed is not None else [])]
        if self.warm_s is not None:
            checks.append(Check("kernels", "ok", f"warm after {self.warm_s:.2f} s"))
        if self.consumer is not None and self.consumer.refused:
            checks.append(Check("commits", "fail", self.consumer.refused))
        checks += self._engine.checks(self._runtime)
        self._failing = any(check.status == "fail" for check in checks)
        age = (self._runtime.mono_ns() - began) / 1e9
        self._checks = tuple(msgspec.structs.replace(check, age_s=round(age, 6)) for check in checks)
        self.renew(state)

    def renew(self, state: EngineState) -> None:
        """Serve a new report of the last checks."""
        self._report = msgspec.json.encode(self._compose(state, self._checks))
        if self.front is not None:
            self.front.renew(self._report)

    def _loop_check(self) -> Check:
        stall = self._pulse.stall_ns / 1e9
        self._pulse = self._pulse._replace(stall_ns=0)
        return Check("event-loop", "warn" if stall > _STALL_S else "ok", f"longest stall {stall * 1e3:.0f} ms")

    def _compose(self, state: EngineState, checks: tuple[Check, ...]) -> HealthReport:
        runtime, manifest = self._runtime, self._runtime.manifest
        last = self._unit.hops.last_message_ns
        now = runtime.mono_ns()
        return HealthReport(
            name=manifest.name,
            title=manifest.title,
            port=manifest.port + runtime.settings.port_offset,
            status=self._status(state),
            pid=os.getpid(),
            started_at=self._started_at,
            uptime_s=round((now - runtime.started_ns) / 1e9, 3),
            version=self._version,
            checks=checks,
            features=tuple(self._engine.features(self._unit.state)),
            counters=self.counters(),
            data_sources=tuple(self._engine.data_sources),
            acceleration=self._engine.acceleration(),
            bus=BusHealth(
                connected=self.consumer is not None and self.consumer.connected,
                lag=self.consumer.lag if self.consumer else 0,
                last_message_age_s=round((now - last) / 1e9, 3) if last else None,
            ),
        )

    def _status(self, state: EngineState) -> Status:
        if self.lost or self._runtime.halted.is_set():
            return "halted"
        if state == EngineState.STARTING and self._pulse.ready_ns == 0:
            return "starting"
        return "degraded" if self._failing else "healthy"

    def counters(self) -> dict[str, int]:
        """The ledger's sums and the engine's own counters."""
        topics = self._unit.ledger.topics.values()
        return {
            "processed": sum(counts.processed for counts in topics),
            "dead_letters": sum(counts.dead for counts in topics),
            "missing": sum(counts.missing for counts in topics),
            **self._engine.counters(self._unit.state),
        }

    # ----------------------------------------------------------------------------------------------- face
    def health(self) -> bytes:
        """The last report, JSON."""
        return self._report

    def ready(self) -> tuple[bool, str]:
        """Whether the engine takes part."""
        state = self._pulse.state
        return state in (EngineState.READY, EngineState.DEGRADED), state.name.lower()

    def registry(self) -> CollectorRegistry:
        """Prometheus metrics, made on the first scrape."""
        if self._metrics is None:
            front = self.front
            self._metrics = Metrics(self._engine.name, front.requests if front else {}, self._gauges)
        return self._metrics.registry

    def _gauges(self) -> dict[str, float]:
        gauges: dict[str, float] = {name: float(value) for name, value in self.counters().items()}
        gauges["uptime_seconds"] = (self._runtime.mono_ns() - self._runtime.started_ns) / 1e9
        gauges["epoch"] = self._unit.epoch
        return gauges

    def hops(self) -> dict[str, str]:
        """`trace topic` -> encoded histogram."""
        return self._unit.hops.encoded()


async def _round_trip(name: str, bus: Bus) -> Check:
    try:
        return Check(name, "ok", f"round trip {await bus.ping() * 1e3:.2f} ms")
    except BusError as error:
        return Check(name, "fail", str(error))
