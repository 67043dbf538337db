"""A bus without memory, and one without room for clients: refused, healed, also by a process that knows its undo."""

from collections.abc import Iterator
from pathlib import Path

import busfleet
import pytest
from busfleet import BusFleet

from stress.faults import bus_memory, bus_server
from stress.faults.bus_clients import KIND as CLIENTS
from stress.faults.bus_memory import KIND as MEMORY
from stress.faults.connections import ask
from stress.faults.fault import Fault
from stress.faults.undo import UndoJournal

MIB = 1 << 20


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BusFleet]:
    made = BusFleet(tmp_path_factory.mktemp("home")).up("market")
    yield made
    made.down()


@pytest.fixture
def journal(tmp_path: Path) -> UndoJournal:
    return UndoJournal(tmp_path)


def setting(fleet: BusFleet, name: str) -> str:
    with bus_server.connect(fleet.url_of("market")) as link:
        return bus_server.setting(link, name)


def test_out_of_memory_until_it_is_healed(fleet: BusFleet, journal: UndoJournal) -> None:
    before = setting(fleet, "maxmemory")
    done = MEMORY.inject(Fault("f", "bus-memory", "bus-market"), fleet, journal)
    assert done.proven and "OOM" in done.proof, done.proof
    assert journal.pending() == (done.undo,)
    assert int(setting(fleet, "maxmemory")) < 64 * MIB < int(before)
    assert setting(fleet, "maxmemory-policy") == "noeviction"
    assert done.undo is not None
    back = MEMORY.heal(done.undo, journal)
    assert back.proven and "a write is taken" in back.proof, back.proof
    assert setting(fleet, "maxmemory") == before
    assert journal.pending() == ()
    assert MEMORY.heal(done.undo, journal).proven
    with bus_server.connect(fleet.url_of("market")) as link:
        assert link.ask("EXISTS", "nautilus:memory-probe") == 0


def test_a_limit_with_headroom_is_met_by_writing_up_to_it(fleet: BusFleet, journal: UndoJournal) -> None:
    done = MEMORY.inject(Fault("f", "bus-memory", "bus-market", None, {"headroom_mb": 16}), fleet, journal)
    assert done.proven, done.proof
    assert done.undo is not None and MEMORY.heal(done.undo, journal).proven


def test_a_limit_that_was_not_set_is_not_proven(
    fleet: BusFleet, journal: UndoJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_memory, "_limit", lambda *_: None)
    done = MEMORY.inject(Fault("f", "bus-memory", "bus-market"), fleet, journal)
    assert not done.proven and "was taken" in done.proof


def test_healing_that_sets_nothing_is_not_proven(
    fleet: BusFleet, journal: UndoJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = MEMORY.inject(Fault("f", "bus-memory", "bus-market"), fleet, journal)
    assert done.undo is not None
    with monkeypatch.context() as broken:
        broken.setattr(bus_memory, "_limit", lambda *_: None)
        assert not MEMORY.heal(done.undo, journal).proven
    assert journal.pending() == (done.undo,)
    assert MEMORY.heal(done.undo, journal).proven


@pytest.mark.parametrize(("kind", "where"), [(MEMORY, "bus_memory"), (CLIENTS, "bus_clients")])
def test_a_fresh_process_heals_what_a_killed_one_has_injected(fleet: BusFleet, kind, where: str) -> None:
    before = {name: setting(fleet, name) for name in ("maxmemory", "maxclients")}
    undo = busfleet.inject_and_die(f"stress.faults.{where}:KIND", Fault("f", kind.name, "bus-market"), fleet)
    back = kind.heal(undo, UndoJournal(fleet.home))
    assert back.proven, back.proof
    assert {name: setting(fleet, name) for name in before} == before
    assert UndoJournal(fleet.home).pending() == ()


def test_no_room_for_another_client_until_it_is_healed(fleet: BusFleet, journal: UndoJournal) -> None:
    bus = fleet.url_of("market")
    with bus_server.connect(bus) as there:
        done = CLIENTS.inject(Fault("f", "bus-clients", "bus-market", None, {"spare": 40}), fleet, journal)
        assert done.proven and "max number of clients" in done.proof, done.proof
        assert ask(bus.address.path, bus=True)[0] == "refused"
        assert there.ask("PING") == b"PONG"  # who is there goes on
        assert done.undo is not None
        back = CLIENTS.heal(done.undo, journal)
    assert back.proven, back.proof
    assert busfleet.gone(done.undo)
    assert ask(bus.address.path, bus=True)[0] == "answered"
    assert journal.pending() == ()


def test_room_that_is_not_taken_is_not_proven(
    fleet: BusFleet, journal: UndoJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stress.faults.bus_clients._BEYOND", -39)  # of 40 connections the holder takes one
    done = CLIENTS.inject(Fault("f", "bus-clients", "bus-market", None, {"spare": 40}), fleet, journal)
    assert not done.proven and "answered" in done.proof
    assert done.undo is not None and CLIENTS.heal(done.undo, journal).proven


@pytest.mark.parametrize("kind", [MEMORY, CLIENTS])
def test_a_bus_that_has_ended_needs_no_healing(tmp_path: Path, journal: UndoJournal, kind) -> None:
    own = BusFleet(tmp_path / "home").up("main")
    done = kind.inject(Fault("f", kind.name, "bus-main"), own, journal)
    assert done.proven and done.undo is not None
    own.kill("main")
    back = kind.heal(done.undo, journal)
    assert back.proven and "had ended" in back.proof
    assert journal.pending() == ()
    own.down()


@pytest.mark.parametrize(
    ("kind", "target", "parameters", "mistake"),
    [
        (MEMORY, "risk", {}, "it cannot be at 'risk', only at: bus-main, bus-market"),
        (MEMORY, "bus-main", {"headroom_mb": "much"}, "headroom_mb = 'much': a number"),
        (CLIENTS, "supervisor", {}, "it cannot be at 'supervisor'"),
        (CLIENTS, "bus-main", {"spare": 0}, "spare = 0: a number from 1"),
    ],
)
def test_what_cannot_be_is_told(kind, target: str, parameters: dict[str, object], mistake: str) -> None:
    assert mistake in "\n".join(kind.mistakes(target, parameters))
    assert list(kind.mistakes("bus-main", {})) == []
