"""Faults that engines play on themselves, the damaged store and pressure on the host: injected, proven, healed; and
healed by another process after the operator's own death.  One real recorder, two real buses.
"""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.fleet import process
from engines.wire.errors import BusError, UsageError
from stress.faults import heal
from stress.faults.drill import BUSY, CLOCK, DISK, MEMORY
from stress.faults.fault import Fault
from stress.faults.kinds import KINDS
from stress.faults.pressure import CPU_PRESSURE, MARK, MEMORY_PRESSURE
from stress.faults.undo import UndoJournal
from stress.fleet import FLEET, MissionFleet
from tests.stress.faults.partial import Partial, die_in, publish, recorded, until

pytestmark = pytest.mark.skipif(not process.LINUX, reason="reads /proc")
FAULTS = [
    Fault("clock", "clock-step", "backend", 60.0, {"step_s": -3_600.0}),
    Fault("memory", "memory", "backend", 60.0, {"mb": 64.0}),
    Fault("busy", "busy-loop", "backend", 60.0, {"busy_ms": 30.0}),
    Fault("burners", "cpu-pressure", "host", 60.0, {"processes": 1}),
    Fault("holder", "memory-pressure", "host", 60.0, {"share": 0.002}),
    Fault("pause", "pause", "backend", 60.0),
    Fault("file", "bus-file", "bus-main", 60.0),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run folder with a fleet of one engine."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    folder.mkdir()
    fleet = Partial(folder / FLEET)
    status = fleet.up(lambda _: None)
    assert status.healthy
    yield folder
    fleet.down(now=True)


@pytest.fixture
def fleet(run: Path) -> MissionFleet:
    fleet = Partial(run / FLEET)
    until(lambda: fleet.refresh().healthy)
    return fleet


@pytest.fixture
def journal(run: Path) -> Iterator[UndoJournal]:
    own = UndoJournal(run)
    yield own
    assert own.pending() == ()


def checks(fleet: MissionFleet) -> dict[str, tuple[str, str]]:
    report = fleet.get("backend", "/health")
    return {check["name"]: (check["status"], check["detail"]) for check in report["checks"]}


def test_a_stepped_clock_is_seen_by_the_engines_own_check(fleet: MissionFleet, journal: UndoJournal) -> None:
    done = CLOCK.inject(Fault("c", "clock-step", "backend", 60.0, {"step_s": -3_600.0}), fleet, journal)
    assert done.proven and done.undo is not None, done.proof
    assert "-3600 s between its clock and the host's" in done.proof
    assert journal.pending() == (done.undo,)
    until(lambda: "stepped by -3600" in checks(fleet)["clock"][1])
    assert fleet.get("backend", "/health")["status"] == "healthy"  # it is told, and stops nothing
    back = CLOCK.heal(done.undo, journal)
    assert back.proven and fleet.get("backend", "/drill") == []
    until(lambda: "stepped by +3600" in checks(fleet)["clock"][1])


class Stream:
    """Messages that come while a test does something, and how many there were in the end."""

    def __init__(self, fleet: MissionFleet) -> None:
        self.sent = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(fleet,))

    def __enter__(self) -> "Stream":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self, fleet: MissionFleet) -> None:
        while not self._over.wait(0.02):
            publish(fleet, self.sent, 1)
            self.sent += 1


def test_a_full_disk_degrades_the_recorder_which_loses_nothing(fleet: MissionFleet, journal: UndoJournal) -> None:
    before, pid = recorded(fleet), fleet.refresh().wanted[0].pid
    with Stream(fleet) as stream:
        until(lambda: recorded(fleet) > before)
        done = DISK.inject(Fault("d", "disk-full", "backend", 60.0), fleet, journal)
        assert done.proven and done.undo is not None, done.proof
        until(lambda: fleet.get("backend", "/health")["status"] == "degraded")
        assert "No space left on device" in checks(fleet)["recorder"][1]
        stands = recorded(fleet)
        sent = stream.sent
        until(lambda: stream.sent > sent + 5)
        assert recorded(fleet) == stands
        assert DISK.heal(done.undo, journal).proven
        until(lambda: recorded(fleet) > stands)
    until(lambda: recorded(fleet) == before + stream.sent)
    until(lambda: fleet.get("backend", "/health")["status"] == "healthy")
    assert fleet.refresh().wanted[0].pid == pid


@pytest.mark.parametrize("target", ["bus-main", "bus-market"])
def test_a_bus_whose_file_cannot_grow_is_told_and_loses_nothing(
    fleet: MissionFleet, journal: UndoJournal, target: str
) -> None:
    before, pids = recorded(fleet), fleet.pids()
    publish(fleet, before + 1_001, 3)
    until(lambda: recorded(fleet) == before + 3)
    kind = KINDS["bus-file"]
    done = kind.inject(Fault("b", "bus-file", target, 60.0), fleet, journal)
    assert done.proven and done.undo is not None, done.proof
    if target == "bus-main":
        with pytest.raises(BusError, match="MISCONF"):  # whoever publishes hears it
            publish(fleet, before + 1_004, 1)
    until(lambda: fleet.get("backend", "/health")["status"] == "degraded")
    status, words = checks(fleet)[target]
    assert status == "fail" and "MISCONF" in words
    assert recorded(fleet) == before + 3
    assert kind.heal(done.undo, journal).proven
    publish(fleet, before + 1_005, 2)
    until(lambda: recorded(fleet) == before + 5)
    until(lambda: fleet.get("backend", "/health")["status"] == "healthy")
    until(lambda: fleet.refresh().healthy)
    assert fleet.pids() == pids  # nobody was replaced


