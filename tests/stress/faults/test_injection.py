"""Injection by the clock and its promise: whatever ends it, what is in force is taken back."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engines.fleet.status import EngineHealth
from engines.wire.bus import MemoryBus
from engines.wire.errors import NotRunning, UsageError
from engines.wire.manifest import ServiceLevel
from reports import records
from stress.excused import Excused
from stress.faults.fault import Done, Fault, Undo, Value
from stress.faults.kinds import KINDS
from stress.faults.undo import UndoJournal
from stress.roles.injection import Due, Injection


class Toy:
    """A kind that notes what it does."""

    lasting = True

    def __init__(self, name: str, slow_s: float = 0.0) -> None:
        self.name, self.slow_s = name, slow_s
        self.said: list[str] = []
        self.fails: Exception | None = None

    def mistakes(self, target: str, parameters: Mapping[str, Value], /) -> Iterator[str]:
        yield from ()

    def inject(self, fault: Fault, fleet: Any, journal: UndoJournal, /) -> Done:
        if self.fails is not None:
            raise self.fails
        undo = Undo(fault=fault.id, kind=self.name, target=fault.target)
        journal.begin(undo)
        self.said.append(f"begin {fault.id}")
        time.sleep(self.slow_s)
        self.said.append(f"in force {fault.id}")
        return Done(time.monotonic_ns(), True, "seen", undo)

    def heal(self, undo: Undo, journal: UndoJournal, /) -> Done:
        self.said.append(f"healed {undo.fault}")
        journal.done(undo)
        return Done(time.monotonic_ns(), True, "gone")


class Going:
    """A run without a fleet: two buses in memory, and one engine that is always well and consumes nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept: list[records.AnyRecord] = []
        self.fleet = self
        self.excused = Excused()
        known = {"response_ms": 1.0, "uptime_s": 1.0, "pid": 1, "restarts": 0}
        self._well = EngineHealth(name="risk", title="Risk", port=1, status="healthy", **known)  # type: ignore[arg-type]

    def bus(self, _name: str) -> MemoryBus:
        return MemoryBus()

    def events(self) -> Iterator[Any]:
        raise NotRunning("gone", "", "")

    def health(self) -> list[EngineHealth]:
        return [self._well]

    def refresh(self) -> None:
        """Nothing is to be known."""

    def pids(self) -> dict[str, int]:
        return {}

    def manifests(self) -> tuple[Any, ...]:
        return (SimpleNamespace(name="risk", consumes=(), level=ServiceLevel()),)

    def add(self, record: records.AnyRecord) -> None:
        self.kept.append(record)

    def say(self, *_: object) -> None:
        """Nobody listens."""

    def keep(self, *_: object) -> None:
        """Nobody reads it."""

    def show(self, *_: object) -> None:
        """Nobody looks."""


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Toy:
    kind = Toy("toy")
    monkeypatch.setitem(KINDS, "toy", kind)
    return kind


def drive(going: Going, act: Callable[[Injection], Any]) -> None:
    async def run() -> None:
        injection = Injection(going, "phase", 5.0)  # type: ignore[arg-type] # what it needs of a run
        try:
            await act(injection)
        finally:
            await injection.close()

    asyncio.run(run())


def test_a_fault_that_nobody_notices_is_recorded_with_its_healing_and_recovered_from(tmp_path: Path, toy: Toy) -> None:
    going = Going(tmp_path)
    drive(going, lambda injection: injection.schedule([Due(0.05, Fault("a", "toy", "risk", 0.1))], time.monotonic_ns()))
    inject, heal, own, back = going.kept
    assert isinstance(inject, records.Fault) and isinstance(heal, records.Fault)
    assert (inject.event, heal.event, inject.proven, heal.proof) == ("inject", "heal", True, "gone")
    assert isinstance(back, records.Recovery)
    assert back.healed_ns is not None and back.regained_ns is not None and back.drained_ns is not None
    assert isinstance(own, records.EngineRecovery) and (own.id, own.engine, own.answer_ms) == ("a", "risk", 100.0)
    assert own.regained_ns == back.regained_ns and own.healthy_ns == back.healthy_ns
    assert (back.detected_ns, back.restarted_ns) == (None, None)
    assert back.injected_ns < back.healed_ns < back.regained_ns
    assert back.healed_ns - back.injected_ns >= 100_000_000  # it lasts as long as it was asked to
    assert toy.said == ["begin a", "in force a", "healed a"]


def test_faults_of_a_schedule_are_in_force_beside_each_other(tmp_path: Path, toy: Toy) -> None:
    due = [Due(0.0, Fault("long", "toy", "risk", 1.0)), Due(0.2, Fault("short", "toy", "vpin", 0.1))]
    drive(Going(tmp_path), lambda injection: injection.schedule(due, time.monotonic_ns()))
    assert toy.said.index("in force long") < toy.said.index("begin short")
    assert toy.said.index("healed short") < toy.said.index("healed long")


@pytest.mark.parametrize("slow_s", [0.0, 0.4], ids=["in force", "being injected"])
def test_an_interrupted_mission_takes_back_what_is_in_force(tmp_path: Path, toy: Toy, slow_s: float) -> None:
    toy.slow_s = slow_s

    async def interrupted(injection: Injection) -> None:
        task = asyncio.create_task(injection.schedule([Due(0.0, Fault("a", "toy", "risk", 60.0))], time.monotonic_ns()))
        while "begin a" not in toy.said or not (slow_s or "in force a" in toy.said):  # noqa: ASYNC110 # a thread says it
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    drive(Going(tmp_path), interrupted)
    assert toy.said == ["begin a", "in force a", "healed a"]
    assert UndoJournal(tmp_path).pending() == ()


def test_a_fault_that_cannot_be_injected_is_recorded_unproven_and_the_next_one_comes(tmp_path: Path, toy: Toy) -> None:
    going = Going(tmp_path)
    toy.fails = UsageError("The engine takes no drills.", "", "")

    async def both(injection: Injection) -> None:
        await injection.one(Fault("a", "toy", "risk", 60.0))
        toy.fails = None
        await injection.one(Fault("b", "toy", "risk", 0.01))

    drive(going, both)
    told = [(each.id, each.event, each.proven) for each in going.kept if isinstance(each, records.Fault)]
    assert told == [("a", "inject", False), ("b", "inject", True), ("b", "heal", True)]
    assert "takes no drills" in going.kept[0].proof  # type: ignore[union-attr] # it is a fault's record


def test_what_an_earlier_phase_left_pending_is_healed_at_the_end(tmp_path: Path, toy: Toy) -> None:
    UndoJournal(tmp_path).begin(Undo(fault="old", kind="toy", target="risk"))

    async def nothing(_: Injection) -> None:
        """No fault of its own."""

    drive(Going(tmp_path), nothing)
    assert toy.said == ["healed old"]
