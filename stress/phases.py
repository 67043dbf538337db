"""The phases of a mission, each of which writes its own records."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hdrh.histogram import HdrHistogram

from engines.fleet.status import Event
from engines.wire import manifest as manifest_files
from engines.wire.bus import Bus
from engines.wire.errors import NautilusError
from engines.wire.manifest import Manifest
from engines.wire.messages import TOPICS
from engines.wire.ticks import PRICE_SCALE
from reports import records
from stress import settle
from stress.fleet import MissionFleet
from stress.history.journal import History
from stress.history.samples import pss_bytes
from stress.history.stamp import stamp
from stress.load import runner as load_runner
from stress.load.plan import ClosedPhase, LoadPlan, OpenPhase
from stress.load.result import LoadResult, LoadSecond
from stress.mission import Mission
from stress.options import Options
from stress.plan import phases, scenario_of
from stress.progress import Listener, Progress
from stress.targets import STEP_S, phase_records, rate_curve, second_records, stress_curve, targets

HOPS = (("risk", "trades", "tick-to-risk"), ("strategy", "bars", "tick-to-signal"), ("vpin", "trades", "tick-to-vpin"))
_OPENING_S = 8.0  # from the generator's start to its connections being open
_PROBE_S = 1.0


class Phases:
    """One run's phases over its fleet and history."""

    def __init__(
        self,
        mission: Mission,
        options: Options,
        folder: Path,
        fleet: MissionFleet,
        history: History,
        on_progress: Listener,
    ) -> None:
        self.mission = mission
        self.options = options
        self.folder = folder
        self.fleet = fleet
        self.history = history
        self.scenario = scenario_of(mission, options)
        self.seed = mission.seed if options.seed is None else options.seed
        self._on_progress = on_progress
        self._began = time.monotonic()
        self._total = sum(phase.seconds for phase in phases(mission, options))
        self._loading = False
        self._stop = asyncio.Event()

    def interrupt(self) -> bool:
        """End the load under way, so that what it measured is recorded.  False: there is none to end."""
        self._stop.set()
        return self._loading

    @staticmethod
    def manifests() -> tuple[Manifest, ...]:
        """All engines of the fleet."""
        return manifest_files.discover()

    @classmethod
    def consumers(cls) -> list[tuple[str, str, str]]:
        """Every (bus, topic, consumer) that the ledger must hold."""
        return [(TOPICS[topic], topic, m.name) for m in cls.manifests() for topic in m.consumes]

    # ---------------------------------------------------------------------------------------------- boot
    async def boot(self) -> None:
        """Bring the fleet up; raises when an engine does not become ready."""
        self.say("boot", "starting")
        began = time.monotonic()
        loop = asyncio.get_running_loop()

        def booted(event: Event) -> None:
            loop.call_soon_threadsafe(self._booted, event)

        status = await asyncio.to_thread(self.fleet.up, booted)
        seconds = time.monotonic() - began
        for engine in status.wanted:
            if engine.boot_s is not None and engine.pid is not None:
                self._add(
                    records.Boot(**stamp(), engine=engine.name, port=engine.port, ready_s=engine.boot_s, pid=engine.pid)
                )
        self._add(records.FleetBoot(**stamp(), seconds=seconds, engines=len(status.wanted)))
        if not status.healthy:
            bad = ", ".join(f"{e.name} {e.state} ({e.cause})" for e in status.wanted if e.state != "ready")
            raise NautilusError(
                "The fleet did not become ready.", bad, "Read the logs in the run folder: logs/<engine>.log"
            )

    def _booted(self, event: Event) -> None:
        if event.kind == "unit":
            self._add(records.FleetEvent(**stamp(), engine=event.name, event=event.kind, state=event.state))
        self.say("boot", f"{event.name} {event.state}", ready=event.ready, total=event.total)

    # ------------------------------------------------------------------------------------------- measure
    async def measure(self) -> None:
        """Everything between boot and stop."""
        quick = self.options.quick
        await self._idle(self.mission.quick.idle_s if quick else self.mission.times.idle_s)
        capacity = await self._calibrate(self.mission.quick.calibrate_s if quick else self.mission.load.calibrate_s)
        buses: dict[str, Bus] = {"main": self.fleet.bus("main"), "market": self.fleet.bus("market")}
        began = time.monotonic()
        trace = await self._storm(capacity[self.mission.load.mix] * self.mission.load.share)
        await self._account(buses, began, trace)
        for bus in buses.values():
            await bus.close()

    async def _idle(self, seconds: float) -> None:
        self._phase_record("idle", "start", measured=True)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await self._probe("idle")
            await asyncio.sleep(_PROBE_S / 4)
        self._phase_record("idle", "end", measured=True)

    async def _calibrate(self, seconds: float) -> dict[str, float]:
        """Closed-loop capacity of this host, fleet and mix, requests per second."""
        found: dict[str, float] = {}
        spec = self.mission.load
        for mix in spec.calibrate_mixes:
            name = f"calibrate-{mix}"
            self._phase_record(name, "start", measured=False)
            self.say("calibrate", f"closed loop, {mix} mix")
            warm = ClosedPhase(f"{name}-warm", spec.calibrate_concurrency, max(1.0, seconds / 4))
            phase = ClosedPhase(name, spec.calibrate_concurrency, seconds)
            load = LoadPlan(
                targets(self.manifests(), self.fleet.known(), mix, 20 * spec.calibrate_concurrency),
                (warm, phase),
                seed=self.seed,
                timeout_s=spec.timeout_s,
            )
            finished = await self._load(load, "", None)
            self._go_on()
            result = finished.phases[-1]
            done = sum(target.counts.done for target in result.targets.values())
            failed = sum(sum(target.counts.failed.values()) for target in result.targets.values())
            found[mix] = done / result.seconds
            self._add(
                records.Calibration(
                    **stamp(),
                    mix=mix,
                    share=spec.share,
                    seconds=result.seconds,
                    concurrency=spec.calibrate_concurrency,
                    rate_rps=found[mix],
                    errors=failed,
                    r_max_rps=found[mix] * spec.share,
                )
            )
            self._phase_record(name, "end", measured=False)
        return found

    async def _storm(self, r_max: float) -> str:
        """The tape and the load side by side; returns the trace of the measured window."""
        spec, times = self.mission.load, self.mission.times
        lead = max(times.lead_s, _OPENING_S)
        window_at = time.monotonic_ns() + int(lead * 1e9)
        request = {
            "scenario": self.scenario.name,
            "seed": self.seed,
            "window": {
                "start": self.scenario.window.start.isoformat(),
                "end": self.scenario.window.end.isoformat(),
                "speed": self.scenario.window.speed,
            },
            "window_at_ns": window_at,
        }
        await asyncio.to_thread(self.fleet.post, "marketdata", "/replay", request)
        curve = stress_curve(self.scenario, STEP_S)
        plan = LoadPlan(
            targets(self.manifests(), self.fleet.known(), spec.mix, spec.connections),
            (OpenPhase("window", rate_curve(curve, r_max, spec.floor), STEP_S),),
            seed=self.seed,
            timeout_s=spec.timeout_s,
            start_ns=window_at,
        )
        self._phase_record("window", "start", measured=True)
        probing = asyncio.create_task(self._watch(window_at))
        try:
            result = await self._load(plan, "window", stress_curve(self.scenario, 1.0))
        finally:
            probing.cancel()
        for measured in result.phases:  # none when it was stopped before it began
            for record in phase_records(measured, spec.mix, spec.connections):
                self._add(record)
        self._phase_record("window", "end", measured=True)
        self._go_on()
        status = await self._replayed()
        self._tape(status)
        return f"r{status['replay']}/window"

    async def _watch(self, window_at: int) -> None:
        """Health of all engines, once a second while the window lasts."""
        await asyncio.sleep(max(0.0, (window_at - time.monotonic_ns()) / 1e9))
        while True:
            await self._probe("window")
            await asyncio.sleep(_PROBE_S)

    async def _replayed(self) -> dict[str, Any]:
        """Wait for the rest of the day."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            status: dict[str, Any] = await asyncio.to_thread(self.fleet.get, "marketdata", "/replay")
            self.say("after", f"replaying the rest of the day: {status['state']}")
            if status["state"] == "finished":
                return status
            if status["state"] == "failed":
                break
            await asyncio.sleep(0.25)
        raise NautilusError(
            "The replay did not finish.", str(status.get("error", "")), "Read logs/marketdata.log in the run folder."
        )

    def _tape(self, status: dict[str, Any]) -> None:
        window = status["window"]
        self._add(
            records.Tape(
                **stamp(),
                scenario=self.scenario.name,
                seed=self.seed,
                digest=status["digest"],
                ticks=status["ticks"],
                pins=[records.Pin(**pin) for pin in status["pins"]],
                window=records.TapeWindow(start_ns=window["start_ns"], end_ns=window["end_ns"], speed=window["speed"]),
            )
        )
        for symbol, market_ns, price in status["path"]:
            self._add(records.Level(**stamp(), symbol=symbol, market_ns=market_ns, price=price / PRICE_SCALE))

    async def _account(self, buses: Mapping[str, Bus], began: float, trace: str) -> None:
        """Drain, then the ledger, halts, hops, memory and the last health."""
        self._phase_record("after", "start", measured=False)
        self.say("after", "draining")
        await settle.drained(buses, self.manifests(), self.mission.times.drain_s)
        for row in await settle.ledger(buses, self.manifests(), time.monotonic() - began):
            self._add(row)
        for outcome in await settle.outcomes(buses["main"]):
            self._add(outcome)
        for engine, topic, name in HOPS:
            encoded = (await asyncio.to_thread(self.fleet.get, engine, "/hops")).get(f"{trace} {topic}")
            if encoded is not None:
                self._hop(name, HdrHistogram.decode(encoded))
        self._hop("order-to-fill", await settle.order_to_fill(buses["main"], trace))
        self._memory()
        self.fleet.refresh()
        self._phase_record("after", "end", measured=False)
        await self._probe("end")

    def _hop(self, name: str, histogram: HdrHistogram) -> None:
        record = settle.hop(self.folder, "window", name, histogram)
        if record is not None:
            self._add(record)

    def _memory(self) -> None:
        import psutil

        sizes = {name: pss_bytes(psutil.Process(pid)) for name, pid in self.fleet.pids().items()}
        known = {name: size for name, size in sizes.items() if size is not None}
        if len(known) == len(sizes):
            self._add(records.Memory(**stamp(), pss_bytes_total=sum(known.values()), per_process=known))

    # ------------------------------------------------------------------------------------------- helpers
    async def _load(self, plan: LoadPlan, phase: str, stress: Sequence[float] | None) -> LoadResult:
        def passed(line: LoadSecond) -> None:
            if line.phase == phase:
                for record in second_records(line, stress):
                    self._add(record)
            done = sum(counts.done for counts in line.targets.values())
            is_open = sum(counts.open for counts in line.targets.values())
            self.say(line.phase, f"second {line.second}", done=done, connections=is_open)

        self._loading = True
        try:
            return await load_runner.run(plan, self.folder / "latency", passed, stop=self._stop)
        finally:
            self._loading = False

    def _go_on(self) -> None:
        """Whoever interrupted a load meant the mission."""
        if self._stop.is_set():
            raise asyncio.CancelledError

    async def _probe(self, phase: str) -> None:
        for report in await asyncio.to_thread(self.fleet.health):
            self._add(
                records.Health(
                    **stamp(),
                    engine=report.name,
                    title=report.title,
                    port=report.port,
                    status=report.status,
                    response_ms=report.response_ms if report.response_ms is not None else 2000.0,
                    uptime_s=report.uptime_s,
                    pid=report.pid,
                    restarts=report.restarts,
                    features=list(report.features),
                    checks=[records.Check(name=c.name, status=c.status, detail=c.detail) for c in report.checks],
                    error=report.error or None,
                    phase=phase,
                )
            )
        self.say(phase, "health")

    def _phase_record(self, name: str, event: str, *, measured: bool) -> None:
        self._add(records.Phase(**stamp(), name=name, event="start" if event == "start" else "end", measured=measured))
        self.say(name, event)

    def _add(self, record: records.AnyRecord) -> None:
        self.history.append(record)

    def say(self, phase: str, text: str, **facts: float | str) -> None:
        """Tell the operator."""
        self._on_progress(Progress(phase, text, time.monotonic() - self._began, self._total, facts))