@pytest.mark.parametrize(
    ("kind", "fault", "words"),
    [
        (MEMORY, Fault("m", "memory", "backend", 60.0, {"mb": 64.0}), "64 MB held and touched"),
        (BUSY, Fault("b", "busy-loop", "backend", 60.0, {"busy_ms": 30.0}), "ms of its event loop taken"),
    ],
)
def test_memory_and_a_busy_loop_are_measured_by_the_engine(
    fleet: MissionFleet, journal: UndoJournal, kind: object, fault: Fault, words: str
) -> None:
    pid = fleet.refresh().wanted[0].pid
    used = process.usage(pid or 0)
    done = KINDS[fault.kind].inject(fault, fleet, journal)
    assert done.proven and done.undo is not None and words in done.proof, done.proof
    now = process.usage(pid or 0)
    assert used is not None and now is not None
    if kind is MEMORY:
        assert now.rss - used.rss > 60 << 20
    with pytest.raises(UsageError, match="refuses a drill"):  # one of a kind at a time
        KINDS[fault.kind].inject(Fault("again", fault.kind, "backend", 60.0, fault.parameters), fleet, journal)
    assert KINDS[fault.kind].heal(done.undo, journal).proven
    assert fleet.get("backend", "/drill") == []


def test_too_much_memory_is_refused_and_nothing_stays_pending(fleet: MissionFleet, journal: UndoJournal) -> None:
    with pytest.raises(UsageError, match="MB are left"):
        MEMORY.inject(Fault("m", "memory", "backend", 1.0, {"mb": 60_000.0}), fleet, journal)


def test_burners_burn_and_are_ended(fleet: MissionFleet, journal: UndoJournal) -> None:
    done = CPU_PRESSURE.inject(Fault("p", "cpu-pressure", "host", 60.0, {"processes": 2}), fleet, journal)
    assert done.proven and done.undo is not None and "2 processes burnt" in done.proof
    marked = process.marked({MARK: str(done.undo.facts["mark"])})
    assert len(marked) == 2
    back = CPU_PRESSURE.heal(done.undo, journal)
    assert back.proven and "2 processes ended" in back.proof
    assert not any(process.alive(identity) for identity in marked)


def test_held_memory_is_resident_and_given_back(fleet: MissionFleet, journal: UndoJournal) -> None:
    done = MEMORY_PRESSURE.inject(Fault("p", "memory-pressure", "host", 60.0, {"share": 0.002}), fleet, journal)
    assert done.proven and done.undo is not None, done.proof
    assert MEMORY_PRESSURE.heal(done.undo, journal).proven


def test_a_pressure_whose_processes_died_at_once_is_not_proven(
    fleet: MissionFleet, journal: UndoJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stress.faults.burden.__file__", "/nonexistent.py")
    monkeypatch.setattr("stress.faults.pressure._PROOF_S", 0.3)
    done = CPU_PRESSURE.inject(Fault("p", "cpu-pressure", "host", 1.0, {"processes": 1}), fleet, journal)
    assert not done.proven and done.undo is not None
    assert CPU_PRESSURE.heal(done.undo, journal).proven


def test_a_damaged_store_is_set_aside_and_recording_goes_on(fleet: MissionFleet, journal: UndoJournal) -> None:
    before = recorded(fleet)
    publish(fleet, before + 101, 5)
    until(lambda: recorded(fleet) == before + 5)
    kind = KINDS["corrupt-store"]
    done = kind.inject(Fault("s", "corrupt-store", "backend"), fleet, journal)
    assert done.proven, done.proof
    assert "set aside as nautilus.duckdb.damaged-1" in done.proof
    until(lambda: fleet.refresh().healthy)
    status, words = checks(fleet)["store"]
    assert status == "warn" and "nautilus.duckdb.damaged-1" in words
    until(lambda: recorded(fleet) == before + 5)  # the streams still held them
    publish(fleet, before + 201, 2)
    until(lambda: recorded(fleet) == before + 7)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind)
def test_a_fresh_process_heals_after_the_operators_own_death(run: Path, fleet: MissionFleet, fault: Fault) -> None:
    die_in(run, fault)
    assert [undo.kind for undo in UndoJournal(run).pending()] == [fault.kind]
    healed = heal.heal_pending(run.parent)
    assert [(each.kind, each.target, each.proven) for each in healed] == [(fault.kind, fault.target, True)], healed
    assert UndoJournal(run).pending() == ()
    assert heal.heal_pending(run.parent) == ()
    assert [each.holds for each in heal.steady(run.parent)] == [True]
    if fault.target == "backend":
        assert fleet.get("backend", "/drill") == []


def test_a_full_disk_is_healed_after_the_operators_own_death(run: Path, fleet: MissionFleet) -> None:
    with Stream(fleet):
        die_in(run, Fault("full", "disk-full", "backend", 60.0))
    (healed,) = heal.heal_pending(run.parent)
    assert healed.proven and healed.kind == "disk-full"


def test_an_undo_of_an_unknown_kind_stays_pending_and_is_told(tmp_path: Path) -> None:
    from stress.faults.fault import Undo

    (tmp_path / "old").mkdir()
    UndoJournal(tmp_path / "old").begin(Undo(fault="x", kind="meteorite", target="risk"))
    (healed,) = heal.heal_pending(tmp_path)
    assert not healed.proven and "no such kind" in healed.proof
    assert len(UndoJournal(tmp_path / "old").pending()) == 1
