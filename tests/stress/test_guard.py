"""Abort conditions on health where faults strike: who is struck is excused; who is not, or stays away, counts."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engines.fleet.status import EngineHealth
from engines.wire.bus import MemoryBus
from engines.wire.errors import NotRunning
from engines.wire.manifest import ServiceLevel
from reports import records
from stress.faults.fault import Done, Fault, Undo, Value
from stress.faults.kinds import KINDS
from stress.faults.undo import UndoJournal
from stress.guard import Guard
from stress.mission import Mission, load
from stress.options import Options
from stress.progress import Progress
from stress.roles.injection import Due, Injection
from stress.run import Run

NAMES = ("risk", "vpin")
LIMIT_S = 0.5


class Fleet:
    """Engines whose health a test decides, on empty buses, and a supervisor that says nothing."""

    def __init__(self) -> None:
        self.down: set[str] = set()

    def bus(self, _name: str) -> MemoryBus:
        return MemoryBus()

    def events(self) -> Iterator[Any]:
        raise NotRunning("gone", "", "")

    def health(self, _timeout_s: float = 2.0) -> list[EngineHealth]:
        return [
            EngineHealth(
                name=name, title=name, port=1, status="down" if name in self.down else "healthy",
                response_ms=None if name in self.down else 1.0, uptime_s=1.0, pid=1, restarts=0,
            )
            for name in NAMES
        ]  # fmt: skip

    def refresh(self) -> SimpleNamespace:
        return SimpleNamespace(wanted=[])

    def pids(self) -> dict[str, int]:
        return {}


class Outage:
    """A kind of fault: its target is down while it is in force, and `forever` if it never comes back."""

    name, lasting, forever = "outage", True, False

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    def mistakes(self, target: str, parameters: Mapping[str, Value], /) -> Iterator[str]:
        yield from ()

    def inject(self, fault: Fault, _fleet: Any, journal: UndoJournal, /) -> Done:
        self.fleet.down |= set(NAMES) if fault.target.startswith("bus-") else {fault.target}
        undo = Undo(fault=fault.id, kind=self.name, target=fault.target)
        journal.begin(undo)
        return Done(time.monotonic_ns(), True, "seen", undo)

    def heal(self, undo: Undo, journal: UndoJournal, /) -> Done:
        if not self.forever:
            self.fleet.down -= set(NAMES) if undo.target.startswith("bus-") else {undo.target}
        journal.done(undo)
        return Done(time.monotonic_ns(), True, "gone")


class Flight:
    """A phase with faults on a toy fleet: a real run, its real guard, real probes."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *texts: str) -> None:
        engines = [SimpleNamespace(name=name, consumes=(), level=ServiceLevel()) for name in NAMES]
        monkeypatch.setattr(Run, "manifests", lambda _self: engines)
        self.fleet = Fleet()
        self.outage = Outage(self.fleet)
        monkeypatch.setitem(KINDS, "outage", self.outage)
        flash = load("flash-crash")
        mission = Mission(
            name="m", title="M", summary="", seed=1, phases=flash.phases, criteria=flash.criteria, abort=texts
        )
        self.kept: list[records.AnyRecord] = []
        self.shown: list[Progress] = []
        self.guard = Guard(mission, self.fleet.pids, self.shown.append)
        history = SimpleNamespace(append=self.kept.append)
        self.run = Run(mission, Options(runs=folder), folder, self.fleet, history, self.guard)  # type: ignore[arg-type] # toys

    def fly(self, act: Callable[[Injection], Any], seconds: float = 30.0) -> records.Abort | None:
        """Until `act` is through, the guard ends it, or the time is over (which is a failure)."""

        async def phase() -> None:
            task = asyncio.current_task()
            assert task is not None
            self.guard.on_abort = lambda _held: ended(task)
            injection = Injection(self.run, "chaos", LIMIT_S, every_s=0.02)
            try:
                await act(injection)
            finally:
                await injection.close()

        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(asyncio.wait_for(phase(), seconds))
        return self.guard.held

    @property
    def downs(self) -> set[tuple[str, bool]]:
        """Who was seen down, and whether that was excused."""
        lights = [item for each in self.shown for item in (each.engines or {}).items()]
        return {(name, light.excused) for name, light in lights if light.status == "down"}


def ended(task: asyncio.Task[None]) -> None:
    task.cancel()


def outage(target: str, for_s: float = 0.3) -> Callable[[Injection], Any]:
    fault = Fault("a", "outage", target, for_s)
    return lambda injection: injection.schedule([Due(0.1, fault)], time.monotonic_ns())


@pytest.mark.parametrize("target", ["risk", "bus-main"])
def test_announced_windows_abort_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    flight = Flight(tmp_path, monkeypatch, "engines_down >= 1", "engines_unhealthy >= 1", "response_ms > 1500")
    assert flight.fly(outage(target)) is None
    assert flight.downs == {(name, True) for name in (NAMES if target == "bus-main" else ("risk",))}
    (recovery,) = [each for each in flight.kept if isinstance(each, records.Recovery)]
    assert recovery.regained_ns is not None


def test_an_engine_that_no_fault_touches_aborts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flight = Flight(tmp_path, monkeypatch, "engines_down >= 1 for 0.1 s")

    async def both(injection: Injection) -> None:
        fault = asyncio.create_task(injection.one(Fault("a", "outage", "risk", 20.0)))
        await asyncio.sleep(0.2)
        flight.fleet.down.add("vpin")
        await fault

    held = flight.fly(both)
    assert held is not None and (held.condition, held.phase) == ("engines_down >= 1 for 0.1 s", "chaos")
    assert held.value == 1.0, "the struck one is not counted"
    assert flight.downs == {("risk", True), ("vpin", False)}
    assert UndoJournal(tmp_path).pending() == (), "what was in force is taken back"


def test_a_struck_engine_that_does_not_come_back_aborts_once_its_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flight = Flight(tmp_path, monkeypatch, "engines_down >= 1 for 0.1 s")
    flight.outage.forever = True

    async def and_on(injection: Injection) -> None:
        await injection.one(Fault("a", "outage", "risk", 0.1))
        await asyncio.sleep(60.0)

    held = flight.fly(and_on)
    assert held is not None and held.value == 1.0
    (healed,) = [each for each in flight.kept if isinstance(each, records.Fault) and each.event == "heal"]
    assert held.since_ns >= healed.mono_ns + LIMIT_S * 1e9, "while it is waited for it is excused"
    assert flight.downs == {("risk", True), ("risk", False)}


def test_a_probe_on_its_way_when_a_fault_ends_is_excused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flight = Flight(tmp_path, monkeypatch, "engines_down >= 1")
    flight.fleet.down.add("risk")
    run, ask = flight.run, flight.fleet.health

    def ends_meanwhile(timeout_s: float = 2.0) -> list[EngineHealth]:
        if run.excused.now():
            run.excused.end("a")
        return ask(timeout_s)

    monkeypatch.setattr(flight.fleet, "health", ends_meanwhile)
    run.excused.begin("a", ["risk"])
    asyncio.run(run.probe("window"))
    assert flight.guard.held is None
    asyncio.run(run.probe("window"))
    assert flight.guard.held is not None


def test_faults_excuse_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    excused = Flight(tmp_path, monkeypatch).run.excused
    excused.begin("a", ["risk", "vpin"])
    excused.begin("b", ["risk"])
    excused.end("a")
    assert excused.now() == {"risk"}
    excused.end("b")
    assert excused.now() == frozenset()
