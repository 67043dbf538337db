"""One run of a mission: its fleet, its history, and what every phase needs of both."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from engines.fleet.status import EngineHealth, Event, FleetStatus
from engines.wire import manifest as manifest_files
from engines.wire import scenario_file
from engines.wire.bundle import INDEX
from engines.wire.bus import Bus
from engines.wire.errors import NautilusError
from engines.wire.manifest import Manifest
from engines.wire.messages import TOPICS
from reports import records
from stress import baseline, foreign
from stress.excused import Excused
from stress.fleet import MissionFleet
from stress.history.journal import History
from stress.history.stamp import stamp
from stress.load import runner as load_runner
from stress.load.plan import LoadPlan
from stress.load.result import LoadResult, LoadSecond
from stress.mission import Mission
from stress.options import Options
from stress.plan import steps
from stress.progress import FaultNote, Light, Listener, Price, Progress
from stress.settle import Taken
from stress.targets import second_records

PROBE_S = 2.0  # longest wait for an engine's health


class Run:
    """What the roles share.

    `capacity`: requests per second by mix, as calibrated in this run; `taken`: what its accounts have counted;
    `excused`: whom faults under way excuse.
    """

    def __init__(
        self,
        mission: Mission,
        options: Options,
        folder: Path,
        fleet: MissionFleet,
        history: History,
        on_progress: Listener,
    ) -> None:
        self.mission = mission.varied(quick=options.quick, full=options.full)
        self.folder = folder
        self.fleet = fleet
        self.history = history
        self.seed = mission.seed if options.seed is None else options.seed
        self.capacity: dict[str, float] = {}
        self.taken = Taken()
        self.excused = Excused()
        self.began = time.monotonic()
        self.on_edge: Callable[[], None] | None = None  # a phase begins or ends
        self._on_progress = on_progress
        self._live = options.live
        self._restarts: dict[str, int] = {}  # of an attached fleet's engines, before the mission
        self._base: dict[baseline.Key, records.Ledger] = {}
        self._total = sum(step.seconds for step in steps(self.mission))
        self.booting: asyncio.Future[FleetStatus] | None = None
        self._loading = self._looked = False
        self._stop = asyncio.Event()
        self._phase = "boot"

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

    @classmethod
    def publishers(cls) -> dict[str, list[str]]:
        """The engines that declare to publish each topic."""
        found: dict[str, list[str]] = {}
        for manifest in cls.manifests():
            for topic in manifest.publishes:
                found.setdefault(topic, []).append(manifest.name)
        return found

    # ---------------------------------------------------------------------------------------------- boot
    async def boot(self) -> None:
        """Bring the fleet up, or count from now on where it runs already; raises when an engine is not ready."""
        if self.fleet.attached:
            await self._attach()
            return
        self.say("boot", "starting")
        began = time.monotonic()
        loop = asyncio.get_running_loop()

        def booted(event: Event) -> None:
            loop.call_soon_threadsafe(self._booted, event)

        self.booting = asyncio.ensure_future(asyncio.to_thread(self.fleet.up, booted))
        status = await asyncio.shield(self.booting)  # a thread goes on: whoever ends the fleet waits for it
        seconds = time.monotonic() - began
        self._boots(status)
        self.add(records.FleetBoot(**stamp(), seconds=seconds, engines=len(status.wanted)))
        if not status.healthy:
            bad = ", ".join(f"{e.name} {e.state} ({e.cause})" for e in status.wanted if e.state != "ready")
            raise NautilusError(
                "The fleet did not become ready.", bad, "Read the logs in the run folder: logs/<engine>.log"
            )

    async def _attach(self) -> None:
        self.say("boot", f"attaching to {self.fleet.name}")
        status = await asyncio.to_thread(self.fleet.up, lambda _event: None)
        self._boots(status)
        self._restarts = {engine.name: engine.restarts for engine in status.wanted}
        buses: dict[str, Bus] = {bus.name: self.fleet.bus(bus.name) for bus in status.buses}
        try:
            self._base = await baseline.begin(buses, self.manifests(), self.taken)
        finally:
            for bus in buses.values():
                await bus.close()

    def _boots(self, status: FleetStatus) -> None:
        """Each engine's own boot and its process, whoever had it started."""
        for engine in status.wanted:
            if engine.boot_s is not None and engine.pid is not None:
                self.add(
                    records.Boot(**stamp(), engine=engine.name, port=engine.port, ready_s=engine.boot_s, pid=engine.pid)
                )

    def _booted(self, event: Event) -> None:
        if event.kind == "unit":
            self.add(records.FleetEvent(**stamp(), engine=event.name, event=event.kind, state=event.state))
        self.say("boot", f"{event.name} {event.state}", ready=event.ready, total=event.total)

    # ------------------------------------------------------------------------------------------- helpers
    async def load(self, plan: LoadPlan, phase: str, stress: Sequence[float] | None) -> LoadResult:
        """Run a load; the seconds of `phase` are recorded, each with the tape's `stress` in it."""

        def passed(line: LoadSecond) -> None:
            warming = line.second < 0
            if line.phase == phase and not warming:
                for record in second_records(line, stress):
                    self.add(record)
            done = sum(counts.done for counts in line.targets.values())
            is_open = sum(counts.open for counts in line.targets.values())
            told = f"{line.phase}-warm" if warming else line.phase
            self._tell(told, f"second {line.second}", {"done": done, "connections": is_open}, load=line)

        self._loading = True
        others, pids = foreign.Share(self.fleet.pids().values()), self.fleet.pids()
        try:
            plan = msgspec.structs.replace(plan, run_id=self.folder.name)  # each request's id names its run
            finished = await load_runner.run(plan, self.folder / "latency", passed, stop=self._stop)
        finally:
            self._loading = False
        if phase:
            await self._others(phase, others, pids)
        return finished

    async def _others(self, phase: str, share: foreign.Share, pids: Mapping[str, int]) -> None:
        """What others took, unless the fleet has other processes by now, which would pass for others'."""
        told = records.OtherPrograms(**stamp(), phase=phase, seconds=share.seconds, cores=share.cores())
        with contextlib.suppress(NautilusError):  # no supervisor just now
            await asyncio.to_thread(self.fleet.refresh)
            if self.fleet.pids() == pids:
                self.add(told)

    def go_on(self) -> None:
        """Whoever interrupted a load meant the mission."""
        if self._stop.is_set():
            raise asyncio.CancelledError

    async def last_look(self) -> None:
        """Health once more, unless it was asked for since the last measured phase."""
        if not self._looked:
            await self.probe("end")

    async def probe(self, phase: str, timeout_s: float = PROBE_S) -> None:
        """Ask every engine for its health once."""
        excused = self.excused.now()  # a fault that is over by the time of the answers explains them still
        answers = await asyncio.to_thread(self.fleet.health, timeout_s)
        self.keep(answers, phase, timeout_s)
        price = await asyncio.to_thread(self._price) if self._live else None
        self.show(answers, phase, excused=excused, price=price)

    def show(
        self,
        answers: Iterable[EngineHealth],
        phase: str,
        text: str = "health",
        *,
        excused: frozenset[str] = frozenset(),
        price: Price | None = None,
    ) -> None:
        """Tell whoever listens what engines said of their health; `excused`: beside those whom faults excuse now."""
        excused |= self.excused.now()
        lights = {each.name: Light(each.status, each.response_ms, each.name in excused) for each in answers}
        self._tell(phase, text, {}, engines=lights, price=price)

    def _price(self) -> Price | None:
        """The first symbol with quotes of the replay under way; None: there is none yet, or nobody answers."""
        with contextlib.suppress(NautilusError):
            replay = self.fleet.get("marketdata", "/replay")
            if replay["state"] == "running":
                symbol = next(each for each in scenario_file.load(replay["scenario"]).symbols if each != INDEX)
                quote = self.fleet.get("marketdata", f"/quote?symbol={symbol}")
                return Price(symbol, quote["ts_ns"], (quote["bid"] + quote["ask"]) / 2)
        return None

    def keep(self, answers: Iterable[EngineHealth], phase: str, timeout_s: float = PROBE_S) -> None:
        """Record what engines said of their health; who said nothing is given the whole time-out."""
        for report in answers:
            self._looked = True
            self.add(
                records.Health(
                    **stamp(),
                    engine=report.name,
                    title=report.title,
                    port=report.port,
                    status=report.status,
                    response_ms=report.response_ms if report.response_ms is not None else timeout_s * 1e3,
                    uptime_s=report.uptime_s,
                    pid=report.pid,
                    restarts=max(0, report.restarts - self._restarts.get(report.name, 0)),
                    features=list(report.features),
                    checks=[records.Check(name=c.name, status=c.status, detail=c.detail) for c in report.checks],
                    error=report.error or None,
                    phase=phase,
                )
            )

    def phase(self, name: str, event: str, *, measured: bool) -> None:
        """A phase starts, or ends."""
        self._looked = self._looked and not measured
        self.add(records.Phase(**stamp(), name=name, event="start" if event == "start" else "end", measured=measured))
        if self.on_edge is not None:
            self.on_edge()
        self.say(name, event)

    def add(self, record: records.AnyRecord) -> None:
        """Keep a record; the ledger of an attached fleet counts since the mission began."""
        if isinstance(record, records.Ledger) and (record.consumer, record.topic) in self._base:
            record = baseline.since(record, self._base[record.consumer, record.topic])
        self.history.append(record)
        if isinstance(record, records.Fault):
            words = f"{record.kind} {record.target}"
            self._tell("", f"{record.event} {words}", {}, fault=FaultNote(record.id, words, record.event))

    def say(self, phase: str, text: str, **facts: float | str) -> None:
        """Tell the operator."""
        self._tell(phase, text, facts)

    def _tell(
        self,
        phase: str,
        text: str,
        facts: dict[str, float | int | str],
        *,
        load: LoadSecond | None = None,
        engines: dict[str, Light] | None = None,
        fault: FaultNote | None = None,
        price: Price | None = None,
    ) -> None:
        self._phase = phase or self._phase
        done = time.monotonic() - self.began
        self._on_progress(
            Progress(self._phase, text, done, self._total, facts, load=load, engines=engines, fault=fault, price=price)
        )
